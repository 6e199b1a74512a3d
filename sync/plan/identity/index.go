// Package identity matches declared users to known ones. An [Index] finds known users by address and by id, and resolves
// references. [Match] finds the known user of each declared one, and rejects what is ambiguous; [Resemblances] finds users that
// look like the same person under another address.
package identity

import (
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
)

// IDPrefix begins an observed reference to a user by id, as a directory reports it.
const IDPrefix = "id:"

// An Index finds the known users by id and by address.
type Index struct {
	ByID      map[string]*state.User
	ByKey     map[string]*state.User
	RenamedTo map[string]string // address that a known user is about to get -> id
	ToCreate  map[string]bool   // addresses of users that are about to be created, even if another user has one now
}

// NewIndex returns the index of users, which it uses as ByID.
func NewIndex(users map[string]*state.User) *Index {
	r := &Index{ByID: users, ByKey: make(map[string]*state.User, len(users)), RenamedTo: map[string]string{}, ToCreate: map[string]bool{}}
	for _, u := range users {
		r.index(u)
	}
	return r
}

// index adds u by its address. Two users may have the same one: one was purged, and the state file does not know.
func (r *Index) index(u *state.User) {
	k := u.Key()
	if old := r.ByKey[k]; preferred(u, old) || old.ID == u.ID {
		r.ByKey[k] = u
	}
}

// preferred reports whether u counts, and not old: the one that is not deleted, then the one with the greater id, so that a plan
// does not depend on the order of a map.
func preferred(u, old *state.User) bool {
	return old == nil || old.Deleted() && !u.Deleted() || old.Deleted() == u.Deleted() && u.ID > old.ID
}

// Put replaces what is known of a user, and its former address.
func (r *Index) Put(u *state.User) {
	r.Forget(u.ID)
	r.ByID[u.ID] = u
	r.index(u)
}

// Forget removes a user.
func (r *Index) Forget(id string) {
	if old, ok := r.ByID[id]; ok {
		if k := old.Key(); r.ByKey[k] == old {
			delete(r.ByKey, k)
		}
		delete(r.ByID, id)
	}
}

// Live returns the user with that address if it exists and is not deleted.
func (r *Index) Live(key string) *state.User {
	if u := r.ByKey[key]; u != nil && !u.Deleted() {
		return u
	}
	return nil
}

// ResolveID returns the id of the user that a reference means; "" if it is not known.
func (r *Index) ResolveID(v spec.Value) string {
	name := v.Text()
	if id, ok := strings.CutPrefix(name, IDPrefix); ok {
		return id
	}
	if r.ToCreate[spec.Key(name)] {
		return ""
	}
	if id := r.RenamedTo[spec.Key(name)]; id != "" { // the user that will have the address, not the one that has it
		return id
	}
	if u := r.ByKey[spec.Key(name)]; u != nil {
		return u.ID
	}
	return ""
}

// AsDeclared returns an observed value as a spec would have it: a reference by address, if that is known.
func (r *Index) AsDeclared(f spec.Field, v spec.Value) spec.Value {
	v = spec.Declarable(f, v)
	if id, ok := strings.CutPrefix(v.Text(), IDPrefix); ok {
		if u := r.ByID[id]; u != nil {
			return spec.Text(u.Key())
		}
	}
	return v
}

// Same reports whether two values of a field mean the same.
func (r *Index) Same(f spec.Field, desired, observed spec.Value) bool {
	if spec.Equal(f, desired, observed) {
		return true
	}
	if info, ok := spec.Lookup(f); !ok || !info.RefersToUser {
		return false
	}
	a, b := r.ResolveID(desired), r.ResolveID(observed)
	return a != "" && a == b
}

// Declarable returns the spec of a known user, with some fields. A manager that does not exist, or is not visible, is left out.
func (r *Index) Declarable(u *state.User, fields []spec.Field) *spec.User {
	out := &spec.User{Key: u.Key(), ID: u.ID, Fields: make(spec.Fields, 0, len(u.Fields))}
	for f, v := range u.Fields.All() {
		if f != spec.Email && f != spec.Name && !slices.Contains(fields, f) {
			continue
		}
		info, _ := spec.Lookup(f)
		if v = r.AsDeclared(f, v); info.RefersToUser && (strings.HasPrefix(v.Text(), IDPrefix) || v.Text() != "" && r.Live(v.Text()) == nil) {
			continue
		}
		out.Fields.Set(f, v)
	}
	return out
}
