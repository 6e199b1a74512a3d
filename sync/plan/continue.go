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
	type who struct {
		key     string
		removed bool
	}
	now := make(map[who]*Change, len(p.Changes))
	for _, c := range p.Changes {
		now[who{c.Key, c.Action.Removes()}] = c
	}
	var again []*Change
	for _, was := range before.Changes {
		c := now[who{was.Key, was.Action.Removes()}]
		ended := was.Outcome == Applied || was.Outcome == Failed
		switch {
		case c != nil && was.Outcome == Failed && c.Outcome == Quarantined:
			now[who{c.Key, c.Action.Removes()}] = was
		case c != nil && was.Outcome == Applied:
			c.add(was, was.Fields)
		case c != nil && len(was.Written) > 0:
			c.add(was, was.Written)
		case c != nil:
		case ended, len(was.Written) > 0: // what is left of the latter turned out to be as declared
			if !ended {
				was.Outcome, was.Fields = Applied, was.Written
			}
			again = append(again, was)
			if !was.Action.Removes() {
				p.Unchanged--
			}
		}
	}
	p.Changes = again // whoever has seen the plan keeps its changes
	for _, c := range now {
		p.Changes = append(p.Changes, c)
	}
	slices.SortFunc(p.Changes, (*Change).before)
}

// add makes a change one with what was done of it before.
func (c *Change) add(was *Change, written []FieldChange) {
	c.Action, c.Cause = was.Action, was.Cause
	fields := slices.Clone(c.Fields)
	for _, fc := range written {
		if !c.Names(fc.Field) && !c.Defers(fc.Field) && !c.Withholds(fc.Field) {
			fields = append(fields, fc)
		}
	}
	order := map[spec.Field]int{}
	for i, info := range spec.All() {
		order[info.Field] = i
	}
	slices.SortFunc(fields, func(a, b FieldChange) int { return order[a.Field] - order[b.Field] })
	if c.Fields = fields; c.Outcome == Deferred {
		c.Outcome = Applied
	}
}
