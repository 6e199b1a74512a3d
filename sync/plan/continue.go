package plan

import (
	"slices"

	"usersyncd/spec"
)

// Continue adds to a plan that was carried out what the one before it had done in the same pass, until it was cut
// short.
func (p *Plan) Continue(before *Plan) {
	if p.Resent += before.Resent; !before.Urgent {
		p.ID = before.ID
	}
	for _, was := range before.Changes {
		i := slices.IndexFunc(p.Changes, func(c *Change) bool { return c.Key == was.Key && c.Action.Removes() == was.Action.Removes() })
		ended := was.Outcome == Applied || was.Outcome == Failed
		switch {
		case i >= 0 && was.Outcome == Failed && p.Changes[i].Outcome == Quarantined:
			p.Changes[i] = was
		case i >= 0 && was.Outcome == Applied:
			p.Changes[i].add(was, was.Fields)
		case i >= 0 && len(was.Written) > 0:
			p.Changes[i].add(was, was.Written)
		case i >= 0:
		case ended, len(was.Written) > 0: // what is left of the latter turned out to be as declared
			if !ended {
				was.Outcome, was.Fields = Applied, was.Written
			}
			p.Changes = append(p.Changes, was)
			if !was.Action.Removes() {
				p.Unchanged--
			}
		}
	}
	slices.SortFunc(p.Changes, (*Change).before)
}

// add makes a change one with what was done of it before.
func (c *Change) add(was *Change, written []FieldChange) {
	c.Action, c.Cause = was.Action, was.Cause
	for _, fc := range written {
		if !c.Names(fc.Field) && !c.Defers(fc.Field) && !c.Withholds(fc.Field) {
			c.Fields = append(c.Fields, fc)
		}
	}
	order := map[spec.Field]int{}
	for i, info := range spec.All() {
		order[info.Field] = i
	}
	slices.SortFunc(c.Fields, func(a, b FieldChange) int { return order[a.Field] - order[b.Field] })
	if c.Outcome == Deferred {
		c.Outcome = Applied
	}
}
