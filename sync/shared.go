package sync

import (
	"errors"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Calls that serve several users, and calls that can simply be sent again.

// repeat decides what an error means for a call that may be sent again without a look. A call that is
// refused for several users is made for each half of them, so that one of them stops no other.
func (a *applier) repeat(ans answer) error {
	call := ans.call
	switch {
	case errors.Is(ans.err, ErrUncertain):
		for _, j := range a.served(ans) {
			j.began(call.Fields, nil)
		}
		if call.attempts++; a.once(ans.err) {
			return a.lookInto(ans)
		}
		if call.attempts > a.Retry.Max {
			return a.failAll(ans)
		}
		call.at = time.Now().Add(a.backoff(a.Retry.MinWait, a.Retry.MaxWait, call.attempts))
	case errors.Is(ans.err, ErrConflict) && call.rounds < maxRounds:
		call.rounds++
		call.at = time.Now().Add(time.Duration(call.rounds) * roundWait)
	case errors.Is(ans.err, ErrForbidden): // for each of them
		return a.failAll(ans)
	case len(call.Changes) > 1:
		a.split(call)
	case errors.Is(ans.err, ErrNotFound):
		return a.again(ans.job, ans) // is it the user who is gone?
	default:
		return a.failed(ans.job, ans.err)
	}
	return nil
}

// lookInto reads each user of a call that is not to be sent again.
func (a *applier) lookInto(ans answer) error {
	for _, c := range slices.Clone(ans.call.Changes) {
		j := a.jobs[c]
		own := ans
		own.job, j.final = j, &own
		if err := a.doubt(j, own); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) failAll(ans answer) error {
	var commit state.Commit
	for _, c := range slices.Clone(ans.call.Changes) {
		a.fail(a.jobs[c], ans.err, &commit)
	}
	return a.commit(commit)
}

// split replaces a call by two of half the users each.
func (a *applier) split(call *Call) {
	half := len(call.Changes) / 2
	for _, part := range [][]*plan.Change{call.Changes[:half], call.Changes[half:]} {
		own := *call
		own.Changes, own.attempts, own.at = slices.Clone(part), 0, time.Time{}
		for _, c := range part {
			a.jobs[c].calls[0] = &own
		}
	}
}

// leave takes a job out of the calls that it shares with others.
func (a *applier) leave(j *job) {
	for _, call := range j.calls {
		if len(call.Changes) > 1 {
			call.Changes = slices.DeleteFunc(slices.Clone(call.Changes), func(c *plan.Change) bool { return c == j.change })
		}
	}
}

// part gives a job calls of its own in place of those that it shares, so that nobody waits for it.
func (a *applier) part(j *job) {
	a.leave(j)
	for i, call := range j.calls {
		own := *call
		own.Changes = []*plan.Change{j.change}
		j.calls[i] = &own
	}
}

// untangle parts the jobs that wait for somebody who does not come from those that share a call with them.
// It reports whether that may have freed anybody.
func (a *applier) untangle() bool {
	freed := false
	for _, j := range a.order {
		if j.change.Outcome != plan.Planned || len(j.calls) == 0 || a.waitsFor(j.change, j.calls[0]) == "" {
			continue
		}
		if slices.ContainsFunc(j.calls, func(call *Call) bool { return len(call.Changes) > 1 }) {
			a.part(j)
			freed = true
		}
	}
	return freed
}

// settled returns which fields of a call are done for the job with it: no later call has them, too.
func (j *job) settled(call *Call) []spec.Field {
	return slices.DeleteFunc(slices.Clone(call.Fields), func(f spec.Field) bool {
		return slices.ContainsFunc(j.calls, func(later *Call) bool { return slices.Contains(later.Fields, f) })
	})
}
