package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
)

// What looks like a rename, and is not said to be one, is asked about: an address that was changed in the spec would
// otherwise be a second account for somebody who has one, and the end of the first.

const guardRenames = "renames"

// A resemblance is a managed user whom nobody declares any more, and a declaration for which nobody is known, or for which
// it is doubted who it is.
type resemblance struct {
	old  *state.User
	spec *spec.User
	why  string
}

// renames holds what looks like a rename, and what was matched to an account that seems to be somebody else's.
func (p *planner) renames() {
	if !p.policy.Guard.Renames {
		return
	}
	var reasons []string
	held := map[*Change]bool{}
	for _, r := range p.resemblances() {
		if p.changes[r.spec.Key] == nil && p.removals[r.old.ID] == nil {
			continue // neither is about to be done
		}
		if _, asked := p.answers.Fresh[r.old.ID]; !asked {
			p.Lookups.Fresh[r.old.ID] = true // it may have the new address already
			continue
		}
		created, removed := p.changes[r.spec.Key], p.removals[r.old.ID]
		if p.released(guardRenames, cmp.Or(created, removed)) {
			continue
		}
		for _, c := range []*Change{created, removed} {
			if c != nil && (c == created || c.Outcome == Planned) {
				held[c] = true
			}
		}
		if known := p.current[r.spec.Key]; known != nil { // not who it is declared as
			p.redeclared = slices.DeleteFunc(p.redeclared, func(u *state.User) bool { return u.ID == known.ID })
		}
		reasons = append(reasons, fmt.Sprintf("%s: %s looks like %s under another address (%s): add previousEmail: %s if it is the same person",
			r.spec.Pos, Printable(r.spec.Key), Printable(r.old.Declared.Key), r.why, Printable(r.old.Declared.Key)))
	}
	for key, why := range p.doubted {
		if c := p.changes[key]; c != nil && c.Outcome == Planned && !p.released(guardRenames, c) {
			held[c] = true
			reasons = append(reasons, why)
		}
	}
	if len(reasons) == 0 {
		return
	}
	slices.Sort(reasons)
	reason := reasons[0]
	if n := len(reasons) - 1; n > 0 {
		reason += fmt.Sprintf("; and %d more like it", n)
	}
	p.hold(guardRenames, reason, slices.SortedFunc(maps.Keys(held), (*Change).before))
}

// resemblances pairs them, by the declaration's key.
func (p *planner) resemblances() []resemblance {
	var fresh []*spec.User
	for key, u := range p.declared { // also who will not be made, for whatever reason: the account that is left is theirs all the same
		known, c := p.current[key], p.changes[key]
		stranger := known != nil && c != nil && known.Applied == nil && known.Removed == "" &&
			(c.Action == Restore || c.Action == Adopt && otherName(u, known)) // whose address it is
		if u.ID == "" && !p.wrong[key] && (known == nil || stranger || p.doubted[key] != "") {
			fresh = append(fresh, u)
		}
	}
	var left []*state.User // those whom nobody declares, and those of whom it is not certain who does
	for id, u := range p.snap.Users {
		owner := p.OwnerOf[id]
		if u.Applied != nil && !u.Deleted() && !p.held[id] && (owner == "" || p.wrong[owner] || p.doubted[owner] != "") {
			left = append(left, u)
		}
	}
	slices.SortFunc(left, func(a, b *state.User) int { return cmp.Compare(a.ID, b.ID) })
	if len(fresh) == 0 || len(left) == 0 {
		return nil
	}
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
	var pairs []resemblance
	for _, u := range fresh {
		add := func(old *state.User, why string) bool {
			if old == nil || otherEmployee(u, old) {
				return false
			}
			pairs = append(pairs, resemblance{old, u, why})
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
func (p *planner) lookalike(cur *state.User) *spec.User {
	if p.newcomers == nil {
		p.newcomers = map[string]*spec.User{}
		for _, key := range slices.Sorted(maps.Keys(p.declared)) {
			u := p.declared[key]
			if known := p.free(p.recorded[u.Key]); u.ID != "" || known != nil && (!otherName(u, known) || p.alike(u, known)) {
				continue
			}
			p.newcomers["addressed "+u.Key] = u
			p.newcomers[fmt.Sprint("at ", at(u))] = u
			for _, number := range numbers(u.Fields) {
				p.newcomers[number] = u
			}
			if name := u.Fields[spec.Name]; name != "" {
				_, several := p.newcomers["named "+string(name)]
				if p.newcomers["named "+string(name)] = u; several {
					p.newcomers["named "+string(name)] = nil
				}
			}
		}
	}
	signs := append(numbers(cur.Fields, cur.Applied), fmt.Sprint("at ", placeOf(cur.Declared)), "named "+string(cur.Fields[spec.Name]))
	if cur.Key() != cur.Declared.Key {
		signs = append(signs, "addressed "+cur.Key())
	}
	for _, sign := range signs {
		if u := p.newcomers[sign]; u != nil && p.current[u.Key] == nil && !otherEmployee(u, cur) {
			return u
		}
	}
	return nil
}

// recognized returns the managed user who has a number of a spec's, or alone its name; nil if there is none.
func (p *planner) recognized(u *spec.User) *state.User {
	if p.known == nil {
		p.known = map[string]*state.User{}
		for _, id := range slices.Sorted(maps.Keys(p.snap.Users)) {
			user := p.snap.Users[id]
			if user.Applied == nil || user.Deleted() {
				continue
			}
			for _, number := range numbers(user.Fields, user.Applied) {
				p.known[number] = user
			}
			name := "named " + string(user.Fields[spec.Name])
			_, several := p.known[name]
			if p.known[name] = user; several {
				p.known[name] = nil
			}
		}
	}
	for _, sign := range append(numbers(u.Fields), "named "+string(u.Fields[spec.Name])) {
		if user := p.known[sign]; user != nil {
			return user
		}
	}
	return nil
}

// alike reports whether something else than the name says that an account is the one a spec is about.
func (p *planner) alike(u *spec.User, cur *state.User) bool {
	if otherEmployee(u, cur) {
		return false
	}
	have := numbers(cur.Fields, cur.Applied)
	return cur.Declared.File != "" && placeOf(cur.Declared) == at(u) ||
		slices.ContainsFunc(numbers(u.Fields), func(number string) bool { return slices.Contains(have, number) })
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
