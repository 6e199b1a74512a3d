package apply

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// An arrival is what is known of a user after a call was answered, or after a reading.
type arrival struct {
	now   state.Observed
	at    time.Time
	call  *Call        // that was answered; nil: it was read
	shows []spec.Field // what it shows for certain
}

// arrived takes in what is known of a job's user by now, whether a call was answered or a reading has shown it: the
// user, the history, what the guards count and the intents are recorded together. It returns which fields were written: by
// the call that was answered or, as a reading shows, by one that had no answer.
func (e *engine) arrived(j *job, a arrival) (written []spec.Field) {
	c, before, now := j.change, j.change.Current, time.Now()
	u := e.merged(c, before, a)
	made, correlation := before == nil && j.created, ""
	touched, sent, uncertain := j.doubtful, []spec.Field(nil), false
	if a.call != nil {
		made, correlation = a.call.Creates, a.call.CorrelationID
		touched, sent, written = a.call.Fields, a.call.Fields, j.completed(a.call)
	} else {
		written = e.confirmed(j, u)
		uncertain = j.doubt == stale // nobody knows who has written them
	}
	c.Current = u
	if ev, any := e.plan.Event(c, written, now); any {
		ev.CorrelationID, ev.Uncertain = correlation, uncertain
		e.add(state.Commit{Events: []state.Event{ev}})
	}
	if uncertain {
		written = nil
	}
	for _, f := range written {
		if want, desired := c.Desired[f]; desired && a.now.Fields[f] == "" {
			u.Fields[f] = want // what the answer does not show is as we wrote it
		}
	}
	j.began(sent, written)
	u.Applied = e.inForceOf(j, before, a, written)
	half := slices.DeleteFunc(slices.Clone(sent), func(f spec.Field) bool { return slices.Contains(written, f) })
	if len(half) > 0 && !c.Action.Removes() { // as far as it goes it is ours, and nobody's drift
		u.Applied = plan.WithWritten(u.Applied, u.Fields, half)
	}
	e.Policy.RecordWrite(u, made, sent, now)
	if before != nil && before.Deleted() && !u.Deleted() {
		u.Stale = true
	}
	e.index.Put(u)
	if u.Key() == c.Key {
		delete(e.index.ToCreate, c.Key)
	}
	commit := state.Commit{Users: []*state.User{u}}
	if made || a.call == nil && before == nil {
		commit.ClearIntents = []string{c.Key}
	}
	e.add(commit)
	if made || before != nil && len(touched) > 0 {
		e.count(c, before, touched, written)
	}
	j.created = j.created || made
	j.written = append(j.written, written...)
	j.doubt, j.doubtful = noDoubt, nil
	e.resolve(j)
	return written
}

// merged merges what has arrived with what was known before. What it does not show is as it was.
func (e *engine) merged(c *plan.Change, before *state.User, a arrival) *state.User {
	u := &state.User{}
	if before != nil {
		*u = *before
	}
	u.Observed, u.Fields = a.now, make(spec.Fields, len(a.now.Fields))
	shown := a.now.Fields
	if before != nil {
		maps.Copy(u.Fields, before.Fields)
		shown = e.Policy.ReliableFields(before, shown, a.at)
	}
	maps.Copy(u.Fields, shown)
	for _, f := range a.shows {
		if v, told := a.now.Fields[f]; told {
			u.Fields[f] = v
		}
	}
	if c.Declared.Key != "" {
		u.Redeclare(c.Declared)
	}
	if u.Fields[spec.State] == spec.Text("active") {
		u.Removed, u.Suspended = "", ""
	}
	return u
}

// confirmed returns which fields of a call in doubt are as it was to make them: compared again, they differ no more.
func (e *engine) confirmed(j *job, u *state.User) []spec.Field {
	if len(j.doubtful) == 0 {
		return nil
	}
	next := *j.change
	next.Current = u
	e.comparison(&next)
	return slices.DeleteFunc(slices.Clone(j.doubtful), func(f spec.Field) bool {
		return !j.change.HasField(f) || next.HasField(f) || slices.ContainsFunc(next.Drift, func(fc plan.FieldChange) bool { return fc.Field == f })
	})
}

// comparison compares a change's user again.
func (e *engine) comparison(next *plan.Change) {
	if !next.Action.Removes() {
		next.Desired = e.Policy.Managers(e.Policy.Managed(next.Desired, next.Current), e.index)
	}
	e.plan.Compare(next)
}

// inForceOf returns which values of a job's user are in force by now, as far as they are ours.
func (e *engine) inForceOf(j *job, before *state.User, a arrival, written []spec.Field) spec.Fields {
	c, u := j.change, j.change.Current
	switch {
	case c.Action.Removes(): // what was applied to them stays so, until they are no longer managed
		return u.Applied
	case a.call != nil && len(written) > 0 && before != nil && before.Deleted() && !c.OneOff:
		// Restored: the rest may have been lost, so that it is not known to be in force.
		applied := u.Applied
		if applied == nil {
			applied = spec.Fields{}
		}
		return plan.WithWritten(applied, c.Desired, written)
	case u.Applied == nil && (u.Deleted() || len(written) == 0 && !j.created):
		return nil // found, and not managed: that some fields happen to be as declared does not make it so
	}
	return e.plan.Applied(&plan.Change{Desired: c.Desired, Current: u, OneOff: c.OneOff}, written)
}

// verifyReadback checks that the answer shows what was written. An API that says yes and keeps something else
// would be written to in every pass, for ever.
func (e *engine) verifyReadback(c *plan.Change, written []spec.Field) error {
	for _, f := range written {
		want, managed := c.Desired[f]
		if have := c.Current.Fields[f]; managed && !e.index.Same(f, want, have) {
			return fmt.Errorf("%s: the API accepted %s and reads back %s; declare it as it reads back", f, want.Display(), e.index.AsDeclared(f, have).Display())
		}
	}
	return nil
}

// compare compares again, after a reading, and replaces the calls that are left. If none is, the change is as it was
// planned, and done.
func (e *engine) compare(j *job) move {
	c, policy := j.change, e.Policy
	next := *c
	e.comparison(&next)
	next.SetWithheld(c.Withheld)
	if next.WithholdContested(time.Now()) { // somebody has changed them back since the pass began
		c.Withheld = next.Withheld
		j.drop(next.Withholds)
	}
	if err := vet(policy, j, &next); err != nil {
		return e.fail(j, err)
	}
	switch {
	case next.Action == plan.Restore && c.Current.Removed == "" && slices.Contains(policy.Unmanaged, spec.State):
		return e.skip(j, "the user is deleted in Genesys, and the state is not managed here: left as it is")
	case next.Action == plan.Restore && len(next.Fields) == 0:
		return e.fail(j, errors.New("the user was deleted, and drift is only reported"))
	case next.Action == plan.Create, next.Action == plan.Restore: // it was deleted meanwhile
		j.planned = next
	case j.planned.Action == plan.Create && !j.created: // it is not made, but found
		j.planned = next
		j.planned.Action = plan.Adopt
	}
	if j.planned.Action != plan.Create && j.planned.Action != plan.Restore { // who does not wait for any change window
		policy.Schedule.Defer(&next, e.plan.Began)
	}
	c.Deferred, c.Until = next.Deferred, next.Until
	j.drop(next.Defers)
	switch call := j.call(); {
	case len(next.Fields) == 0:
		return e.inForce(j, &next)
	case e.noResend(j.last) && call != nil && (call.Creates && next.Action == plan.Create || slices.ContainsFunc(call.Fields, next.HasField)):
		return e.failNotDone(j)
	case (next.Action == plan.Create || next.Action == plan.Restore) && !policy.Create:
		return e.fail(j, errors.New("the user was deleted, and creating users is switched off"))
	}
	j.detach()
	*c = next
	if j.calls = e.writer.Compile([]*plan.Change{c}); len(j.calls) == 0 {
		return e.inForce(j, c)
	}
	return move{to: toCall}
}

// inForce completes a job for which nothing is to be sent: what is left of the change is as it is to be, and the user is
// managed.
func (e *engine) inForce(j *job, left *plan.Change) move {
	for _, fc := range left.Fields {
		if left.Current != nil && left.Current.Fields[fc.Field] == "" && slices.Contains(e.Policy.DetailFields, fc.Field) {
			return e.fail(j, fmt.Errorf("%s: the API does not tell what it is now", fc.Field))
		}
	}
	if left.Current != nil && !left.Action.Removes() && (left.Current.Applied == nil || len(left.Fields) > 0) {
		var fields []spec.Field
		for _, fc := range left.Fields {
			fields = append(fields, fc.Field)
		}
		managed := *left.Current
		managed.Applied = e.plan.Applied(left, fields)
		e.index.Put(&managed)
		j.change.Current = &managed
		e.add(state.Commit{Users: []*state.User{&managed}})
	}
	return e.complete(j)
}

// declaredAs returns the key that a user was last declared as, also of one whom this pass removes; "" for who was not
// managed.
func (e *engine) declaredAs(id string) string {
	for _, c := range e.plan.Changes {
		if c.Action.Removes() && c.Current.ID == id {
			return c.Key
		}
	}
	if known := e.index.ByID[id]; known != nil && known.Applied != nil {
		return known.Declared.Key
	}
	return ""
}
