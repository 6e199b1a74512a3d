package aimd

import (
	"cmp"
	"time"
)

// OnResponse records the answer to request seq: its status, or 0 if there was none, and its headers. An unknown seq is
// ignored.
func (c *Controller) OnResponse(now time.Time, seq uint64, status int, header map[string][]string) {
	c.receive(now, seq, status, header, false)
}

// OnRefusal records a refusal that concerns its request alone: it neither closes the gate nor cuts the rate.
func (c *Controller) OnRefusal(now time.Time, seq uint64, status int, header map[string][]string) {
	c.receive(now, seq, status, header, true)
}

func (c *Controller) receive(now time.Time, seq uint64, status int, header map[string][]string, alone bool) {
	now = c.clamp(now)
	f, ok := c.removeFlight(seq)
	if !ok {
		return
	}
	if c.win.over(now) {
		c.ramp = 0 // slow start ends with its window
	}
	q := readQuota(header)
	if accepts(status) && q.denies() {
		if c.win.known {
			c.win, c.ramp = window{bias: c.win.bias, share: c.win.share}, 0
		}
		c.denied = now.Add(cmp.Or(q.reset, time.Minute))
	}
	if now.Before(c.denied) {
		q = quota{}
	}
	switch {
	case status == 429 && alone:
		c.refused()
	case status == 429: // before the window is renewed, which shows whether the probe was early
		c.throttled(now, f, q, header)
	}
	if status != 0 {
		c.win.observe(now, f, q, c.stats.Sent)
		if q.hasReset {
			c.length = max(c.length, q.reset)
		}
		c.cold = c.cold && !c.win.known
	}
	probe := c.land(f, accepts(status))
	switch {
	case accepts(status):
		c.accepted(now, f, probe, q)
	case status != 429:
		c.learned.accept(f.sentAt) // it may have used quota
		if asked, ok := unavailableFor(status, header, now); ok && !alone {
			c.unavailable(now, asked)
		}
	}
}

// accepted processes an answer that used quota. Only such answers end probing and raise the rate.
func (c *Controller) accepted(now time.Time, f flight, probe bool, q quota) {
	c.measure(now.Sub(f.sentAt))
	c.goodput.add(now)
	if probe {
		if c.failures429 > 0 { // after a 503 or a pause the window continues
			c.learned.open(f.sentAt)
		}
		c.failures429 = 0
		if !q.complete() && c.win.over(now) { // the server sends no headers any more
			c.win = window{bias: c.win.bias, share: c.win.share}
		}
	}
	c.learned.accept(f.sentAt)
	c.widen(f)
	c.grow(now, f)
}

// accepts reports whether an answer shows that the request was let through: it used quota. A 401, and an answer without a
// usable status, prove nothing.
func accepts(status int) bool {
	return status >= 200 && status < 500 && status != 401 && status != 408 && status != 429
}

// unavailableFor returns the Retry-After of a 502, 503 or 504, if it has one.
func unavailableFor(status int, header map[string][]string, now time.Time) (asked time.Duration, ok bool) {
	if status != 502 && status != 503 && status != 504 {
		return 0, false
	}
	return retryAfter(header, now)
}
