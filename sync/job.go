package sync

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
	maxRounds   = 3                      // version conflicts of one user in one pass
	roundWait   = 500 * time.Millisecond // after the first of them; the vendor's own provider waits as long
	lookupEvery = 3 * time.Second        // while a search may not show a new user yet
	quarantine  = 5 * time.Minute        // after the first failure; doubles
	outageWait  = 8 * time.Minute        // longest for what the API did not answer: it may pass by itself
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
	change *plan.Change
	action plan.Action        // what,
	cause  plan.Cause         // why and
	fields []plan.FieldChange // which fields the change was planned with, while change says what is left to do
	calls  []*Call            // what is left to do
	busy   bool               // a request is under way
	at     time.Time          // no request before

	read     bool         // the user must be read before the next call
	whole    bool         // with every field that is managed: it was restored, and may have lost any
	lookup   bool         // the address must be looked up before the next call
	sent     time.Time    // when its creation was last sent
	ours     bool         // it was we who made it, or may have: in this pass or an earlier one
	polls    int          // look-ups that found nobody
	rounds   int          // refused as stale
	attempts int          // without a usable answer
	last     error        // of these, for the report
	final    *answer      // of a call that is not to be sent again; what it did is still read
	lost     []spec.Field // of the last call, while nobody knows what came of it
	guess    bool         // it was refused, and an earlier one may have been ours
	intended []spec.Field // of the last call, while the state file has its intents
	begun    []spec.Field // of which some is written, or may be, and some is not
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

// inDoubt reports whether the last call may have been carried out without an answer.
func (j *job) inDoubt() bool { return len(j.lost) > 0 && !j.guess }

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
	case errors.Is(ans.err, ErrUncertain) && ans.step != stepCall:
		return a.failed(j, ans.err) // the directory has tried it as often as it may be
	case errors.Is(ans.err, ErrUncertain):
		j.attempts++
		if a.once(ans.err) {
			j.final = &ans // what it did is read, and that is all
		} else if j.attempts > a.Retry.Max {
			return a.failed(j, ans.err)
		}
		j.at = time.Now().Add(a.backoff(a.Retry.MinWait, a.Retry.MaxWait, j.attempts))
		j.ours = j.ours || ans.call.Creates
	case errors.Is(ans.err, ErrConflict), notFound && c.Current != nil:
		return a.again(j, ans)
	default:
		return a.failed(j, ans.err)
	}
	return a.doubt(j, ans)
}

// once reports whether a call that failed so is not to be sent again, but looked into.
func (a *applier) once(err error) bool {
	e := (*CallError)(nil)
	return a.Retry.No5xx && errors.As(err, &e) && e.Status >= 500
}

// again gives the job another round, three at most: what it wrote was refused as stale.
func (a *applier) again(j *job, ans answer) error {
	if j.rounds++; j.rounds > maxRounds {
		return a.failed(j, ans.err)
	}
	j.at = time.Now().Add(time.Duration(j.rounds) * roundWait)
	if ans.step == stepCall && len(j.lost) == 0 {
		j.lost, j.guess = ans.call.Fields, true // a process that was killed may have written it
	}
	return a.doubt(j, ans)
}

// doubt makes the job look before it writes again, and not before a look shows what it wrote.
func (a *applier) doubt(j *job, ans answer) error {
	if ans.step == stepCall {
		a.part(j)
		for _, f := range ans.call.Fields {
			if shown := a.Policy.ShownBy(f, ans.call.intended); j.inDoubt() && shown.After(j.at) && !ans.call.Creates {
				j.at = shown
			}
		}
		j.last = ans.err
		j.read, j.lookup = j.change.Current != nil, j.change.Current == nil
	}
	return nil
}

// nobody goes on after a look-up that found nobody. A search shows a new user late, so a creation that
// may have happened is looked for until the index must have caught up.
func (a *applier) nobody(j *job) error {
	hidden := a.because(j, "the address is taken, by a user that a search does not show")
	switch conflict := errors.Is(j.last, ErrConflict); {
	case conflict && j.change.Current != nil:
		return a.failed(j, hidden)
	case time.Since(j.sent) < a.SearchLag:
		j.at = time.Now().Add(min(lookupEvery<<min(j.polls, 8), a.SearchLag))
		j.polls++
	case conflict:
		return a.failed(j, hidden)
	case j.final != nil:
		return a.notDone(j)
	default:
		j.lookup, j.ours = false, false // nobody has the address: the creation did not happen
	}
	return nil
}

// gone goes on after a read that found no such user: one just made may not be shown yet, any other was
// deleted beyond restoring and is created again.
func (a *applier) gone(j *job) error {
	c := j.change
	if time.Since(j.sent) < a.SearchLag || unshown(c.Current) {
		j.at = time.Now().Add(min(lookupEvery, a.SearchLag))
		return nil
	}
	id := c.Current.ID
	if j.rounds++; j.rounds > maxRounds {
		return a.failed(j, a.because(j, "the user comes and goes"))
	}
	commit := state.Commit{Forget: []string{id}}
	j.lost = nil
	a.clear(j, &commit)
	a.index.Forget(id)
	c.Current = nil
	if err := a.commit(commit); err != nil {
		return err
	}
	if c.Desired[spec.Name] == "" {
		return a.failed(j, errors.New("the user no longer exists, and cannot be created again without a name"))
	}
	return a.replan(j)
}

// reread goes on after a read or a look-up that found somebody: equal is success, else the rest is
// planned again from what is there now.
func (a *applier) reread(j *job, ans answer) error {
	c, now := j.change, ans.now[0]
	switch {
	case ans.step == stepFind:
		if now.Key() != c.Key {
			return a.nobody(j) // the index is behind: that user has another address by now
		}
		if owner := a.plan.OwnerOf[now.ID]; c.Current != nil || owner != "" && owner != c.Key {
			return a.failed(j, a.because(j, fmt.Sprintf("the address is taken by user %s (%s)", now.ID, now.Fields[spec.State].Text())))
		}
		if as := a.declaredAs(now.ID); !j.ours && as != "" && as != c.Key {
			// Somebody has given the address to a user whom we know under another one: whose account it is the next plan tells.
			return a.failed(j, a.because(j, fmt.Sprintf("the address is that of user %s by now, who was declared as %s; the next pass looks again", now.ID, as)))
		}
		if !j.ours && !a.Policy.Adopt && now.Fields[spec.State].Text() != state.Deleted {
			return a.failed(j, a.because(j, fmt.Sprintf("the address belongs to the existing user %s, and adopting users is switched off", now.ID)))
		}
	case now.Version < c.Current.Version:
		// Older than what we know, so it says nothing.
		ans.err = fmt.Errorf("the API shows version %d of the user, and had shown %d", now.Version, c.Current.Version)
		return a.again(j, ans)
	case j.action == plan.Adopt && c.Current.Applied == nil && c.Current.Key() == c.Key && now.Key() != c.Key:
		// It was found by an address that it has no more, so it may be somebody else's.
		return a.failed(j, fmt.Errorf("the user %s had the address when it was listed, and has another one now", now.ID))
	case errors.Is(j.last, ErrConflict) && now.Version == c.Current.Version && c.Names(spec.Email):
		j.read, j.lookup = false, true // the version was right, so it is the address: who has it?
		return nil
	}
	before := c.Current
	c.Current = a.known(now, before, c, j.unsure(ans.step), a.landed(j, now), ans.began)
	a.wrote(c.Current, before == nil && j.ours, nil)
	if before != nil && before.Deleted() && !c.Current.Deleted() {
		c.Current.Stale = true // as when the answer tells it
	}
	a.learn(c)
	commit := state.Commit{Users: []*state.User{c.Current}}
	if before == nil && j.ours || before != nil && len(j.lost) > 0 { // it may have been our call
		a.count(c, before, j.lost, &commit)
	}
	if len(j.lost) > 0 && !j.guess {
		a.repaired(c, a.shown(j, now))
	}
	if len(j.intended) > 0 { // it was asked for them, and late enough
		commit.Resolved, j.intended = []state.UserFields{{ID: now.ID, Fields: j.intended}}, nil
	}
	if ans.step == stepFind {
		commit.Settled, j.last = []string{c.Key}, nil
	}
	if err := a.commit(commit); err != nil {
		return err
	}
	return a.replan(j)
}

// declaredAs returns the key that a user was last declared as, also of one whom this pass removes; "" for who was not
// managed.
func (a *applier) declaredAs(id string) string {
	for _, c := range a.plan.Changes {
		if c.Action.Removes() && c.Current.ID == id {
			return c.Key
		}
	}
	if known := a.index.ByID[id]; known != nil && known.Applied != nil {
		return known.Declared.Key
	}
	return ""
}

// replan compares again and replaces the calls that are left. If none is, the change is as it was
// planned, and done.
func (a *applier) replan(j *job) error {
	c := j.change
	j.read, j.lookup, j.whole = false, false, false
	next := *c
	if !c.Action.Removes() {
		next.Desired = a.index.Managers(a.Policy.Managed(c.Desired, c.Current), &a.Policy)
	}
	a.index.Compare(&next)
	next.Keep(c.Withheld)
	j.leaveContested(&next, time.Now())
	if found := a.found(j, &next); len(found) > 0 { // whatever becomes of the rest
		if err := a.commit(state.Commit{Events: found}); err != nil {
			return err
		}
	}
	if err := a.vet(j, &next); err != nil {
		return a.failed(j, err)
	}
	switch {
	case next.Action == plan.Restore && c.Current.Removed == "" && slices.Contains(a.Policy.Unmanaged, spec.State):
		return a.skip(j, "the user is deleted in Genesys, and the state is not managed here: left as it is")
	case next.Action == plan.Restore && len(next.Fields) == 0:
		return a.failed(j, errors.New("the user was deleted, and drift is only reported"))
	case next.Action == plan.Create || next.Action == plan.Restore: // it was deleted meanwhile
		j.action, j.cause, j.fields = next.Action, next.Cause, next.Fields
	case j.action == plan.Create && !j.ours: // it is not made, but found
		j.action, j.cause, j.fields = plan.Adopt, next.Cause, next.Fields
	}
	a.postpone(j, &next)
	if len(next.Fields) == 0 {
		var commit state.Commit
		a.manage(j, &next, &commit)
		a.succeed(j, &commit)
		return a.commit(commit)
	}
	if j.final != nil && j.final.left(next) {
		return a.notDone(j)
	}
	j.final = nil
	if (next.Action == plan.Create || next.Action == plan.Restore) && !a.Policy.Create {
		return a.failed(j, errors.New("the user was deleted, and creating users is switched off"))
	}
	a.leave(j)
	*c = next
	j.calls = a.Directory.Compile([]*plan.Change{c})
	return nil
}

// finish leaves nothing to do, and the change as it was planned.
func (a *applier) finish(j *job) {
	a.leave(j)
	j.calls, j.change.Action, j.change.Cause, j.change.Fields = nil, j.action, j.cause, j.fields
}

// left reports whether the call of an answer has left something undone of what is now to be done.
func (ans *answer) left(next plan.Change) bool {
	return ans.call.Creates && next.Action == plan.Create || slices.ContainsFunc(ans.call.Fields, next.Names)
}

// succeed ends a job well.
func (a *applier) succeed(j *job, commit *state.Commit) {
	c := j.change
	a.finish(j)
	delete(a.silent, j)
	if a.plan.RollbackOf == "" { // quarantine is of what the specs ask for
		commit.Cleared = append(commit.Cleared, c.Key)
	}
	if j.ours {
		commit.Settled = append(commit.Settled, c.Key)
	}
	a.clear(j, commit)
	if c.Action.Removes() {
		left := *c.Current
		left.Unmanage()
		if left.Fields[spec.State] == c.Desired[spec.State] { // else somebody has deleted the user meanwhile
			left.Removed = string(c.Action)
		}
		c.Current = &left
		commit.Users = append(commit.Users, c.Current)
		a.index.Put(c.Current)
	}
	if len(c.Fields) == 0 && len(c.Deferred) > 0 {
		a.end(c, plan.Deferred) // the change window has closed on all of it
		return
	}
	a.end(c, plan.Applied)
}

// skip ends a job of which nothing is to be done after all.
func (a *applier) skip(j *job, why string) error {
	a.finish(j)
	delete(a.silent, j)
	j.change.Note = why
	a.end(j.change, plan.Skipped)
	return a.commit(state.Commit{Settled: []string{j.change.Key}, Cleared: []string{j.change.Key}})
}
