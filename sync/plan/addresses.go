package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
)

// addresses withholds what no order of calls can do: an address that somebody else has, and keeps or passes on to
// the one who waits for it. Addresses are unique in an organization, and never in two places.
func (p *planner) addresses() {
	var changes []*Change
	for _, c := range p.changes {
		if c.Outcome == Planned && c.Names(spec.Email) {
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b *Change) int { return cmp.Compare(a.Key, b.Key) })
	for again := true; again; { // who keeps an address may be whom others wait for
		again = false
		for _, c := range changes {
			if c.Outcome != Planned || !c.Names(spec.Email) {
				continue
			}
			refused, why := p.unavailable(c)
			for _, c := range refused {
				p.refuseAddress(c, why)
				again = true
			}
		}
	}
}

// unavailable returns the changes that cannot have their addresses, and why: the given one, or all of a circle that
// it is in; nobody if it can.
func (p *planner) unavailable(c *Change) (refused []*Change, why string) {
	for next := c; ; {
		holder := p.Index.Live(next.Key)
		if holder == nil || next.Current != nil && holder.ID == next.Current.ID {
			return nil, ""
		}
		refused = append(refused, next)
		owner := p.OwnerOf[holder.ID]
		change := p.changes[owner]
		switch {
		case owner != "" && change == c:
			keys := []string{}
			for _, c := range refused {
				keys = append(keys, spec.Escape(c.Key))
			}
			return refused, fmt.Sprintf("cannot be written: these users exchange addresses (%s -> %s), and an address is unique; give one of them another address first",
				strings.Join(keys, " -> "), keys[0])
		case owner != "" && change != nil && change.Action != Create && change.Names(spec.Email) && !slices.Contains(refused, change):
			next = change // who has it gives it up, if that can be done
		case next != c:
			return nil, "" // what is wrong is further on
		case owner == "":
			return refused, fmt.Sprintf("is the address of another user (%s, id %s), whom no spec declares; change it there, or pin that user with id", holder.Fields[spec.Name].Display(), holder.ID)
		default:
			return refused, fmt.Sprintf("is the address of another user (%s, id %s), declared at %s, who keeps it", holder.Fields[spec.Name].Display(), holder.ID, p.match.Declared[owner].Pos)
		}
	}
}

// refuseAddress leaves the address as it is, and out a user who cannot be made without it.
func (p *planner) refuseAddress(c *Change, why string) {
	if u := p.match.Declared[c.Key]; u != nil {
		p.problem(u, spec.Email, why)
	}
	if c.Action == Create {
		delete(p.changes, c.Key)
		c.Outcome = Skipped
		return
	}
	c.withhold(Withheld{Reason: ByProblem, Note: why}, func(fc FieldChange) bool { return fc.Field == spec.Email })
}
