package aimd

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Dispatcher makes a [Pool] usable by concurrent callers, first come, first served, but for requests that were refused. It has
// no goroutine: the caller whose turn it is asks the pool again when its wait is over, an answer came, or the expected number
// changed.
type Dispatcher struct {
	mu    sync.Mutex
	p     *Pool
	queue []*waiter
}

type waiter struct {
	Request
	wake chan struct{} // capacity 1
}

// NewDispatcher returns a dispatcher for p, which must not be used directly afterwards.
func NewDispatcher(p *Pool) *Dispatcher { return &Dispatcher{p: p} }

// Acquire waits for permission to send one request with the token of this number. operation and id are those of [Request].
// The ticket must be returned exactly once, with Release or Cancel. The error is the context's, a [*ParkedError] or a
// [*RefusedError].
func (d *Dispatcher) Acquire(ctx context.Context, operation, id string) (ticket uint64, token int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := &waiter{Request{operation, id}, make(chan struct{}, 1)}
	d.queue = append(d.queue, w)
	defer d.dequeue(w)
	for {
		if err := ctx.Err(); err != nil {
			return 0, 0, fmt.Errorf("wait for the rate limiter: %w", err)
		}
		var wait time.Duration
		now := time.Now()
		if refused := d.p.Refused(now, w.Request); refused != nil {
			return 0, 0, refused
		}
		if d.first() == w {
			if until, parked := d.p.Parked(now); parked {
				return 0, 0, &ParkedError{Until: until}
			}
			var ok bool
			if ticket, token, wait, ok = d.p.Acquire(now, w.Request); ok {
				return ticket, token, nil
			}
		}
		d.sleep(ctx, w, wait)
	}
}

// sleep waits, without the lock, for wake, for ctx, or for d if that is not 0.
func (d *Dispatcher) sleep(ctx context.Context, w *waiter, wait time.Duration) {
	d.mu.Unlock()
	defer d.mu.Lock()
	var due <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-w.wake:
	case <-ctx.Done():
	}
}

// dequeue removes w from the queue, and wakes the new head.
func (d *Dispatcher) dequeue(w *waiter) {
	i := slices.Index(d.queue, w)
	d.queue = slices.Delete(d.queue, i, i+1)
	d.wake()
}

// first returns whose turn it is: of those whose request was refused only if nobody else waits.
func (d *Dispatcher) first() *waiter {
	for _, w := range d.queue {
		if !d.p.Suspect(w.Request) {
			return w
		}
	}
	if len(d.queue) > 0 {
		return d.queue[0]
	}
	return nil
}

// wake makes whose turn it is ask again.
func (d *Dispatcher) wake() {
	if w := d.first(); w != nil {
		select {
		case w.wake <- struct{}{}:
		default: // it has one already
		}
	}
}

// locked calls do with the pool and the time, and wakes the head of the queue, as its wait may be over.
func (d *Dispatcher) locked(do func(p *Pool, now time.Time)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do(d.p, time.Now())
	d.wake()
}

// Release returns a ticket with the status of the answer, 0 if there was none, and its headers.
func (d *Dispatcher) Release(ticket uint64, status int, header map[string][]string) {
	d.locked(func(p *Pool, now time.Time) { p.OnResponse(now, ticket, status, header) })
}

// Cancel returns a ticket whose request was not sent. If pause is not 0, its token is not used for so long.
func (d *Dispatcher) Cancel(ticket uint64, pause time.Duration) {
	d.locked(func(p *Pool, now time.Time) { p.Cancel(now, ticket, pause) })
}

// Expect tells how many requests are still to be sent, including those that wait in Acquire.
func (d *Dispatcher) Expect(n int) {
	d.locked(func(p *Pool, _ time.Time) { p.Expect(n) })
}

// Retune changes the limits while requests are in flight; see [Pool.Retune].
func (d *Dispatcher) Retune(total, reserve float64) {
	d.locked(func(p *Pool, _ time.Time) { p.Retune(total, reserve) })
}

// Restore starts from the memory of an earlier process; see [Pool.Restore].
func (d *Dispatcher) Restore(m Memory) {
	d.locked(func(p *Pool, now time.Time) { p.Restore(now, m) })
}

// Stats returns the state of the limiter.
func (d *Dispatcher) Stats() (s Stats) {
	d.locked(func(p *Pool, now time.Time) {
		s = p.Stats(now)
		s.Waiting = len(d.queue)
	})
	return s
}

// Estimate returns how long n more requests will take; see [Pool.Estimate].
func (d *Dispatcher) Estimate(n int) (took time.Duration) {
	d.locked(func(p *Pool, now time.Time) { took = p.Estimate(now, n) })
	return took
}

// Memory returns what the limiter has learned.
func (d *Dispatcher) Memory() (m Memory) {
	d.locked(func(p *Pool, now time.Time) { m = p.Memory(now) })
	return m
}
