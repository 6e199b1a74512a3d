package identity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
)

// A Resemblance is a known user that is no longer declared, and a declared user that is not known, or not for certain.
type Resemblance struct {
	Old  *state.User
	Spec *spec.User
	Why  string
}

// Resemblances pairs declared users and accounts that look like the same person under another address, by the declared key.
func Resemblances(specs []*spec.User, accounts []*state.User) []Resemblance {
	slices.SortFunc(accounts, func(a, b *state.User) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(specs, func(a, b *spec.User) int { return cmp.Compare(a.Key, b.Key) })
	index, declared := map[string]*state.User{}, map[string]*spec.User{}
	for _, old := range accounts {
		add(index, old, accountKeys(old))
	}
	for _, u := range specs {
		add(declared, u, specKeys(u))
	}
	var pairs []Resemblance
	for _, u := range specs {
		for _, key := range specKeys(u) {
			if old := index[key]; old != nil && declared[key] != nil && !differentEmployee(u, old) {
				kind, _, _ := strings.Cut(key, " ")
				pairs = append(pairs, Resemblance{old, u, "the same " + kind})
				break
			}
		}
	}
	return pairs
}

// renamedSpec returns a spec that looks like an account under another address: it has the account's current address, its
// place, one of its identifiers, or its name if no other has it; nil if there is none.
func (m *matcher) renamedSpec(cur *state.User) *spec.User {
	if m.newSpecs == nil {
		m.newSpecs = map[string]*spec.User{}
		for _, key := range slices.Sorted(maps.Keys(m.Declared)) {
			u := m.Declared[key]
			if known := m.unclaimed(m.recorded[u.Key]); u.ID != "" || known != nil && (!DifferentName(u, known) || sameIdentity(u, known)) {
				continue
			}
			add(m.newSpecs, u, append(specKeys(u), "address "+u.Key))
		}
	}
	keys := accountKeys(cur)
	if cur.Key() != cur.Declared.Key {
		keys = append(keys, "address "+cur.Key())
	}
	for _, key := range keys {
		if u := m.newSpecs[key]; u != nil && m.Accounts[u.Key] == nil && !differentEmployee(u, cur) {
			return u
		}
	}
	return nil
}

// recognize returns the managed user that has an identifier of a spec, or its name if no other has it; nil if there is none.
func (m *matcher) recognize(u *spec.User) *state.User {
	if m.recognizable == nil {
		m.recognizable = map[string]*state.User{}
		for _, id := range slices.Sorted(maps.Keys(m.Index.ByID)) {
			if user := m.Index.ByID[id]; user.LastApplied != nil && !user.Deleted() {
				add(m.recognizable, user, accountKeys(user))
			}
		}
	}
	for _, key := range append(identifiers(u.Fields), nameKey(u.Fields)) {
		if user := m.recognizable[key]; user != nil {
			return user
		}
	}
	return nil
}

// add indexes a user by its keys; nil if several have the name.
func add[T any](index map[string]*T, user *T, keys []string) {
	for _, key := range keys {
		if _, several := index[key]; several && strings.HasPrefix(key, "name ") {
			index[key] = nil
		} else if key != "" {
			index[key] = user
		}
	}
}

// accountKeys and specKeys return what shows who a user is, the surest first. A key of what the user does not have is "".
func accountKeys(u *state.User) []string {
	return append(identifiers(u.Fields, u.LastApplied), placeKey(placeOf(u.Declared)), nameKey(u.Fields))
}

func specKeys(u *spec.User) []string {
	return append(identifiers(u.Fields), placeKey(placeOfSpec(u)), nameKey(u.Fields))
}

func nameKey(fields spec.Fields) string {
	if fields.Get(spec.Name) == "" {
		return ""
	}
	return "name " + string(fields.Get(spec.Name))
}

func placeKey(p place) string {
	if p.file == "" {
		return ""
	}
	return fmt.Sprintf("file %s %d", p.file, p.ordinal)
}

// sameIdentity reports whether a spec and an account are of the same person by place or identifier, whatever the name.
func sameIdentity(u *spec.User, cur *state.User) bool {
	if differentEmployee(u, cur) {
		return false
	}
	have := identifiers(cur.Fields, cur.LastApplied)
	return cur.Declared.File != "" && placeOf(cur.Declared) == placeOfSpec(u) ||
		slices.ContainsFunc(identifiers(u.Fields), func(id string) bool { return slices.Contains(have, id) })
}

// DifferentName reports whether a spec and an account have different names; false if one has none.
func DifferentName(u *spec.User, cur *state.User) bool {
	want, have := u.Fields.Get(spec.Name), cur.Fields.Get(spec.Name)
	return want != "" && have != "" && want != have
}

// identifiers are the employee id and the external ids.
func identifiers(all ...spec.Fields) []string {
	var list []string
	for _, fields := range all {
		if id := employeeID(fields); id != "" {
			list = append(list, "employeeId "+id)
		}
		ids, err := spec.Decode[map[string]string](fields.Get(spec.ExternalIDs))
		if err != nil {
			continue // it has none
		}
		for authority, id := range ids {
			list = append(list, "externalId "+authority+" "+id)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// differentEmployee reports whether a spec and an account have different employee ids; false if one has none.
func differentEmployee(u *spec.User, cur *state.User) bool {
	want := employeeID(u.Fields)
	have := cmp.Or(employeeID(cur.Fields), employeeID(cur.LastApplied))
	return want != "" && have != "" && want != have
}

func employeeID(fields spec.Fields) string {
	info, err := spec.Decode[spec.EmployerInfo](fields.Get(spec.Employer))
	if err != nil {
		return "" // it has none
	}
	return info.EmployeeID
}

// A place is a position among the users of a file.
type place struct {
	file    string
	ordinal int
}

func placeOfSpec(u *spec.User) place { return place{u.Pos.File, max(u.Ordinal, 1)} }

func placeOf(d state.Declaration) place { return place{d.File, max(d.Ordinal, 1)} }
