package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
	"usersyncd/sync/plan/contest"
	"usersyncd/sync/plan/digest"
)

// Cause is why a field, and so a user, differs.
type Cause string

// The causes of the three-way comparison of desired, observed and last applied, and of a rollback.
const (
	Edit       Cause = "edit"    // desired was changed
	Drift      Cause = "drift"   // observed was changed, by somebody else
	Missing    Cause = "missing" // declared, and does not exist
	Removed    Cause = "removed" // no longer declared
	RolledBack Cause = "undo"    // a person asked for the value before, see Rollback
)

// Action is what is done to a user.
type Action string

// The actions of a change.
const (
	Create  Action = "create"
	Adopt   Action = "adopt" // an existing user is managed from now on
	Restore Action = "restore"
	Update  Action = "update"
	// For a user that is no longer declared, as the policy says.
	Unmanage   Action = "unmanage" // no longer managed, and not changed in Genesys
	Deactivate Action = "deactivate"
	Delete     Action = "delete"
)

// Removes reports whether the action is for a user that is no longer declared.
func (a Action) Removes() bool { return a == Unmanage || a == Deactivate || a == Delete }

// Outcome is the result of a change.
type Outcome string

// The outcomes of a change.
const (
	Planned     Outcome = "planned"
	Applied     Outcome = "applied"
	Failed      Outcome = "failed"
	Held        Outcome = "held"        // by a guard
	Quarantined Outcome = "quarantined" // failed earlier; waits for its backoff or an edit
	Skipped     Outcome = "skipped"     // switched off, or depends on another change
	Deferred    Outcome = "deferred"    // all of it waits for a change window
)

// FieldChange is one field that differs. Before is "" if nothing is known.
type FieldChange struct {
	Field         spec.Field
	Before, After spec.Value
	Cause         Cause
}

// find returns the change of a field in a list; nil if there is none.
func find(list []FieldChange, f spec.Field) *FieldChange {
	if i := slices.IndexFunc(list, func(fc FieldChange) bool { return fc.Field == f }); i >= 0 {
		return &list[i]
	}
	return nil
}

// Reason is why a field that differs is not written with this plan, while the rest of the user's change is.
type Reason string

// The reasons to withhold a field.
const (
	ByGuard       Reason = "held"      // a guard holds it, and a person may release it
	ByProblem     Reason = "problem"   // what it refers to does not exist
	ByContest     Reason = "contested" // somebody else keeps changing it back
	ByUncertainty Reason = "uncertain" // an interrupted call may have written it, and no reading shows that yet
)

// Withheld is a field that differs and is not written. Its applied value stays.
type Withheld struct {
	FieldChange
	Reason Reason
	Note   string    // why, for people
	Hold   string    // id that releases it, if a guard holds it
	Until  time.Time // when it is compared again without anybody's action; zero if it is not
}

// Why a change is skipped that a setting leaves out.
const (
	createOff   = "creating users is switched off (--create=false)"
	createUnset = "no user has the address, and addresses are not managed here: add the id of the account; users are only created with --create"
	adoptOff    = "adopting users is switched off (--adopt=false)"
	reportOnly  = "drift is only reported (--on-drift report)"
)

// LeftOut reports whether nothing is wrong with the change, and a setting leaves it out.
func (c *Change) LeftOut() bool {
	return c.Outcome == Skipped && slices.Contains([]string{createOff, createUnset, adoptOff, reportOnly}, c.Note)
}

// A Lane is the urgency of a change: lower lanes go first.
type Lane int

// The lanes.
const (
	LaneLeavers Lane = iota + 1 // users who lose their access: deactivated, deleted or no longer managed
	LaneAccess                  // new users, and fields that decide what a person may do
	LaneRest
)

// String returns the lane's name, as in estimates.
func (l Lane) String() string {
	return [...]string{LaneLeavers: "leavers", LaneAccess: "access", LaneRest: "the rest"}[l]
}

// Change is one user that differs, and what is to be done.
type Change struct {
	Key    string   // spec.User.Key
	Pos    spec.Pos // where the user is declared; zero if it is not
	Action Action
	Cause  Cause
	Lane   Lane
	Fields []FieldChange // in the format's order
	Drift  []FieldChange // differs, and is only reported
	// Deferred differs, and waits for a change window, which opens at Until.
	Deferred  []FieldChange
	Until     time.Time
	Withheld  []Withheld
	DependsOn []string // keys of users that must exist before anything but the creation of this one
	// WaitsForLeftOut is whether the user that WaitsFor names, or the one that this waits for, is left out.
	WaitsForLeftOut bool

	// Declared is recorded with the first call that succeeds; zero if the user is not declared, or not certainly this one.
	Declared state.Declaration

	Desired spec.Fields // every managed field; of a user to be removed, only the state
	// Current is what is known of the user: nil before it is created, and updated by every answer.
	// A directory takes the id, the version and the opaque part from it when it makes a call.
	Current *state.User

	Outcome  Outcome
	Note     string // why it was skipped or held, or is in quarantine
	Hold     string // id under which a person may release it, if it is held
	WaitsFor string // key of the user that must be created, or give up its address, first; it was skipped for that
	Err      error  // why it failed
	// Written are the fields of an interrupted change that were written, or may have been.
	Written []FieldChange

	// OneOff changes are made once, as a person asked for exactly that: only the fields that the plan has are written, and
	// only if they are still as it found them. They do not make a user managed, other applied values stay, and a failure is
	// not tried again.
	OneOff bool

	endsAccess      bool // the user is removed or deactivated
	creationStarted bool // an intent to create the user was found

	Hash  string    // of all that is desired of the user; a failure is dropped when it changes
	Retry time.Time // when it leaves quarantine, or the API may be asked again
}

// newChange returns the change of a declared user, for Compare to complete.
func newChange(u *spec.User, current *state.User) *Change {
	return &Change{Key: u.Key, Pos: u.Pos, Desired: u.Fields, Current: current, Outcome: Planned}
}

// Defers reports whether a field waits for the change window.
func (c *Change) Defers(f spec.Field) bool { return find(c.Deferred, f) != nil }

// Withholds reports whether a field is withheld.
func (c *Change) Withholds(f spec.Field) bool {
	return slices.ContainsFunc(c.Withheld, func(w Withheld) bool { return w.Field == f })
}

// HasField reports whether the change writes the field.
func (c *Change) HasField(f spec.Field) bool { return find(c.Fields, f) != nil }

func (c *Change) withhold(w Withheld, fields ...spec.Field) {
	c.withholdIf(w, func(fc FieldChange) bool { return slices.Contains(fields, fc.Field) })
}

// withholdIf moves the fields that meet a condition from Fields to Withheld, and reports whether there are any. With an
// activation it withholds the roles, which an inactive user cannot have.
func (c *Change) withholdIf(w Withheld, is func(FieldChange) bool) bool {
	before := len(c.Withheld)
	var rest []FieldChange
	activation := find(c.Fields, spec.State)
	inactive := activation != nil && c.Activates() && is(*activation)
	for _, fc := range c.Fields {
		if is(fc) || inactive && fc.Field == spec.Roles {
			w.FieldChange = fc
			c.Withheld = append(c.Withheld, w)
		} else {
			rest = append(rest, fc)
		}
	}
	if len(c.Withheld) == before {
		return false
	}
	c.Fields = rest
	if c.Cause != RolledBack && len(rest) > 0 {
		c.setCauseAndLane()
	}
	return true
}

// WithholdContested withholds the repairs of contested fields until their pause is over, and reports whether there are
// any. What reduces access is repaired anyway.
func (c *Change) WithholdContested(now time.Time) bool {
	if c.Current == nil {
		return false
	}
	withheld := false
	for _, f := range slices.Sorted(maps.Keys(c.Current.Repairs)) { // in order: the plan's id depends on it
		until, contested := contest.Until(c.Current, f, now)
		if !contested || !now.Before(until) {
			continue
		}
		withheld = c.withholdIf(Withheld{Reason: ByContest, Note: "somebody else keeps changing it back", Until: until}, func(fc FieldChange) bool {
			return fc.Field == f && fc.Cause == Drift && !access.ReducesAccess(f, fc.Before, fc.After)
		}) || withheld
	}
	return withheld
}

// SetWithheld removes withheld fields from a new comparison.
func (c *Change) SetWithheld(withheld []Withheld) {
	c.Withheld = withheld
	if len(withheld) > 0 {
		c.Fields = slices.DeleteFunc(slices.Clone(c.Fields), func(fc FieldChange) bool { return c.Withholds(fc.Field) })
		c.setCauseAndLane()
	}
}

// effect is what the change does, and what guards hold of it; false if nothing. What waits for a change window is done. guards
// are the names of the guards, by the id of the hold.
func (c *Change) effect(guards map[string]string) (e digest.Effect, any bool) {
	e = digest.Effect{User: c.effectUser(), Action: c.effectAction(), Email: c.Key, Pos: c.Pos}
	add := func(fc FieldChange, hold string) {
		e.Fields = append(e.Fields, digest.Field{Name: fc.Field, Before: fc.Before, After: fc.After, Held: guards[hold], Hold: hold})
	}
	switch c.Outcome {
	case Held:
		e.Held, e.Hold = cmp.Or(guards[c.Hold], "refused"), c.Hold
		fallthrough
	case Planned, Deferred:
		for _, fc := range slices.Concat(c.Fields, c.Deferred) {
			add(fc, "")
		}
	}
	for _, w := range c.Withheld {
		if w.Reason == ByGuard {
			add(w.FieldChange, w.Hold)
		}
	}
	switch c.Action {
	case Create, Restore, Delete, Deactivate, Unmanage:
		return e, len(e.Fields) > 0 || c.Outcome == Planned || c.Outcome == Held || c.Outcome == Deferred
	}
	return e, len(e.Fields) > 0
}

// effectUser identifies the user by id, or by address if it is to be created.
func (c *Change) effectUser() string {
	if c.Current == nil || c.Action == Create {
		return c.Key
	}
	return c.Current.ID
}

// effectAction is what the action does in Genesys, whether or not the user was managed before.
func (c *Change) effectAction() string {
	if c.Action == Adopt {
		return string(Update)
	}
	return string(c.Action)
}

// UserOutcome is the outcome for the user: deferred if anything waits for a change window, held or skipped if anything else
// is withheld, even if the rest was applied.
func (c *Change) UserOutcome() Outcome {
	switch {
	case c.Outcome != Applied:
	case len(c.Deferred) > 0:
		return Deferred
	case c.holdsFields():
		return Held
	case len(c.Withheld) > 0:
		return Skipped
	}
	return c.Outcome
}

// HeldInPart reports whether a guard holds some fields of a change that is not held as a whole.
func (c *Change) HeldInPart() bool { return c.Outcome != Held && c.holdsFields() }

func (c *Change) holdsFields() bool {
	return slices.ContainsFunc(c.Withheld, func(w Withheld) bool { return w.Reason == ByGuard })
}

func (c *Change) isPlanned() bool { return c != nil && c.Outcome == Planned }

// compareTo orders changes by lane, then by address.
func (c *Change) compareTo(d *Change) int {
	return cmp.Or(cmp.Compare(c.Lane, d.Lane), cmp.Compare(c.Key, d.Key))
}

// setCauseAndLane derives the cause and the lane from the action and the fields.
func (c *Change) setCauseAndLane() {
	c.Cause, c.Lane = Drift, LaneRest
	switch c.Action {
	case Unmanage, Deactivate, Delete:
		c.Cause, c.Lane = Removed, LaneLeavers
		return
	case Create, Restore:
		c.Cause, c.Lane = Missing, LaneAccess
		return
	}
	for _, fc := range c.Fields {
		if fc.Cause == Edit {
			c.Cause = Edit
		}
		if fc.Field == spec.State && fc.After == spec.Text("inactive") {
			c.Lane = LaneLeavers
		}
		if info, ok := spec.Lookup(fc.Field); ok && info.Access && c.Lane > LaneAccess {
			c.Lane = LaneAccess
		}
	}
}

// addEarlier adds what an earlier change of the same user has written in the same pass.
func (c *Change) addEarlier(was *Change, written []FieldChange) {
	c.Action, c.Cause = was.Action, was.Cause
	var fields []FieldChange
	for _, info := range spec.AllFields() {
		f := info.Field
		if fc := find(c.Fields, f); fc != nil {
			fields = append(fields, *fc)
		} else if fc := find(written, f); fc != nil && !c.Defers(f) && !c.Withholds(f) {
			fields = append(fields, *fc)
		}
	}
	if c.Fields = fields; c.Outcome == Deferred {
		c.Outcome = Applied
	}
}

// ChangedSince reports whether fields are not as they were when the change was planned.
func (c *Change) ChangedSince(planned []FieldChange) bool {
	return slices.ContainsFunc(c.Fields, func(fc FieldChange) bool {
		was := find(planned, fc.Field)
		return was == nil || was.Before != fc.Before
	})
}
