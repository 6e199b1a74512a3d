package sync

import (
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
)

// idPrefix marks an observed reference to a user by id, as a directory reports it: a manager stays
// the same person when the address changes.
const idPrefix = "id:"

const deleted = "deleted" // the state of a user that the directory still knows but no longer shows

// A roster is the known users, findable by id and by address. It is what gives a reference its meaning.
type roster struct {
	byID   map[string]*state.User
	byKey  map[string]*state.User
	alias  map[string]string // address that a known user is about to get -> id
	comes  map[string]bool   // addresses of users who are about to be made, whoever has them now
	lax    bool              // drift is only reported
	steady bool              // addresses are somebody else's, and stay as they are
	infos  []spec.Info       // of all fields, in the format's order
}

func newRoster(users map[string]*state.User, lax bool) *roster {
	r := &roster{lax: lax, infos: spec.All(), byID: users, byKey: make(map[string]*state.User, len(users)), alias: map[string]string{}, comes: map[string]bool{}}
	for _, u := range users {
		r.index(u)
	}
	return r
}

// index makes u findable by its address. Of two users with one address (one was deleted and purged,
// and the file has not heard) the live one counts, then the one with the greater id, so that a plan
// does not depend on the order of a map.
func (r *roster) index(u *state.User) {
	k := keyOf(u)
	old, taken := r.byKey[k]
	if !taken || old.ID == u.ID || (isDeleted(old) && !isDeleted(u)) || (isDeleted(old) == isDeleted(u) && u.ID > old.ID) {
		r.byKey[k] = u
	}
}

// put replaces what is known of a user; its former address no longer leads to it.
func (r *roster) put(u *state.User) {
	if old, ok := r.byID[u.ID]; ok {
		if k := keyOf(old); r.byKey[k] == old {
			delete(r.byKey, k)
		}
	}
	r.byID[u.ID] = u
	r.index(u)
}

func (r *roster) forget(id string) {
	if old, ok := r.byID[id]; ok {
		if k := keyOf(old); r.byKey[k] == old {
			delete(r.byKey, k)
		}
		delete(r.byID, id)
	}
}

// live returns the user with that address if it exists and is not deleted.
func (r *roster) live(key string) *state.User {
	if u := r.byKey[key]; u != nil && !isDeleted(u) {
		return u
	}
	return nil
}

// person returns the id that a reference means: "" where it names nobody known.
func (r *roster) person(v spec.Value) string {
	name := text(v)
	if id, ok := strings.CutPrefix(name, idPrefix); ok {
		return id
	}
	if r.comes[spec.Key(name)] {
		return ""
	}
	if id := r.alias[spec.Key(name)]; id != "" { // who is to have it, and not who gives it up
		return id
	}
	if u := r.byKey[spec.Key(name)]; u != nil {
		return u.ID
	}
	return ""
}

// named shows what is observed as a spec would have it: a reference by the address of whom it means, where
// that is known.
func (r *roster) named(f spec.Field, v spec.Value) spec.Value {
	v = spec.Declarable(f, v)
	if id, ok := strings.CutPrefix(text(v), idPrefix); ok {
		if u := r.byID[id]; u != nil {
			return spec.Text(keyOf(u))
		}
	}
	return v
}

// same reports whether two values of a field mean the same.
func (r *roster) same(f spec.Field, desired, observed spec.Value) bool {
	if spec.Equal(f, desired, observed) {
		return true
	}
	if info, ok := spec.Lookup(f); !ok || !info.User {
		return false
	}
	a, b := r.person(desired), r.person(observed)
	return a != "" && a == b
}

// text is the value of a field that holds a string; "" for any other, and for none.
func text(v spec.Value) string {
	s, _ := spec.Decode[string](v)
	return s
}

func keyOf(u *state.User) string { return spec.Key(text(u.Fields[spec.Email])) }

func isDeleted(u *state.User) bool { return text(u.Fields[spec.State]) == deleted }

// managers names the users that fields refer to by the address that they have, if somebody else owns the
// addresses: it is not going to become the declared one.
func (r *roster) managers(fields spec.Fields, policy *Policy) spec.Fields {
	if !slices.Contains(policy.Unmanaged, spec.Email) {
		return fields
	}
	for _, info := range r.infos {
		key := text(fields[info.Field])
		if id := r.alias[key]; info.User && id != "" && r.byID[id] != nil {
			fields = maps.Clone(fields)
			fields[info.Field] = spec.Text(keyOf(r.byID[id]))
		}
	}
	return fields
}
