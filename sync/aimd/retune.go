package aimd

import "math"

// Retune changes what a configuration says of the pace, while everything that was learned stays: the
// ceiling of all tokens together in requests/s, 0 for none, and the share of each window that is left to
// others, from 0 to below 1. A higher ceiling is not yet a higher rate: what is above that of a start has to
// be earned as ever.
func (p *Pool) Retune(total, reserve float64) {
	if math.IsNaN(total) || math.IsInf(total, 0) || total < 0 {
		total = 0
	}
	p.total = total
	for _, c := range p.tokens {
		c.retune(total, reserve)
	}
	p.divide()
}

func (c *Controller) retune(ceiling, reserve float64) {
	cfg, capped := c.cfg, c.rate >= c.cfg.MaxRate
	cfg.MaxRate, cfg.MinRate, cfg.StartRate, cfg.Reserve = ceiling, 0, 0, reserve
	c.cfg = cfg.withDefaults()
	c.win.share.reserve = c.cfg.Reserve
	c.limit(c.cfg.MaxRate)
	if capped { // it was the old ceiling that kept the rate down, and not the server
		c.rate = max(c.rate, c.cfg.StartRate)
	}
	c.rate = max(c.rate, c.cfg.MinRate)
}

// Retune changes the pace while requests are under way; see [Pool.Retune].
func (d *Dispatcher) Retune(total, reserve float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p.Retune(total, reserve)
	d.poke() // who waits may have less to wait for
}
