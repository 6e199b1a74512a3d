package aimd

import "time"

// allowance is the rate we may use at now, before the window's pace: what AIMD has proved, or what
// slow start has reached while the headers vouch for it.
func (c *Controller) allowance(now time.Time) float64 {
	if c.vouched(now) {
		return max(c.rate, c.ramp)
	}
	return c.rate
}

// limit lowers the ceiling of every pace.
func (c *Controller) limit(rate float64) {
	c.cfg.MaxRate = min(c.cfg.MaxRate, rate)
	c.cfg.MinRate = min(c.cfg.MinRate, c.cfg.MaxRate)
	c.rate, c.ramp = min(c.rate, c.cfg.MaxRate), min(c.ramp, c.cfg.MaxRate)
}

// vouched reports whether the headers show a budget, and no recent 429 has contradicted them, or
// whether a learned window has room for all that is left.
func (c *Controller) vouched(now time.Time) bool {
	if c.win.known {
		return c.win.live(now) && !now.Before(c.distrust)
	}
	return c.learned.fits(now, c.expect, len(c.flights))
}

// effective is the rate of the next request, in requests per second, and what decides it. The
// window only ever lowers it.
func (c *Controller) effective(now time.Time) (eff float64, why Reason) {
	eff = c.allowance(now)
	if !c.win.live(now) {
		if c.vouched(now) {
			return eff, Rush
		}
		return eff, Rate
	}
	left := c.win.left()
	if c.vouched(now) && 0 < c.expect && c.expect <= left {
		return eff, Rush
	}
	if pace := c.pace(left, c.win.wake().Sub(now)); pace < eff {
		return max(pace, c.cfg.MinRate), Paced
	}
	return eff, Rate
}

// pace spreads left requests over the rest of a window, up to a margin before its end.
func (c *Controller) pace(left int, rest time.Duration) float64 {
	return float64(left) / max(rest-c.cfg.TailMargin, rest/2).Seconds()
}

// grow raises the rate after an accepted request, if the rate is what held that request back:
// there is no growth on evidence we did not collect. Slow start is clocked by answers, as TCP's is;
// the additive step by time, of which no more counts than passes between two calls at MinRate.
func (c *Controller) grow(now time.Time, f flight) {
	dt := min(now.Sub(c.grownAt).Seconds(), 1/c.cfg.MinRate)
	c.grownAt = now
	c.calm += dt
	switch {
	case f.reason != Rate && f.reason != Rush, f.seq <= c.decreasedAt:
	case c.vouched(now):
		c.ramp = min(max(c.rate, c.ramp)+slowStartStep, c.cfg.MaxRate)
	case c.cold:
		c.rate = min(c.rate+slowStartStep, c.cfg.MaxRate)
	default:
		c.kept = 0
		c.rate = min(c.rate+c.cfg.AddStep*(1+c.calm/growthPeriod)*dt, c.cfg.MaxRate)
	}
}

// decrease shrinks what we did when f was sent: the window's pace where that was lower. It is halved,
// but not below four fifths of what the server has accepted lately, the gate included: about that much
// it does accept. A tenth goes in any case.
func (c *Controller) decrease(f flight, gate time.Time) {
	c.stats.Decreases++
	base := c.allowance(c.now)
	if !c.win.known {
		base = c.rate // what a rush had lent goes back first
	}
	if 0 < f.eff && f.eff < base*shrinkMin {
		base = f.eff
	}
	lower := max(base*c.cfg.Beta, goodputShare*c.goodput.rate(c.now, gate))
	if c.cold && c.learned.quota > 0 { // slow start has found the window, and gives back what it had borrowed
		lower = max(float64(c.learned.quota)/c.learned.length.Seconds(), c.cfg.StartRate*c.cfg.Beta)
	}
	c.cold, c.kept = false, 0
	c.rate = max(min(lower, base*shrinkMin), c.cfg.MinRate)
	c.ramp, c.calm = 0, 0
	c.decreasedAt = c.stats.Sent
}
