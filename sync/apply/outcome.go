package apply

import (
	"errors"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

const (
	quarantine = 5 * time.Minute // after the first failure; doubles
	outageWait = 8 * time.Minute // longest for what the API did not answer: it may pass by itself
)

// complete ends a job well.
func (r *recorder) complete(j *job) move {
	c := j.change
	j.finish()
	var commit state.Commit
	if !c.OneOff { // quarantine is of what the specs ask for
		commit.ClearFailures = []string{c.Key}
	}
	if j.created {
		commit.ClearIntents = []string{c.Key}
	}
	r.resolve(j)
	if c.Action.Removes() {
		left := *c.Current
		left.Unmanage()
		if left.Fields[spec.State] == c.Desired[spec.State] { // else somebody has deleted the user meanwhile
			left.Removed = string(c.Action)
		}
		c.Current = &left
		commit.Users = []*state.User{c.Current}
		r.index.Put(c.Current)
	}
	r.add(commit)
	if len(c.Fields) == 0 && len(c.Deferred) > 0 { // the change window has closed on all of it
		r.end(c, plan.Deferred)
	} else {
		r.end(c, plan.Applied)
	}
	return move{to: done}
}

// skip ends a job of which nothing is to be done after all.
func (r *recorder) skip(j *job, why string) move {
	j.finish()
	j.change.Note = why
	r.end(j.change, plan.Skipped)
	r.add(state.Commit{ClearIntents: []string{j.change.Key}, ClearFailures: []string{j.change.Key}})
	return move{to: done}
}

// fail ends a job badly, and puts the user into quarantine: it is tried again after a while of its own, or when its spec
// changes.
func (r *recorder) fail(j *job, err error) move {
	c := j.change
	r.recordUncertain(j)
	r.resolve(j)
	j.finish()
	c.Err = err
	f := state.Failure{Key: c.Key, Desired: c.Hash, Attempts: 1, Message: err.Error()}
	if before := r.failures[c.Key]; before.Desired == c.Hash {
		f.Attempts += before.Attempts
	}
	longest := plan.MaxQuarantine
	if errors.Is(err, ErrUncertain) {
		longest = outageWait
	}
	f.Next = time.Now().Add(r.wait(quarantine, longest, f.Attempts))
	c.Retry = f.Next
	if ce := (*CallError)(nil); errors.As(err, &ce) {
		f.Status, f.Code, f.CorrelationID = ce.Status, ce.Code, ce.CorrelationID
	}
	if c.Current == nil && !j.created { // the creation was refused for certain
		r.add(state.Commit{ClearIntents: []string{c.Key}})
	}
	if !c.OneOff {
		r.add(state.Commit{Failures: []state.Failure{f}})
	}
	r.end(c, plan.Failed)
	return move{to: done}
}

// abandon ends a job that waits for somebody who does not come.
func (r *recorder) abandon(j *job, waitsFor string) {
	j.change.WaitsFor = waitsFor
	r.resolve(j)
	j.finish()
	r.end(j.change, plan.Skipped)
}

// wait is how long to wait after the n-th failure: doubling, half of it random, so that what failed together does not
// come back together.
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
