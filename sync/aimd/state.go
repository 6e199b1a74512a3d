package aimd

import "time"

// state is where a controller is; see the diagram of the package.
type state int

const (
	start     state = iota // nothing is known: the next request is a probe
	probing                // it is in flight; while it hangs, a second one
	open                   // requests are sent at the rate, or at the window's pace
	exhausted              // the budget of the window is spent
	gated                  // no request before Controller.gate
	parked                 // the same, for too long to wait for: one probe an hour
)

// advance makes the transitions that take nothing but time.
func (c *Controller) advance(now time.Time) {
	switch c.state {
	case gated, parked:
		if !now.Before(c.opensAt()) {
			c.state = start
		}
	case open, exhausted:
		switch {
		case c.win.over(now):
			c.state = start
		case c.win.spent(now):
			c.state = exhausted
		default:
			c.state = open
		}
	}
}

// opensAt is when the next probe may be sent, in the states gated and parked.
func (c *Controller) opensAt() time.Time {
	if hourly := c.probedAt.Add(parkedProbe); c.state == parked && hourly.Before(c.gate) {
		return hourly
	}
	return c.gate
}

// blocked returns why nothing can be sent, and for how long, 0 until an answer comes; "" if something can be.
func (c *Controller) blocked(now time.Time) (why Reason, wait time.Duration) {
	switch {
	case c.state == parked:
		return Parked, c.opensAt().Sub(now)
	case c.state == gated:
		return Gate, c.opensAt().Sub(now)
	case c.state == probing && (c.probes > 1 || now.Before(c.gate)): // one probe an hour is one
		return Probe, 0
	case c.state == probing && now.Before(c.probedAt.Add(probeHangs)):
		return Probe, c.probedAt.Add(probeHangs).Sub(now)
	case len(c.flights) >= c.concurrency.most:
		return InFlight, 0
	case c.win.spent(now): // also in the state start, after a gate
		return Exhausted, c.win.wake().Sub(now)
	}
	return "", 0
}

// isShut reports whether a pause is being waited for.
func (c *Controller) isShut() bool { return c.state == gated || c.state == parked }

// launch records that f is being sent, which is a probe in the states start and probing.
func (c *Controller) launch(f *flight) {
	switch c.state {
	case start:
		c.state, c.probes, c.firstProbe, c.probedAt = probing, 0, f.seq, f.sentAt
	case probing:
	default:
		return
	}
	f.probe = true
	c.probes++
}

// land records that f has come back, or was not sent, and reports whether it was a probe of the state probing. One that
// proves nothing is followed by another.
func (c *Controller) land(f flight, proves bool) (current bool) {
	if c.state != probing || !f.probe || f.seq < c.firstProbe {
		return false
	}
	switch c.probes--; {
	case proves:
		c.state, c.gate = open, earlier(c.gate, c.now)
	case c.probes > 0:
	case c.now.Before(c.gate): // it was the hourly one
		c.state = parked
	default:
		c.state = start
	}
	return true
}

// shut closes the gate until a time, unless it is closed for longer. park is whether that is too long to wait for.
func (c *Controller) shut(until time.Time, park bool) {
	c.gate, c.probedAt = later(c.gate, until), c.now
	if c.state = gated; park || c.gate.Sub(c.now) > RetryAfterCap {
		c.state = parked
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
