package aimd

import (
	"errors"
	"fmt"
	"time"
)

// ErrParked is returned while the API asks for a longer pause than RetryAfterCap, or has answered only 429 for as
// long. No request is sent until the pause is over.
var ErrParked = errors.New("the API asks for a pause that is too long to wait for")

// ParkedError is an ErrParked with the end of the pause.
type ParkedError struct{ Until time.Time }

func (e *ParkedError) Error() string {
	return fmt.Sprintf("%v: no request before %s", ErrParked, e.Until.Format(time.RFC3339))
}

func (e *ParkedError) Unwrap() error { return ErrParked }

// throttled closes the gate after a 429, and decreases the rate if the 429 begins an episode.
//
// Answers to requests that were sent before the decrease belong to the same episode. A probe was the only request in
// flight, so if it fails after a gate, or with the budget spent by others, the rate was not the cause. A 429 with budget left
// may have another cause, too; see contradicted.
func (c *Controller) throttled(now time.Time, f flight, q quota, header map[string][]string) {
	c.refused()
	asked, hasAsked := retryAfter(header, now)

	if c.win.bias == 0 && c.win.over(now) && c.win.used >= c.win.allowed && hasAsked && asked <= time.Second {
		// The budget was spent, and the window has not ended as announced: the server rounds down.
		c.win.bias = time.Second
		c.shut(later(c.win.wake(), now.Add(max(asked, shortestGate))).Add(c.jitter()), false)
		return
	}

	fresh := f.seq > c.decreasedAt
	spent := q.hasCount && q.hasAllowed && q.count >= q.allowed
	explained := f.probe && (c.failures429 > 0 || spent)
	if f.probe || fresh {
		if c.failures429 == 0 {
			c.failing429Since = now
		}
		c.failures429++
	}
	k := max(c.failures429, 1)
	d := backoff(k - 1)
	if hasAsked {
		d = asked
		if k > 2 { // waiting for it did not help: another layer may need a longer wait
			d = max(d, backoff(k-2))
		}
	}
	d = max(d, shortestGate)
	if hasAsked && (!c.win.known || !spent) {
		c.learned.throttled(now, asked)
	}
	switch {
	case c.win.live(now) && !spent:
		c.contradicted(f, now.Add(d))
	case fresh && !explained:
		c.remember()
		c.decrease(f, now.Add(d))
	}
	hopeless := k >= max429s && now.Sub(c.failing429Since) >= RetryAfterCap
	c.shut(now.Add(d+c.jitter()), d > RetryAfterCap || hopeless)
}

// refused counts a 429.
func (c *Controller) refused() {
	c.stats.Throttled++
	if c.expectKnown {
		c.expect++ // it will be sent again
	}
}

// unavailable closes the gate for the Retry-After of a 502, 503 or 504, which does not cut the rate.
func (c *Controller) unavailable(now time.Time, asked time.Duration) {
	d := max(asked, shortestGate)
	c.shut(now.Add(d+c.jitter()), d > RetryAfterCap)
}

// backoff returns 1, 2, 4 ... 60 s.
func backoff(n int) time.Duration {
	if n > 5 {
		return bareGateMax
	}
	return time.Second << n
}

func (c *Controller) jitter() time.Duration {
	if c.cfg.Jitter <= 0 {
		return 0
	}
	return time.Duration(c.cfg.Rand.Int64N(int64(c.cfg.Jitter)))
}
