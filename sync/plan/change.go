package plan

import (
	"cmp"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
	"usersyncd/sync/plan/contest"
)

// Cause says why a field, and so a user, differs.
type Cause string

// The causes of the three-way comparison of desired, observed and last applied.
const (
	Edit       Cause = "edit"    // desired moved
	Drift      Cause = "drift"   // someone changed it in Genesys
	Missing    Cause = "missing" // declared, not there
	Removed    Cause = "removed" // no longer declared
	RolledBack Cause = "undo"    // a person wants back what was, see Rollback
)

// Action says what is done about it.
type Action string

// The actions of a change.
const (
	Create  Action = "create"
	Adopt   Action = "adopt" // an existing user is managed from now on
	Restore Action = "restore"
	Update  Action = "update"
	// What becomes of a user who is no longer declared; the policy says which.
	Unmanage   Action = "unmanage" // forgotten here, left alone there
	Deactivate Action = "deactivate"
	Delete     Action = "delete"
)

// Removes reports whether the action is for a user who is no longer declared.
func (a Action) Removes() bool { return a == Unmanage || a == Deactivate || a == Delete }

// Outcome says what came of a change.
type Outcome string

// The outcomes of a change.
const (
	Planned     Outcome = "planned"
	Applied     Outcome = "applied"
	Failed      Outcome = "failed"
	Held        Outcome = "held"        // a guard stopped it
	Quarantined Outcome = "quarantined" // refused earlier; waits for its backoff or an edit
	Skipped     Outcome = "skipped"     // switched off, or waits for another change
	Deferred    Outcome = "deferred"    // all of it waits for a change window
)

// FieldChange is one field that differs. Before is "" where nothing is known.
type FieldChange struct {
	Field         spec.Field
	Before, After spec.Value
	Cause         Cause
}

// Reason says why a field that differs is not written with this plan, while the rest of the user's change is.
type Reason string

// The reasons to withhold a field.
const (
	ByGuard       Reason = "held"      // a guard stopped it, and a person may release it
	ByProblem     Reason = "problem"   // what it refers to does not exist
	ByContest     Reason = "contested" // somebody else keeps changing it back
	ByUncertainty Reason = "uncertain" // a process that was killed may have written it, and no reading shows that yet
)

// Withheld is a field that differs and is not written. What was applied before stays so.
type Withheld struct {
	FieldChange
	Reason Reason
	Note   string    // why, for people
	Hold   string    // what releases it, if a guard stopped it
	Until  time.Time // when it is looked at again by itself; zero: when somebody has done something
}

// Change is one user that differs, and what is to be done.
type Change struct {
	Key    string   // spec.User.Key
	Pos    spec.Pos // where the user is declared; zero if it is not
	Action Action
	Cause  Cause
	Lane   int           // 1 leavers, 2 access, 3 the rest; lower goes first
	Fields []FieldChange // in the format's order
	Drift  []FieldChange // what else differs, and is only reported
	// What else differs, and waits for a change window, and when that opens.
	Deferred  []FieldChange
	Until     time.Time
	Withheld  []Withheld
	DependsOn []string // keys that must be the address of a live user before anything but the creation of this one

	// Declared is what is recorded with the first call that succeeds; zero for who is not declared, or not for certain.
	Declared state.Declaration

	Desired spec.Fields // every managed field; of a user who is removed, the state alone
	// Current is what is known of the user: nil before it is created, and renewed by every answer.
	// A directory reads the id, the version and the opaque part from it when it makes a call.
	Current *state.User

	Outcome  Outcome
	Note     string // why it was skipped or held, or waits in quarantine
	Hold     string // id under which a person may release it, if it is held
	WaitsFor string // key of the user it was skipped for, who has to come or go first
	Err      error  // why it failed
	// Written are, of a change that an interruption has cut short, the fields that were written until then, or may be.
	Written []FieldChange

	// OneOff changes are made once, since a person asked for exactly that: only the fields that the plan names are
	// written, and only while they are as it found them. Nobody becomes managed by one, what else was applied stays, and a
	// failure is not tried again.
	OneOff bool

	leaves bool // the user is removed or deactivated
	begun  bool // an intent to create the user was found

	Hash  string    // of all that is desired of the user; a failure is forgotten when it changes
	Retry time.Time // when it leaves quarantine
}

// newChange starts the change of one declared user from what is known of it; compare fills it in.
func newChange(u *spec.User, current *state.User) *Change {
	return &Change{Key: u.Key, Pos: u.Pos, Desired: u.Fields, Current: current, Outcome: Planned}
}

// Defers reports whether a field waits for the change window.
func (c *Change) Defers(f spec.Field) bool {
	return slices.ContainsFunc(c.Deferred, func(fc FieldChange) bool { return fc.Field == f })
}

// Withholds reports whether a field is not written with this plan.
func (c *Change) Withholds(f spec.Field) bool {
	return slices.ContainsFunc(c.Withheld, func(w Withheld) bool { return w.Field == f })
}

// HasField reports whether the change touches the field.
func (c *Change) HasField(f spec.Field) bool {
	return slices.ContainsFunc(c.Fields, func(fc FieldChange) bool { return fc.Field == f })
}

// withhold sets apart the fields that meet a condition, and reports whether there are any.
func (c *Change) withhold(w Withheld, is func(FieldChange) bool) bool {
	before := len(c.Withheld)
	var rest []FieldChange
	for _, fc := range c.Fields {
		if is(fc) {
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
		c.classify() // what is left may be less urgent
	}
	return true
}

// WithholdContested sets apart the repairs of contested fields until their pause is over, and reports whether there
// are any. What takes access away is repaired all the same.
func (c *Change) WithholdContested(now time.Time) bool {
	if c.Current == nil {
		return false
	}
	withheld := false
	for f := range c.Current.Repairs {
		until, contested := contest.Until(c.Current, f, now)
		if !contested || !now.Before(until) {
			continue
		}
		withheld = c.withhold(Withheld{Reason: ByContest, Note: "somebody else keeps changing it back", Until: until}, func(fc FieldChange) bool {
			return fc.Field == f && fc.Cause == Drift && !access.ReducesAccess(f, fc.Before, fc.After)
		}) || withheld
	}
	return withheld
}

// SetWithheld takes out of a comparison that was made again what the plan does not write.
func (c *Change) SetWithheld(withheld []Withheld) {
	c.Withheld = withheld
	if len(withheld) > 0 {
		c.Fields = slices.DeleteFunc(slices.Clone(c.Fields), func(fc FieldChange) bool { return c.Withholds(fc.Field) })
		c.classify()
	}
}

// UserOutcome is the outcome as far as the user is concerned: deferred as long as anything waits for a change window,
// held or skipped if anything else is withheld, whatever of the rest was applied.
func (c *Change) UserOutcome() Outcome {
	switch {
	case c.Outcome != Applied:
	case len(c.Deferred) > 0:
		return Deferred
	case slices.ContainsFunc(c.Withheld, func(w Withheld) bool { return w.Reason == ByGuard }):
		return Held
	case len(c.Withheld) > 0:
		return Skipped
	}
	return c.Outcome
}

// HeldInPart reports whether a guard holds some of a change, and the rest goes on.
func (c *Change) HeldInPart() bool {
	return c.Outcome != Held && slices.ContainsFunc(c.Withheld, func(w Withheld) bool { return w.Reason == ByGuard })
}

func (c *Change) planned() bool { return c != nil && c.Outcome == Planned }

// before reports whether c is to be applied before d: by lane, then by address.
func (c *Change) before(d *Change) int { return cmp.Or(c.Lane-d.Lane, cmp.Compare(c.Key, d.Key)) }

// classify sets what follows from the fields: the cause and the lane.
func (c *Change) classify() {
	c.Cause, c.Lane = Drift, 3
	switch c.Action {
	case Unmanage, Deactivate, Delete:
		c.Cause, c.Lane = Removed, 1
		return
	case Create, Restore:
		c.Cause, c.Lane = Missing, 2
		return
	}
	for _, fc := range c.Fields {
		if fc.Cause == Edit {
			c.Cause = Edit
		}
		if fc.Field == spec.State && fc.After == spec.Text("inactive") {
			c.Lane = 1
		}
		if info, ok := spec.Lookup(fc.Field); ok && info.Access && c.Lane > 2 {
			c.Lane = 2
		}
	}
}

// add makes a change one with what was done of it before.
func (c *Change) add(was *Change, written []FieldChange) {
	c.Action, c.Cause = was.Action, was.Cause
	fields := slices.Clone(c.Fields)
	for _, fc := range written {
		if !c.HasField(fc.Field) && !c.Defers(fc.Field) && !c.Withholds(fc.Field) {
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

// ChangedSince reports whether fields are not as they were when the change was planned.
func (c *Change) ChangedSince(planned []FieldChange) bool {
	return slices.ContainsFunc(c.Fields, func(fc FieldChange) bool {
		return !slices.ContainsFunc(planned, func(was FieldChange) bool { return was.Field == fc.Field && was.Before == fc.Before })
	})
}
