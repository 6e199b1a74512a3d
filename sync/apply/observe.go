package apply

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// An observation is what an answered call or a reading shows of a user.
type observation struct {
	seen  state.Observed
	at    time.Time    // when the reading began
	call  *Call        // that was answered; nil for a reading
	shows []spec.Field // that are certainly up to date
}

// observe takes in what is now known of a job's user. It records together the user, the history, what the guards count and
// the intents. It returns the fields that were written: by the call that was answered or, as a reading shows, by one whose
// answer was lost.
func (e *engine) observe(j *job, o observation) (written []spec.Field) {
	c, before, now := j.change, j.change.Current, time.Now()
	u := e.merge(c, before, o)
	created, correlation := before == nil && j.created, ""
	touched, sent, uncertain := j.uncertainFields, []spec.Field(nil), false
	if o.call != nil {
		created, correlation = o.call.Creates, o.call.CorrelationID
		touched, sent, written = o.call.Fields, o.call.Fields, j.completedFields(o.call)
	} else {
		written = e.confirmedFields(j, u)
		uncertain = j.uncertain == staleVersion // it is not known who has written them
	}
	c.Current = u
	if ev, ok := e.plan.Event(c, written, now); ok {
		ev.CorrelationID, ev.Uncertain = correlation, uncertain
		e.add(state.Commit{Events: []state.Event{ev}})
	}
	if uncertain {
		written = nil
	}
	for _, f := range written {
		if want, desired := c.Desired.Lookup(f); desired && o.seen.Fields.Get(f) == "" {
			u.Fields.Set(f, want) // the answer does not show it
		}
	}
	j.markPartial(sent, written)
	u.LastApplied = e.appliedFields(j, before, o, written)
	half := without(sent, func(f spec.Field) bool { return slices.Contains(written, f) })
	if !c.Action.Removes() { // what is written in part is not drift
		u.LastApplied = plan.WithWritten(u.LastApplied, u.Fields, half)
	}
	e.Policy.RecordWrite(u, created, sent, now)
	if e.Policy.ForgetLost(u, before) {
		u.Stale = true
	}
	e.index.Put(u)
	if u.Key() == c.Key {
		delete(e.index.ToCreate, c.Key)
	}
	commit := state.Commit{Users: []*state.User{u}}
	if created || o.call == nil && before == nil {
		commit.ClearCreateIntents = []string{c.Key}
	}
	e.add(commit)
	if created || before != nil && len(touched) > 0 {
		e.count(c, before, touched, written)
	}
	j.created = j.created || created
	j.written = append(j.written, written...)
	j.uncertain, j.uncertainFields = certain, nil
	e.clearIntents(j)
	return written
}

// merge merges an observation with what was known before. Fields that it does not show stay.
func (e *engine) merge(c *plan.Change, before *state.User, o observation) *state.User {
	u := &state.User{}
	if before != nil {
		*u = *before
	}
	var known spec.Fields
	reliable := o.seen.Fields
	if before != nil {
		known = before.Fields
		reliable = e.Policy.ReliableFields(before, reliable, o.at)
	}
	u.Observed, u.Fields = o.seen, known.With(reliable)
	for _, f := range o.shows {
		if v, ok := o.seen.Fields.Lookup(f); ok {
			u.Fields.Set(f, v)
		}
	}
	if c.Declared.Key != "" {
		u.Redeclare(c.Declared)
	}
	if u.Fields.Get(spec.State) == spec.Text("active") {
		u.Removed, u.Suspended = "", ""
	}
	return u
}

// confirmedFields returns the uncertain fields of a job that were written, as a reading shows.
func (e *engine) confirmedFields(j *job, u *state.User) []spec.Field {
	var confirmed []spec.Field
	for _, fc := range j.change.Fields {
		if slices.Contains(j.uncertainFields, fc.Field) && isConfirmed(e.index, fc.Field, fc.Before, fc.After, u.Fields.Get(fc.Field)) {
			confirmed = append(confirmed, fc.Field)
		}
	}
	return confirmed
}

// appliedFields returns the applied fields of a job's user after an observation.
func (e *engine) appliedFields(j *job, before *state.User, o observation, written []spec.Field) spec.Fields {
	c, u := j.change, j.change.Current
	switch {
	case c.Action.Removes(): // they stay until the user is no longer managed
		return u.LastApplied
	case o.call != nil && len(written) > 0 && before != nil && before.Deleted() && !c.OneOff:
		// Restored: other fields may have been lost.
		applied := u.LastApplied
		if applied == nil {
			applied = spec.Fields{}
		}
		return plan.WithWritten(applied, c.Desired, written)
	case u.LastApplied == nil && (u.Deleted() || len(written) == 0 && !j.created):
		return nil // it was found, and is not managed
	}
	return e.plan.Applied(&plan.Change{Desired: c.Desired, Current: u, OneOff: c.OneOff}, written)
}

// verifyReadback returns an error if an answer does not show what was written: an API that accepts one value and stores
// another would be written to in every pass.
func (e *engine) verifyReadback(c *plan.Change, written []spec.Field) error {
	for _, f := range written {
		want, managed := c.Desired.Lookup(f)
		if have := c.Current.Fields.Get(f); managed && !e.index.Same(f, want, have) {
			return fmt.Errorf("%s: the API accepted %s and reads back %s; declare it as it reads back", f, want.Display(), e.index.AsDeclared(f, have).Display())
		}
	}
	return nil
}

// replan compares a job's user again after a reading, and replaces the calls that are left. It completes the job if none is.
func (e *engine) replan(j *job) move {
	c, policy := j.change, e.Policy
	next := *c
	if !next.Action.Removes() {
		next.Desired = policy.ObservedManagers(policy.ManagedFields(next.Desired, next.Current), e.index)
	}
	e.plan.Compare(&next)
	next.SetWithheld(c.Withheld)
	added := next.Action == plan.Create || next.Action == plan.Restore // it was deleted since
	if !added {
		for _, r := range policy.Guard.Refuses(&next) { // what the user has lost since the plan was made
			if !j.isRefused(r.Field) {
				j.leaveOut([]spec.Field{r.Field}, fmt.Errorf("%s: %s", r.Field, r))
			}
		}
	}
	if policy.Approved != nil && j.isAsPlanned(&next) {
		for _, f := range j.unplanned(&next) {
			if !j.isRefused(f) {
				j.leaveOut([]spec.Field{f}, fmt.Errorf("%s: it is not as it was when it was planned; plan again", f))
			}
		}
	}
	next.Fields = slices.DeleteFunc(slices.Clone(next.Fields), func(fc plan.FieldChange) bool { return j.isRefused(fc.Field) })
	if next.WithholdContested(time.Now()) { // somebody else has changed them since the pass began
		c.Withheld = next.Withheld
		j.dropPlanned(next.Withholds)
	}
	if err := vet(policy, j, &next); err != nil {
		return e.fail(j, err)
	}
	switch {
	case next.Action == plan.Restore && c.Current.Removed == "" && slices.Contains(policy.Unmanaged, spec.State):
		return e.skip(j, "the user is deleted in Genesys, and the state is not managed here: not changed")
	case next.Action == plan.Restore && len(next.Fields) == 0:
		return e.fail(j, errors.New("the user was deleted, and drift is only reported"))
	case added:
		j.setPlanned(&next)
	case j.planned.action == plan.Create && !j.created: // it was found instead
		j.setPlanned(&next)
		j.planned.action = plan.Adopt
	}
	if j.planned.action != plan.Create && j.planned.action != plan.Restore { // these ignore change windows
		policy.Schedule.Defer(slices.Values([]*plan.Change{&next}), e.plan.At)
	}
	c.Deferred, c.Until = next.Deferred, next.Until
	j.dropPlanned(next.Defers)
	switch call := j.call(); {
	case len(next.Fields) == 0:
		return e.completeWithoutCall(j, &next)
	case e.verifyInsteadOfResend(j.lastErr) && call != nil && (call.Creates && next.Action == plan.Create || slices.ContainsFunc(call.Fields, next.HasField)):
		return e.failNotCarriedOut(j)
	case added && !policy.Create:
		return e.fail(j, errors.New("the user was deleted, and creating users is switched off"))
	}
	j.detach()
	*c = next
	if j.calls = e.writer.Compile([]*plan.Change{c}); len(j.calls) == 0 {
		return e.completeWithoutCall(j, c)
	}
	return move{to: toCall}
}

// completeWithoutCall completes a job that has nothing to send: the rest of its change is as desired, and the user is managed.
func (e *engine) completeWithoutCall(j *job, rest *plan.Change) move {
	for _, fc := range rest.Fields {
		if rest.Current != nil && rest.Current.Fields.Get(fc.Field) == "" && slices.Contains(e.Policy.DetailFields, fc.Field) {
			return e.fail(j, fmt.Errorf("%s: the API does not return its current value", fc.Field))
		}
	}
	if rest.Current != nil && !rest.Action.Removes() && (rest.Current.LastApplied == nil || len(rest.Fields) > 0) {
		var fields []spec.Field
		for _, fc := range rest.Fields {
			fields = append(fields, fc.Field)
		}
		managed := *rest.Current
		managed.LastApplied = e.plan.Applied(rest, fields)
		e.index.Put(&managed)
		j.change.Current = &managed
		e.add(state.Commit{Users: []*state.User{&managed}})
	}
	return e.succeed(j)
}

// declaredAs returns the key that a managed user was last declared as, also if this pass removes it; "" for one that was not
// managed.
func (e *engine) declaredAs(id string) string {
	for _, c := range e.plan.Changes {
		if c.Action.Removes() && c.Current.ID == id {
			return c.Key
		}
	}
	if known := e.index.ByID[id]; known != nil && known.LastApplied != nil {
		return known.Declared.Key
	}
	return ""
}
