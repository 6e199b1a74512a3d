package apply

import (
	"slices"

	"usersyncd/sync/plan"
)

// A call may serve several users, and so be in several jobs.

// jobs are those of a plan, by their changes.
type jobs map[*plan.Change]*job

// of returns the jobs that an answer is for. A reading is for one alone, whomever the call serves.
func (all jobs) of(ans answer) []*job {
	if ans.state != toCall {
		return []*job{ans.job}
	}
	served := make([]*job, len(ans.call.Changes))
	for i, c := range ans.call.Changes {
		served[i] = all[c]
	}
	return served
}

// split replaces a call by two for half of the users each.
func (all jobs) split(call *Call) {
	half := len(call.Changes) / 2
	for _, part := range [][]*plan.Change{call.Changes[:half], call.Changes[half:]} {
		own := *call
		own.Changes, own.unanswered = slices.Clone(part), 0
		for _, c := range part {
			all[c].calls[0] = &own
		}
	}
}

// detach takes a job out of the calls that it shares with others.
func (j *job) detach() {
	for _, call := range j.calls {
		if len(call.Changes) > 1 {
			call.Changes = slices.DeleteFunc(slices.Clone(call.Changes), func(c *plan.Change) bool { return c == j.change })
		}
	}
}

// unbatch gives a job calls of its own in place of those that it shares, so that nobody waits for it.
func (j *job) unbatch() {
	j.detach()
	for i, call := range j.calls {
		own := *call
		own.Changes = []*plan.Change{j.change}
		j.calls[i] = &own
	}
}

// shares reports whether a job has a call together with others.
func (j *job) shares() bool {
	return slices.ContainsFunc(j.calls, func(call *Call) bool { return len(call.Changes) > 1 })
}
