// Package reference checks the users that declared users refer to, such as their managers, as they will be after a plan is
// carried out: it follows renames, and finds references to users that are deleted.
package reference

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
)

// Input is the users that references may mean, and what the plan does to them.
type Input struct {
	Declared       map[string]*spec.User // by key
	Index          *identity.Index
	OwnerOf        map[string]string        // Genesys id -> key of the declared user behind it
	EmailUnmanaged bool                     // addresses are not managed, and stay as they are
	Deletes        func(u *state.User) bool // whether the plan deletes a user that is no longer declared
	Deactivates    func(key string) bool    // whether the plan deactivates a user
}

type checker struct {
	Input
	suggested int // addresses
}

// Check returns the invalid references of declared users, and warnings.
func Check(users []*spec.User, in Input) (wrong []identity.Problem, notes []string) {
	c := checker{Input: in}
	fields := slices.DeleteFunc(spec.AllFields(), func(info spec.FieldInfo) bool { return !info.RefersToUser })
	leaving := map[string]int{}    // number of references to users that will be inactive, by key
	missing := map[string]string{} // results of whyMissing, as many may refer to one
	circles := map[spec.Field]map[string]string{}
	for _, u := range users {
		for _, info := range fields {
			key := u.Fields.Get(info.Field).Text()
			if key == "" {
				continue
			}
			why, checked := missing[key]
			if !checked {
				why = c.whyMissing(key)
				missing[key] = why
			}
			if why != "" {
				wrong = append(wrong, identity.Problem{User: u, Field: info.Field, Message: why})
				continue
			}
			if in.Deactivates(key) {
				leaving[key]++
			}
			if circles[info.Field] == nil {
				circles[info.Field] = cycles(in.Declared, info.Field)
			}
			if path := circles[info.Field][u.Key]; path != "" {
				notes = append(notes, fmt.Sprintf("%s: the %ss form a cycle: %s", u.Pos, info.Field, path))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(leaving)) {
		notes = append(notes, fmt.Sprintf("%s becomes inactive, and stays the manager of %s", text.Escape(key), text.Plural(leaving[key], "user")))
	}
	return wrong, notes
}

// whyMissing says why no user will have an address that a field refers to; "" if one will.
func (c *checker) whyMissing(key string) string {
	if c.Declared[key] != nil {
		return "" // if it cannot be created yet, it is waited for
	}
	u := c.Index.Live(key)
	if u == nil {
		return fmt.Sprintf("no user has the address %s, neither in the organization nor in the specs%s", spec.Text(key).Display(), c.suggest(key))
	}
	if owner := c.OwnerOf[u.ID]; owner != "" && owner != key && !c.EmailUnmanaged {
		return fmt.Sprintf("%s is the former address of %s; use the new one", spec.Text(key).Display(), text.Escape(owner))
	}
	if c.Deletes(u) {
		return fmt.Sprintf("%s is no longer declared, and is deleted with this plan", spec.Text(key).Display())
	}
	return ""
}

// maxSuggested is how many suggestions are made at most: each compares all addresses.
const maxSuggested = 20

func (c *checker) suggest(key string) string {
	if c.suggested++; c.suggested > maxSuggested {
		return ""
	}
	if c.Index.ByKey[key] != nil { // no other user is meant
		return "; a deleted user has it"
	}
	renamed := ""
	for _, u := range c.Index.ByID {
		if now := u.Declared.Key; now != "" && slices.Contains(u.FormerKeys, key) && (renamed == "" || now < renamed) {
			renamed = now
		}
	}
	if renamed != "" {
		return "; it was an address of " + text.Escape(renamed)
	}
	candidates := slices.Collect(maps.Keys(c.Declared))
	for known, u := range c.Index.ByKey {
		if !u.Deleted() && known != key && c.Declared[known] == nil {
			candidates = append(candidates, known)
		}
	}
	return DidYouMean(key, candidates)
}

// DidYouMean suggests a similar address, to follow a sentence; "" if there is none.
func DidYouMean(key string, candidates []string) string {
	slices.Sort(candidates) // so that the result does not depend on their order
	if similar := text.Suggest(key, candidates); similar != "" {
		return "; did you mean " + spec.Text(similar).Display() + "?"
	}
	return ""
}

// cycles returns the paths of references from declared users back to them, by the first address of each cycle. Genesys Cloud
// accepts cycles, so they are not errors.
func cycles(declared map[string]*spec.User, f spec.Field) map[string]string {
	paths := map[string]string{}
	seenFrom := make(map[string]string, len(declared)) // where the walk began that came by first
	for start := range declared {
		var walk []string
		key := start
		for declared[key] != nil && seenFrom[key] == "" {
			seenFrom[key] = start
			walk = append(walk, key)
			key = declared[key].Fields.Get(f).Text()
		}
		if i := slices.Index(walk, key); i >= 0 { // else it leads to nobody, or to where an earlier walk came by
			cycle := walk[i:]
			first := slices.Min(cycle)
			at := slices.Index(cycle, first)
			paths[first] = Cycle(slices.Concat(cycle[at:], cycle[:at]))
		}
	}
	return paths
}

// Cycle returns the addresses of a cycle in one line, of a long one the first ten.
func Cycle(keys []string) string {
	shown := slices.Clone(keys[:min(len(keys), 10)])
	if n := len(keys) - len(shown); n > 0 {
		shown = append(shown, fmt.Sprintf("%d more", n))
	}
	return text.Escape(strings.Join(append(shown, keys[0]), " -> "))
}
