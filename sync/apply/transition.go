package apply

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

const (
	// Version conflicts of one user, or of one repeatable call, in one pass, and the wait after the first of them; it grows
	// by as much each time. Both as in the vendor's Terraform provider (util_retries.go).
	maxConflicts = 10
	conflictWait = 500 * time.Millisecond
	lookupWait   = 3 * time.Second // while a search need not show a new user yet
)

// receive takes in an answer: each job that it is for makes a move. An error ends the run.
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
	}
	if errors.Is(ans.err, ErrRequestThrottled) {
		e.retryLater(ans, served, now)
		return nil
	}
	if called {
		if ans.call.Creates {
			ans.job.createSent = now // at the latest: the request may have been delayed
		}
		e.health.Reset(ans.err)
	}
	if called && uncertain {
		for _, j := range served {
			j.uncertain, j.uncertainFields = lostAnswer, ans.call.Fields
		}
		e.recordIntents(ans.call, now)
		count := &ans.job.lostAnswers
		if ans.call.Repeatable {
			count = &ans.call.lostAnswers
		}
		*count++
		attempts = *count
	}
	if all := ans.state == toReadAll || ans.state == toFind; all && isDenied(ans.err) && ans.seen[0].ID != "" {
		ans.job.leaveOut(without(ans.job.requestedFields(ans.state), func(f spec.Field) bool { // that cannot be read
			return ans.seen[0].Fields.Get(f) != "" || !slices.Contains(e.Policy.DetailFields, f)
		}), ans.err)
		ans.err = nil
	}
	final := !called || attempts > e.Retry.Max && !e.verifyInsteadOfResend(ans.err)
	if err := e.health.Note(ans.job.change.Key, ans.err, final); err != nil {
		if !uncertain && !errors.Is(err, ErrForbidden) && called && ans.call.Creates && !ans.job.created { // it was never sent
			e.add(state.Commit{ClearCreateIntents: []string{ans.job.change.Key}})
		}
		return err
	}
	if called && ans.call.Repeatable && errors.Is(ans.err, ErrConflict) {
		ans.call.conflicts++
	}
	if e.mustSplit(ans) {
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
			e.health.Forget(j.change.Key)
		}
	}
	return nil
}

// retryLater lets a request that the API refuses for now wait without holding up others.
func (e *engine) retryLater(ans answer, served []*job, now time.Time) {
	if ans.state == toCall && ans.call.Creates && !ans.job.created { // it was not carried out
		e.add(state.Commit{ClearCreateIntents: []string{ans.job.change.Key}})
	}
	for _, j := range served {
		j.enter(move{ans.state, now.Add(RetryAfter(ans.err))})
		j.throttled = ans.err
	}
}

// mustSplit reports whether a call that was refused for several users is made again for each half of them, so that one user
// does not stop the others.
func (e *engine) mustSplit(ans answer) bool {
	call := ans.call
	return ans.state == toCall && ans.err != nil && call.Repeatable && len(call.Changes) > 1 && !errors.Is(ans.err, ErrUncertain) &&
		!errors.Is(ans.err, ErrForbidden) && !e.resendStale(ans)
}

// resendStale reports whether a call that was refused as stale is sent again as it is.
func (e *engine) resendStale(ans answer) bool {
	return ans.call.Repeatable && errors.Is(ans.err, ErrConflict) && ans.call.conflicts <= maxConflicts
}

// verifyInsteadOfResend reports whether a call that failed with err is verified instead of being sent again.
func (e *engine) verifyInsteadOfResend(err error) bool {
	ce := (*CallError)(nil)
	return e.Retry.No5xx && errors.As(err, &ce) && ce.Status >= 500
}

// next is the transition function: it returns the state that a job enters after an answer to its own request, or to a call
// that it shares, where its user is the i-th. resendAt is when a call without a usable answer may be sent again.
func (e *engine) next(j *job, ans answer, i int, resendAt time.Time) move {
	missing, conflict := errors.Is(ans.err, ErrNotFound), errors.Is(ans.err, ErrConflict)
	switch ans.state {
	case toCall:
		switch {
		case ans.err == nil:
			return e.onSuccess(j, ans.call, ans.seen[i])
		case errors.Is(ans.err, ErrUncertain):
			return e.onNoAnswer(j, ans, resendAt)
		case e.resendStale(ans):
			return move{toCall, time.Now().Add(time.Duration(ans.call.conflicts) * conflictWait)}
		case conflict && !ans.call.Repeatable, missing && j.change.Current != nil:
			return e.onStale(j, ans)
		case isDenied(ans.err) && j.uncertain == certain && e.isOfFields(ans.call):
			return e.onRefusedField(j, ans)
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

func (e *engine) onSuccess(j *job, call *Call, seen state.Observed) move {
	c := j.change
	activated := c.Activates() && slices.Contains(call.Fields, spec.State)
	j.calls, j.lastErr, j.refusedAtCurrentVersion = j.calls[1:], nil, false
	written := e.observe(j, observation{seen: seen, at: time.Now(), call: call, shows: call.Fields})
	switch err := e.verifyReadback(c, written); {
	case err != nil:
		return e.fail(j, err)
	case activated && !c.Current.Deleted():
		// The other values of a user that was deleted or inactive are not known: read them, and plan the rest again. A reading
		// of grants or members may be too early, so they are read once more with the next listing.
		j.detach()
		j.calls = nil
		return move{to: toReadAll}
	case len(j.calls) == 0:
		return e.succeed(j)
	}
	return move{to: toCall}
}

// isOfFields reports whether a call is about some fields of a user alone, so that the user's other calls do not depend on it.
func (e *engine) isOfFields(call *Call) bool {
	return call != nil && len(call.Fields) > 0 && len(without(call.Fields, e.Policy.Unversioned)) == 0
}

// onRefusedField continues with the other calls of the user, who fails in the end. A permission may be missing for one field,
// or in the division of one queue. If a new user does not have something yet, the call is made again for a while.
func (e *engine) onRefusedField(j *job, ans answer) move {
	if ce := (*CallError)(nil); errors.As(ans.err, &ce) && ce.Status == 404 && time.Since(j.createSent) < e.SearchLag {
		j.misses++
		return move{toCall, time.Now().Add(lookupWait << min(j.misses-1, 8))}
	}
	j.leaveOut(ans.call.Fields, ans.err)
	e.clearIntents(j)
	if j.lastErr = nil; len(j.calls) == 0 {
		return e.succeed(j)
	}
	return move{to: toCall}
}

// isDenied reports whether an error says that something cannot be had, while the user itself can.
func isDenied(err error) bool { return errors.Is(err, ErrRefused) || errors.Is(err, ErrForbidden) }

// onNoAnswer continues after a call without a usable answer: it is sent again if it is repeatable, and verified otherwise.
func (e *engine) onNoAnswer(j *job, ans answer, resendAt time.Time) move {
	if ans.call.Repeatable {
		j.markPartial(ans.call.Fields, nil)
	}
	j.created = j.created || ans.call.Creates
	if !e.verifyInsteadOfResend(ans.err) {
		switch {
		case max(ans.call.lostAnswers, j.lostAnswers) > e.Retry.Max:
			return e.fail(j, ans.err)
		case ans.call.Repeatable:
			return move{toCall, resendAt}
		}
	}
	return e.verify(j, ans, resendAt)
}

// onStale continues after a call or a reading with a stale version: another round, maxConflicts at most.
func (e *engine) onStale(j *job, ans answer) move {
	if j.conflicts++; j.conflicts > maxConflicts {
		return e.fail(j, ans.err)
	}
	at := time.Now().Add(time.Duration(j.conflicts) * conflictWait)
	if ans.state != toCall {
		return move{ans.state, at}
	}
	if j.uncertain == certain {
		j.uncertain, j.uncertainFields = staleVersion, ans.call.Fields
	}
	return e.verify(j, ans, at)
}

// verify reads what a call did before the job writes again, and not before a reading shows it.
func (e *engine) verify(j *job, ans answer, at time.Time) move {
	j.unbatch()
	j.lastErr = ans.err
	if j.change.Current == nil {
		return move{toFind, at}
	}
	if j.uncertain == lostAnswer {
		for _, f := range ans.call.Fields {
			at = plan.Latest(at, e.Policy.ReadableFrom(f, ans.call.intended))
		}
	}
	return move{toRead, at}
}

func (e *engine) onFind(j *job, ans answer) move {
	c, seen := j.change, ans.seen[0]
	if seen.Key() != c.Key {
		return e.onFindMiss(j) // the index is outdated: that user has another address now
	}
	switch owner, declared := e.plan.OwnerOf[seen.ID], e.declaredAs(seen.ID); {
	case c.Current != nil, owner != "" && owner != c.Key:
		return e.fail(j, j.wrapLast(fmt.Sprintf("the address is taken by user %s (%s)", seen.ID, seen.Fields.Get(spec.State).Text())))
	case !j.created && declared != "" && declared != c.Key:
		// Somebody else has given the address to a user that is known under another one: the next plan matches it.
		return e.fail(j, j.wrapLast(fmt.Sprintf("the address is now that of user %s, who was declared as %s; the next pass decides which account it is", seen.ID, declared)))
	case !j.created && !e.Policy.Adopt && seen.Fields.Get(spec.State).Text() != state.Deleted:
		return e.fail(j, j.wrapLast(fmt.Sprintf("the address belongs to the existing user %s, and adopting users is switched off", seen.ID)))
	}
	e.observe(j, observation{seen: seen, at: ans.began, shows: j.requestedFields(ans.state)})
	m := e.replan(j)
	j.lastErr = nil
	return m
}

func (e *engine) onRead(j *job, ans answer) move {
	c, seen, call, shows := j.change, ans.seen[0], j.call(), j.requestedFields(ans.state)
	switch {
	case seen.Version < c.Current.Version: // older than what is known
		ans.err = fmt.Errorf("the API shows version %d of the user, and had shown %d", seen.Version, c.Current.Version)
		return e.onStale(j, ans)
	case j.planned.action == plan.Adopt && c.Current.LastApplied == nil && c.Current.Key() == c.Key && seen.Key() != c.Key:
		// It was found by an address that it no longer has, so it may be another person's.
		return e.fail(j, fmt.Errorf("the user %s had the address when it was listed, and has another one now", seen.ID))
	case seen.Version > c.Current.Version:
		j.refusedAtCurrentVersion = false
	case !errors.Is(j.lastErr, ErrConflict) && !errors.Is(j.lastErr, ErrNotFound):
	case errors.Is(j.lastErr, ErrConflict) && c.HasField(spec.Email):
		return move{to: toFind} // the version was right, so the address is taken: find its user
	case j.refusedAtCurrentVersion && e.isOfFields(call): // not the user, but what is referred to does not exist
		j.leaveOut(call.Fields, j.lastErr)
	case j.refusedAtCurrentVersion: // nobody else is writing
		return e.fail(j, j.wrapLast("the user is as it was read, and still the API does not take the change"))
	default:
		j.refusedAtCurrentVersion = true
	}
	e.observe(j, observation{seen: seen, at: ans.began, shows: shows})
	return e.replan(j)
}

// onFindMiss continues after a lookup that found no user. A search shows a new user late, so a creation that may have
// happened is looked up until SearchLag is over.
func (e *engine) onFindMiss(j *job) move {
	const hidden = "the address is taken, by a user that a search does not show"
	switch conflict := errors.Is(j.lastErr, ErrConflict); {
	case conflict && j.change.Current != nil:
		return e.fail(j, j.wrapLast(hidden))
	case time.Since(j.createSent) < e.SearchLag:
		j.misses++
		return move{toFind, time.Now().Add(min(lookupWait<<min(j.misses-1, 8), e.SearchLag))}
	case conflict:
		return e.fail(j, j.wrapLast(hidden))
	case e.verifyInsteadOfResend(j.lastErr):
		return e.failNotCarriedOut(j)
	}
	j.created = false // no user has the address: the creation did not happen
	return move{to: toCall}
}

// onReadMiss continues after a reading that found no such user: a new one need not be shown yet, any other one was deleted
// permanently: it is created again, unless it was to be removed.
func (e *engine) onReadMiss(j *job) move {
	c := j.change
	if now := time.Now(); now.Sub(j.createSent) < e.SearchLag || !c.Current.ShowsAll(now) {
		return move{j.state, now.Add(min(lookupWait, e.SearchLag))}
	}
	if j.conflicts++; j.conflicts > maxConflicts {
		return e.fail(j, j.wrapLast("the API shows the user and then does not"))
	}
	if c.Action.Removes() {
		gone := *c.Current
		gone.Fields = slices.Clone(gone.Fields)
		gone.Fields.Set(spec.State, spec.Text(state.Deleted))
		c.Current = &gone
		return e.succeed(j)
	}
	j.uncertain, j.uncertainFields = certain, nil
	e.clearIntents(j)
	e.add(state.Commit{Forget: []string{c.Current.ID}})
	e.index.Forget(c.Current.ID)
	if c.Current = nil; c.Desired.Get(spec.Name) == "" {
		return e.fail(j, errors.New("the user no longer exists, and cannot be created again without a name"))
	}
	return e.replan(j)
}

// failNotCarriedOut fails a job whose call was answered with 5xx, and was found not to have been carried out.
func (e *engine) failNotCarriedOut(j *job) move {
	e.health.Forget(j.change.Key)
	return e.fail(j, fmt.Errorf("the call was not carried out, and is not sent again: %w", j.lastErr))
}

func (j *job) wrapLast(text string) error {
	if j.lastErr == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%s: %w", text, j.lastErr)
}
