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

// tickEvery is how often a run that waits shows that it is alive.
const tickEvery = 5 * time.Second

// Options are what a run needs besides the plan and the directory.
type Options struct {
	Store     *state.Store
	Policy    *plan.Policy
	Retry     Retry
	SearchLag time.Duration // how long the directory's Find may not see a new user
	Workers   int           // requests under way at once, at most
	Log       *slog.Logger
	Rand      *rand.Rand     // jitter
	Report    func(Progress) // told how far it is, at every step and every few seconds; it returns at once
}

// Retry says how a call without a usable answer is repeated, within one pass.
type Retry struct {
	Max              int           // times
	MinWait, MaxWait time.Duration // after the first, and at most
	No5xx            bool          // not after an answer 5xx: the user is read, and fails if it was not changed
}

// Run carries out the plan's changes and sets their outcomes. When ctx ends it sends nothing more, and returns when what
// is in flight has come back. The error says why it ended early: the cause of ctx, or what the API or the state file
// refuses to everybody; what failed for one user only is that change's.
//
// partial are, by address, the fields of which it has written some and not all, with those of Policy.Schedule.Begun that
// it has not come to.
func Run(ctx context.Context, p *plan.Plan, snap *state.Snapshot, w Writer, o Options) (partial map[string][]spec.Field, err error) {
	todo := p.Todo()
	rec := &recorder{Options: o, plan: p, index: p.Index, jobs: jobs{}, failures: snap.Failures, ends: map[plan.Outcome]int{plan.Planned: len(todo)}}
	partial = o.Policy.Schedule.Partial
	if err := rec.local(todo); err != nil {
		return partial, err
	}
	e := &engine{
		recorder: rec, writer: w, health: health{unanswered: map[*job]bool{}}, answers: make(chan answer), calls: map[*Call]bool{}, objects: map[string]bool{},
	}
	var changes []*plan.Change
	for _, c := range todo {
		if c.Outcome != plan.Planned {
			continue
		}
		begun := time.Time{}
		if intent, found := snap.Intents[c.Key]; found {
			begun = plan.Earliest(intent.Started, p.Began) // clocks are set back at times
		}
		j := newJob(c, begun)
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
			j.enter(e.inForce(j, j.change))
		}
	}
	err = e.run(ctx)
	return e.leftPartial(partial), err
}

// An engine carries out one plan. One goroutine, that of Run, decides and records; the others only wait for the
// directory. Jobs of different users overlap, in the plan's order.
type engine struct {
	*recorder
	writer Writer
	health health

	order   []*job
	fresh   int    // order[fresh:] were not looked at yet
	waiting []*job // looked at, and not at their end

	answers  chan answer
	inFlight int
	calls    map[*Call]bool  // in flight
	objects  map[string]bool // of these
	cancel   context.CancelFunc
	stopped  error // why nothing more is sent; what is in flight is still awaited
}

// An answer is what came of one request to the directory.
type answer struct {
	job   *job
	state jobState // what was asked: toCall, toRead, toReadAll or toFind
	call  *Call    // that was made, or that a reading is about; nil for none
	began time.Time
	now   []state.Observed
	err   error
}

// run takes turns: it takes in what was answered, decides what comes next, records both in one commit, and sends.
func (e *engine) run(outer context.Context) error {
	// Once stopped, requests that were not sent yet need not wait for their turn.
	ctx, cancel := context.WithCancel(outer)
	e.cancel = cancel
	defer cancel()
	for {
		wait, delayed := e.dispatch(ctx)
		e.report(e.inFlight)
		if e.inFlight == 0 && !delayed {
			if e.stopped == nil && e.breakWaits() {
				continue
			}
			break
		}
		timer := time.NewTimer(min(wait, tickEvery))
		select {
		case ans := <-e.answers:
			e.take(ans)
		case <-timer.C:
		case <-e.ended(ctx):
			e.stop(context.Cause(ctx))
		}
		timer.Stop()
	}
	err := e.stopped
	if IsCancelled(err) && outer.Err() != nil { // an answer that has come before the end was noticed
		err = context.Cause(outer)
	}
	for _, j := range e.order {
		switch {
		case j.state == done:
		case err == nil:
			e.abandon(j, e.waitsFor(j.change, j.call()))
		default: // also who was only served by somebody else's call
			e.recordUncertain(j)
			e.resolve(j)
		}
	}
	if broken := e.flush(); broken != nil {
		err = broken
	}
	return cmp.Or(e.broken, err) // what is not recorded is more than an interruption
}

// take takes an answer in, and those that have come meanwhile.
func (e *engine) take(ans answer) {
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

// stop ends the run: what waits for its turn is not sent, what is in flight is awaited.
func (e *engine) stop(err error) {
	if e.stopped == nil {
		e.stopped = err
		e.cancel()
	}
}

// ended is ctx's channel until the end has been noticed.
func (e *engine) ended(ctx context.Context) <-chan struct{} {
	if e.stopped != nil {
		return nil
	}
	return ctx.Done()
}

// leftPartial returns of which fields some is written and not all: by this run, and by earlier ones that nobody has gone on
// with.
func (e *engine) leftPartial(before map[string][]spec.Field) map[string][]spec.Field {
	left := make(map[string][]spec.Field, len(before))
	maps.Copy(left, before)
	for _, j := range e.order {
		key := j.change.Key
		delete(left, key)
		if j.state == done {
			continue
		}
		partial := j.cutShort()
		for _, f := range before[key] {
			if j.has(f) && !slices.Contains(partial, f) {
				partial = append(partial, f)
			}
		}
		if len(partial) > 0 {
			left[key] = partial
		}
	}
	return left
}

// one is a reading of one user as an answer has it.
func one(u state.Observed, err error) ([]state.Observed, error) { return []state.Observed{u}, err }
