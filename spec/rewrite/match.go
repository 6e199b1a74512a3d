package rewrite

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"usersyncd/spec"
)

// matched is a spec and the user of the organization that it is about.
type matched struct{ spec, user *spec.User }

// match finds the specs of the users: by id, else by address, else by the address that a spec renames. known
// is by file; created are the users without a spec.
func (w *writer) match(users []*spec.User) (known map[string][]matched, created []*newUser) {
	users = slices.Clone(users)
	for i, u := range users {
		if key := spec.Key(u.Key); key != u.Key {
			users[i] = &spec.User{Key: key, ID: u.ID, Fields: u.Fields}
		}
	}
	slices.SortFunc(users, func(a, b *spec.User) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) })
	taken, specOf := map[*spec.User]bool{}, map[*spec.User]*spec.User{}
	key := func(u *spec.User) string { return u.Key }
	id := func(u *spec.User) string { return strings.ToLower(u.ID) }
	for _, by := range []struct {
		ofSpec func(*spec.User) []string
		ofUser func(*spec.User) string
	}{
		{func(s *spec.User) []string { return []string{id(s)} }, id},
		{func(s *spec.User) []string { return []string{key(s)} }, key},
		{func(s *spec.User) []string { return s.PreviousEmails }, key},
	} {
		specs := map[string]*spec.User{}
		for _, s := range w.Users {
			for _, name := range by.ofSpec(s) {
				specs[name] = s
			}
		}
		delete(specs, "")
		for _, u := range users {
			if s := specs[by.ofUser(u)]; s != nil && specOf[u] == nil && !taken[s] {
				specOf[u], taken[s] = s, true
			}
		}
	}
	known = map[string][]matched{}
	w.addresses = map[string]*spec.User{}
	email, _ := spec.Lookup(spec.Email)
	for _, u := range users {
		twin := w.addresses[u.Key]
		w.addresses[u.Key] = u
		if s := specOf[u]; s != nil {
			known[s.Pos.File] = append(known[s.Pos.File], matched{s, u})
			continue
		}
		err := readable(email, spec.Text(u.Key), spec.Text(u.Key), nil)
		if twin != nil {
			err = errors.New("another user of the organization has the address")
		}
		if err != nil {
			w.skip(spec.Pos{File: ".", Line: 1, Column: 1}, u, string(spec.Email), err)
			continue
		}
		created = append(created, &newUser{user: u, folder: folderOf(u, w.by)})
	}
	return known, created
}
