// Package reference checks whom the declared users refer to, such as their managers, against what a plan leads to: whoever
// is renamed with it is followed, whoever is deleted with it is gone.
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

// Input is whom references may mean, and what becomes of them.
type Input struct {
	Declared       map[string]*spec.User // by key
	Index          *identity.Index
	OwnerOf        map[string]string        // Genesys id -> key of the declared user behind it
	EmailUnmanaged bool                     // addresses are somebody else's, and stay as they are
	Deletes        func(u *state.User) bool // whether the plan deletes a user who is no longer declared
	Deactivates    func(key string) bool    // whether a user is active and will not be
}

type checker struct {
	Input
	suggested int // addresses
}

// Check returns which references of some declared users are wrong, and notes on what is odd and no error.
func Check(users []*spec.User, in Input) (wrong []identity.Problem, notes []string) {
	c := checker{Input: in}
	fields := slices.DeleteFunc(spec.All(), func(info spec.Info) bool { return !info.User })
	leaving := map[string]int{} // users who refer to somebody who is inactive after the plan, by key
	gone := map[string]string{} // why nobody has an address: many may refer to one
	for _, u := range users {
		for _, info := range fields {
			key := u.Fields[info.Field].Text()
			if key == "" {
				continue
			}
			why, checked := gone[key]
			if !checked {
				why = c.gone(key)
				gone[key] = why
			}
			if why != "" {
				wrong = append(wrong, identity.Problem{User: u, Field: info.Field, Message: why})
				continue
			}
			if in.Deactivates(key) {
				leaving[key]++
			}
			if way := circle(in.Declared, u.Key, info.Field); way != "" {
				notes = append(notes, fmt.Sprintf("%s: the %ss go in a circle: %s", u.Pos, info.Field, way))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(leaving)) {
		users := "1 user"
		if n := leaving[key]; n > 1 {
			users = fmt.Sprintf("%d users", n)
		}
		notes = append(notes, fmt.Sprintf("%s becomes inactive, and stays the manager of %s", text.Escape(key), users))
	}
	return wrong, notes
}

// gone says why nobody has an address that a field names, or will have it after the plan; "" if somebody does.
func (c *checker) gone(key string) string {
	if c.Declared[key] != nil {
		return "" // who cannot be made is waited for
	}
	u := c.Index.Live(key)
	if u == nil {
		return fmt.Sprintf("no user has the address %s, neither in the organization nor in the specs%s", spec.Text(key).Display(), c.suggest(key))
	}
	if owner := c.OwnerOf[u.ID]; owner != "" && owner != key && !c.EmailUnmanaged {
		return fmt.Sprintf("%s is the address that %s has until now; write the new one", spec.Text(key).Display(), text.Escape(owner))
	}
	if c.Deletes(u) {
		return fmt.Sprintf("%s is no longer declared, and is deleted with this plan", spec.Text(key).Display())
	}
	return ""
}

// mostSuggested is for how many addresses that nobody has one is suggested.
const mostSuggested = 20

// suggest suggests an address for one that nobody has.
func (c *checker) suggest(key string) string {
	if c.suggested++; c.suggested > mostSuggested {
		return "" // a suggestion looks through everybody
	}
	candidates := slices.Collect(maps.Keys(c.Declared))
	for known, u := range c.Index.ByKey {
		if !u.Deleted() && known != key && c.Declared[known] == nil {
			candidates = append(candidates, known)
		}
	}
	return DidYouMean(key, candidates)
}

// DidYouMean suggests the one of some addresses, to go behind a sentence; "" if none is close.
func DidYouMean(key string, candidates []string) string {
	slices.Sort(candidates) // of two that are as close it is always the same
	if near := text.Suggest(key, candidates); near != "" {
		return "; did you mean " + spec.Text(near).Display() + "?"
	}
	return ""
}

// circle returns the way from a declared user over those that a field names back to the user; "" if there is
// none, or if another one on it tells of it. Genesys Cloud takes a circle, so it is not an error.
func circle(declared map[string]*spec.User, key string, f spec.Field) string {
	way := []string{key}
	for next := key; len(way) <= len(declared); {
		u := declared[next]
		if u == nil {
			return ""
		}
		if next = u.Fields[f].Text(); next == "" {
			return ""
		}
		if way = append(way, next); next == key {
			return text.Escape(strings.Join(way, " -> "))
		}
		if next < key {
			return ""
		}
		if slices.Contains(way[:len(way)-1], next) {
			return "" // a circle above, of others
		}
	}
	return ""
}
