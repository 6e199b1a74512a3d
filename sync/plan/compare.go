package plan

import (
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// newChange starts the change of one declared user from what is known of it; compare fills it in.
func newChange(u *spec.User, current *state.User) *Change {
	return &Change{Key: u.Key, Pos: u.Pos, Desired: u.Fields, Current: current, Outcome: Planned}
}

// Compare finds the fields of c that must be written, and with them the action, the cause and the lane.
func (p *Plan) Compare(c *Change) {
	c.Fields, c.Drift, c.Deferred, c.Until = nil, nil, nil, time.Time{}
	switch {
	case c.Action.Removes():
		want := c.Desired[spec.State]
		if have := c.Current.Fields[spec.State]; c.Action != Unmanage && have != want && !c.Current.Deleted() {
			c.Fields = []FieldChange{{Field: spec.State, Before: have, After: want, Cause: Removed}}
		}
		c.classify()
		return
	case c.Current == nil:
		c.Action = Create
	case c.Current.Deleted():
		c.Action = Restore
	case c.Current.Applied == nil:
		c.Action = Adopt
	default:
		c.Action = Update
	}
	for _, info := range p.infos {
		want, managed := c.Desired[info.Field]
		if info.Field == spec.State && !managed && (c.Action == Restore || c.Current != nil && c.Current.Removed != "") {
			want, managed = spec.Text("active"), true // whom we took out of service is brought back
		}
		if !managed {
			continue
		}
		fc := FieldChange{Field: info.Field, After: want, Cause: Missing}
		if c.Action != Create {
			var differs bool
			if fc.Before, fc.Cause, differs = p.differs(c.Current, info.Field, want); !differs {
				continue
			}
		}
		if c.Action == Restore {
			fc.Cause = Missing
		}
		if p.reportDrift && c.Current != nil && c.Current.Applied != nil && (fc.Cause == Drift || c.Action == Restore) {
			c.Drift = append(c.Drift, fc) // a managed user who was deleted by hand is drift, too
		} else {
			c.Fields = append(c.Fields, fc)
		}
	}
	c.classify()
}

// differs makes the three-way comparison of one field.
func (p *Plan) differs(current *state.User, f spec.Field, want spec.Value) (before spec.Value, cause Cause, differs bool) {
	have, known := current.Fields[f]
	last, applied := current.Applied[f]
	edited := !applied || last != want
	switch {
	case !known:
		return "", Edit, edited
	case have == want:
		return have, "", false
	case p.Index.Same(f, want, have):
		// Equal as far as the API shows it (it rewrites a number that has an extension). What was
		// edited since is sent; a person who was renamed is still the same person.
		return p.Index.AsDeclared(f, have), Edit, applied && edited && f == spec.Phones
	case edited:
		return p.Index.AsDeclared(f, have), Edit, true
	}
	return p.Index.AsDeclared(f, have), Drift, true
}

// Applied returns what is in force of the desired fields: those found equal, and those just written.
func (p *Plan) Applied(c *Change, written []spec.Field) spec.Fields {
	if c.OneOff {
		return Overlaid(c.Current.Applied, c.Desired, written)
	}
	in := make(spec.Fields, len(c.Desired))
	for f, want := range c.Desired {
		if _, _, differs := p.differs(c.Current, f, want); !differs {
			in[f] = want
		} else if last, ok := c.Current.Applied[f]; ok {
			in[f] = last // so that what drifted is still drift when it was not changed back
		}
	}
	for _, f := range written {
		if want, ok := c.Desired[f]; ok {
			in[f] = want
		}
	}
	return in
}

// rebase records what is in force of a managed user's fields, whatever becomes of the change: one that was found equal
// is as declared, one that differs is as it was last written or found equal, and one that is no longer declared is
// forgotten. Later commits build on the record.
func (p *planner) rebase(c *Change) {
	if c.Current == nil || c.Current.Applied == nil ||
		len(c.Fields)+len(c.Drift)+len(c.Current.Repairs) == 0 && maps.Equal(c.Desired, c.Current.Applied) {
		return
	}
	base := p.Applied(c, nil)
	for _, f := range p.unread(c) {
		if _, managed := c.Current.Applied[f]; !managed {
			delete(base, f) // whatever it was when it was last read
		}
	}
	repairs := p.stillRepaired(c, base)
	if maps.Equal(base, c.Current.Applied) && len(repairs) == len(c.Current.Repairs) {
		return
	}
	rebased := *c.Current
	rebased.Applied, rebased.Repairs = base, repairs
	p.Record.Users = append(p.Record.Users, &rebased)
	c.Current = &rebased
}

// Bases returns the users of Record of whom nothing but what is in force has changed. That is recorded also while
// nothing may be changed.
func (p *Plan) Bases() []*state.User {
	return slices.DeleteFunc(slices.Clone(p.Record.Users), func(u *state.User) bool {
		before := p.Index.ByID[u.ID]
		return u.Applied == nil || before == nil || before.Applied == nil
	})
}
