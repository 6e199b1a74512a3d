package genesys

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// creatable is what POST /users takes (CreateUser); the rest needs further calls.
var creatable = []spec.Field{spec.Email, spec.Name, spec.State, spec.Title, spec.Department, spec.Phones, spec.Emails, spec.Division}

// patchable is what PATCH /users/{id} takes (UpdateUser), but for the state, which goes alone.
var patchable = []spec.Field{
	spec.Email, spec.Name, spec.Title, spec.Department, spec.Manager, spec.PreferredName, spec.ACDAutoAnswer,
	spec.Certs, spec.Employer, spec.Phones, spec.Emails, spec.Locations,
}

// Limits returns what the API cannot do.
func Limits() plan.Limits {
	detail := []spec.Field{spec.Roles, spec.Queues, spec.Utilization, spec.Voicemail, spec.ExternalIDs}
	return plan.Limits{DetailFields: detail, UnversionedFields: append(slices.Clip(detail), spec.Division, spec.Skills, spec.Languages, spec.ProfileSkills, spec.Groups)}
}

// Limits returns the same, for a pass.
func (*Directory) Limits() plan.Limits { return Limits() }

// isEmpty reports whether a value of a field is what a new user has.
func isEmpty(f spec.Field, v spec.Value) bool {
	switch f {
	case spec.Manager, spec.PreferredName:
		return v == spec.Text("")
	case spec.ACDAutoAnswer:
		return v == spec.Bool(false)
	case spec.Certs, spec.ProfileSkills, spec.Locations, spec.Queues, spec.Groups, spec.Employer, spec.Skills, spec.Languages,
		spec.Utilization, spec.ExternalIDs:
		return spec.IsEmpty(f, v)
	}
	return false // roles: an organization may give every new user some
}

// after is what a field is to become.
func after(c *plan.Change, f spec.Field) spec.Value {
	if v, ok := c.Desired[f]; ok {
		return v
	}
	for _, fc := range c.Fields {
		if fc.Field == f {
			return fc.After
		}
	}
	if f == spec.State {
		return spec.Text("active")
	}
	return ""
}

// creation builds the body of POST /users. The state is always sent: the API's default is inactive
// unless it sends an invitation. division is an id; without one the user goes to the home division.
func creation(c *plan.Change, division string) (map[string]any, error) {
	body := map[string]any{}
	var err error
	if body["state"], err = spec.Decode[string](after(c, spec.State)); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	for _, f := range []spec.Field{spec.Email, spec.Name, spec.Title, spec.Department} {
		v, managed := c.Desired[f]
		if !managed {
			continue
		}
		text, err := spec.Decode[string](v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		if text != "" {
			body[string(f)] = text
		}
	}
	if division != "" {
		body["divisionId"] = division
	}
	if body["email"] == nil || body["name"] == nil {
		return nil, errors.New("a user cannot be created without email and name")
	}
	list, err := addresses(c, json.RawMessage("[]"))
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		body["addresses"] = list
	}
	return body, nil
}

// A lookup turns the name of something into an id: of a manager by address, of a location.
type lookup struct {
	manager, location func(name string) (id string, err error)
}

// update builds the body of a PATCH with the given fields.
func update(c *plan.Change, current state.Observed, fields []spec.Field, find lookup) (map[string]any, error) {
	body := map[string]any{"version": current.Version}
	for _, f := range fields {
		var value any
		var err error
		switch v := after(c, f); f {
		case spec.Email, spec.Name, spec.State, spec.Title, spec.Department, spec.PreferredName:
			value, err = spec.Decode[string](v)
		case spec.ACDAutoAnswer:
			value, err = spec.Decode[bool](v)
		case spec.Certs:
			value, err = spec.Decode[[]string](v)
		case spec.Manager:
			var key string
			if key, err = spec.Decode[string](v); err == nil && key != "" {
				key, err = find.manager(key)
			}
			value = key
		case spec.Locations:
			value, err = places(v, find.location)
		case spec.Employer:
			value, err = employment(v, current.Fields[spec.Employer])
		case spec.Phones, spec.Emails:
			value, err = addresses(c, current.Opaque)
		default:
			err = errors.New("this version does not send it")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		body[wireName(f)] = value
	}
	return body, nil
}

func wireName(f spec.Field) string {
	switch f {
	case spec.Employer:
		return "employerInfo"
	case spec.Phones, spec.Emails:
		return "addresses"
	}
	return string(f)
}

// places is locations as they are written: ids and notes.
func places(v spec.Value, find func(name string) (string, error)) ([]map[string]string, error) {
	list, err := spec.Decode[[]spec.Location](v)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]string, 0, len(list))
	for _, l := range list {
		id, err := find(l.Name)
		if err != nil {
			return nil, err
		}
		p := map[string]string{"id": id}
		if l.Notes != "" {
			p["notes"] = l.Notes
		}
		out = append(out, p)
	}
	return out, nil
}

// addresses merges the phones and emails that are managed into the contacts known.
func addresses(c *plan.Change, known json.RawMessage) ([]map[string]json.RawMessage, error) {
	var phones *[]spec.Phone
	var emails *[]spec.EmailAddress
	if v := after(c, spec.Phones); v != "" {
		list, err := spec.Decode[[]spec.Phone](v)
		if err != nil {
			return nil, err
		}
		phones = &list
	}
	if v := after(c, spec.Emails); v != "" {
		list, err := spec.Decode[[]spec.EmailAddress](v)
		if err != nil {
			return nil, err
		}
		emails = &list
	}
	return merge(known, phones, emails)
}

// employment names every part that is to have a value, and those that are to lose one. Whether the API
// replaces the object or merges it is not known; so it comes out the same.
func employment(want, have spec.Value) (map[string]string, error) {
	w, err := spec.Decode[spec.EmployerInfo](want)
	if err != nil {
		return nil, err
	}
	h, err := spec.Decode[spec.EmployerInfo](have)
	known := err == nil
	parts := map[string]string{}
	put := func(name, want, have string) {
		if want != "" || have != "" || !known {
			parts[name] = want
		}
	}
	put("officialName", w.OfficialName, h.OfficialName)
	put("employeeId", w.EmployeeID, h.EmployeeID)
	put("employeeType", w.EmployeeType, h.EmployeeType)
	put("dateHire", w.DateHire, h.DateHire)
	return parts, nil
}
