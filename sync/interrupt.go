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

// errWindow ends what a pass carries out when a change window opens or closes. The pass goes on with another plan.
const errWindow = interruption("a change window has opened or closed")

// ended reports whether an error says that a request was not made, as nobody wants it any more.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// underway is what others may know of the pass that is under way.
type underway struct {
	interrupt context.CancelCauseFunc
	sends     chan struct{} // closed when it has begun to read or change single users
	over      chan struct{} // closed when it has ended

	digest  atomic.Pointer[string] // of the tree that it works on
	planned time.Time              // when it has begun to plan
	until   time.Time              // once it sends: when it has done so for as long as it has taken to plan
}

// begin registers a pass. What it returns ends when somebody interrupts the pass.
func (r *Reconciler) begin(ctx context.Context) (context.Context, *underway) {
	ctx, cancel := context.WithCancelCause(ctx)
	u := &underway{interrupt: cancel, sends: make(chan struct{}), over: make(chan struct{})}
	r.under.Store(u)
	return ctx, u
}

// end is the end of a pass.
func (r *Reconciler) end(u *underway) {
	r.under.Store(nil)
	u.interrupt(nil)
	close(u.over)
}

// plans says that the pass begins to plan, with a tree of this digest.
func (u *underway) plans(digest string) {
	u.digest.Store(&digest)
	u.planned = time.Now()
}

// sending says that the pass begins to read or change single users.
func (u *underway) sending() {
	select {
	case <-u.sends:
	default:
		now := time.Now()
		u.until = now.Add(now.Sub(u.planned))
		close(u.sends)
	}
}

// Interrupt ends the pass under way, if there is one: what is in flight is awaited and recorded, and nothing else is
// begun. A listing under way is finished first. It returns at once; the pass returns ErrInterrupted with the reason.
// A pass that begins after it finds whatever the reason is.
func (r *Reconciler) Interrupt(why string) {
	if u := r.under.Load(); u != nil {
		u.interrupt(interruption(why))
	}
}

// Recheck interrupts the pass under way if the checkout is another one than it works on, once that is still. It
// returns when that is decided, or ctx or the pass has ended; and whether it was decided.
//
// A pass gets at least as long to send as it has taken to plan: whoever edits all the time does not stop it.
func (r *Reconciler) Recheck(ctx context.Context) (decided bool) {
	u := r.under.Load()
	if u == nil {
		return false
	}
	wait := func(d time.Duration) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-u.over:
		case <-ctx.Done():
		}
		return false
	}
	select {
	case <-u.sends:
	case <-u.over:
		return false
	case <-ctx.Done():
		return false
	}
	if !wait(time.Until(u.until)) {
		return false
	}
	for pause := stillWait; ; pause = min(2*pause, longestStillWait) {
		first, err := r.Specs.Scan(ctx)
		if err == nil && first.Digest == *u.digest.Load() {
			return true
		}
		if !wait(secondLook) {
			return false
		}
		second, again := r.Specs.Scan(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil && again == nil && first.Digest == second.Digest,
			err != nil && again != nil && !errors.Is(again, spec.ErrMoved): // it cannot be applied, which the next pass tells
			u.interrupt(interruption("the checkout has changed"))
			return true
		}
		if !wait(pause) {
			return false
		}
	}
}
