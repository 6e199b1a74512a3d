package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
)

// references checks whom the declared users refer to against what the plan leads to: whoever is renamed with it is
// followed, whoever is deleted with it is gone. A wrong reference costs the field alone.
func (p *planner) references(users []*spec.User) {
	leaving := map[string]int{} // users who refer to somebody who is inactive after this plan, by key
	gone := map[string]string{} // why nobody has an address: many may refer to one
	for _, u := range users {
		if p.match.Unclear[u.Key] || !p.policy.Select.Takes(u) {
			continue
		}
		for _, info := range p.infos {
			key := u.Fields[info.Field].Text()
			if !info.User || key == "" {
				continue
			}
			why, checked := gone[key]
			if !checked {
				why = p.gone(key)
				gone[key] = why
			}
			if why != "" {
				c := p.changes[u.Key]
				if c == nil && p.quiet[u.Key] {
					p.Unchanged-- // as it was, and not as declared any more
					delete(p.quiet, u.Key)
				}
				p.leaveOut(u, c, info.Field, why)
				continue
			}
			if p.leaves(key) {
				leaving[key]++
			}
			if way := p.circle(u.Key, info.Field); way != "" {
				p.Notes = append(p.Notes, fmt.Sprintf("%s: the %ss go in a circle: %s", u.Pos, info.Field, way))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(leaving)) {
		p.Notes = append(p.Notes, fmt.Sprintf("%s becomes inactive, and stays the manager of %s", spec.Escape(key), number(leaving[key], "user")))
	}
}

// gone says why nobody has an address that a field names, or will have it after this plan; "" if somebody does.
func (p *planner) gone(key string) string {
	if p.match.Declared[key] != nil {
		return "" // who cannot be made is waited for
	}
	u := p.Index.Live(key)
	if u == nil {
		return fmt.Sprintf("no user has the address %s, neither in the organization nor in the specs%s", spec.Text(key).Display(), p.meant(key))
	}
	if owner := p.OwnerOf[u.ID]; owner != "" && owner != key && !p.emailUnmanaged {
		return fmt.Sprintf("%s is the address that %s has until now; write the new one", spec.Text(key).Display(), spec.Escape(owner))
	}
	if c := p.removals[u.ID]; c != nil && c.Outcome == Planned && c.Action == Delete {
		return fmt.Sprintf("%s is no longer declared, and is deleted with this plan", spec.Text(key).Display())
	}
	return ""
}

// leaves reports whether a user is active and will not be.
func (p *planner) leaves(key string) bool {
	c := p.changes[key]
	return c != nil && c.Outcome == Planned && c.Deactivates()
}

// mostSuggested is for how many addresses that nobody has one is suggested.
const mostSuggested = 20

// meant suggests an address for one that nobody has.
func (p *planner) meant(key string) string {
	if p.suggested++; p.suggested > mostSuggested {
		return "" // a suggestion looks through everybody
	}
	candidates := slices.Collect(maps.Keys(p.match.Declared))
	for known, u := range p.Index.ByKey {
		if !u.Deleted() && known != key && p.match.Declared[known] == nil {
			candidates = append(candidates, known)
		}
	}
	return DidYouMean(key, candidates)
}

// DidYouMean suggests the one of some addresses, to go behind a sentence; "" if none is close.
func DidYouMean(key string, candidates []string) string {
	slices.Sort(candidates) // of two that are as close it is always the same
	if near := spec.Suggest(key, candidates); near != "" {
		return "; did you mean " + spec.Text(near).Display() + "?"
	}
	return ""
}

// circle returns the way from a declared user over those that a field names back to the user; "" if there is
// none, or if another one on it tells of it. Genesys Cloud takes a circle, so it is not an error.
func (p *planner) circle(key string, f spec.Field) string {
	way := []string{key}
	for next := key; len(way) <= len(p.match.Declared); {
		u := p.match.Declared[next]
		if u == nil {
			return ""
		}
		if next = u.Fields[f].Text(); next == "" {
			return ""
		}
		if way = append(way, next); next == key {
			return spec.Escape(strings.Join(way, " -> "))
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
