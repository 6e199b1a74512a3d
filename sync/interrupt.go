package sync

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"usersyncd/spec"
)

// ErrInterrupted is returned by a pass whose premises have changed: it has ended early, and the next one plans again
// from what is true then. The result says what was done until then.
var ErrInterrupted = errors.New("interrupted")

// An interruption says why a pass was interrupted. It is an ErrInterrupted.
type interruption string

func (i interruption) Error() string        { return "interrupted: " + string(i) }
func (i interruption) Is(target error) bool { return target == ErrInterrupted }

const (
	// errWindow ends what a pass carries out when a change window opens or closes. The pass goes on with another plan.
	errWindow = interruption("a change window has opened or closed")
	// errPaused ends a rollback that somebody has paused before it began.
	errPaused = interruption("somebody has paused it")
	// errCheckout ends a pass whose checkout is another one by now.
	errCheckout = interruption("the checkout has changed")
)

// activePass is what others may know of the pass, or the rollback, that is under way.
type activePass struct {
	interrupt context.CancelCauseFunc
	scan      atomic.Pointer[spec.Scan] // of the tree that it works on
	sends     chan struct{}             // closed when it has begun to read or change single users
	over      chan struct{}             // closed when it has ended

	planning time.Time // when it has begun to load and to plan, later by what it has waited since
	until    time.Time // once it sends: when it has done so for as long as it has taken to plan
}

// An interrupter lets others end the pass that is under way.
type interrupter struct {
	active atomic.Pointer[activePass]
}

// begin registers a pass. The context that it returns ends when somebody interrupts the pass.
func (i *interrupter) begin(ctx context.Context) (context.Context, *activePass) {
	ctx, cancel := context.WithCancelCause(ctx)
	a := &activePass{interrupt: cancel, sends: make(chan struct{}), over: make(chan struct{}), planning: time.Now()}
	i.active.Store(a)
	return ctx, a
}

// end is the end of a pass.
func (i *interrupter) end(a *activePass) {
	i.active.Store(nil)
	a.interrupt(nil)
	close(a.over)
}

// waited leaves out of what it has taken to plan what was spent with waiting for the organization.
func (i *interrupter) waited(since time.Time) {
	if a := i.active.Load(); a != nil {
		a.planning = a.planning.Add(time.Since(since))
	}
}

// sending says that the pass begins to read or change single users.
func (i *interrupter) sending() {
	a := i.active.Load()
	if a == nil {
		return // an export
	}
	select {
	case <-a.sends:
	default:
		now := time.Now()
		a.until = now.Add(now.Sub(a.planning))
		close(a.sends)
	}
}

// Interrupt ends the pass or the rollback under way, and reports whether there is one: what is in flight is awaited and
// recorded, and nothing else is begun. A listing under way is finished first. It returns at once; the pass returns
// ErrInterrupted with the reason. What is in the state file or the checkout by then is found by the next pass.
func (i *interrupter) Interrupt(why string) bool {
	a := i.active.Load()
	if a != nil {
		a.interrupt(interruption(why))
	}
	return a != nil
}

// recheck interrupts the pass if the checkout is another one than it works on; see Reconciler.Recheck.
func (a *activePass) recheck(ctx context.Context, specs *spec.Loader) (current bool) {
	wait := func(d time.Duration) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-a.over:
		case <-ctx.Done():
		}
		return false
	}
	select {
	case <-a.sends:
	case <-a.over:
		return false
	case <-ctx.Done():
		return false
	}
	if !wait(time.Until(a.until)) {
		return false
	}
	for pause := stillWait; ; pause = min(2*pause, longestStillWait) {
		works := a.scan.Load()
		if works == nil { // a rollback, which works on none
			return false
		}
		first, err := specs.Scan(ctx)
		if err == nil && first.Digest == works.Digest {
			return first.Revision == works.Revision
		}
		if !wait(secondLook) {
			return false
		}
		second, again := specs.Scan(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil && again == nil && first.Digest == second.Digest,
			err != nil && again != nil && !errors.Is(again, spec.ErrTreeChanged): // it cannot be applied, which the next pass tells
			a.interrupt(errCheckout)
			return false
		}
		if !wait(pause) {
			return false
		}
	}
}
