package sync

import (
	"errors"
	"fmt"
	"time"

	"usersyncd/state"
	"usersyncd/sync/plan"
)

// notDone ends a job whose call was answered 5xx, and is known by now not to have been carried out: the
// API has answered, if not as one would wish.
func (a *applier) notDone(j *job) error {
	delete(a.silent, j)
	return a.failed(j, fmt.Errorf("it was not carried out, and is not sent again: %w", j.final.err))
}

// because explains an end by what went before it.
func (a *applier) because(j *job, text string) error {
	if j.last == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%s: %w", text, j.last)
}

// failed ends a job badly and commits that.
func (a *applier) failed(j *job, err error) error {
	var commit state.Commit
	a.fail(j, err, &commit)
	return a.commit(commit)
}

// fail puts the user into quarantine: it is tried again after a while of its own, or when its spec changes.
func (a *applier) fail(j *job, err error, commit *state.Commit) {
	c := j.change
	commit.Events = append(commit.Events, a.unknown(j)...)
	a.clear(j, commit)
	a.finish(j)
	c.Err = err
	f := state.Failure{Key: c.Key, Desired: c.Hash, Attempts: 1, Message: err.Error()}
	if before := a.failures[c.Key]; before.Desired == c.Hash {
		f.Attempts += before.Attempts
	}
	longest := plan.LongestWait
	if errors.Is(err, ErrUncertain) {
		longest = outageWait
	}
	f.Next = time.Now().Add(a.backoff(quarantine, longest, f.Attempts))
	c.Retry = f.Next
	if ce := (*CallError)(nil); errors.As(err, &ce) {
		f.Status, f.Code, f.CorrelationID = ce.Status, ce.Code, ce.CorrelationID
	}
	if c.Current == nil && !j.ours {
		commit.Settled = append(commit.Settled, c.Key) // the creation was refused for certain
	}
	if a.plan.RollbackOf == "" {
		commit.Failures = append(commit.Failures, f)
	}
	a.end(c, plan.Failed)
}

// abandon ends the jobs that wait for one another, or for somebody who failed.
func (a *applier) abandon() error {
	var commit state.Commit
	for _, j := range a.order {
		if c := j.change; c.Outcome == plan.Planned && len(j.calls) > 0 {
			c.Waits = a.waitsFor(c, j.calls[0])
			a.clear(j, &commit)
			a.finish(j)
			a.end(c, plan.Skipped)
		}
	}
	return a.commit(commit)
}

// backoff is the wait after the n-th failure: doubling, half of it random, so that what failed
// together does not come back together.
func (r *Reconciler) backoff(first, longest time.Duration, n int) time.Duration {
	d := first
	for range n - 1 {
		if d *= 2; d >= longest {
			d = longest
			break
		}
	}
	return d/2 + time.Duration(r.Rand.Int64N(int64(d/2)+1))
}
