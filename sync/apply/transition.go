package apply

import (
	"errors"
	"fmt"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

const (
	maxConflicts = 3                      // version conflicts of one user in one pass
	conflictWait = 500 * time.Millisecond // after the first of them; the vendor's own provider waits as long
	lookupEvery  = 3 * time.Second        // while a search may not show a new user yet
)

// receive takes an answer in: each job that it is for makes a move. The error ends the run.
func (e *engine) receive(ans answer) error {
	served, now := e.jobs.of(ans), time.Now()
	for _, j := range served {
		j.inFlight = false
	}
	uncertain, called := errors.Is(ans.err, ErrUncertain), ans.state == toCall
	attempts := 0
	if called {
		delete(e.calls, ans.call)
		delete(e.objects, ans.call.Object)
		if ans.call.Creates {
			ans.job.createSent = now // at the latest: it may have waited long for its turn
		}
	}
	if called && uncertain {
		for _, j := range served {
			j.doubt, j.doubtful = unanswered, ans.call.Fields
		}
		e.intend(ans.call, now)
		count := &ans.job.unanswered
		if ans.call.Repeatable {
			count = &ans.call.unanswered
		}
		*count++
		attempts = *count
	}
	if err := e.health.note(ans, !called || attempts > e.Retry.Max && !e.noResend(ans.err)); err != nil {
		if !uncertain && !errors.Is(err, ErrForbidden) && called && ans.call.Creates && !ans.job.created { // it was not sent, nor was one before it
			e.add(state.Commit{ClearIntents: []string{ans.job.change.Key}})
		}
		return err
	}
	if called && ans.call.Repeatable && errors.Is(ans.err, ErrConflict) {
		ans.call.conflicts++
	}
	if e.divides(ans) { // so that one of them stops no other
		e.jobs.split(ans.call)
		return nil
	}
	resendAt := now
	if attempts > 0 {
		resendAt = now.Add(e.wait(e.Retry.MinWait, e.Retry.MaxWait, attempts))
	}
	for i, j := range served {
		j.enter(e.next(j, ans, i, resendAt))
		if j.state == done && j.change.Outcome != plan.Failed {
			delete(e.health.unanswered, j)
		}
	}
	return nil
}

// divides reports whether a call that is refused for several users is made for each half of them.
func (e *engine) divides(ans answer) bool {
	call := ans.call
	return ans.state == toCall && ans.err != nil && call.Repeatable && len(call.Changes) > 1 && !errors.Is(ans.err, ErrUncertain) &&
		!errors.Is(ans.err, ErrForbidden) && !e.resends(ans)
}

// resends reports whether a call that is refused as stale is simply sent again.
func (e *engine) resends(ans answer) bool {
	return ans.call.Repeatable && errors.Is(ans.err, ErrConflict) && ans.call.conflicts <= maxConflicts
}

// noResend reports whether a call that failed so is not to be sent again, but looked into.
func (e *engine) noResend(err error) bool {
	ce := (*CallError)(nil)
	return e.Retry.No5xx && errors.As(err, &ce) && ce.Status >= 500
}

// next is the transition function: it says which state a job enters after an answer to a request of its own, or to a call
// that it shares, where its user is the i-th. resendAt is when a call without a usable answer may be sent again.
func (e *engine) next(j *job, ans answer, i int, resendAt time.Time) move {
	missing, conflict := errors.Is(ans.err, ErrNotFound), errors.Is(ans.err, ErrConflict)
	switch ans.state {
	case toCall:
		switch {
		case ans.err == nil:
			return e.onSuccess(j, ans.call, ans.now[i])
		case errors.Is(ans.err, ErrUncertain):
			return e.onNoAnswer(j, ans, resendAt)
		case e.resends(ans):
			return move{toCall, time.Now().Add(time.Duration(ans.call.conflicts) * conflictWait)}
		case conflict && !ans.call.Repeatable, missing && j.change.Current != nil:
			return e.onConflict(j, ans)
		}
	case toFind:
		switch {
		case ans.err == nil:
			return e.onFind(j, ans)
		case missing:
			return e.onFindMiss(j)
		}
	default:
		switch {
		case ans.err == nil:
			return e.onRead(j, ans)
		case missing:
			return e.onReadMiss(j)
		}
	}
	return e.fail(j, ans.err)
}

// onSuccess goes on after a call that was answered well.
func (e *engine) onSuccess(j *job, call *Call, now state.Observed) move {
	c := j.change
	restored := c.Current != nil && c.Current.Deleted()
	j.calls, j.last = j.calls[1:], nil
	written := e.arrived(j, arrival{now: now, at: time.Now(), call: call, shows: call.Fields})
	switch err := e.verifyReadback(c, written); {
	case err != nil:
		return e.fail(j, err)
	case restored:
		// What a restored user has kept is not known: read it, and plan the rest again. What a read of
		// grants or members shows so soon may still be of before; with the next listing it is read once more.
		j.detach()
		j.calls = nil
		return move{to: toReadAll}
	case len(j.calls) == 0:
		return e.complete(j)
	}
	return move{to: toCall}
}

// onNoAnswer goes on after a call that had no usable answer: one that can be repeated is, of any other it is found out
// first what it did.
func (e *engine) onNoAnswer(j *job, ans answer, resendAt time.Time) move {
	if ans.call.Repeatable {
		j.began(ans.call.Fields, nil)
	}
	j.created = j.created || ans.call.Creates
	if !e.noResend(ans.err) {
		switch {
		case max(ans.call.unanswered, j.unanswered) > e.Retry.Max:
			return e.fail(j, ans.err)
		case ans.call.Repeatable:
			return move{toCall, resendAt}
		}
	}
	return e.verify(j, ans, resendAt)
}

// onConflict goes on after a call, or a reading, that was stale: another round, three at most.
func (e *engine) onConflict(j *job, ans answer) move {
	if j.conflicts++; j.conflicts > maxConflicts {
		return e.fail(j, ans.err)
	}
	at := time.Now().Add(time.Duration(j.conflicts) * conflictWait)
	if ans.state != toCall {
		return move{ans.state, at}
	}
	if j.doubt == noDoubt {
		j.doubt, j.doubtful = stale, ans.call.Fields
	}
	return e.verify(j, ans, at)
}

// verify makes the job find out what its call did before it writes again, and not before a reading shows it.
func (e *engine) verify(j *job, ans answer, at time.Time) move {
	j.unbatch()
	j.last = ans.err
	if j.change.Current == nil {
		return move{toFind, at}
	}
	for _, f := range ans.call.Fields {
		if shown := e.Policy.ReadableFrom(f, ans.call.intended); j.doubt == unanswered && shown.After(at) {
			at = shown
		}
	}
	return move{toRead, at}
}

// onFind goes on after a look-up that found somebody.
func (e *engine) onFind(j *job, ans answer) move {
	c, now := j.change, ans.now[0]
	if now.Key() != c.Key {
		return e.onFindMiss(j) // the index is behind: that user has another address by now
	}
	switch owner, declared := e.plan.OwnerOf[now.ID], e.declaredAs(now.ID); {
	case c.Current != nil, owner != "" && owner != c.Key:
		return e.fail(j, j.because(fmt.Sprintf("the address is taken by user %s (%s)", now.ID, now.Fields[spec.State].Text())))
	case !j.created && declared != "" && declared != c.Key:
		// Somebody has given the address to a user whom we know under another one: whose account it is the next plan tells.
		return e.fail(j, j.because(fmt.Sprintf("the address is that of user %s by now, who was declared as %s; the next pass looks again", now.ID, declared)))
	case !j.created && !e.Policy.Adopt && now.Fields[spec.State].Text() != state.Deleted:
		return e.fail(j, j.because(fmt.Sprintf("the address belongs to the existing user %s, and adopting users is switched off", now.ID)))
	}
	e.arrived(j, arrival{now: now, at: ans.began, shows: j.asked(ans.state)})
	m := e.compare(j)
	j.last = nil
	return m
}

// onRead goes on after a reading of the user.
func (e *engine) onRead(j *job, ans answer) move {
	c, now := j.change, ans.now[0]
	switch {
	case now.Version < c.Current.Version: // older than what is known, so it says nothing
		ans.err = fmt.Errorf("the API shows version %d of the user, and had shown %d", now.Version, c.Current.Version)
		return e.onConflict(j, ans)
	case j.planned.Action == plan.Adopt && c.Current.Applied == nil && c.Current.Key() == c.Key && now.Key() != c.Key:
		// It was found by an address that it has no more, so it may be somebody else's.
		return e.fail(j, fmt.Errorf("the user %s had the address when it was listed, and has another one now", now.ID))
	case errors.Is(j.last, ErrConflict) && now.Version == c.Current.Version && c.HasField(spec.Email):
		return move{to: toFind} // the version was right, so it is the address: who has it?
	}
	e.arrived(j, arrival{now: now, at: ans.began, shows: j.asked(ans.state)})
	return e.compare(j)
}

// onFindMiss goes on after a look-up that found nobody. A search shows a new user late, so a creation that
// may have happened is looked for until the index must have caught up.
func (e *engine) onFindMiss(j *job) move {
	hidden := j.because("the address is taken, by a user that a search does not show")
	switch conflict := errors.Is(j.last, ErrConflict); {
	case conflict && j.change.Current != nil:
		return e.fail(j, hidden)
	case time.Since(j.createSent) < e.SearchLag:
		j.misses++
		return move{toFind, time.Now().Add(min(lookupEvery<<min(j.misses-1, 8), e.SearchLag))}
	case conflict:
		return e.fail(j, hidden)
	case e.noResend(j.last):
		return e.failNotDone(j)
	}
	j.created = false // nobody has the address: the creation did not happen
	return move{to: toCall}
}

// onReadMiss goes on after a reading that found no such user: one just made may not be shown yet, any other was
// deleted beyond restoring and is created again.
func (e *engine) onReadMiss(j *job) move {
	c := j.change
	if now := time.Now(); now.Sub(j.createSent) < e.SearchLag || !c.Current.ShowsAll(now) {
		return move{j.state, now.Add(min(lookupEvery, e.SearchLag))}
	}
	if j.conflicts++; j.conflicts > maxConflicts {
		return e.fail(j, j.because("the user comes and goes"))
	}
	j.doubt, j.doubtful = noDoubt, nil
	e.resolve(j)
	e.add(state.Commit{Forget: []string{c.Current.ID}})
	e.index.Forget(c.Current.ID)
	if c.Current = nil; c.Desired[spec.Name] == "" {
		return e.fail(j, errors.New("the user no longer exists, and cannot be created again without a name"))
	}
	return e.compare(j)
}

// failNotDone ends a job whose call was answered 5xx, and is known by now not to have been carried out: the
// API has answered, if not as one would wish.
func (e *engine) failNotDone(j *job) move {
	delete(e.health.unanswered, j)
	return e.fail(j, fmt.Errorf("it was not carried out, and is not sent again: %w", j.last))
}

// because explains the end of a job by what went before it.
func (j *job) because(text string) error {
	if j.last == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%s: %w", text, j.last)
}
