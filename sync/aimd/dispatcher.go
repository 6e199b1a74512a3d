package aimd

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Dispatcher lets concurrent callers through a [Pool], first come, first served. It has no
// goroutine of its own: the caller at the head of the queue does the waiting, and asks again
// whenever its time is up, an answer has come or the number of expected requests has changed.
type Dispatcher struct {
	mu    sync.Mutex
	p     *Pool
	queue []*waiter
}

type waiter struct{ poke chan struct{} } // capacity 1

// NewDispatcher returns a dispatcher around p, which it then owns.
func NewDispatcher(p *Pool) *Dispatcher { return &Dispatcher{p: p} }

// Acquire waits for permission to send one request. The ticket must be handed back exactly once,
// with Release or Cancel. token is the number of the token to send it with. The error is the
// context's, or a [*ParkedError].
func (d *Dispatcher) Acquire(ctx context.Context) (ticket uint64, token int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := &waiter{poke: make(chan struct{}, 1)}
	d.queue = append(d.queue, w)
	defer d.leave(w)
	for {
		if err := ctx.Err(); err != nil {
			return 0, 0, fmt.Errorf("wait for the rate limiter: %w", err)
		}
		var wait time.Duration
		if d.queue[0] == w {
			now := time.Now()
			if until, parked := d.p.Parked(now); parked {
				return 0, 0, &ParkedError{Until: until}
			}
			var ok bool
			if ticket, token, wait, ok = d.p.Acquire(now); ok {
				return ticket, token, nil
			}
		}
		d.sleep(ctx, w, wait)
	}
}

// sleep waits, without the lock, for a poke, for ctx, or for d if that is not 0.
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
	case <-w.poke:
	case <-ctx.Done():
	}
}

// leave takes w out of the queue; whoever is at the head then has to look again.
func (d *Dispatcher) leave(w *waiter) {
	i := slices.Index(d.queue, w)
	d.queue = slices.Delete(d.queue, i, i+1)
	d.poke()
}

// poke makes the head of the queue ask again.
func (d *Dispatcher) poke() {
	if len(d.queue) == 0 {
		return
	}
	select {
	case d.queue[0].poke <- struct{}{}:
	default: // it has one already
	}
}

// Release hands a ticket back with the answer's status, or 0 if none came, and its headers.
func (d *Dispatcher) Release(ticket uint64, status int, header map[string][]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p.OnResponse(time.Now(), ticket, status, header)
	d.poke()
}

// Cancel hands back a ticket whose request was never sent. If that was because its token cannot be
// had for a while, pause says so: others may be.
func (d *Dispatcher) Cancel(ticket uint64, pause time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p.Cancel(time.Now(), ticket, pause)
	d.poke()
}

// Expect tells how many requests are still to be sent, those that wait in Acquire included.
func (d *Dispatcher) Expect(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p.Expect(n)
	d.poke()
}

// Stats returns the limiter's view now.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.p.Stats(time.Now())
	s.Waiting = len(d.queue)
	return s
}

// Estimate says how long n more requests will take; see [Pool.Estimate].
func (d *Dispatcher) Estimate(n int) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.p.Estimate(time.Now(), n)
}

// Memory returns what was learned so far.
func (d *Dispatcher) Memory() Memory {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.p.Memory(time.Now())
}

// Restore begins with what another process has learned; see [Pool.Restore].
func (d *Dispatcher) Restore(m Memory) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p.Restore(time.Now(), m)
}
