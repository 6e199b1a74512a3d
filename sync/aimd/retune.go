package aimd

import "math"

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
