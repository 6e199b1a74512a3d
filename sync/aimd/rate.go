package aimd

import "time"

// allowance is the rate without the window's pace: what AIMD has found, or what slow start has reached.
func (c *Controller) allowance(now time.Time) float64 {
	if c.trustsHeaders(now) {
		return max(c.rate, c.ramp)
	}
	return c.rate
}

// limit lowers the largest rate.
func (c *Controller) limit(rate float64) {
	c.cfg.MaxRate = min(c.cfg.MaxRate, rate)
	c.cfg.MinRate = min(c.cfg.MinRate, c.cfg.MaxRate)
	c.rate, c.ramp = min(c.rate, c.cfg.MaxRate), min(c.ramp, c.cfg.MaxRate)
}

// trustsHeaders reports whether the headers show a budget that no recent 429 contradicted, or whether all remaining
// requests fit into a learned window.
func (c *Controller) trustsHeaders(now time.Time) bool {
	if c.win.known {
		return c.win.live(now) && !now.Before(c.distrustUntil)
	}
	return c.learned.fits(now, c.expect, len(c.flights))
}

// effective is the rate of the next request, in requests/s, and what decides it. The window never raises it.
func (c *Controller) effective(now time.Time) (eff float64, why Reason) {
	eff = c.allowance(now)
	if !c.win.live(now) {
		if c.trustsHeaders(now) {
			return eff, Rush
		}
		return eff, Rate
	}
	left := c.win.left()
	if c.trustsHeaders(now) && 0 < c.expect && c.expect <= left {
		return eff, Rush
	}
	if pace := c.pace(left, c.win.wake().Sub(now)); pace < eff {
		return max(pace, c.cfg.MinRate), Paced
	}
	return eff, Rate
}

// pace spreads the left requests over the rest of a window, up to a margin before its end.
func (c *Controller) pace(left int, rest time.Duration) float64 {
	return float64(left) / max(rest-tailMargin, rest/2).Seconds()
}

// grow raises the rate after an accepted request that the rate had limited: other requests prove nothing about it. Slow
// start is clocked by answers, as in TCP; the additive step by time, of which no more counts than passes between two
// calls at MinRate.
func (c *Controller) grow(now time.Time, f flight) {
	dt := min(now.Sub(c.grownAt).Seconds(), 1/c.cfg.MinRate)
	c.grownAt = now
	c.calm += dt
	switch {
	case f.reason != Rate && f.reason != Rush, f.seq <= c.decreasedAt:
	case c.trustsHeaders(now):
		c.ramp = min(max(c.rate, c.ramp)+slowStartStep, c.cfg.MaxRate)
	case c.cold:
		c.rate = min(c.rate+slowStartStep, c.cfg.MaxRate)
	default:
		c.kept = 0
		c.rate = min(c.rate+addStep*(1+c.calm/growthPeriod)*dt, c.cfg.MaxRate)
	}
}

// decrease cuts the rate at which f was sent, which may have been the window's pace. It is halved, but stays above four
// fifths of what the server accepted in the last minute, the gate included; it is cut by at least a tenth.
func (c *Controller) decrease(f flight, gate time.Time) {
	c.stats.Decreases++
	base := c.allowance(c.now)
	if !c.win.known {
		base = c.rate // without the rush
	}
	if 0 < f.eff && f.eff < base*shrinkMin {
		base = f.eff
	}
	lower := max(base*beta, goodputShare*c.goodput.rate(c.now, gate))
	if c.cold && c.learned.quota > 0 { // slow start has found the window: continue at its rate
		lower = max(float64(c.learned.quota)/c.learned.length.Seconds(), c.cfg.StartRate*beta)
	}
	c.cold, c.kept = false, 0
	c.rate = max(min(lower, base*shrinkMin), c.cfg.MinRate)
	c.ramp, c.calm = 0, 0
	c.decreasedAt = c.stats.Sent
}
