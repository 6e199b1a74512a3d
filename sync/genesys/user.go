package genesys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/contact"
	"usersyncd/sync/genesys/names"
	"usersyncd/sync/genesys/unmanaged"
	"usersyncd/sync/plan"
)

// user is the API's User: its members as they came.
type user map[string]json.RawMessage

// Key implements api.Entry.
func (u user) Key() string {
	id, _ := optional[string](u["id"]) // a bad one is found when it is decoded
	return id
}

// optional decodes a member; the zero value if it is missing or null.
func optional[T any](raw json.RawMessage) (T, error) {
	if len(raw) > 1 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		if text, ok := any(string(raw[1 : len(raw)-1])).(T); ok { // as most are
			return text, nil
		}
	}
	var v T
	if len(raw) == 0 {
		return v, nil
	}
	err := json.Unmarshal(raw, &v)
	return v, err
}

type reference struct {
	ID string `json:"id"`
}

// Key implements api.Entry.
func (r reference) Key() string { return r.ID }

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// A reading decodes users: the fields that are always shown, and of the others those that were asked for.
type reading struct {
	rows  table
	names map[spec.RefKind]*names.Index
	known *unmanaged.Known
}

// reading returns one of the fields, with the names that they refer to. A field whose names cannot be listed is left out.
func (d *Directory) reading(ctx context.Context, asked []spec.Field) (*reading, error) {
	r := &reading{names: map[spec.RefKind]*names.Index{}, known: &d.unmanaged}
	for _, f := range d.fields {
		if f.user == "" || f.expand && !slices.Contains(asked, f.Field) {
			continue
		}
		if f.kind != "" {
			x, err := d.namesOf(ctx, f.kind)
			switch {
			case api.IsDenied(err): // what cannot be named is unknown; whoever declares it is told
				d.Options().Logger.WarnContext(ctx, "cannot read field: its names cannot be listed", "field", f.Field, "error", err)
				continue
			case err != nil:
				return nil, err
			}
			r.names[f.kind] = x
		}
		r.rows = append(r.rows, f)
	}
	return r, nil
}

// split divides the fields that are asked for among so many readings, or fewer if it has not so many.
func (r *reading) split(parts int) (all []*reading) {
	asked := 0
	for _, f := range r.rows {
		if f.expand {
			asked++
		}
	}
	parts = max(1, min(parts, asked))
	for n := range parts {
		part, i := &reading{names: r.names, known: r.known}, 0
		for _, f := range r.rows {
			if !f.expand || i*parts/asked == n {
				part.rows = append(part.rows, f)
			}
			if f.expand {
				i++
			}
		}
		all = append(all, part)
	}
	return all
}

// query asks for the fields that the API does not show otherwise.
func (r *reading) query() url.Values {
	var expand []string
	for _, f := range r.rows {
		if f.expand {
			expand = append(expand, f.user)
		}
	}
	if len(expand) == 0 {
		return url.Values{}
	}
	return url.Values{"expand": {strings.Join(expand, ",")}}
}

// user decodes an answer that shows one.
func (r *reading) user(answer *api.Body) (state.Observed, error) {
	var u user
	if err := answer.Decode(&u); err != nil {
		return state.Observed{}, err
	}
	return r.observed(u)
}

// users decodes an answer that shows several.
func (r *reading) users(answer *api.Body) (list []state.Observed, err error) {
	_, err = answer.Entries("entities", func() error {
		var u user
		if err := answer.Decode(&u); err != nil {
			return err
		}
		seen, err := r.observed(u)
		list = append(list, seen)
		return err
	}, nil)
	return list, err
}

// observed decodes a user.
func (r *reading) observed(u user) (seen state.Observed, err error) {
	if seen.ID, err = optional[string](u["id"]); err != nil || seen.ID == "" {
		return seen, fmt.Errorf("a user without an id (%s)", u["id"])
	}
	if seen.Version, err = optional[int](u["version"]); err != nil {
		return seen, fmt.Errorf("version of user %s: %w", seen.ID, err)
	}
	parts, err := r.known.Learn(seen.ID, u.contacts(), u["employerInfo"], u["locations"])
	if err != nil {
		return seen, fmt.Errorf("user %s: %w", seen.ID, err)
	}
	seen.Fields, seen.Opaque = make(spec.Fields, 0, len(r.rows)), parts.Opaque()
	var parsed any
	for i := range r.rows {
		f := &r.rows[i]
		raw := u[f.user]
		if f.expand && (raw == nil || string(raw) == "null") {
			continue
		}
		if i == 0 || f.user != r.rows[i-1].user { // two fields may come from one member
			if parsed, err = f.decode.parse(raw); err != nil {
				return seen, fmt.Errorf("%s of user %s: %w", f.user, seen.ID, err)
			}
		}
		if v := f.decode.value(parsed, r.names[f.kind]); v != "" {
			seen.Fields.Set(f.Field, v)
		}
	}
	return seen, nil
}

// contacts is the user's contacts without white space, so that the same contacts are the same bytes. They are kept as
// Opaque, so that those which no spec manages are written back as they were. A user without any has [], which is not
// the same as not knowing.
func (u user) contacts() json.RawMessage {
	raw := u["addresses"]
	b := bytes.NewBuffer(make([]byte, 0, len(raw)))
	if len(raw) == 0 || string(raw) == "null" || json.Compact(b, raw) != nil {
		return json.RawMessage("[]")
	}
	return b.Bytes()
}

// decodeAs decodes a member into what makes a value.
func decodeAs[T any](value func(T) spec.Value) decoder {
	return decodeNamed(func(_ *names.Index, v T) spec.Value { return value(v) })
}

// decodeNamed is decodeAs for what refers to something by id.
func decodeNamed[T any](value func(x *names.Index, v T) spec.Value) decoder {
	return decoder{
		parse: func(raw json.RawMessage) (any, error) { return optional[T](raw) },
		value: func(parsed any, x *names.Index) spec.Value { return value(x, parsed.(T)) },
	}
}

// encodeAs is for what is sent as a spec has it.
func encodeAs[T any](_ context.Context, _ *Directory, _ *plan.Change, v spec.Value) (any, error) {
	return spec.Decode[T](v)
}

func emailValue(address string) spec.Value { return spec.Text(spec.Key(address)) }

func stateValue(s string) spec.Value {
	if s == "" {
		return ""
	}
	return spec.Text(strings.ToLower(s))
}

// managerPrefix marks a manager by id: the person stays the same when the address changes.
const managerPrefix = "id:"

// managerValue is of what is read as a reference, and written as a bare id.
func managerValue(manager reference) spec.Value {
	if manager.ID == "" {
		return spec.Text("")
	}
	return spec.Text(managerPrefix + manager.ID)
}

// encodeManager finds the user with that address: one that is known, else one that a search finds.
func encodeManager(ctx context.Context, d *Directory, _ *plan.Change, v spec.Value) (any, error) {
	key, err := spec.Decode[string](v)
	if err != nil || key == "" {
		return key, err
	}
	if id := d.addresses.ID(spec.Key(key)); id != "" {
		return id, nil
	}
	u, err := d.Find(ctx, key)
	if errors.Is(err, apply.ErrNotFound) {
		return nil, fmt.Errorf("no user has the address %q; declare one, or correct the address", key)
	}
	return u.ID, err
}

// employer is the API's EmployerInfo. A PATCH replaces all of it, so that a part is cleared by leaving it out; "" is no
// employeeType, nor a date, and would fail the whole request.
type employer struct {
	OfficialName string `json:"officialName,omitempty"`
	EmployeeID   string `json:"employeeId,omitempty"`
	EmployeeType string `json:"employeeType,omitempty"`
	DateHire     string `json:"dateHire,omitempty"`
}

func employerValue(e employer) spec.Value { return spec.EmployerOf(spec.EmployerInfo(e)) }

func encodeEmployer(_ context.Context, d *Directory, c *plan.Change, v spec.Value) (any, error) {
	want, err := spec.Decode[spec.EmployerInfo](v)
	if err != nil {
		return nil, err
	}
	return d.unmanaged.Of(c.Current.ID).Employer.With(employer(want))
}

// place is one of a user's locations as it is read; it is written as id and notes.
type place struct {
	ID         string `json:"id"`
	Notes      string `json:"notes,omitempty"`
	Definition *named `json:"locationDefinition,omitempty"`
}

func locationsValue(x *names.Index, list []place) spec.Value {
	places := make([]spec.Location, len(list))
	for i, p := range list {
		at := named{ID: p.ID}
		if p.Definition != nil {
			at = *p.Definition
		}
		places[i] = spec.Location{Name: x.Label(at.ID, at.Name), Notes: p.Notes}
	}
	return spec.LocationList(places)
}

func encodeLocations(ctx context.Context, d *Directory, c *plan.Change, v spec.Value) (any, error) {
	list, err := spec.Decode[[]spec.Location](v)
	if err != nil {
		return nil, err
	}
	known := d.unmanaged.Of(c.Current.ID).Locations
	places := make([]unmanaged.Members, len(list))
	for i, l := range list {
		id, err := d.idOf(ctx, spec.KindLocation, l.Name)
		if err != nil {
			return nil, err
		}
		if places[i], err = known[id].With(place{ID: id, Notes: l.Notes}); err != nil {
			return nil, err
		}
	}
	return places, nil
}

// encodeContacts is for phones and emails alike: the API replaces the whole list.
func encodeContacts(_ context.Context, _ *Directory, c *plan.Change, _ spec.Value) (any, error) {
	known := json.RawMessage("[]")
	if c.Current != nil {
		known = unmanaged.Parse(c.Current.Opaque).Addresses
	}
	return contact.Merge(known, after(c, spec.Phones), after(c, spec.Emails))
}

// withContacts returns the change with what is known of the user, which is read again if its contacts are to be written
// and not known: the list is replaced as a whole, and entries that no spec manages would be lost.
func (d *Directory) withContacts(ctx context.Context, c *plan.Change, fields []spec.Field) (*plan.Change, error) {
	if _, err := contact.Merge(unmanaged.Parse(c.Current.Opaque).Addresses, "", ""); err == nil || !slices.Contains(fields, spec.Phones) && !slices.Contains(fields, spec.Emails) {
		return c, nil
	}
	seen, err := d.Get(ctx, c.Current.ID)
	if err != nil {
		return nil, err
	}
	known := *c
	known.Current = &state.User{Observed: seen}
	return &known, nil
}
