package sync

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"usersyncd/spec"
)

// ErrInterrupted is returned by a pass that ended early because its input has changed. The result says what was done until
// then, and the next pass plans again.
var ErrInterrupted = errors.New("interrupted")

// An interruption is an ErrInterrupted with a reason.
type interruption string

func (i interruption) Error() string        { return "interrupted: " + string(i) }
func (i interruption) Is(target error) bool { return target == ErrInterrupted }

const (
	// errWindow interrupts a plan when a change window opens or closes. The pass continues with another plan.
	errWindow = interruption("a change window has opened or closed")
	// errPaused ends a rollback if passes were paused before it began.
	errPaused = interruption("passes were paused")
	// errCheckout ends a pass when the checkout has changed.
	errCheckout = interruption("the checkout has changed")
)

// An activePass is the pass or the rollback under way, for other goroutines.
type activePass struct {
	interrupt  context.CancelCauseFunc
	isRollback bool
	sending    chan struct{} // closed when it begins to read or change single users: only then edits interrupt it
	over       chan struct{} // closed when it has ended

	planningSince time.Time // when it began to load and to plan, plus the time that it has waited since
	notBefore     time.Time // edits interrupt it from then on: it has been sending for as long as it was planning
}

// An interrupter lets other goroutines end the pass under way.
type interrupter struct {
	active    atomic.Pointer[activePass]
	confirmed atomic.Pointer[spec.Scan] // the last of which two scans were equal: that of a pass which is sending
}

// begin registers a pass or a rollback. The returned context ends when it is interrupted.
func (i *interrupter) begin(ctx context.Context, isRollback bool) (context.Context, *activePass) {
	ctx, cancel := context.WithCancelCause(ctx)
	a := &activePass{interrupt: cancel, isRollback: isRollback, sending: make(chan struct{}), over: make(chan struct{}), planningSince: time.Now()}
	i.active.Store(a)
	return ctx, a
}

func (i *interrupter) end(a *activePass) {
	i.active.Store(nil)
	a.interrupt(nil)
	close(a.over)
}

// excludeWait excludes the time since then from the time that the pass was planning.
func (i *interrupter) excludeWait(since time.Time) {
	if a := i.active.Load(); a != nil {
		a.planningSince = a.planningSince.Add(time.Since(since))
	}
}

// startSending records that the pass begins to read or change single users.
func (i *interrupter) startSending() {
	a := i.active.Load()
	if a == nil {
		return // an export
	}
	select {
	case <-a.sending:
	default:
		now := time.Now()
		a.notBefore = now.Add(now.Sub(a.planningSince))
		close(a.sending)
	}
}

// Interrupt ends the pass or the rollback under way, and reports whether there is one. No further change is begun; writes in
// flight are awaited for at most 20 seconds and recorded, and a listing under way is completed. It returns at once; the pass
// returns ErrInterrupted with the reason.
func (i *interrupter) Interrupt(reason string) bool {
	a := i.active.Load()
	if a != nil {
		a.interrupt(interruption(reason))
	}
	return a != nil
}

// Recheck interrupts the pass under way if the checkout has changed since it was read, and two scans of it are equal. It returns
// when that is decided, or ctx or the pass has ended. It returns true if the pass works on the current checkout. If false,
// another pass is needed: this one was interrupted, the checkout is not known, or there is a new commit with the same specs.
//
// A pass gets at least as much time to send as it took to plan, so that frequent edits do not stop it.
func (r *Reconciler) Recheck(ctx context.Context) (current bool) {
	a := r.active.Load()
	if a == nil || a.isRollback {
		return false
	}
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
	case <-a.sending:
	case <-a.over:
		return false
	case <-ctx.Done():
		return false
	}
	if !wait(time.Until(a.notBefore)) {
		return false
	}
	for pause := scanRetryWait; ; pause = min(2*pause, maxScanRetryWait) {
		loaded := r.confirmed.Load()
		if loaded == nil {
			return false
		}
		first, err := r.Specs.Scan(ctx)
		if err == nil && first.Digest == loaded.Digest {
			return first.Revision == loaded.Revision
		}
		if !wait(confirmDelay) {
			return false
		}
		second, err2 := r.Specs.Scan(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil && err2 == nil && first.Digest == second.Digest:
			r.confirmed.CompareAndSwap(loaded, second) // the next pass need not scan twice
			fallthrough
		case err != nil && err2 != nil && !errors.Is(err2, spec.ErrTreeChanged): // the next pass reports it
			a.interrupt(errCheckout)
			return false
		}
		if !wait(pause) {
			return false
		}
	}
}

// sleep waits for a time, and returns the cause if ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
