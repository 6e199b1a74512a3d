package apply

import (
	"context"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// dispatch starts the requests that can be started. It returns how long to wait at most, and whether any job waits for that.
func (e *engine) dispatch(ctx context.Context) (wait time.Duration, delayed bool) {
	now := time.Now()
	e.waiting = slices.DeleteFunc(e.waiting, func(j *job) bool { return j.state == done })
	for _, j := range e.waiting {
		j.wake(now)
	}
	var begun []answer
	for e.stopped == nil && e.inFlight < e.Workers {
		j := e.nextJob(now)
		if j == nil {
			break
		}
		begun = append(begun, e.begin(j, now))
	}
	for call := range e.calls { // intents have a time that readings are compared to: renew it while the call may be delayed
		if now.Sub(call.intended) >= tickEvery {
			e.recordIntents(call, now)
		}
	}
	if err := e.flush(); err != nil {
		e.stop(err)
		e.inFlight -= len(begun)
		begun = nil
	}
	for _, ans := range begun {
		e.send(ctx, ans)
	}
	wait = time.Hour
	if e.stopped != nil {
		return wait, false
	}
	for _, j := range e.waiting {
		switch slow := slowAfter - now.Sub(j.began); {
		case j.state == backoff:
			wait, delayed = min(wait, j.at.Sub(now)), true
		case j.isLeaver() && j.inFlight && slow > 0:
			wait = min(wait, slow)
		}
	}
	return wait, delayed
}

// slowAfter is from when a leaver's request that is not answered counts as slow.
const slowAfter = 3 * time.Second

// nextJob returns the first job that is ready: one that was started, else the next in the plan's order; nil if there is none.
//
// Leavers are first in both orders. At most half of the slots are theirs. Others begin when the requests of all leavers are
// answered or slow, or when that half is slow: an API that does not answer for leavers holds up nobody else.
func (e *engine) nextJob(now time.Time) *job {
	leaving, slow := 0, 0
	for _, j := range e.waiting {
		if j.isLeaver() && j.inFlight {
			leaving++
			if now.Sub(j.began) >= slowAfter {
				slow++
			}
		}
	}
	half := (e.Workers + 1) / 2
	ready := func(j *job) bool { return e.ready(j) && (leaving < half || !j.isLeaver()) }
	if i := slices.IndexFunc(e.waiting, ready); i >= 0 {
		return e.waiting[i]
	}
	for e.started < len(e.order) && !e.health.Failing() {
		j := e.order[e.started]
		switch {
		case j.isLeaver() && leaving >= half && slow < half:
			return nil
		case !j.isLeaver() && leaving > slow: // requests that begin together may overtake each other
			return nil
		}
		e.started++
		e.waiting = append(e.waiting, j)
		if ready(j) {
			return j
		}
	}
	return nil
}

// ready reports whether the job's next request may be made: no user that it serves has another request in flight or an
// earlier one to come, and the users that it refers to exist.
func (e *engine) ready(j *job) bool {
	if !j.isIdle() {
		return false
	}
	call := j.call()
	if j.state != toCall {
		return e.waitsFor(j.change, call) == ""
	}
	if e.objects[call.Object] {
		return false
	}
	for _, c := range call.Changes {
		other := e.jobs[c]
		if !other.isIdle() || other.state != toCall || other.call() != call || e.waitsFor(c, call) != "" {
			return false
		}
	}
	return true
}

// waitsFor returns the key of the user that must exist, or give up an address, before the call can be made or verified; ""
// if there is none.
func (e *engine) waitsFor(c *plan.Change, call *Call) string {
	if call == nil {
		return ""
	}
	if holder := e.index.ByKey[c.Key]; holder != nil && (call.Creates || slices.Contains(call.Fields, spec.Email)) {
		if owner := e.plan.OwnerOf[holder.ID]; owner != "" && owner != c.Key {
			return owner
		}
	}
	for _, key := range c.DependsOn {
		if !call.Creates && !e.plan.KeepsAddress(key) {
			return key
		}
	}
	return ""
}

// breakWaits gives calls of their own to jobs that wait for another user, so that others which share their calls can go on.
// It reports whether there were any.
func (e *engine) breakWaits() bool {
	unbatched := false
	for _, j := range e.order {
		if j.state != done && j.shares() && e.waitsFor(j.change, j.call()) != "" {
			j.unbatch()
			unbatched = true
		}
	}
	return unbatched
}

// begin prepares one request. The intents of a call are recorded before it is sent.
func (e *engine) begin(j *job, now time.Time) answer {
	ans := answer{job: j, state: j.state, call: j.call(), began: now}
	for _, served := range e.jobs.of(ans) {
		served.inFlight, served.began = true, now
	}
	e.inFlight++
	if ans.state != toCall {
		return ans
	}
	e.calls[ans.call] = true
	if ans.call.Object != "" {
		e.objects[ans.call.Object] = true
	}
	e.recordIntents(ans.call, now)
	if j.lastErr != nil || ans.call.lostAnswers+ans.call.conflicts > 0 {
		e.plan.Resent++
	}
	return ans
}

func (e *engine) send(ctx context.Context, ans answer) {
	j, fields := ans.job, []spec.Field(nil)
	if ans.state != toCall {
		fields = j.requestedFields(ans.state)
	}
	if guard := &e.Policy.Guard; ans.state == toFind && guard.MinAdmins > 0 && len(guard.AdminRoles) > 0 && !slices.Contains(fields, spec.Roles) {
		fields = append(fields, spec.Roles) // the user that is found may be a deleted administrator
	}
	go func() {
		switch ans.state {
		case toCall:
			ans.seen, ans.err = e.writer.Do(ctx, ans.call)
		case toFind:
			ans.seen, ans.err = single(e.writer.Find(ctx, j.change.Key, fields...))
		default:
			ans.seen, ans.err = single(e.writer.Get(ctx, j.change.Current.ID, fields...))
		}
		e.answers <- ans
	}()
}
