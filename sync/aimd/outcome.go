package aimd

import (
	"math/bits"
	"time"
)

// OnResponse records the answer to request seq: its status, or 0 if none came, and its headers.
// A request is answered once; an unknown number is ignored.
func (c *Controller) OnResponse(now time.Time, seq uint64, status int, header map[string][]string) {
	now = c.clamp(now)
	f, ok := c.land(seq)
	if !ok {
		return
	}
	probe := c.probe == seq
	if probe {
		c.probe = 0
	}
	if c.win.over(now) {
		c.ramp = 0 // slow start does not outlive the window that vouched for it
	}
	q := c.cfg.readQuota(header)
	if status == 429 { // before it renews the window, which tells whether the probe was early
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

// accepted takes in an answer that spent quota: the only thing that opens, and that grows.
func (c *Controller) accepted(now time.Time, f flight, probe bool, q quota) {
	c.note(false)
	c.measure(now.Sub(f.sentAt))
	c.goodput.add(now)
	if probe {
		if c.strikes > 0 { // after a 503 or a pause the window goes on
			c.learned.open(f.sentAt)
		}
		c.unproven, c.strikes, c.ramp = c.gate.shut(now), 0, 0      // a straggler may have shut the gate meanwhile
		if _, why := c.effective(now); why == Rush && c.win.known { // a learned window gives back only what was used before
			c.ramp = min(rushStart, c.cfg.MaxRate)
		}
		if !q.complete() && c.win.over(now) { // the headers have gone away
			c.win = window{bias: c.win.bias, share: c.win.share}
		}
	}
	c.learned.accept(f.sentAt)
	c.grow(now, f)
}

// failed takes in an answer that says nothing about the quota. Many of them mean that the server
// is in trouble, and that slowing down helps.
func (c *Controller) failed(f flight) {
	c.learned.accept(f.sentAt) // it may have spent quota: what fits must not become more by it
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
