package sync

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

const (
	// maxSilent is for how many users in a row there may be no trustworthy answer before no other is begun,
	// and the pass ends if reading them fails too: then it is the API that fails, and not a user.
	maxSilent = 30
	// maxDenied is the same for answers that a permission is missing: then a role was lost.
	maxDenied = 10
	// beatEvery is how often a pass that waits shows that it is alive.
	beatEvery = 5 * time.Second
)

// An applier carries out one plan. One goroutine, the pass's own, decides and commits; the others only
// wait for the directory. A job is one user's calls, made one after another; jobs of different users
// overlap, in the plan's order.
type applier struct {
	*Reconciler
	plan  *plan.Plan
	index *plan.Index

	jobs    map[*plan.Change]*job
	order   []*job
	fresh   int    // order[fresh:] were not looked at yet
	waiting []*job // looked at, and not at their end

	answers  chan answer
	inFlight int
	calls    map[*Call]bool       // in flight
	objects  map[string]bool      // of these
	silent   map[*job]bool        // without a trustworthy answer since the last call that had one
	denied   int                  // calls in a row that lacked a permission
	commits  []state.Commit       // of this turn, for flush
	ended    []*plan.Change       // at their end, and not committed yet
	broken   error                // of the store: nothing is recorded any more
	tally    map[plan.Outcome]int // changes that have reached their end; Planned: all that are to
	declared int                  // users
	arrived  int                  // of those applied, who are declared
	cancel   context.CancelFunc
	stopped  error // why nothing more is sent; what is in flight is still awaited
	schedule plan.Schedule
}

// An answer is what came of one request to the directory.
type answer struct {
	job   *job
	step  step
	call  *Call
	began time.Time
	now   []state.Observed
	err   error
}

// apply carries out the plan's changes and sets their outcomes. The error says why it ended early;
// what failed for one user only is that change's.
func (r *Reconciler) apply(ctx context.Context, p *plan.Plan, snap *state.Snapshot) error {
	todo, intents := p.Todo(), snap.Intents
	a := &applier{
		Reconciler: r, plan: p, index: p.Index,
		jobs:    make(map[*plan.Change]*job, len(todo)),
		answers: make(chan answer),
		silent:  map[*job]bool{},
		calls:   map[*Call]bool{},
		objects: map[string]bool{},
		tally:   map[plan.Outcome]int{plan.Planned: len(todo)},

		declared: p.Declared(),
		schedule: r.Policy.Schedule,
	}
	if a.schedule.Begun = r.unfinished; p.RollbackOf != "" {
		a.schedule = plan.Schedule{} // a person wants it now, and no later pass would carry out what waits
	}
	if err := a.local(todo); err != nil {
		return err
	}
	for _, c := range todo {
		if c.Outcome == plan.Planned {
			j := &job{change: c, action: c.Action, cause: c.Cause, fields: c.Fields}
			if intent, begun := intents[c.Key]; begun {
				j.ours, j.lookup = true, c.Action == plan.Create
				j.sent = earlier(intent.Started, p.Began) // clocks are set back at times
			}
			a.jobs[c] = j
			a.order = append(a.order, j)
		}
	}
	changes := make([]*plan.Change, len(a.order))
	for i, j := range a.order {
		changes[i] = j.change
	}
	for _, call := range r.Directory.Compile(changes) {
		for _, c := range call.Changes {
			a.jobs[c].calls = append(a.jobs[c].calls, call)
		}
	}
	if turns := a.schedule.NextTurn(p); !turns.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, turns, errWindow)
		defer cancel()
	}
	return a.run(ctx)
}

// local commits what needs no call: users found equal, users no longer managed, what was released.
func (a *applier) local(todo []*plan.Change) error {
	for _, u := range a.plan.Record.Users {
		a.index.Put(u)
	}
	for _, c := range todo {
		if c.Action == plan.Unmanage {
			a.end(c, plan.Applied)
		}
	}
	record := a.plan.Record
	if record.Answered = a.plan.Answered; !a.plan.Urgent { // which knows not all that is held
		record.Answered = append(slices.Clip(record.Answered), a.plan.UnknownReleases...)
	}
	return errors.Join(a.commit(record), a.flush()) // nothing, for an empty one
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// run takes turns: it takes in what was answered, decides what comes next, records both in one commit, and sends.
func (a *applier) run(outer context.Context) error {
	// Once stopped, requests that were not sent yet need not wait for their turn.
	ctx, cancel := context.WithCancel(outer)
	a.cancel = cancel
	defer a.cancel()
	for {
		wait, delayed := a.dispatch(ctx)
		a.progress()
		if a.inFlight == 0 && !delayed {
			if a.stopped == nil && a.untangle() {
				continue
			}
			break
		}
		timer := time.NewTimer(min(wait, beatEvery))
		select {
		case ans := <-a.answers:
			a.take(ans)
		case <-timer.C:
		case <-a.done(ctx):
			a.stop(context.Cause(ctx))
		}
		timer.Stop()
	}
	err := a.stopped
	if err == nil {
		err = a.abandon()
	} else {
		if ended(err) && outer.Err() != nil { // an answer that has come before the end was noticed
			err = context.Cause(outer)
		}
		a.tellUnknown()
	}
	a.noteUnfinished()
	if broken := a.flush(); broken != nil {
		err = broken
	}
	return cmp.Or(a.broken, err) // what is not recorded is more than an interruption
}

// take takes an answer in, and those that have come meanwhile.
func (a *applier) take(ans answer) {
	for more := true; more; {
		a.inFlight--
		if err := a.settle(ans); err != nil {
			a.stop(err)
		}
		select {
		case ans = <-a.answers:
		default:
			more = false
		}
	}
}

// stop ends the pass: what waits for its turn is not sent, what is in flight is awaited.
func (a *applier) stop(err error) {
	if a.stopped == nil {
		a.stopped = err
		a.cancel()
	}
}

// done is ctx's channel until the end has been noticed.
func (a *applier) done(ctx context.Context) <-chan struct{} {
	if a.stopped != nil {
		return nil
	}
	return ctx.Done()
}

// dispatch starts what can be started, and says when to look again if something only waits for the time.
func (a *applier) dispatch(ctx context.Context) (wait time.Duration, delayed bool) {
	now := time.Now()
	a.waiting = slices.DeleteFunc(a.waiting, func(j *job) bool { return j.change.Outcome != plan.Planned })
	var begun []answer
	for a.stopped == nil && a.inFlight < a.Workers {
		j := a.next(now)
		if j == nil {
			break
		}
		begun = append(begun, a.begin(j, now))
	}
	a.renew(now)
	if err := a.flush(); err != nil {
		a.stop(err)
		a.inFlight -= len(begun)
		begun = nil
	}
	for _, ans := range begun {
		a.send(ctx, ans)
	}
	wait = time.Hour
	if a.stopped != nil {
		return wait, false
	}
	for _, j := range a.waiting {
		at := j.at
		if len(j.calls) > 0 && j.step() == stepCall && j.calls[0].at.After(at) {
			at = j.calls[0].at
		}
		if !j.busy && at.After(now) {
			wait, delayed = min(wait, at.Sub(now)), true
		}
	}
	return wait, delayed
}

// next finds the first job that is ready: one that was begun, else the next in the plan's order.
func (a *applier) next(now time.Time) *job {
	for _, j := range a.waiting {
		if a.ready(j, now) {
			return j
		}
	}
	for a.fresh < len(a.order) && len(a.silent) < maxSilent {
		j := a.order[a.fresh]
		if j.change.Lane > 1 && slices.ContainsFunc(a.waiting, (*job).leaving) {
			return nil // requests that are under way together overtake each other
		}
		a.fresh++
		a.waiting = append(a.waiting, j)
		if a.ready(j, now) {
			return j
		}
	}
	return nil
}

// leaving reports whether a leaver's request is under way.
func (j *job) leaving() bool { return j.busy && j.change.Lane == 1 }

// ready reports whether the job's next request may be made: nobody it serves has another one under
// way or an earlier one to come, and the users it refers to exist.
func (a *applier) ready(j *job, now time.Time) bool {
	if !j.free(now) {
		return false
	}
	call := j.calls[0]
	if j.step() != stepCall {
		return a.waitsFor(j.change, call) == ""
	}
	if call.at.After(now) || a.objects[call.Object] {
		return false
	}
	for _, c := range call.Changes {
		other := a.jobs[c]
		if !other.free(now) || other.calls[0] != call || other.step() != stepCall || a.waitsFor(c, call) != "" {
			return false
		}
	}
	return true
}

// free reports whether a job can make a request, as far as it is its own affair.
func (j *job) free(now time.Time) bool {
	return !j.busy && j.change.Outcome == plan.Planned && !j.at.After(now) && len(j.calls) > 0
}

// waitsFor names the user who must come, or give up an address, before the call can be made.
func (a *applier) waitsFor(c *plan.Change, call *Call) string {
	if holder := a.index.ByKey[c.Key]; holder != nil && (call.Creates || slices.Contains(call.Fields, spec.Email)) {
		if owner := a.plan.OwnerOf[holder.ID]; owner != "" && owner != c.Key {
			return owner
		}
	}
	for _, key := range c.Needs {
		if !call.Creates && !a.plan.Reachable(key) {
			return key
		}
	}
	return ""
}

// begin prepares one request. What a call is about to do is recorded before it is sent.
func (a *applier) begin(j *job, now time.Time) answer {
	ans := answer{job: j, step: j.step(), call: j.calls[0], began: now}
	for _, served := range a.served(ans) {
		served.busy = true
	}
	a.inFlight++
	if ans.step != stepCall {
		return ans
	}
	a.calls[ans.call] = true
	a.intend(ans.call, now)
	if j.last != nil || ans.call.attempts+ans.call.rounds > 0 {
		a.plan.Resent++
	}
	if ans.call.Object != "" {
		a.objects[ans.call.Object] = true
	}
	return ans
}

// send makes a request in a goroutine of its own; run waits for its answer.
func (a *applier) send(ctx context.Context, ans answer) {
	j := ans.job
	fields := j.unsure(ans.step)
	if guard := &a.Policy.Guard; ans.step == stepFind && guard.MinAdmins > 0 && len(guard.AdminRoles) > 0 && !slices.Contains(fields, spec.Roles) {
		fields = append(fields, spec.Roles) // who is found may be an administrator who was deleted
	}
	go func() {
		switch ans.step {
		case stepCall:
			ans.now, ans.err = a.Directory.Do(ctx, ans.call)
		case stepRead:
			ans.now, ans.err = one(a.Directory.Get(ctx, j.change.Current.ID, fields...))
		case stepFind:
			ans.now, ans.err = one(a.Directory.Find(ctx, j.change.Key, fields...))
		}
		a.answers <- ans
	}()
}

// served returns the jobs that a request is for. A look is for one alone, whomever the call serves.
func (a *applier) served(ans answer) []*job {
	if ans.step != stepCall {
		return []*job{ans.job}
	}
	jobs := make([]*job, len(ans.call.Changes))
	for i, c := range ans.call.Changes {
		jobs[i] = a.jobs[c]
	}
	return jobs
}

// unsure returns the fields that a look must show: all of a user who was just found, or may be restored, else those
// of the call that it is about.
func (j *job) unsure(s step) []spec.Field {
	if s == stepFind || j.whole || s == stepRead && j.change.Current.Deleted() {
		return slices.Sorted(maps.Keys(j.change.Desired))
	}
	return j.calls[0].Fields
}

func one(u state.Observed, err error) ([]state.Observed, error) { return []state.Observed{u}, err }
