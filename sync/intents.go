package sync

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Every call is preceded by an intent in the state file, for each field that it writes: what would be told of it in the
// history. The commit that records what came of the call clears it. One that a pass finds is of a call that was
// interrupted, or never answered: package plan has its field read before it is compared.

// intend records what a call is about to do.
func (a *applier) intend(call *Call, now time.Time) {
	var commit state.Commit
	for _, c := range call.Changes {
		j := a.jobs[c]
		if call.Creates {
			commit.Intents = append(commit.Intents, state.Intent{Key: c.Key, Plan: a.plan.ID, Started: now})
			j.sent = now
			continue
		}
		a.clear(j, &commit)
		e := a.eventOf(c)
		j.intended = a.touched(c, call)
		for _, f := range j.intended {
			e.Fields = append(e.Fields, fieldEvent(&e, planned(c, f)))
		}
		commit.Writes = append(commit.Writes, e)
	}
	call.intended = now
	a.commits = append(a.commits, commit)
}

// planned is what becomes of a field that a call touches: one that the change does not name is to be as it is.
func planned(c *plan.Change, f spec.Field) plan.FieldChange {
	if i := slices.IndexFunc(c.Fields, func(fc plan.FieldChange) bool { return fc.Field == f }); i >= 0 {
		return c.Fields[i]
	}
	return plan.FieldChange{Field: f, Before: c.Desired[f], After: c.Desired[f], Cause: c.Cause}
}

// touched returns the fields of a user that a call may change. Who is restored may have lost any.
func (a *applier) touched(c *plan.Change, call *Call) []spec.Field {
	fields := slices.Clone(call.Fields)
	if c.Current.Deleted() {
		for f := range c.Desired {
			if slices.Contains(a.Policy.Loose, f) && !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
		slices.Sort(fields)
	}
	return fields
}

// clear drops the intents of a job, unless its call may have been carried out without an answer.
func (a *applier) clear(j *job, commit *state.Commit) {
	if len(j.intended) > 0 && !j.inDoubt() {
		commit.Resolved = append(commit.Resolved, state.UserFields{ID: j.change.Current.ID, Fields: j.intended})
		j.intended = nil
	}
}

// renew renews the intents of calls that have been in flight for long: they may have waited for their turn, and what
// they write is shown late.
func (a *applier) renew(now time.Time) {
	for call := range a.calls {
		if now.Sub(call.intended) >= beatEvery {
			a.intend(call, now)
		}
	}
}

// resolve takes in what a reading, at a time, shows of the fields of a user in which a call was interrupted. What the
// call wanted counts as applied if it is there. Else, unless the field is as it was, nothing does: what is declared is
// written, and what is there is not taken for what somebody else has changed. The history and the guards hear of what
// was done.
func (r *Reconciler) resolve(index *plan.Index, u *state.User, asked []spec.Field, at time.Time, snap *state.Snapshot, commit *state.Commit) {
	guards := plan.Plan{Guards: snap.Guards}
	resolved, events := state.UserFields{ID: u.ID}, []state.Event(nil)
	for _, f := range asked {
		w, begun := snap.Writes[u.ID][f]
		if !begun || r.Policy.ShownBy(f, w.At).After(at) {
			continue
		}
		resolved.Fields = append(resolved.Fields, f)
		fc := w.Fields[0]
		have, known := u.Fields[f]
		done := known && index.Same(f, fc.After, have)
		if known && (done || fc.Before != "") && !index.Same(f, fc.Before, have) {
			if w.Uncertain = true; !done {
				w.Fields = []state.FieldEvent{{Field: f, Before: fc.Before, After: index.AsDeclared(f, have), Cause: fc.Cause}}
			}
			if n := len(events); n > 0 && events[n-1].Plan == w.Plan && events[n-1].At.Equal(w.At) {
				events[n-1].Fields = append(events[n-1].Fields, w.Fields...)
			} else {
				events = append(events, w)
			}
			if guards.Count(interrupted(u, &w), asBefore(u, fc), u, []spec.Field{f}, time.Now()) {
				snap.Guards = guards.Guards
				commit.Guards = &guards.Guards
			}
		}
		switch last, applied := u.Applied[f]; {
		case done && f == spec.State && plan.Action(w.Action).Removes():
			u.Unmanage()
			u.Removed = w.Action
		case done && u.Applied != nil:
			u.Applied = plan.Overlaid(u.Applied, spec.Fields{f: fc.After}, []spec.Field{f})
		case applied && (!known || !index.Same(f, last, have)):
			u.Applied = maps.Clone(u.Applied)
			delete(u.Applied, f)
		}
		delete(snap.Writes[u.ID], f)
	}
	if len(resolved.Fields) > 0 {
		commit.Resolved = append(commit.Resolved, resolved)
	}
	for _, e := range events {
		if !r.told(e) {
			commit.Events = append(commit.Events, e)
		}
	}
}

// interrupted is the change that an intent is of, as far as it is recorded.
func interrupted(u *state.User, w *state.Event) *plan.Change {
	f := w.Fields[0]
	return &plan.Change{
		Key: w.Email, Action: plan.Action(w.Action), Cause: plan.Cause(w.Cause), Current: u, Desired: spec.Fields{f.Field: f.After},
		Fields: []plan.FieldChange{{Field: f.Field, Before: f.Before, After: f.After, Cause: plan.Cause(w.Cause)}},
	}
}

// asBefore is a user with one field as it was before a write.
func asBefore(u *state.User, f state.FieldEvent) *state.User {
	before := *u
	before.Fields = maps.Clone(u.Fields)
	before.Fields[f.Field] = f.Before
	return &before
}

// awaitWrites waits, where somebody waits for the pass anyway, until the API shows what calls that were interrupted
// have written without a version: at most plan.ReadLag. One from the future, of before the clock was set back, counts
// as of now.
func (r *Reconciler) awaitWrites(ctx context.Context, snap *state.Snapshot, mode Mode) error {
	now, shown := time.Now(), time.Time{}
	var future state.Commit
	for id, writes := range snap.Writes {
		if u := snap.Users[id]; unshown(u) { // nor the user
			if at := time.Unix(u.Made, 0).Add(state.ReadLag); at.After(shown) {
				shown = at
			}
		}
		for f, w := range writes {
			if w.At.After(now) {
				w.At = now
				writes[f] = w
				future.Writes = append(future.Writes, w)
			}
			if at := r.Policy.ShownBy(f, w.At); at.After(shown) {
				shown = at
			}
		}
	}
	if !mode.DryRun {
		if err := r.Store.Commit(future); err != nil {
			return err
		}
	}
	wait := shown.Sub(now)
	if wait <= 0 || !mode.Strict && !mode.DryRun {
		return nil
	}
	r.Log.Info("waiting until the API shows what calls that were interrupted have changed", "users", len(snap.Writes), "seconds", math.Ceil(wait.Seconds()))
	s := r.Status()
	s.Phase = "wait"
	r.set(s)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	defer r.waited(now)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
