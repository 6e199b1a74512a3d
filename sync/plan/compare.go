package plan

import (
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
)

// Compare finds the fields of c that must be written, and sets the action, the cause and the lane.
func (p *Plan) Compare(c *Change) {
	c.Fields, c.Drift, c.Deferred, c.Until = nil, nil, nil, time.Time{}
	switch {
	case c.Action.Removes():
		want := c.Desired.Get(spec.State)
		if have := c.Current.Fields.Get(spec.State); c.Action != Unmanage && have != want && !c.Current.Deleted() {
			c.Fields = []FieldChange{{Field: spec.State, Before: have, After: want, Cause: Removed}}
		}
		c.setCauseAndLane()
		return
	case c.Current == nil:
		c.Action = Create
	case c.Current.Deleted():
		c.Action = Restore
	case c.Current.LastApplied == nil:
		c.Action = Adopt
	default:
		c.Action = Update
	}
	for _, info := range p.infos {
		want, managed := c.Desired.Lookup(info.Field)
		if info.Field == spec.State && !managed && (c.Action == Restore || c.Current != nil && c.Current.Removed != "") {
			want, managed = spec.Text("active"), true // a user that usersyncd removed is activated again
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
		if p.reportDrift && c.Current != nil && c.Current.LastApplied != nil && (fc.Cause == Drift || c.Action == Restore) {
			c.Drift = append(c.Drift, fc) // a managed user that somebody else deleted is drift, too
		} else {
			c.Fields = append(c.Fields, fc)
		}
	}
	c.setCauseAndLane()
}

func (p *Plan) differs(current *state.User, f spec.Field, want spec.Value) (before spec.Value, cause Cause, differs bool) {
	have, known := current.Fields.Lookup(f)
	last, applied := current.LastApplied.Lookup(f)
	edited := !applied || last != want
	switch {
	case !known:
		return "", Edit, edited
	case have == want:
		return have, "", false
	case p.Index.Same(f, want, have) && (!applied || !edited || f != spec.Phones):
		return have, "", false
	case edited: // of a phone also if it is equal as far as the API shows it, which rewrites a number with an extension
		cause = Edit
	case f == spec.Roles && keepsDefaultRole(current, want):
		return have, "", false
	default:
		cause = Drift
	}
	return p.Index.AsDeclared(f, spec.Managed(f, want, have)), cause, true
}

// keepsDefaultRole reports whether all that differs from the desired roles is the role of every user, which has come back after
// it was removed.
func keepsDefaultRole(u *state.User, want spec.Value) bool {
	have := u.Fields.Get(spec.Roles)
	return want != have && access.WithoutDefaultRole(have) == want && u.Repairs[spec.Roles].Found == have
}

// Applied returns the desired fields that are applied: those found equal, and those just written.
func (p *Plan) Applied(c *Change, written []spec.Field) spec.Fields {
	if c.OneOff {
		return WithWritten(c.Current.LastApplied, c.Desired, written)
	}
	in := make(spec.Fields, 0, len(c.Desired))
	for f, want := range c.Desired.All() {
		if _, _, differs := p.differs(c.Current, f, want); !differs {
			in.Set(f, want)
		} else if last, ok := c.Current.LastApplied.Lookup(f); ok {
			in.Set(f, last) // so that drift which was not changed back is still drift
		}
	}
	copyFields(&in, c.Desired, written)
	return in
}

// WithWritten returns the applied fields after some of the desired ones were written. A user that is not managed does not
// become so: nil stays nil.
func WithWritten(applied, desired spec.Fields, written []spec.Field) spec.Fields {
	if applied == nil || len(written) == 0 {
		return applied
	}
	in := slices.Clone(applied)
	copyFields(&in, desired, written)
	return in
}

func copyFields(to *spec.Fields, from spec.Fields, fields []spec.Field) {
	for _, f := range fields {
		if v, ok := from.Lookup(f); ok {
			to.Set(f, v)
		}
	}
}

// FieldsInUse returns the fields that a pass must know, in the order of the format: those that are declared, and those that
// were applied.
func FieldsInUse(tree *spec.Tree, snap *state.Snapshot) []spec.Field {
	used := map[spec.Field]bool{}
	for _, u := range tree.Users {
		for f := range u.Fields.All() {
			used[f] = true
		}
	}
	for _, u := range snap.Users {
		for f := range u.LastApplied.All() {
			used[f] = true
		}
	}
	var fields []spec.Field
	for _, info := range spec.AllFields() {
		if used[info.Field] {
			fields = append(fields, info.Field)
		}
	}
	return fields
}

// Deactivates reports whether a user that is active will not be.
func (c *Change) Deactivates() bool {
	fc := find(c.Fields, spec.State)
	return active(c.Current) && fc != nil && fc.After != spec.Text("active")
}

// Activates reports whether a user that is not active will be.
func (c *Change) Activates() bool {
	if c.Current == nil || c.Action.Removes() || active(c.Current) {
		return false
	}
	fc := find(c.Fields, spec.State)
	return c.Action == Restore || fc != nil && fc.After == spec.Text("active")
}

func stateOf(u *state.User) string {
	if u == nil {
		return ""
	}
	return u.Fields.Get(spec.State).Text()
}

func active(u *state.User) bool { return stateOf(u) == "active" }

// ChangesAddress reports whether an existing user gets another address.
func (c *Change) ChangesAddress() bool {
	fc := find(c.Fields, spec.Email)
	return c.Current != nil && c.Action != Create && fc != nil && spec.Key(fc.After.Text()) != c.Current.Key()
}

// addsUser reports whether the change creates or restores a user that usersyncd did not remove itself.
func (c *Change) addsUser() bool {
	return c.Action == Create || c.Action == Restore && c.Current.Removed == ""
}

// repeatsDeactivation reports whether a user was deactivated before, as declared, and somebody else has activated it since.
// Only the first deactivation counts.
func (c *Change) repeatsDeactivation(before *state.User) bool {
	return before.LastApplied.Get(spec.State) != "" && before.LastApplied.Get(spec.State) == c.Desired.Get(spec.State)
}

// completesCreation reports whether a user that was found is the one that an earlier pass began to create and did not
// record.
func (c *Change) completesCreation(before, after *state.User) bool {
	return c.creationStarted && before.LastApplied == nil && after.LastApplied != nil
}

// mayEndRoles reports whether a change may take one of the roles from a user, directly or by a group, or disables the user.
func (c *Change) mayEndRoles(roles []string) bool {
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

// isUrgent reports whether a change must not wait for fields to be read.
func (c *Change) isUrgent() bool {
	return (c.Lane == LaneLeavers || c.Action == Create || c.Action == Restore) && c.Action != Unmanage
}

// ignoresWindows reports whether a change is made at any hour: of users that are created or restored, and of removed or
// inactive ones, who have no part in routing.
func (c *Change) ignoresWindows() bool {
	if c.Action == Create || c.Action == Restore || c.Action.Removes() {
		return true
	}
	state := c.Current.Fields.Get(spec.State).Text()
	if fc := find(c.Fields, spec.State); fc != nil {
		state = fc.After.Text()
	}
	return state == "inactive"
}
