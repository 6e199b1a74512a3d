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

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/contact"
	"usersyncd/sync/genesys/names"
	"usersyncd/sync/plan"
)

// user is the API's User, of which a reading decodes what it wants.
type user struct {
	ID      string
	Version int
	members map[string]json.RawMessage

	contacts []contact.Contact // decoded once
}

// UnmarshalJSON implements json.Unmarshaler.
func (u *user) UnmarshalJSON(text []byte) error {
	*u = user{members: make(map[string]json.RawMessage, 24)}
	if err := json.Unmarshal(text, &u.members); err != nil {
		return err
	}
	var err error
	if u.ID, err = optional[string](u.member("id")); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	if u.Version, err = optional[int](u.member("version")); err != nil {
		return fmt.Errorf("version: %w", err)
	}
	return nil
}

// Key implements api.Entry.
func (u user) Key() string { return u.ID }

// member is one of the user's members; nil if it is missing or null.
func (u *user) member(name string) json.RawMessage {
	if raw := u.members[name]; string(raw) != "null" {
		return raw
	}
	return nil
}

// optional decodes a member; nil is the zero value.
func optional[T any](raw json.RawMessage) (out T, err error) {
	if raw == nil {
		return out, nil
	}
	return out, json.Unmarshal(raw, &out)
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
	names map[spec.Kind]*names.Index
}

// reading returns one of the fields, with the names that they refer to. A field whose names cannot be read is left out.
func (d *Directory) reading(ctx context.Context, asked []spec.Field) (*reading, error) {
	r := &reading{names: map[spec.Kind]*names.Index{}}
	for _, f := range d.fields {
		if f.user == "" || f.expand && !slices.Contains(asked, f.Field) {
			continue
		}
		if f.kind != "" {
			x, err := d.namesOf(ctx, f.kind)
			switch {
			case api.IsDenied(err): // what cannot be named is unknown; whoever declares it is told
				d.client.Options().Logger.WarnContext(ctx, "cannot read field: its names cannot be listed", "field", f.Field, "error", err)
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

// alwaysShown is a reading of the fields that need not be asked for.
func (d *Directory) alwaysShown() *reading {
	return &reading{rows: slices.DeleteFunc(slices.Clone(d.fields), func(f field) bool { return f.user == "" || f.expand })}
}

// query asks for the fields that the API does not show otherwise.
func (r *reading) query() url.Values {
	var names []string
	for _, f := range r.rows {
		if f.expand {
			names = append(names, f.user)
		}
	}
	if len(names) == 0 {
		return url.Values{}
	}
	return url.Values{"expand": {strings.Join(names, ",")}}
}

// user decodes an answer that shows one.
func (r *reading) user(answer []byte) (state.Observed, error) {
	var u user
	if err := json.Unmarshal(answer, &u); err != nil {
		return state.Observed{}, err
	}
	return r.observed(u)
}

// users decodes an answer that shows several.
func (r *reading) users(answer []byte) ([]state.Observed, error) {
	var p struct {
		Entities []user `json:"entities"`
	}
	if err := json.Unmarshal(answer, &p); err != nil {
		return nil, err
	}
	list := make([]state.Observed, len(p.Entities))
	for i, u := range p.Entities {
		var err error
		if list[i], err = r.observed(u); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// observed decodes a user.
func (r *reading) observed(u user) (state.Observed, error) {
	if u.ID == "" {
		return state.Observed{}, errors.New("a user without an id")
	}
	now := state.Observed{ID: u.ID, Version: u.Version, Fields: make(spec.Fields, len(r.rows)), Opaque: u.contactsAsShown()}
	for i := range r.rows {
		f := &r.rows[i]
		raw := u.member(f.user)
		if raw == nil && f.expand {
			continue
		}
		v, err := f.decode(r, &u, raw)
		if err != nil {
			return state.Observed{}, fmt.Errorf("%s of user %s: %w", f.user, u.ID, err)
		}
		if v != "" {
			now.Fields[f.Field] = v
		}
	}
	return now, nil
}

// label is the name that a spec gives to what a user refers to.
func (r *reading) label(kind spec.Kind, n named) string {
	if x := r.names[kind]; x != nil {
		return x.Label(n.ID, n.Name)
	}
	return n.Name
}

// encode is for what is sent as a spec has it.
func encode[T any](_ context.Context, _ *Directory, _ *plan.Change, v spec.Value) (any, error) {
	return spec.Decode[T](v)
}

func decodeText(_ *reading, _ *user, raw json.RawMessage) (spec.Value, error) {
	s, err := optional[string](raw)
	return spec.Text(s), err
}

func decodeEmail(_ *reading, _ *user, raw json.RawMessage) (spec.Value, error) {
	s, err := optional[string](raw)
	return spec.Text(spec.Key(s)), err
}

func decodeState(_ *reading, _ *user, raw json.RawMessage) (spec.Value, error) {
	if raw == nil {
		return "", nil
	}
	s, err := optional[string](raw)
	return spec.Text(strings.ToLower(s)), err
}

func decodeBool(_ *reading, _ *user, raw json.RawMessage) (spec.Value, error) {
	b, err := optional[bool](raw)
	return spec.Bool(b), err
}

func decodeList(_ *reading, _ *user, raw json.RawMessage) (spec.Value, error) {
	list, err := optional[[]string](raw)
	return spec.Strings(list), err
}

// managerPrefix marks a manager by id: the person stays the same when the address changes.
const managerPrefix = "id:"

// decodeManager reads a reference; it is written as a bare id.
func decodeManager(_ *reading, _ *user, raw json.RawMessage) (spec.Value, error) {
	manager, err := optional[reference](raw)
	if err != nil || manager.ID == "" {
		return spec.Text(""), err
	}
	return spec.Text(managerPrefix + manager.ID), nil
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

// employer is the API's EmployerInfo.
type employer struct {
	OfficialName string `json:"officialName"`
	EmployeeID   string `json:"employeeId"`
	EmployeeType string `json:"employeeType"`
	DateHire     string `json:"dateHire"`
}

func decodeEmployer(_ *reading, _ *user, raw json.RawMessage) (spec.Value, error) {
	e, err := optional[employer](raw)
	return spec.EmployerOf(spec.EmployerInfo(e)), err
}

// encodeEmployer names every part that is to have a value, and those that are to lose one. Whether the API
// replaces the object or merges it is not known; so the outcome is the same.
func encodeEmployer(_ context.Context, _ *Directory, c *plan.Change, v spec.Value) (any, error) {
	want, err := spec.Decode[spec.EmployerInfo](v)
	if err != nil {
		return nil, err
	}
	have, unknown := spec.Decode[spec.EmployerInfo](c.Current.Fields[spec.Employer])
	parts := map[string]string{}
	put := func(name, want, have string) {
		if want != "" || have != "" || unknown != nil {
			parts[name] = want
		}
	}
	put("officialName", want.OfficialName, have.OfficialName)
	put("employeeId", want.EmployeeID, have.EmployeeID)
	put("employeeType", want.EmployeeType, have.EmployeeType)
	put("dateHire", want.DateHire, have.DateHire)
	return parts, nil
}

// place is one of a user's locations as it is read; it is written as id and notes.
type place struct {
	ID         string `json:"id"`
	Notes      string `json:"notes,omitempty"`
	Definition *named `json:"locationDefinition,omitempty"`
}

func decodeLocations(r *reading, _ *user, raw json.RawMessage) (spec.Value, error) {
	list, err := optional[[]place](raw)
	places := make([]spec.Location, 0, len(list))
	for _, p := range list {
		at := named{ID: p.ID}
		if p.Definition != nil {
			at = *p.Definition
		}
		places = append(places, spec.Location{Name: r.label(spec.KindLocation, at), Notes: p.Notes})
	}
	return spec.LocationList(places), err
}

func encodeLocations(ctx context.Context, d *Directory, _ *plan.Change, v spec.Value) (any, error) {
	list, err := spec.Decode[[]spec.Location](v)
	places := make([]place, len(list))
	for i, l := range list {
		id, err := d.idOf(ctx, spec.KindLocation, l.Name)
		if err != nil {
			return nil, err
		}
		places[i] = place{ID: id, Notes: l.Notes}
	}
	return places, err
}

func decodePhones(_ *reading, u *user, raw json.RawMessage) (v spec.Value, err error) {
	u.contacts, err = contact.Decode(raw)
	return contact.Phones(u.contacts), err
}

// decodeEmails comes after decodePhones, which has decoded the list that both are in.
func decodeEmails(_ *reading, u *user, _ json.RawMessage) (spec.Value, error) {
	return contact.Emails(u.contacts), nil
}

// encodeContacts is for phones and emails alike: the API replaces the whole list.
func encodeContacts(_ context.Context, _ *Directory, c *plan.Change, _ spec.Value) (any, error) {
	known := json.RawMessage("[]")
	if c.Current != nil {
		known = c.Current.Opaque
	}
	return contact.Merge(known, after(c, spec.Phones), after(c, spec.Emails))
}

// contactsAsShown is the user's contacts without white space, so that the same contacts are the same bytes. They are kept
// as Opaque, so that those which no spec manages are written back as they were. A user without any has [], which is not
// the same as not knowing.
func (u *user) contactsAsShown() json.RawMessage {
	var b bytes.Buffer
	if raw := u.member("addresses"); raw == nil || json.Compact(&b, raw) != nil {
		return json.RawMessage("[]")
	}
	return b.Bytes()
}

// withContacts returns the change with what is known of the user, which is read again if its contacts are to be written
// and not known: the list is replaced as a whole, and entries that no spec manages would be lost.
func (d *Directory) withContacts(ctx context.Context, c *plan.Change, fields []spec.Field) (*plan.Change, error) {
	if _, err := contact.Merge(c.Current.Opaque, "", ""); err == nil || !slices.Contains(fields, spec.Phones) && !slices.Contains(fields, spec.Emails) {
		return c, nil
	}
	now, err := d.Get(ctx, c.Current.ID)
	if err != nil {
		return nil, err
	}
	known := *c
	known.Current = &state.User{Observed: now}
	return &known, nil
}
