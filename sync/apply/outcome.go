package apply

import (
	"errors"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

const (
	firstQuarantine     = 5 * time.Minute // doubles with each failure, up to plan.MaxQuarantine
	maxOutageQuarantine = 8 * time.Minute // for calls that the API did not answer: that may pass by itself
)

// complete ends a job with an outcome, and records commit with it. The change is again as it was planned.
func (r *recorder) complete(j *job, outcome plan.Outcome, commit state.Commit) move {
	r.clearIntents(j)
	r.add(commit)
	j.detach()
	j.state, j.calls = done, nil
	c := j.change
	c.Action, c.Cause, c.Fields = j.planned.action, j.planned.cause, j.planned.fields
	r.setOutcome(c, outcome)
	return move{to: done}
}

// succeed completes a job whose calls are made, or fails it if some could not be.
func (r *recorder) succeed(j *job) move {
	if j.refusal != nil {
		return r.fail(j, j.refusal)
	}
	c := j.change
	var commit state.Commit
	if !c.OneOff { // quarantine is of what the specs ask for
		commit.ClearFailures = []string{c.Key}
	}
	if j.created {
		commit.ClearCreateIntents = []string{c.Key}
	}
	if j.planned.action.Removes() {
		u := *c.Current
		u.Unmanage()
		if u.Fields.Get(spec.State) == c.Desired.Get(spec.State) { // otherwise somebody has deleted the user meanwhile
			u.Removed = string(j.planned.action)
		}
		c.Current = &u
		commit.Users = []*state.User{c.Current}
		r.index.Put(c.Current)
	}
	if len(j.planned.fields) == 0 && len(c.Deferred) > 0 { // the change window has closed on all of it
		return r.complete(j, plan.Deferred, commit)
	}
	return r.complete(j, plan.Applied, commit)
}

// skip completes a job of which nothing is to be done after all.
func (r *recorder) skip(j *job, note string) move {
	j.change.Note = note
	return r.complete(j, plan.Skipped, state.Commit{ClearCreateIntents: []string{j.change.Key}, ClearFailures: []string{j.change.Key}})
}

// fail completes a job with an error, and puts the user in quarantine.
func (r *recorder) fail(j *job, err error) move {
	c := j.change
	r.recordUncertain(j)
	c.Err = err
	f := state.Failure{Key: c.Key, Desired: c.Hash, Attempts: 1, Message: err.Error()}
	if before := r.failures[c.Key]; before.Desired == c.Hash {
		f.Attempts += before.Attempts
	}
	longest := plan.MaxQuarantine
	if errors.Is(err, ErrUncertain) {
		longest = maxOutageQuarantine
	}
	f.Next = time.Now().Add(r.wait(firstQuarantine, longest, f.Attempts))
	c.Retry = f.Next
	if ce := (*CallError)(nil); errors.As(err, &ce) {
		f.Status, f.Code, f.CorrelationID = ce.Status, ce.Code, ce.CorrelationID
	}
	var commit state.Commit
	if c.Current == nil && !j.created { // the user was certainly not created
		commit.ClearCreateIntents = []string{c.Key}
	}
	if !c.OneOff {
		commit.Failures = []state.Failure{f}
	}
	return r.complete(j, plan.Failed, commit)
}

// wait returns how long to wait after the n-th failure: it doubles, and half of it is random, so that what failed together is
// not retried together.
func (o *Options) wait(first, longest time.Duration, n int) time.Duration {
	d := first
	for range n - 1 {
		if d *= 2; d >= longest {
			d = longest
			break
		}
	}
	return d/2 + time.Duration(o.Rand.Int64N(int64(d/2)+1))
}
