// Package identity tells who is who. An [Index] finds the known users by address and by id, and says whom a reference
// means. [Match] finds the known user behind each declared one, and refuses to guess; [Resemblances] finds who looks like
// the same person under another address.
package identity

import (
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
)

// IDPrefix marks an observed reference to a user by id, as a directory reports it: a manager stays
// the same person when the address changes.
const IDPrefix = "id:"

// An Index is the known users, findable by id and by address. It is what gives a reference its meaning.
type Index struct {
	ByID      map[string]*state.User
	ByKey     map[string]*state.User
	RenamedTo map[string]string // address that a known user is about to get -> id
	ToCreate  map[string]bool   // addresses of users who are about to be made, whoever has them now
}

// NewIndex makes the index of some users.
func NewIndex(users map[string]*state.User) *Index {
	r := &Index{ByID: users, ByKey: make(map[string]*state.User, len(users)), RenamedTo: map[string]string{}, ToCreate: map[string]bool{}}
	for _, u := range users {
		r.index(u)
	}
	return r
}

// index makes u findable by its address. Of two users with one address (one was deleted and purged,
// and the file has not heard) the live one counts, then the one with the greater id, so that a plan
// does not depend on the order of a map.
func (r *Index) index(u *state.User) {
	k := u.Key()
	old, taken := r.ByKey[k]
	if !taken || old.ID == u.ID || (old.Deleted() && !u.Deleted()) || (old.Deleted() == u.Deleted() && u.ID > old.ID) {
		r.ByKey[k] = u
	}
}

// Put replaces what is known of a user; its former address no longer leads to it.
func (r *Index) Put(u *state.User) {
	r.Forget(u.ID)
	r.ByID[u.ID] = u
	r.index(u)
}

// Forget takes out a user who does not exist any more.
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

// ResolveID returns the id that a reference means: "" where it names nobody known.
func (r *Index) ResolveID(v spec.Value) string {
	name := v.Text()
	if id, ok := strings.CutPrefix(name, IDPrefix); ok {
		return id
	}
	if r.ToCreate[spec.Key(name)] {
		return ""
	}
	if id := r.RenamedTo[spec.Key(name)]; id != "" { // who is to have it, and not who gives it up
		return id
	}
	if u := r.ByKey[spec.Key(name)]; u != nil {
		return u.ID
	}
	return ""
}

// AsDeclared shows what is observed as a spec would have it: a reference by the address of whom it means, where
// that is known.
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
	if info, ok := spec.Lookup(f); !ok || !info.User {
		return false
	}
	a, b := r.ResolveID(desired), r.ResolveID(observed)
	return a != "" && a == b
}

// Declarable is what a spec of a known user would say. A manager who is not there any more, or cannot be
// seen, is left out.
func (r *Index) Declarable(u *state.User, fields []spec.Field) *spec.User {
	out := &spec.User{Key: u.Key(), ID: u.ID, Fields: spec.Fields{}}
	for f, v := range u.Fields {
		if f != spec.Email && f != spec.Name && !slices.Contains(fields, f) {
			continue
		}
		info, _ := spec.Lookup(f)
		if v = r.AsDeclared(f, v); info.User && (strings.HasPrefix(v.Text(), IDPrefix) || v.Text() != "" && r.Live(v.Text()) == nil) {
			continue
		}
		out.Fields[f] = v
	}
	return out
}
