package sync

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

// settle takes an answer in: it commits what was achieved, and decides how the job goes on. The error
// ends the pass.
func (a *applier) settle(ans answer) error {
	for _, j := range a.served(ans) {
		j.busy = false
	}
	if ans.step == stepCall {
		delete(a.calls, ans.call)
		delete(a.objects, ans.call.Object)
	}
	if ans.step == stepCall && ans.call.Creates {
		ans.job.sent = time.Now() // at the latest: it may have waited long for its turn
	}
	uncertain, forbidden := errors.Is(ans.err, ErrUncertain), errors.Is(ans.err, ErrForbidden)
	if ans.step == stepCall && !uncertain {
		clear(a.silent)
	}
	if ans.step == stepCall && !forbidden {
		a.denied = 0
	}
	switch {
	case uncertain:
		if ans.step == stepCall {
			for _, j := range a.served(ans) {
				j.lost, j.guess = ans.call.Fields, false
			}
			a.intend(ans.call, time.Now()) // it may have waited long for its turn
		}
		// A write is uncertain at once; it counts when what it did cannot be found out either.
		last := ans.step != stepCall || ans.job.attempts+ans.call.attempts >= a.Retry.Max && !a.once(ans.err)
		if a.silent[ans.job] = true; last && len(a.silent) >= maxSilent {
			return fmt.Errorf("the API gives no usable answer, for %d users in a row: %w", len(a.silent), ans.err)
		}
	case forbidden:
		if a.denied++; a.denied >= maxDenied {
			return fmt.Errorf("%d calls in a row lacked a permission: %w", a.denied, ans.err)
		}
	case errors.Is(ans.err, ErrUnauthorized), errors.Is(ans.err, ErrThrottled), errors.Is(ans.err, ErrUnreachable), ended(ans.err):
		if ans.step == stepCall && ans.call.Creates && !ans.job.ours { // it was not sent, nor was one before it
			if err := a.commit(state.Commit{Settled: []string{ans.job.change.Key}}); err != nil {
				return err
			}
		}
		return ans.err // no call can be made, or none is wanted: the next pass finds this one again
	}
	switch {
	case ans.err != nil && ans.step == stepCall && ans.call.Repeatable:
		return a.repeat(ans)
	case ans.err != nil:
		return a.refused(ans)
	}
	if ans.step == stepCall {
		return a.achieved(ans)
	}
	return a.reread(ans.job, ans)
}

// achieved commits a call that was answered well: what is now known, and what is therefore applied.
func (a *applier) achieved(ans answer) error {
	var commit state.Commit
	for i, c := range ans.call.Changes {
		j := a.jobs[c]
		j.calls, j.last = j.calls[1:], nil
		before := c.Current
		written := j.settled(ans.call)
		j.lost = nil
		a.clear(j, &commit)
		j.began(ans.call.Fields, written)
		c.Current = a.known(ans.now[i], before, c, ans.call.Fields, written, time.Now())
		if half := without(ans.call.Fields, written); len(half) > 0 && !c.Action.Removes() { // as far as it goes it is ours, and nobody's drift
			c.Current.Applied = plan.Overlaid(c.Current.Applied, c.Current.Fields, half)
		}
		a.wrote(c.Current, ans.call.Creates, ans.call.Fields)
		a.learn(c)
		commit.Users = append(commit.Users, c.Current)
		commit.Events = append(commit.Events, a.event(c, written, ans.call.CorrelationID)...)
		a.count(c, before, ans.call.Fields, &commit)
		a.repaired(c, written)
		if ans.call.Creates {
			j.ours = true
			commit.Settled = append(commit.Settled, c.Key)
		}
		switch err := a.kept(c, written); {
		case err != nil:
			a.fail(j, err, &commit)
		case before != nil && before.Deleted():
			// What a restored user has kept is not known: read it, and plan the rest again. What a read of
			// grants or members shows so soon may still be of before; with the next listing it is read once more.
			c.Current.Stale = true
			a.leave(j)
			j.read, j.whole, j.calls = true, true, []*Call{ans.call}
		case len(j.calls) == 0:
			a.succeed(j, &commit)
		}
	}
	return a.commit(commit)
}

// without returns what is not among others.
func without[T comparable](all, others []T) []T {
	return slices.DeleteFunc(slices.Clone(all), func(one T) bool { return slices.Contains(others, one) })
}

// count adds what was done to a user to what the guards remember.
func (a *applier) count(c *plan.Change, before *state.User, fields []spec.Field, commit *state.Commit) {
	if a.plan.Count(c, before, c.Current, fields, time.Now()) {
		guards := a.plan.Guards
		commit.Guards = &guards
	}
}

// learn makes what is now known of a change's user findable.
func (a *applier) learn(c *plan.Change) {
	a.index.Put(c.Current)
	if c.Current.Key() == c.Key {
		delete(a.index.ToCreate, c.Key)
	}
}

// known merges an answer, about some fields, with what was known before. What the answer does not show is as we wrote
// it, or as it was.
func (a *applier) known(now state.Observed, before *state.User, c *plan.Change, about, written []spec.Field, at time.Time) *state.User {
	u := &state.User{}
	if before != nil {
		*u = *before
	}
	u.Observed, u.Fields = now, make(spec.Fields, len(now.Fields))
	shown := now.Fields
	if before != nil {
		maps.Copy(u.Fields, before.Fields)
		shown = a.believed(before, now.Fields, at)
	}
	for _, f := range written {
		if want, ok := c.Desired[f]; ok {
			u.Fields[f] = want
		}
	}
	maps.Copy(u.Fields, shown)
	for _, f := range about {
		if v, told := now.Fields[f]; told {
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
	case a.plan.RollbackOf != "":
		u.Applied = plan.Overlaid(u.Applied, c.Desired, written)
	case len(written) > 0 && before != nil && before.Deleted():
		// Restored: the rest may have been lost, so that it is not known to be in force.
		if u.Applied == nil {
			u.Applied = spec.Fields{}
		}
		u.Applied = plan.Overlaid(u.Applied, c.Desired, written)
	case len(written) == 0 && u.Applied == nil && (!a.jobs[c].ours || u.Deleted()):
		// Found, and not managed: that some fields happen to be as declared does not make it so.
	default:
		u.Applied = a.index.Applied(&plan.Change{Desired: c.Desired, Current: u}, written)
	}
	return u
}

// manage makes a user managed who was found, and as declared, so that nothing is written.
func (a *applier) manage(j *job, found *plan.Change, commit *state.Commit) {
	if found.Current.Applied != nil || found.Action.Removes() || a.plan.RollbackOf != "" {
		return
	}
	managed := *found.Current
	managed.Applied = a.index.Applied(found, nil)
	a.index.Put(&managed)
	j.change.Current = &managed
	commit.Users = append(commit.Users, &managed)
}

// kept checks that the answer shows what was written. An API that says yes and keeps something else
// would be written to in every pass, for ever.
func (a *applier) kept(c *plan.Change, written []spec.Field) error {
	for _, f := range written {
		want, managed := c.Desired[f]
		if have := c.Current.Fields[f]; managed && !a.index.Same(f, want, have) {
			return fmt.Errorf("%s: the API accepted %s and reads back %s; declare it as it reads back", f, want.Display(), a.index.AsDeclared(f, have).Display())
		}
	}
	return nil
}
