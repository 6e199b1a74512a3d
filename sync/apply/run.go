package apply

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// tickEvery is how often a run that waits reports progress.
const tickEvery = 5 * time.Second

// Options are what a run needs besides the plan and the directory.
type Options struct {
	Store     *state.Store
	Policy    *plan.Policy
	Retry     Retry
	SearchLag time.Duration // how long the directory's Find may not see a new user
	Workers   int           // requests under way at once, at most
	Log       *slog.Logger
	// FailuresShown is whether the caller shows a person which changes have failed: the log does not say it, too, but with debug.
	FailuresShown bool
	// ChangesShown is the same of those that were applied.
	ChangesShown bool
	Rand         *rand.Rand     // jitter
	Report       func(Progress) // called at every step, and at least every few seconds; it returns at once
}

// Retry says how a call without a usable answer is repeated within one pass.
type Retry struct {
	Max              int           // how often
	MinWait, MaxWait time.Duration // after the first time, and at most
	No5xx            bool          // not after a 5xx: the user is read, and fails if it was not changed
}

// Run carries out the plan's changes and sets their outcomes. When ctx ends, it sends nothing more, and returns when the
// requests in flight have completed. The error says why it ended early: the cause of ctx, or an error that concerns all
// users. What failed for one user is in its change.
//
// partial are, by address, the fields that were written in part, including those of Policy.Schedule.Partial that were not
// reached.
func Run(ctx context.Context, p *plan.Plan, snap *state.Snapshot, w Writer, o Options) (partial map[string][]spec.Field, err error) {
	todo := p.Todo()
	rec := &recorder{Options: o, plan: p, index: p.Index, jobs: jobIndex{}, failures: snap.Failures, outcomes: map[plan.Outcome]int{plan.Planned: len(todo)}}
	e := &engine{recorder: rec, writer: w, answers: make(chan answer), calls: map[*Call]bool{}, objects: map[string]bool{}}
	partial = o.Policy.Schedule.Partial
	if err := o.Store.CheckWritable(); err != nil {
		return partial, err
	}
	if err := rec.recordPlan(todo); err != nil {
		return partial, err
	}
	var changes []*plan.Change
	for _, c := range todo {
		if c.Outcome != plan.Planned {
			continue
		}
		started := time.Time{}
		if intent, found := snap.CreateIntents[c.Key]; found {
			started = plan.Earliest(intent.Started, p.At) // the clock may have been set back
		}
		j := newJob(c, started)
		e.jobs[c] = j
		e.order, changes = append(e.order, j), append(changes, c)
	}
	for _, call := range w.Compile(changes) {
		for _, c := range call.Changes {
			e.jobs[c].calls = append(e.jobs[c].calls, call)
		}
	}
	for _, j := range e.order {
		if j.state == toCall && j.call() == nil {
			j.enter(e.completeWithoutCall(j, j.change))
		}
	}
	err = e.run(ctx)
	return e.partialFields(partial), err
}

// An engine carries out one plan. One goroutine, that of Run, decides and records; each other one makes one request. Jobs of
// different users overlap, in the plan's order.
type engine struct {
	*recorder
	writer Writer
	health Health

	order   []*job
	started int    // order[:started] were started
	waiting []*job // those of them that are not done

	answers  chan answer
	inFlight int
	calls    map[*Call]bool  // in flight
	objects  map[string]bool // of these
	cancel   context.CancelFunc
	stopped  error // why nothing more is sent
}

// An answer is the result of one request to the directory.
type answer struct {
	job   *job
	state jobState // toCall, toRead, toReadAll or toFind
	call  *Call    // that was made, or that a reading verifies; nil for none
	began time.Time
	seen  []state.Observed
	err   error
}

// run takes turns: it takes in answers, decides what comes next, records both in one commit, and sends.
func (e *engine) run(outer context.Context) error {
	ctx, cancel := context.WithCancel(WithoutWaiting(outer)) // stop cancels the requests that wait for the limiter
	e.cancel = cancel
	defer cancel()
	for {
		wait, delayed := e.dispatch(ctx)
		e.report()
		if e.inFlight == 0 && !delayed {
			if e.stopped == nil && e.breakWaits() {
				continue
			}
			break
		}
		if e.inFlight == 0 && wait > LongestPause && slices.ContainsFunc(e.waiting, (*job).isThrottled) {
			break // the next pass does the rest
		}
		ended := ctx.Done()
		if e.stopped != nil {
			ended = nil
		}
		timer := time.NewTimer(min(wait, tickEvery))
		select {
		case ans := <-e.answers:
			e.receiveAll(ans)
		case <-timer.C:
		case <-ended:
			e.stop(context.Cause(ctx))
		}
		timer.Stop()
	}
	err := e.stopped
	if IsCancelled(err) && outer.Err() != nil { // an answer has arrived before the end was noticed
		err = context.Cause(outer)
	}
	for _, j := range e.order {
		switch {
		case j.state == done:
		case err == nil && j.isThrottled():
			j.change.Err, j.change.Retry = j.throttled, j.at
			e.recordUncertain(j)
			e.clearIntents(j)
		case err == nil: // the user that it waits for did not come
			j.change.WaitsFor = e.waitsFor(j.change, j.call())
			e.complete(j, plan.Skipped, state.Commit{})
		default: // including users served only by another job's call
			e.recordUncertain(j)
			e.clearIntents(j)
		}
	}
	if broken := e.flush(); broken != nil {
		err = broken
	}
	return cmp.Or(e.broken, err)
}

// report reports how far the run is, and what it waits for.
func (e *engine) report() {
	now := e.progress()
	now.Started = e.inFlight
	for _, j := range e.waiting {
		if j.uncertain == lostAnswer {
			now.Unanswered++
		}
		if j.state == backoff {
			now.Until = plan.Latest(now.Until, j.at)
		}
	}
	e.Report(now)
}

// receiveAll takes in an answer, and those that have arrived meanwhile.
func (e *engine) receiveAll(ans answer) {
	for more := true; more; {
		e.inFlight--
		if err := e.receive(ans); err != nil {
			e.stop(err)
		}
		select {
		case ans = <-e.answers:
		default:
			more = false
		}
	}
}

// stop ends the run: requests that wait for the limiter are not sent, those in flight are awaited.
func (e *engine) stop(err error) {
	if e.stopped == nil {
		e.stopped = err
		e.cancel()
	}
}

// partialFields returns the fields that were written in part, by this run or by earlier ones.
func (e *engine) partialFields(before map[string][]spec.Field) map[string][]spec.Field {
	all := make(map[string][]spec.Field, len(before))
	maps.Copy(all, before)
	for _, j := range e.order {
		key := j.change.Key
		delete(all, key)
		if j.state == done {
			continue
		}
		partial := j.interrupt()
		for _, f := range before[key] {
			if j.hasField(f) && !slices.Contains(partial, f) {
				partial = append(partial, f)
			}
		}
		if len(partial) > 0 {
			all[key] = partial
		}
	}
	return all
}

func single(u state.Observed, err error) ([]state.Observed, error) { return []state.Observed{u}, err }
