package aimd

import (
	"math"
	"time"
)

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
	if c.win.known && !now.Before(c.distrustUntil) {
		return c.win.live(now)
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
	if pace := c.win.pace(now); pace < eff {
		return max(pace, c.cfg.MinRate), Paced
	}
	return eff, Rate
}

// grow raises the rate after an accepted request that the rate had limited: other requests prove nothing about it. Slow start
// is clocked by answers, as in TCP; the additive step by time, of which no more counts than passes between two calls at MinRate.
// The step is larger for a larger rate.
func (c *Controller) grow(now time.Time, f flight) {
	dt := min(now.Sub(c.grownAt).Seconds(), 1/c.cfg.MinRate)
	c.grownAt = now
	c.calm += dt
	switch {
	case f.reason != Rate && f.reason != Rush, f.seq <= c.decreasedAt, f.seq <= c.concurrency.episode:
	case c.trustsHeaders(now):
		c.ramp = min(max(c.rate, c.ramp)+slowStartStep, c.cfg.MaxRate)
	case c.cold:
		c.rate = min(c.rate+slowStartStep, c.cfg.MaxRate)
	default:
		c.kept = 0
		c.rate = min(c.rate+addStep*max(1, c.rate/DefaultStartRate)*(1+c.calm/growthPeriod)*dt, c.cfg.MaxRate)
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

// Retune changes Config.TotalRate and Config.Reserve, and keeps what was learned. A higher limit alone does not raise the
// rate above StartRate.
func (p *Pool) Retune(total, reserve float64) {
	if math.IsNaN(total) || math.IsInf(total, 0) || total < 0 {
		total = 0
	}
	p.total = total
	for _, c := range p.tokens {
		c.retune(total, reserve)
	}
	p.splitRate()
}

func (c *Controller) retune(ceiling, reserve float64) {
	cfg, capped := c.cfg, c.rate >= c.cfg.MaxRate
	cfg.MaxRate, cfg.MinRate, cfg.StartRate, cfg.Reserve = ceiling, 0, 0, reserve
	c.cfg = cfg.withDefaults()
	c.win.share.reserve = c.cfg.Reserve
	c.limit(c.cfg.MaxRate)
	if capped { // the old limit kept the rate down, not the server
		c.rate = max(c.rate, c.cfg.StartRate)
	}
	c.rate = max(c.rate, c.cfg.MinRate)
}

// goodputSpan is how many seconds of accepted requests are counted.
const goodputSpan = 60

// goodput counts the accepted requests of the last minute, second by second.
type goodput struct {
	start  time.Time
	second int64 // since start, of the newest count
	counts [goodputSpan]uint32
}

func (g *goodput) add(now time.Time) {
	if g.start.IsZero() {
		g.start = now
	}
	g.forward(now)
	g.counts[g.second%goodputSpan]++
}

// forward empties the counts of the seconds that have passed.
func (g *goodput) forward(now time.Time) {
	second := int64(now.Sub(g.start) / time.Second)
	for range min(second-g.second, goodputSpan) {
		g.second++
		g.counts[g.second%goodputSpan] = 0
	}
	g.second = second
}

// rate is how many requests/s the server accepted, up to the end of a gate that begins now.
func (g *goodput) rate(now, gate time.Time) float64 {
	if g.start.IsZero() {
		return 0
	}
	g.forward(now)
	oldest := max(0, g.second+int64(gate.Sub(now)/time.Second)-goodputSpan+1)
	n := uint32(0)
	for i := oldest; i <= g.second; i++ {
		n += g.counts[i%goodputSpan]
	}
	span := gate.Sub(g.start.Add(time.Duration(oldest) * time.Second))
	return float64(n) / max(span, time.Second).Seconds()
}
