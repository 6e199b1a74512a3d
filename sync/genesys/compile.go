package genesys

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
)

// sends lists what this package writes and reads, in the order of the format.
var sends = []spec.Field{
	spec.Email, spec.Name, spec.State, spec.Title, spec.Department, spec.Manager, spec.PreferredName,
	spec.ACDAutoAnswer, spec.Certs, spec.Employer, spec.Phones, spec.Emails,
}

// creatable is what POST /users takes (CreateUser); the rest needs a PATCH.
var creatable = []spec.Field{spec.Email, spec.Name, spec.State, spec.Title, spec.Department, spec.Phones, spec.Emails}

// Sends returns the fields that this version can write. Others must be refused before a call is compiled.
func Sends() []spec.Field { return slices.Clone(sends) }

// op says what a call is; it is the call's Op.
type op int

const (
	opCreate op = iota + 1 // POST /users
	opState                // PATCH with state and version alone: the API ignores or refuses anything besides
	opFields               // PATCH with everything else
)

// compile turns one change into its calls: at most the creation or the state, then one PATCH.
func compile(c *usersync.Change) []*usersync.Call {
	one := func(o op, name string, fields []spec.Field) *usersync.Call {
		return &usersync.Call{Name: name, Changes: []*usersync.Change{c}, Fields: fields, Creates: o == opCreate, Op: o}
	}
	var calls []*usersync.Call
	var rest []spec.Field
	switch c.Action {
	case usersync.Unmanage:
		return nil
	case usersync.Create:
		var first []spec.Field
		for _, f := range inOrder(c.Desired) {
			if slices.Contains(creatable, f) || isEmpty(f, c.Desired[f]) {
				first = append(first, f) // a new user has nothing, so what is to be empty is settled
			} else {
				rest = append(rest, f)
			}
		}
		calls = append(calls, one(opCreate, "POST /users", first))
	default:
		for _, fc := range c.Fields {
			if fc.Field != spec.State {
				rest = append(rest, fc.Field)
			}
		}
		if c.Names(spec.State) || c.Action == usersync.Restore {
			calls = append(calls, one(opState, "PATCH /users/{id}", []spec.Field{spec.State}))
		}
	}
	if len(rest) > 0 {
		calls = append(calls, one(opFields, "PATCH /users/{id}", rest))
	}
	return calls
}

// inOrder returns the fields in the order in which the API knows them; those it does not know come last.
func inOrder(f spec.Fields) []spec.Field {
	place := func(name spec.Field) int {
		if i := slices.Index(sends, name); i >= 0 {
			return i
		}
		return len(sends)
	}
	return slices.SortedFunc(maps.Keys(f), func(a, b spec.Field) int {
		return cmp.Or(place(a)-place(b), cmp.Compare(a, b))
	})
}

// isEmpty reports whether a value of a field is what a new user has.
func isEmpty(f spec.Field, v spec.Value) bool {
	switch f {
	case spec.Manager, spec.PreferredName:
		return v == spec.Text("")
	case spec.ACDAutoAnswer:
		return v == spec.Bool(false)
	case spec.Certs:
		return v == spec.Strings(nil)
	case spec.Employer:
		return v == spec.EmployerOf(spec.EmployerInfo{})
	}
	return false
}

// after is what a field is to become.
func after(c *usersync.Change, f spec.Field) spec.Value {
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
// unless it sends an invitation.
func creation(c *usersync.Change) (map[string]any, error) {
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

// update builds the body of a PATCH with the given fields. manager turns an address into an id.
func update(c *usersync.Change, current state.Observed, fields []spec.Field, manager func(key string) (id string, err error)) (map[string]any, error) {
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
				key, err = manager(key)
			}
			value = key
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

// addresses merges the phones and emails that are managed into the contacts known.
func addresses(c *usersync.Change, known json.RawMessage) ([]map[string]json.RawMessage, error) {
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
