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
	// written are the fields that are written by now: by the call, or, as a reading shows, by one that had no answer.
	written []spec.Field
	// uncertain are such as a reading shows to be as a call wanted that was refused: nobody knows who has written them.
	uncertain []spec.Field
}

// shownBy is what a reading shows, of a call whose outcome was in doubt above all.
func (e *engine) shownBy(j *job, ans answer) arrival {
	a := arrival{now: ans.now[0], at: ans.began, shows: j.asked(ans.state)}
	confirmed := slices.DeleteFunc(slices.Clone(j.doubtful), func(f spec.Field) bool {
		want, desired := j.change.Desired[f]
		return !desired || !e.index.Same(f, want, a.now.Fields[f])
	})
	if j.doubt == unanswered {
		a.written = confirmed
	} else {
		a.uncertain = confirmed
	}
	return a
}

// arrived takes in what is known of a job's user by now, whether a call was answered or a reading has shown it: the
// user, the history, what the guards count and the intents are recorded together.
func (e *engine) arrived(j *job, a arrival) {
	c, before := j.change, j.change.Current
	now, made, correlation := time.Now(), before == nil && j.created, ""
	touched, sent := j.doubtful, []spec.Field(nil)
	if a.call != nil {
		made, correlation = a.call.Creates, a.call.CorrelationID
		touched, sent = a.call.Fields, a.call.Fields
	}
	c.Current = e.known(j, before, a)
	j.began(sent, a.written)
	if half := without(sent, a.written); len(half) > 0 && !c.Action.Removes() { // as far as it goes it is ours, and nobody's drift
		c.Current.Applied = plan.Overlaid(c.Current.Applied, c.Current.Fields, half)
	}
	e.Policy.Wrote(c.Current, made, sent, now)
	if before != nil && before.Deleted() && !c.Current.Deleted() {
		c.Current.Stale = true
	}
	e.index.Put(c.Current)
	if c.Current.Key() == c.Key {
		delete(e.index.ToCreate, c.Key)
	}
	commit := state.Commit{Users: []*state.User{c.Current}}
	if ev, any := e.plan.Event(c, append(slices.Clip(a.written), a.uncertain...), now); any {
		ev.CorrelationID, ev.Uncertain = correlation, len(a.uncertain) > 0
		commit.Events = []state.Event{ev}
	}
	if made || a.call == nil && before == nil {
		commit.Settled = []string{c.Key}
	}
	e.add(commit)
	if made || before != nil && len(touched) > 0 {
		e.count(c, before, touched, a.written)
	}
	j.created = j.created || made
	j.written = append(j.written, a.written...)
	j.doubt, j.doubtful = noDoubt, nil
	e.resolve(j)
}

// known merges what has arrived with what was known before. What it does not show is as we wrote it, or as it was.
func (e *engine) known(j *job, before *state.User, a arrival) *state.User {
	c, u := j.change, &state.User{}
	if before != nil {
		*u = *before
	}
	u.Observed, u.Fields = a.now, make(spec.Fields, len(a.now.Fields))
	shown := a.now.Fields
	if before != nil {
		maps.Copy(u.Fields, before.Fields)
		shown = e.Policy.Believed(before, shown, a.at)
	}
	for _, f := range a.written {
		if want, ok := c.Desired[f]; ok {
			u.Fields[f] = want
		}
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
	switch {
	case c.Action.Removes(): // what was applied to them stays so, until they are no longer managed
	case a.call != nil && len(a.written) > 0 && before != nil && before.Deleted() && !c.OneOff:
		// Restored: the rest may have been lost, so that it is not known to be in force.
		if u.Applied == nil {
			u.Applied = spec.Fields{}
		}
		u.Applied = plan.Overlaid(u.Applied, c.Desired, a.written)
	case u.Applied == nil && (u.Deleted() || len(a.written) == 0 && !j.created):
		// Found, and not managed: that some fields happen to be as declared does not make it so.
	default:
		u.Applied = e.plan.Applied(&plan.Change{Desired: c.Desired, Current: u, OneOff: c.OneOff}, a.written)
	}
	return u
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
	if !c.Action.Removes() {
		next.Desired = policy.Managers(policy.Managed(c.Desired, c.Current), e.index)
	}
	e.plan.Compare(&next)
	next.Keep(c.Withheld)
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
		policy.Schedule.Postpone(&next, e.plan.Began)
	}
	c.Deferred, c.Until = next.Deferred, next.Until
	j.drop(next.Defers)
	switch call := j.call(); {
	case len(next.Fields) == 0:
		return e.inForce(j, &next)
	case e.noResend(j.last) && call != nil && (call.Creates && next.Action == plan.Create || slices.ContainsFunc(call.Fields, next.Names)):
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

// without returns the fields that are not among others.
func without(all, others []spec.Field) []spec.Field {
	return slices.DeleteFunc(slices.Clone(all), func(f spec.Field) bool { return slices.Contains(others, f) })
}
