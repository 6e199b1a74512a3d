package aimd

import (
	"math/bits"
	"time"
)

// OnResponse records the answer to request seq: its status, or 0 if there was none, and its headers. An unknown seq is
// ignored.
func (c *Controller) OnResponse(now time.Time, seq uint64, status int, header map[string][]string) {
	now = c.clamp(now)
	f, ok := c.removeFlight(seq)
	if !ok {
		return
	}
	probe := c.probe == seq
	if probe {
		c.probe = 0
	}
	if c.win.over(now) {
		c.ramp = 0 // slow start ends with its window
	}
	q := readQuota(header)
	if status == 429 { // before the window is renewed, which shows whether the probe was early
		c.throttled(now, f, probe, q, header)
	}
	if status != 0 {
		c.win.observe(now, f, q, c.stats.Sent)
		if q.hasReset {
			c.length = max(c.length, q.reset)
		}
		c.cold = c.cold && !c.win.known
	}
	switch {
	case status == 429:
	case status == 502 || status == 503 || status == 504:
		if asked, ok := retryAfter(header, now); ok {
			c.learned.accept(f.sentAt)
			c.unavailable(now, asked)
		} else {
			c.failed(f)
		}
	case status == 0 || status == 408 || status >= 500:
		c.failed(f)
	case status == 401: // proves nothing
		c.learned.accept(f.sentAt)
	default:
		c.accepted(now, f, probe, q)
	}
}

// accepted processes an answer that used quota. Only such answers end probing and raise the rate.
func (c *Controller) accepted(now time.Time, f flight, probe bool, q quota) {
	c.note(false)
	c.measure(now.Sub(f.sentAt))
	c.goodput.add(now)
	if probe {
		if c.failures429 > 0 { // after a 503 or a pause the window continues
			c.learned.open(f.sentAt)
		}
		c.unproven, c.failures429, c.ramp = c.gate.shut(now), 0, 0  // a late answer may have closed the gate
		if _, why := c.effective(now); why == Rush && c.win.known { // a learned window allows no more than was used before
			c.ramp = min(rushStart, c.cfg.MaxRate)
		}
		if !q.complete() && c.win.over(now) { // the server sends no headers any more
			c.win = window{bias: c.win.bias, share: c.win.share}
		}
	}
	c.learned.accept(f.sentAt)
	c.grow(now, f)
}

// failed processes an answer that says nothing about the quota. If there are many, the server may be overloaded.
func (c *Controller) failed(f flight) {
	c.learned.accept(f.sentAt) // it may have used quota
	c.note(true)
	if bits.OnesCount32(c.failures) > failureSpan/2 && f.seq > c.decreasedAt {
		c.failures = 0
		c.decrease(f, c.now)
	}
}

func (c *Controller) note(failed bool) {
	c.failures = c.failures << 1 & (1<<failureSpan - 1)
	if failed {
		c.failures |= 1
	}
}
