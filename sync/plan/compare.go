package plan

import (
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
)

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
		return WithWritten(c.Current.Applied, c.Desired, written)
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

// WithWritten is what is in force after some of the desired fields were written, and nothing else is known. Who is not
// managed does not become so.
func WithWritten(applied, desired spec.Fields, written []spec.Field) spec.Fields {
	if applied == nil {
		return nil
	}
	in := maps.Clone(applied)
	for _, f := range written {
		if want, ok := desired[f]; ok {
			in[f] = want
		}
	}
	return in
}

// Deactivates reports whether a user who is active will not be.
func (c *Change) Deactivates() bool {
	return active(c.Current) && slices.ContainsFunc(c.Fields, func(fc FieldChange) bool {
		return fc.Field == spec.State && fc.After != spec.Text("active")
	})
}

// Activates reports whether a user who is not active will be.
func (c *Change) Activates() bool {
	if c.Current == nil || c.Action.Removes() || active(c.Current) {
		return false
	}
	return c.Action == Restore || slices.ContainsFunc(c.Fields, func(fc FieldChange) bool {
		return fc.Field == spec.State && fc.After == spec.Text("active")
	})
}

func stateOf(u *state.User) string {
	if u == nil {
		return ""
	}
	return u.Fields[spec.State].Text()
}

func active(u *state.User) bool { return stateOf(u) == "active" }

// ChangesAddress reports whether a user gets another address.
func (c *Change) ChangesAddress() bool {
	return c.Current != nil && c.Action != Create && slices.ContainsFunc(c.Fields, func(fc FieldChange) bool {
		return fc.Field == spec.Email && spec.Key(fc.After.Text()) != c.Current.Key()
	})
}

// creates reports whether somebody is there afterwards who was not, and whom usersyncd did not take away itself.
func (c *Change) creates() bool {
	return c.Action == Create || c.Action == Restore && c.Current.Removed == ""
}

// again reports whether a user was deactivated before, as declared, and somebody else has activated it: that counted
// the first time, and is done every time.
func (c *Change) again(before *state.User) bool {
	return before.Applied[spec.State] != "" && before.Applied[spec.State] == c.Desired[spec.State]
}

// recovers reports whether somebody who was found is whom an earlier pass began to create, and could not record.
func (c *Change) recovers(before, after *state.User) bool {
	return c.begun && before.Applied == nil && after.Applied != nil
}

// ends reports whether a change may take one of the roles from a user, or the user from them.
func (c *Change) ends(roles []string) bool {
	if c.Action == Unmanage || c.Action == Create {
		return false
	}
	if c.Action == Delete || c.Deactivates() {
		return true
	}
	for _, fc := range c.Fields {
		if fc.Field == spec.Groups && len(access.AddedNames(fc.After, fc.Before)) > 0 {
			return true // the role may come with the group
		}
		if fc.Field == spec.Roles && slices.ContainsFunc(access.AddedGrants(fc.After, fc.Before), func(g access.Grant) bool { return slices.Contains(roles, g.Role) }) {
			return true
		}
	}
	return false
}

// urgent reports whether a change must not wait until what is not known was read.
func (c *Change) urgent() bool {
	return (c.Lane == 1 || c.Action == Create || c.Action == Restore) && c.Action != Unmanage
}

// unscheduled reports whether a change goes whole at any hour. Nobody works yet with a user who is made or
// brought back; who leaves must lose everything at once; and who is not active has no part in routing.
func (c *Change) unscheduled() bool {
	if c.Action == Create || c.Action == Restore || c.Action.Removes() {
		return true
	}
	state := c.Current.Fields[spec.State].Text()
	for _, fc := range c.Fields {
		if fc.Field == spec.State {
			state = fc.After.Text()
		}
	}
	return state == "inactive"
}
