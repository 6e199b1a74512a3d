package aimd

import (
	"errors"
	"fmt"
	"time"
)

// ErrParked is returned when the API asks for a longer pause than Config.RetryAfterCap, or has
// answered nothing but 429 for as long. Nothing is sent until the pause is over; whoever wants to
// go on asks again then.
var ErrParked = errors.New("the API asks for a longer pause than is waited for")

// ParkedError is an ErrParked that says until when.
type ParkedError struct{ Until time.Time }

func (e *ParkedError) Error() string {
	return fmt.Sprintf("%v: no request before %s", ErrParked, e.Until.Format(time.RFC3339))
}

func (e *ParkedError) Unwrap() error { return ErrParked }

// gate holds back every request of a token. It never shortens.
type gate struct {
	until  time.Time
	parked bool // while it is shut
}

func (g *gate) shut(now time.Time) bool { return now.Before(g.until) }

// extend shuts the gate until a time, unless it is shut for longer.
func (g *gate) extend(now, until time.Time, park bool) {
	g.parked = park || g.parked && g.shut(now)
	g.until = later(g.until, until)
}

// throttled shuts the gate after a 429, and shrinks the rate if this 429 begins an episode.
//
// An episode is one cause, however many requests it hits: the answers to requests that were sent
// before the decrease say nothing new. A probe was alone on the wire, so if it fails after a gate,
// or with the budget spent by others, our rate was not the cause.
func (c *Controller) throttled(now time.Time, f flight, probe bool, q quota, header map[string][]string) {
	c.stats.Throttled++
	if c.told {
		c.expect++ // it will come again
	}
	c.unproven = true
	asked, hasAsked := retryAfter(header, now)

	if c.win.bias == 0 && c.win.over(now) && c.win.used >= c.win.allowed && hasAsked && asked <= time.Second {
		// The budget was spent, and the window that should be over is not: the server rounds down.
		c.win.bias = time.Second
		c.gate.extend(now, later(c.win.wake(), now.Add(max(asked, shortestGate))).Add(c.jitter()), false)
		return
	}

	fresh := f.seq > c.decreasedAt
	explained := probe && (c.strikes > 0 || q.hasCount && q.hasAllowed && q.count >= q.allowed)
	if probe || fresh {
		if c.strikes == 0 {
			c.firstStrike = now
		}
		c.strikes++
	}
	k := max(c.strikes, 1)
	d := backoff(k - 1)
	if hasAsked {
		d = asked
		if k > 2 { // it was honoured and did not help: the wait may be another layer's
			d = max(d, backoff(k-2))
		}
	}
	d = max(d, shortestGate)
	if hasAsked && !c.win.known {
		c.learned.throttled(now, asked)
	}
	if fresh && !explained {
		c.decrease(f, now.Add(d))
	}
	if spent := q.hasCount && q.hasAllowed && q.count >= q.allowed; c.win.live(now) && !spent {
		c.distrust = now.Add(distrustSpan)
	}
	hopeless := k >= maxStrikes && now.Sub(c.firstStrike) >= c.cfg.RetryAfterCap
	c.gate.extend(now, now.Add(d+c.jitter()), d > c.cfg.RetryAfterCap || hopeless)
}

// unavailable honours the Retry-After of a 502, 503 or 504. The rate is not to blame.
func (c *Controller) unavailable(now time.Time, asked time.Duration) {
	c.unproven = true
	d := max(asked, shortestGate)
	c.gate.extend(now, now.Add(d+c.jitter()), d > c.cfg.RetryAfterCap)
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

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
