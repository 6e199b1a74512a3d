package aimd

import "time"

// flight is a request without an answer.
type flight struct {
	seq      uint64
	sentAt   time.Time
	answered uint64  // requests answered when it was sent
	beside   int     // requests in flight when it was sent, itself included
	eff      float64 // the rate it was sent at
	reason   Reason  // Rate or Rush if the rate was the limit
	probe    bool
}

// concurrency is how many requests may be in flight. A 429 with quota left comes from a limit of theirs, from a limit of the
// rate that the headers do not show, or from nothing that lasts. It is taken for the first, and for the second if another one
// comes soon although fewer are in flight.
type concurrency struct {
	most    int       // in flight, at present
	refused int       // in flight when one was last refused; 0: none was
	good    int       // requests accepted beside as many as are allowed
	episode uint64    // the last request sent before most was last lowered
	until   time.Time // a 429 before is one of the rate
	doubt   time.Duration
}

const (
	atOnce       = 2   // requests in flight that are no reason for a 429
	growAfter    = 20  // accepted requests at the limit of those in flight: one more may be
	againAfter   = 200 // the same, if so many were refused before
	firstDoubt   = 10 * time.Second
	longestDoubt = 10 * time.Minute // after 429s within the budget of the headers: no slow start, no rush
)

// contradicted processes a 429 to f with quota left. gate is when the pause ends.
func (c *Controller) contradicted(f flight, gate time.Time) {
	k := &c.concurrency
	if f.seq <= max(k.episode, c.decreasedAt) || f.probe && c.failures429 > 1 && k.refused == 0 { // the same episode
		return
	}
	c.remember()
	if f.beside > atOnce && (f.beside > k.most || !c.now.Before(k.until)) {
		k.most, k.refused, k.good = f.beside/2, f.beside, 0
		k.episode, k.until = c.stats.Sent, gate.Add(firstDoubt)
		return
	}
	doubted := k.doubt > 0
	k.doubt = min(max(2*k.doubt, firstDoubt), longestDoubt)
	k.most, k.refused, k.until = c.cfg.MaxInFlight, 0, gate.Add(2*k.doubt)
	distrust := later(c.distrustUntil, gate.Add(k.doubt))
	if doubted { // cut the rate of AIMD: what slow start has reached was due to headers that were wrong before
		c.distrustUntil = distrust
	}
	c.decrease(f, gate)
	c.distrustUntil = distrust
}

// learnt is what a 429 may change.
type learnt struct {
	rate, ramp    float64
	distrustUntil time.Time
	concurrency   concurrency
}

// remember keeps what is known before a 429 changes it.
func (c *Controller) remember() {
	c.before = &learnt{c.rate, c.ramp, c.distrustUntil, c.concurrency}
}

// Pardon takes back what the last 429 has changed: it concerned one request alone.
func (c *Controller) Pardon() {
	if b := c.before; b != nil {
		c.rate, c.ramp = min(max(c.rate, b.rate), c.cfg.MaxRate), min(max(c.ramp, b.ramp), c.cfg.MaxRate)
		c.distrustUntil, c.concurrency, c.before = b.distrustUntil, b.concurrency, nil
	}
}

// widen lets another request be in flight once enough were accepted beside as many as are allowed.
func (c *Controller) widen(f flight) {
	k := &c.concurrency
	if k.most >= c.cfg.MaxInFlight || f.beside < k.most || f.seq <= k.episode {
		return
	}
	k.good++
	if k.good >= againAfter || k.good >= growAfter && k.most+1 != k.refused {
		k.most, k.good = k.most+1, 0
	}
}
