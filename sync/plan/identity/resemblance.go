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

// A Resemblance is a known user whom nobody declares any more, and a declaration for which nobody is known, or for which
// it is doubted who it is.
type Resemblance struct {
	Old  *state.User
	Spec *spec.User
	Why  string
}

// Resemblances pairs users who look like the same person under another address: declared ones, for whom nobody is known,
// and known ones, whom nobody declares, by the declaration's key.
func Resemblances(fresh []*spec.User, left []*state.User) []Resemblance {
	if len(fresh) == 0 || len(left) == 0 {
		return nil
	}
	slices.SortFunc(left, func(a, b *state.User) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(fresh, func(a, b *spec.User) int { return cmp.Compare(a.Key, b.Key) })
	byPlace, byName, byNumber := map[place]*state.User{}, map[spec.Value][]*state.User{}, map[string]*state.User{}
	for _, old := range left {
		if old.Declared.File != "" {
			byPlace[placeOf(old.Declared)] = old
		}
		if name := old.Fields[spec.Name]; name != "" {
			byName[name] = append(byName[name], old)
		}
		for _, number := range numbers(old.Fields, old.Applied) {
			byNumber[number] = old
		}
	}
	names := map[spec.Value]int{}
	for _, u := range fresh {
		names[u.Fields[spec.Name]]++
	}
	var pairs []Resemblance
	for _, u := range fresh {
		add := func(old *state.User, why string) bool {
			if old == nil || otherEmployee(u, old) {
				return false
			}
			pairs = append(pairs, Resemblance{old, u, why})
			return true
		}
		if slices.ContainsFunc(numbers(u.Fields), func(number string) bool { return add(byNumber[number], "the same "+strings.SplitN(number, " ", 2)[0]) }) {
			continue
		}
		if add(byPlace[at(u)], "the same file") {
			continue
		}
		if name := u.Fields[spec.Name]; name != "" && names[name] == 1 && len(byName[name]) == 1 {
			add(byName[name][0], "the same name")
		}
	}
	return pairs
}

// lookalike returns the spec that looks like an account under another address: with the address that the account has by
// now, at its place, with its name where that is the only one, or with a number of its. nil if there is none.
func (m *matcher) lookalike(cur *state.User) *spec.User {
	if m.newcomers == nil {
		m.newcomers = map[string]*spec.User{}
		for _, key := range slices.Sorted(maps.Keys(m.Declared)) {
			u := m.Declared[key]
			if known := m.free(m.recorded[u.Key]); u.ID != "" || known != nil && (!DifferentName(u, known) || alike(u, known)) {
				continue
			}
			m.newcomers["addressed "+u.Key] = u
			m.newcomers[fmt.Sprint("at ", at(u))] = u
			for _, number := range numbers(u.Fields) {
				m.newcomers[number] = u
			}
			if u.Fields[spec.Name] != "" {
				addName(m.newcomers, u.Fields, u)
			}
		}
	}
	signs := append(numbers(cur.Fields, cur.Applied), fmt.Sprint("at ", placeOf(cur.Declared)), "named "+string(cur.Fields[spec.Name]))
	if cur.Key() != cur.Declared.Key {
		signs = append(signs, "addressed "+cur.Key())
	}
	for _, sign := range signs {
		if u := m.newcomers[sign]; u != nil && m.Accounts[u.Key] == nil && !otherEmployee(u, cur) {
			return u
		}
	}
	return nil
}

// recognized returns the managed user who has a number of a spec's, or alone its name; nil if there is none.
func (m *matcher) recognized(u *spec.User) *state.User {
	if m.known == nil {
		m.known = map[string]*state.User{}
		for _, id := range slices.Sorted(maps.Keys(m.Index.ByID)) {
			user := m.Index.ByID[id]
			if user.Applied == nil || user.Deleted() {
				continue
			}
			for _, number := range numbers(user.Fields, user.Applied) {
				m.known[number] = user
			}
			addName(m.known, user.Fields, user)
		}
	}
	for _, sign := range append(numbers(u.Fields), "named "+string(u.Fields[spec.Name])) {
		if user := m.known[sign]; user != nil {
			return user
		}
	}
	return nil
}

// addName makes a user findable by the name, and nobody by a name that several have.
func addName[T any](index map[string]*T, fields spec.Fields, user *T) {
	name := "named " + string(fields[spec.Name])
	if _, several := index[name]; several {
		user = nil
	}
	index[name] = user
}

// alike reports whether something else than the name says that an account is the one a spec is about.
func alike(u *spec.User, cur *state.User) bool {
	if otherEmployee(u, cur) {
		return false
	}
	have := numbers(cur.Fields, cur.Applied)
	return cur.Declared.File != "" && placeOf(cur.Declared) == at(u) ||
		slices.ContainsFunc(numbers(u.Fields), func(number string) bool { return slices.Contains(have, number) })
}

// DifferentName reports whether a spec names somebody else than the account does. A spec without a name says nothing.
func DifferentName(u *spec.User, cur *state.User) bool {
	want, have := u.Fields[spec.Name], cur.Fields[spec.Name]
	return want != "" && have != "" && want != have
}

// numbers are what identifies a person besides the name and the address: the employee id and the external ids.
func numbers(all ...spec.Fields) []string {
	var list []string
	for _, fields := range all {
		if id := employeeID(fields); id != "" {
			list = append(list, "employeeId "+id)
		}
		ids, err := spec.Decode[map[string]string](fields[spec.ExternalIDs])
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

// otherEmployee reports whether a spec and an account are known to be of two people.
func otherEmployee(u *spec.User, cur *state.User) bool {
	want := employeeID(u.Fields)
	have := cmp.Or(employeeID(cur.Fields), employeeID(cur.Applied))
	return want != "" && have != "" && want != have
}

func employeeID(fields spec.Fields) string {
	info, err := spec.Decode[spec.EmployerInfo](fields[spec.Employer])
	if err != nil {
		return "" // it has none
	}
	return info.EmployeeID
}

// A place is where a user is declared, whoever that is.
type place struct {
	file    string
	ordinal int
}

func at(u *spec.User) place { return place{u.Pos.File, max(u.Ordinal, 1)} }

func placeOf(d state.Declaration) place { return place{d.File, max(d.Ordinal, 1)} }
