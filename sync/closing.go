package sync

import (
	"context"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// A pass may outlast the change window in which it was planned. What is kept to the window and has not been
// begun when it closes is not begun any more; everything else goes on.

// late reports whether what is kept to change windows may not be begun.
func (a *applier) late(now time.Time) bool { return !a.closes.IsZero() && !now.Before(a.closes) }

// keeps reports whether a call is kept to the windows for one of the users whom it serves.
func (a *applier) keeps(j *job, call *Call) bool {
	if j.action == plan.Create || j.action == plan.Restore || j.change.Unscheduled() {
		return false
	}
	return slices.ContainsFunc(call.Fields, func(f spec.Field) bool {
		return slices.Contains(a.Policy.Schedule.Fields, f) && !slices.Contains(j.begun, f)
	})
}

// within returns the context of a request. That of a call which is kept to the window ends with it: a call that
// waits for its turn then is not sent, and the directory still awaits the answer of one that was.
func (a *applier) within(ctx context.Context, ans answer) (context.Context, context.CancelFunc) {
	kept := slices.ContainsFunc(a.served(ans), func(j *job) bool { return a.keeps(j, ans.call) })
	if ans.step != stepCall || a.closes.IsZero() || !kept {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, a.closes)
}

// shut makes the jobs plan again that have not begun all of what is kept to the window when it closes. They do
// so together, so that they still share calls; who has a request under way follows when it is answered.
func (a *applier) shut(now time.Time) error {
	if !a.late(now) {
		return nil
	}
	var late []*job
	a.open = slices.DeleteFunc(a.open, func(j *job) bool {
		if j.busy {
			return false
		}
		// A job that looks first plans again after that, and by itself.
		if j.change.Outcome == plan.Planned && j.step() == stepCall && slices.ContainsFunc(j.calls, func(call *Call) bool { return a.keeps(j, call) }) {
			late = append(late, j)
		}
		return true
	})
	if len(late) == 0 {
		return nil
	}
	changes := make([]*plan.Change, len(late))
	for i, j := range late {
		c := j.change
		c.Fields = slices.DeleteFunc(slices.Clone(c.Fields), func(fc plan.FieldChange) bool {
			return !slices.ContainsFunc(j.calls, func(call *Call) bool { return slices.Contains(call.Fields, fc.Field) })
		})
		a.postpone(j, c, now)
		a.leave(j)
		j.calls, changes[i] = nil, c
	}
	for _, call := range a.Directory.Compile(changes) {
		for _, c := range call.Changes {
			a.jobs[c].calls = append(a.jobs[c].calls, call)
		}
	}
	var commit state.Commit
	for _, j := range late {
		if len(j.calls) == 0 {
			a.succeed(j, &commit)
		}
	}
	return a.commit(commit)
}

// reopen makes shut look again at whom a call was for that came too late.
func (a *applier) reopen(ans answer) {
	for _, j := range a.served(ans) {
		if !slices.Contains(a.open, j) {
			a.open = append(a.open, j)
		}
	}
}

// began notes of which of a call's fields some is written now, or may be, and some is not.
func (j *job) began(fields, written []spec.Field) {
	j.begun = slices.DeleteFunc(append(slices.Clone(j.begun), fields...), func(f spec.Field) bool { return slices.Contains(written, f) })
}

// postpone sets apart what of a job's change, or of what it has become, has to wait for the next window.
func (a *applier) postpone(j *job, c *plan.Change, now time.Time) {
	if a.late(now) && j.action != plan.Create && j.action != plan.Restore {
		a.Policy.Schedule.Postpone(c, a.Policy.Schedule.Opens(now), j.begun)
	}
	j.change.Deferred, j.change.Until = c.Deferred, c.Until
	j.fields = slices.DeleteFunc(slices.Clone(j.fields), func(fc plan.FieldChange) bool {
		return slices.ContainsFunc(c.Deferred, func(d plan.FieldChange) bool { return d.Field == fc.Field })
	})
}
