package sync

import (
	"errors"
	"fmt"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

const (
	maxRounds   = 3                      // version conflicts of one user in one pass
	roundWait   = 500 * time.Millisecond // after the first of them; the vendor's own provider waits as long
	lookupEvery = 3 * time.Second        // while a search may not show a new user yet
	quarantine  = 5 * time.Minute        // after the first failure; doubles
	longestWait = 6 * time.Hour
)

// A step is the kind of request that a job makes next.
type step int

const (
	stepCall step = iota // its first remaining call
	stepRead             // the user itself: what was written is not known, or was refused as stale
	stepFind             // the address: the user may exist already
)

// A job is one user's way through a pass: its calls in order, and what went wrong on the way.
type job struct {
	change *Change
	calls  []*Call   // what is left to do
	busy   bool      // a request is under way
	at     time.Time // no request before

	read     bool      // the user must be read before the next call
	lookup   bool      // the address must be looked up before the next call
	sent     time.Time // when its creation was last sent
	ours     bool      // its creation was sent and not answered, in this pass or an earlier one
	rounds   int       // refused as stale
	attempts int       // without a usable answer
	last     error     // of these, for the report
}

func (j *job) step() step {
	switch {
	case j.lookup:
		return stepFind
	case j.read:
		return stepRead
	}
	return stepCall
}

// refused decides what an error means for the job. What cannot be known is read; what cannot be
// helped is the end of this user's job, and of no other's.
func (a *applier) refused(ans answer) error {
	j, c := ans.job, ans.job.change
	notFound := errors.Is(ans.err, ErrNotFound)
	switch {
	case notFound && ans.step == stepFind:
		return a.nobody(j)
	case notFound && ans.step == stepRead:
		return a.gone(j)
	case errors.Is(ans.err, ErrUncertain):
		if j.attempts++; j.attempts > a.Retry.Max {
			return a.failed(j, ans.err)
		}
		j.at = time.Now().Add(a.backoff(a.Retry.MinWait, a.Retry.MaxWait, j.attempts))
		j.ours = j.ours || ans.call.Creates && ans.step == stepCall
	case errors.Is(ans.err, ErrConflict), notFound && c.Current != nil:
		if j.rounds++; j.rounds > maxRounds {
			return a.failed(j, ans.err)
		}
		j.at = time.Now().Add(time.Duration(j.rounds) * roundWait)
	default:
		return a.failed(j, ans.err)
	}
	j.last = ans.err
	if ans.step == stepCall {
		j.read, j.lookup = c.Current != nil, c.Current == nil
	}
	return nil
}

// nobody goes on after a look-up that found nobody. A search shows a new user late, so a creation that
// may have happened is looked for until the index must have caught up.
func (a *applier) nobody(j *job) error {
	switch conflict := errors.Is(j.last, ErrConflict); {
	case conflict && j.change.Current != nil:
		return a.failed(j, fmt.Errorf("the address is taken, by a user that a search does not show: %w", j.last))
	case time.Since(j.sent) < a.SearchLag:
		j.at = time.Now().Add(min(lookupEvery, a.SearchLag))
	case conflict:
		return a.failed(j, fmt.Errorf("the address is taken, by a user that a search does not show: %w", j.last))
	default:
		j.lookup = false // nobody has the address: the creation did not happen
	}
	return nil
}

// gone makes a user anew that was deleted beyond restoring.
func (a *applier) gone(j *job) error {
	c := j.change
	id := c.Current.ID
	if j.rounds++; j.rounds > maxRounds {
		return a.failed(j, j.last)
	}
	a.roster.forget(id)
	c.Current = nil
	if err := a.Store.Commit(state.Commit{Forget: []string{id}}); err != nil {
		return err
	}
	if c.Desired[spec.Name] == "" {
		return a.failed(j, errors.New("the user no longer exists, and cannot be created again without a name"))
	}
	if !a.Policy.Create {
		return a.failed(j, errors.New("the user no longer exists, and creating users is switched off"))
	}
	return a.replan(j)
}

// reread goes on after a read or a look-up that found somebody: equal is success, else the rest is
// planned again from what is there now.
func (a *applier) reread(j *job, step step, now state.Observed) error {
	c := j.change
	conflict := errors.Is(j.last, ErrConflict)
	if step == stepFind {
		if spec.Key(text(now.Fields[spec.Email])) != c.Key {
			return a.nobody(j) // the index is behind: that user has another address by now
		}
		if owner := a.plan.claimed[now.ID]; c.Current != nil || owner != "" && owner != c.Key {
			return a.failed(j, fmt.Errorf("the address is taken by user %s (%s): %w", now.ID, text(now.Fields[spec.State]), j.last))
		}
		if !j.ours && !a.Policy.Adopt && text(now.Fields[spec.State]) != deleted {
			return a.failed(j, fmt.Errorf("the address belongs to the existing user %s, and adopting users is switched off: %w", now.ID, j.last))
		}
	} else if conflict && now.Version == c.Current.Version && c.Names(spec.Email) {
		j.read, j.lookup = false, true // the version was right, so it is the address: who has it?
		return nil
	}
	c.Current = a.known(now, c.Current, c, nil)
	a.roster.put(c.Current)
	if err := a.Store.Commit(state.Commit{Users: []*state.User{c.Current}, Settled: []string{c.Key}}); err != nil {
		return err
	}
	return a.replan(j)
}

// replan compares again and replaces the calls that are left. If none is, the change is as it was
// planned, and done.
func (a *applier) replan(j *job) error {
	c := j.change
	j.read, j.lookup = false, false
	next := *c
	a.roster.compare(&next)
	if len(next.Fields) == 0 {
		var commit state.Commit
		a.succeed(j, &commit)
		return a.Store.Commit(commit)
	}
	if c.Action != Update && next.Action == Update {
		next.Action = Adopt
	}
	*c = next
	j.calls = a.Directory.Compile([]*Change{c})
	return nil
}

// succeed ends a job well.
func (a *applier) succeed(j *job, commit *state.Commit) {
	j.calls = nil
	if j.ours {
		j.change.Action = Create // it was we who made the user, though the answer was lost
	}
	commit.Cleared = append(commit.Cleared, j.change.Key)
	a.end(j.change, Applied)
}

// failed ends a job badly and commits that.
func (a *applier) failed(j *job, err error) error {
	var commit state.Commit
	a.fail(j, err, &commit)
	return a.Store.Commit(commit)
}

// fail puts the user into quarantine: it is tried again after a while of its own, or when its spec changes.
func (a *applier) fail(j *job, err error, commit *state.Commit) {
	c := j.change
	j.calls, c.Err = nil, err
	f := state.Failure{Key: c.Key, Desired: c.Desired.Hash(), Attempts: a.failures[c.Key].Attempts + 1, Message: err.Error()}
	f.Next = time.Now().Add(a.backoff(quarantine, longestWait, f.Attempts))
	if ce := (*CallError)(nil); errors.As(err, &ce) {
		f.Status, f.Code, f.CorrelationID = ce.Status, ce.Code, ce.CorrelationID
	}
	commit.Failures = append(commit.Failures, f)
	a.end(c, Failed)
}

// abandon ends the jobs that wait for one another.
func (a *applier) abandon() {
	for _, j := range a.order {
		if c := j.change; c.Outcome == Planned {
			c.Note = "waits for " + a.missing(c)
			a.end(c, Skipped)
		}
	}
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
