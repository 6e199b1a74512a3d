package aimd

import (
	"cmp"
	"time"
)

// maxMemoryAge is how long a learned rate is used.
const maxMemoryAge = 15 * time.Minute

// Memory is what a limiter has learned, to be kept over a restart. It holds no access token.
type Memory struct {
	Saved  time.Time     `json:"saved"`
	Tokens []TokenMemory `json:"tokens"`
}

// TokenMemory is what was learned about one token.
type TokenMemory struct {
	Rate   float64       `json:"rate,omitempty"`   // requests/s; 0: nothing has limited it
	Quota  int           `json:"quota,omitempty"`  // requests a window, as far as known
	Window time.Duration `json:"window,omitempty"` // its length, in nanoseconds
	Bias   time.Duration `json:"bias,omitempty"`   // 1 s where the server rounds the time left down
	Gate   time.Time     `json:"gate,omitzero"`    // no request before
	Parked bool          `json:"parked,omitempty"` // it was not waited for
	Probed time.Time     `json:"probed,omitzero"`  // with Gate: when the last probe was sent
	Doubt  time.Time     `json:"doubt,omitzero"`   // until then the headers are not trusted
}

// Memory returns what is to be kept.
func (p *Pool) Memory(now time.Time) Memory {
	m := Memory{Saved: now.Round(0)}
	for i, c := range p.tokens {
		if i < p.used || now.Before(c.gate) { // the latter from before a restart
			for len(m.Tokens) < i {
				m.Tokens = append(m.Tokens, TokenMemory{})
			}
			m.Tokens = append(m.Tokens, c.memory(now))
		}
	}
	return m
}

// Restore starts from the memory of an earlier process: nine tenths of rates that are younger than 15 minutes, and gates
// that are still closed. It is called before the first Acquire. Implausible values are ignored.
func (p *Pool) Restore(now time.Time, m Memory) {
	age := now.Sub(m.Saved)
	for i, t := range m.Tokens {
		if i < len(p.tokens) {
			t.Probed = cmp.Or(t.Probed, m.Saved)
			p.tokens[i].restore(now, t, age >= 0 && age < maxMemoryAge)
		}
	}
}

func (c *Controller) memory(now time.Time) TokenMemory {
	m := TokenMemory{Rate: c.kept, Quota: c.learned.quota, Window: c.learned.length, Bias: c.win.bias}
	if c.kept == 0 && c.stats.Decreases > 0 { // else nothing has limited it yet
		m.Rate = c.rate
	}
	if c.win.known && !now.Before(c.distrustUntil) {
		m.Quota, m.Window = c.win.allowed, c.length
	}
	if now.Before(c.gate) {
		m.Gate, m.Parked, m.Probed = c.gate.Round(0), c.state != gated, c.probedAt.Round(0)
	}
	if now.Before(c.distrustUntil) {
		m.Doubt = c.distrustUntil.Round(0)
	}
	return m
}

func (c *Controller) restore(now time.Time, m TokenMemory, fresh bool) {
	now = c.clamp(now)
	if m.Gate.After(now) {
		c.shut(now.Add(min(m.Gate.Sub(now), longestPause)), false)
		if c.probedAt = m.Probed; m.Probed.After(now) { // the clock was ahead
			c.probedAt = time.Time{}
		}
	}
	if !fresh {
		return
	}
	if m.Doubt.After(now) {
		c.distrustUntil = now.Add(min(m.Doubt.Sub(now), longestDoubt))
	}
	if m.Rate > 0 {
		c.cold, c.kept = false, min(m.Rate, c.cfg.MaxRate)
		c.rate = min(max(0.9*m.Rate, c.cfg.MinRate), c.cfg.MaxRate)
	}
	if m.Bias == time.Second {
		c.win.bias = m.Bias
	}
	if m.Quota > 0 && 0 < m.Window && m.Window <= RetryAfterCap {
		c.learned.quota, c.learned.length = m.Quota, m.Window
	}
}
