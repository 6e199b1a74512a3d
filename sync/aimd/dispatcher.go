package aimd

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Dispatcher lets concurrent callers through a [Controller], first come, first served. It has no
// goroutine of its own: the caller at the head of the queue does the waiting, and asks again
// whenever its time is up, an answer has come or the number of expected requests has changed.
type Dispatcher struct {
	mu    sync.Mutex
	c     *Controller
	queue []*waiter
}

type waiter struct{ poke chan struct{} } // capacity 1

// NewDispatcher returns a dispatcher around c, which it then owns.
func NewDispatcher(c *Controller) *Dispatcher { return &Dispatcher{c: c} }

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
			if until, parked := d.c.Parked(now); parked {
				return 0, 0, &ParkedError{Until: until}
			}
			var ok bool
			if wait, ok = d.c.Acquire(now); ok {
				return d.c.OnSend(now), 0, nil
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
	d.c.OnResponse(time.Now(), ticket, status, header)
	d.poke()
}

// Cancel hands back a ticket whose request was never sent.
func (d *Dispatcher) Cancel(ticket uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.c.Cancel(time.Now(), ticket)
	d.poke()
}

// Expect tells how many requests are still to be sent, those that wait in Acquire included.
func (d *Dispatcher) Expect(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.c.Expect(n)
	d.poke()
}

// Stats returns the limiter's view now.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.c.Stats(time.Now())
	s.Waiting = len(d.queue)
	return s
}

// Estimate says how long n more requests will take; see [Controller.Estimate].
func (d *Dispatcher) Estimate(n int) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.c.Estimate(time.Now(), n)
}
