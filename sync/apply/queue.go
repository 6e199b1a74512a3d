package apply

import (
	"context"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// dispatch starts what can be started, and says when to look again if something only waits for the time.
func (e *engine) dispatch(ctx context.Context) (wait time.Duration, delayed bool) {
	now := time.Now()
	e.waiting = slices.DeleteFunc(e.waiting, func(j *job) bool { return j.state == done })
	for _, j := range e.waiting {
		j.wake(now)
	}
	var begun []answer
	for e.stopped == nil && e.inFlight < e.Workers {
		j := e.nextJob()
		if j == nil {
			break
		}
		begun = append(begun, e.begin(j, now))
	}
	for call := range e.calls { // the intents of those in flight are renewed: they may have waited for their turn
		if now.Sub(call.intended) >= tickEvery {
			e.intend(call, now)
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
		if j.state == backoff {
			wait, delayed = min(wait, j.at.Sub(now)), true
		}
	}
	return wait, delayed
}

// nextJob finds the first job that is ready: one that was begun, else the next in the plan's order.
func (e *engine) nextJob() *job {
	for _, j := range e.waiting {
		if e.ready(j) {
			return j
		}
	}
	for e.fresh < len(e.order) && !e.health.failing() {
		j := e.order[e.fresh]
		if j.change.Lane > 1 && slices.ContainsFunc(e.waiting, (*job).leaving) {
			return nil // requests that are under way together overtake each other
		}
		e.fresh++
		e.waiting = append(e.waiting, j)
		if e.ready(j) {
			return j
		}
	}
	return nil
}

// ready reports whether the job's next request may be made: nobody it serves has another one under
// way or an earlier one to come, and the users it refers to exist.
func (e *engine) ready(j *job) bool {
	if !j.free() {
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
		if !other.free() || other.state != toCall || other.call() != call || e.waitsFor(c, call) != "" {
			return false
		}
	}
	return true
}

// waitsFor names the user who must come, or give up an address, before the call can be made, or before a reading can say
// what it did.
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
		if !call.Creates && !e.plan.Reachable(key) {
			return key
		}
	}
	return ""
}

// breakWaits gives calls of their own to jobs that wait for somebody who does not come from those that share a call with
// them. It reports whether that may have freed anybody.
func (e *engine) breakWaits() bool {
	freed := false
	for _, j := range e.order {
		if j.state != done && j.shares() && e.waitsFor(j.change, j.call()) != "" {
			j.unbatch()
			freed = true
		}
	}
	return freed
}

// begin prepares one request. What a call is about to do is recorded before it is sent.
func (e *engine) begin(j *job, now time.Time) answer {
	ans := answer{job: j, state: j.state, call: j.call(), began: now}
	for _, served := range e.jobs.of(ans) {
		served.inFlight = true
	}
	e.inFlight++
	if ans.state != toCall {
		return ans
	}
	e.calls[ans.call] = true
	if ans.call.Object != "" {
		e.objects[ans.call.Object] = true
	}
	e.intend(ans.call, now)
	if j.last != nil || ans.call.unanswered+ans.call.conflicts > 0 {
		e.plan.Resent++
	}
	return ans
}

// send makes a request in a goroutine of its own; run waits for its answer.
func (e *engine) send(ctx context.Context, ans answer) {
	j, fields := ans.job, []spec.Field(nil)
	if ans.state != toCall {
		fields = j.asked(ans.state)
	}
	if guard := &e.Policy.Guard; ans.state == toFind && guard.MinAdmins > 0 && len(guard.AdminRoles) > 0 && !slices.Contains(fields, spec.Roles) {
		fields = append(fields, spec.Roles) // who is found may be an administrator who was deleted
	}
	go func() {
		switch ans.state {
		case toCall:
			ans.now, ans.err = e.writer.Do(ctx, ans.call)
		case toFind:
			ans.now, ans.err = one(e.writer.Find(ctx, j.change.Key, fields...))
		default:
			ans.now, ans.err = one(e.writer.Get(ctx, j.change.Current.ID, fields...))
		}
		e.answers <- ans
	}()
}
