package aimd

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// Controller decides when the next request of one token may be sent. It has no clock, no
// goroutine and does no I/O: every step is told the time. Time never runs backwards inside; a now
// before the last one counts as the last one. It is not safe for concurrent use.
type Controller struct {
	cfg Config
	lim *rate.Limiter
	now time.Time

	rate        float64 // what AIMD has proved, requests/s
	ramp        float64 // what slow start has reached on the word of the headers; 0 or above rate
	kept        float64 // the rate as restored, before a tenth was taken; 0 once it has been tried
	calm        float64 // seconds of answered traffic since the last decrease
	grownAt     time.Time
	decreasedAt uint64    // last request sent before the last decrease
	distrust    time.Time // until then the headers vouch for nothing
	failures    uint32    // the last answers, one bit each

	gate        gate
	unproven    bool   // the next request is a probe
	probe       uint64 // the probe in flight, or 0
	strikes     int    // throttled episodes and probes since the last accepted probe
	firstStrike time.Time

	win      window
	learned  learned // in place of the window, where the headers tell of none
	cold     bool    // nothing has limited the rate yet: no header, no 429, no memory
	goodput  goodput
	flights  []flight
	answered uint64
	told     bool // Expect has been called
	expect   int

	reason  Reason  // what decided the last Acquire
	eff     float64 // the rate it used
	limited bool    // it found no token, so the rate was what held us back

	length  time.Duration // longest time to reset ever told
	latency time.Duration // moving average of accepted requests
	stats   Stats         // the counters only
}

// flight is a request that was sent and not answered.
type flight struct {
	seq      uint64
	sentAt   time.Time
	answered uint64  // requests answered when it was sent
	eff      float64 // the rate it was sent at
	reason   Reason  // Rate or Rush if the rate itself held it back
}

// NewController returns a controller that knows nothing yet: its first request is a probe.
func NewController(cfg Config) *Controller {
	cfg = cfg.withDefaults()
	return &Controller{
		cfg:      cfg,
		lim:      rate.NewLimiter(rate.Limit(cfg.StartRate), burst),
		rate:     cfg.StartRate,
		win:      window{share: share{reserve: cfg.Reserve}},
		unproven: true,
		cold:     true,
		flights:  make([]flight, 0, cfg.MaxInFlight),
	}
}

// Acquire asks to send one request. If ok, the caller sends it and calls OnSend at once. If not,
// it asks again after wait, or after the next answer if that comes first; a wait of 0 means that
// only an answer can change anything. See [Controller.Parked] for a wait that is not worth it.
func (c *Controller) Acquire(now time.Time) (wait time.Duration, ok bool) {
	now = c.clamp(now)
	switch {
	case c.gate.shut(now):
		c.reason = Gate
		return c.gate.until.Sub(now), false
	case c.probe != 0:
		c.reason = Probe
		return 0, false
	case len(c.flights) >= c.cfg.MaxInFlight:
		c.reason = InFlight
		return 0, false
	case c.win.live(now) && c.win.left() < 1:
		c.reason = Exhausted
		return c.win.wake().Sub(now), false
	}
	c.eff, c.reason = c.effective(now)
	c.lim.SetLimitAt(now, rate.Limit(c.eff))
	if c.lim.AllowN(now, 1) {
		return 0, true
	}
	c.limited = true
	missing := 1 - c.lim.TokensAt(now)
	return max(time.Duration(math.Ceil(missing/c.eff*float64(time.Second))), minWait), false
}

// Parked reports whether the gate is one that should not be waited for, and when it opens.
func (c *Controller) Parked(now time.Time) (until time.Time, parked bool) {
	now = c.clamp(now)
	return c.gate.until, c.gate.shut(now) && c.gate.parked
}

// OnSend records that a request is being sent and returns its number, from 1.
func (c *Controller) OnSend(now time.Time) (seq uint64) {
	now = c.clamp(now)
	c.stats.Sent++
	f := flight{seq: c.stats.Sent, sentAt: now, answered: c.answered, eff: c.eff, reason: c.reason}
	if !c.limited {
		f.reason = ""
	}
	c.limited = false
	if c.needsProbe(now) {
		c.probe = f.seq
		c.reason = Probe
	}
	if c.win.live(now) {
		c.win.used++
	}
	c.expect = max(0, c.expect-1)
	c.flights = append(c.flights, f)
	return f.seq
}

// Cancel takes back a request that was never sent, such as one whose token could not be had. If pause
// is not 0, nothing else is sent for so long either.
func (c *Controller) Cancel(now time.Time, seq uint64, pause time.Duration) {
	now = c.clamp(now)
	if _, ok := c.land(seq); !ok {
		return
	}
	if c.probe == seq {
		c.probe = 0
	}
	if c.win.live(now) && c.win.used > c.win.maxCount {
		c.win.used--
	}
	if c.told {
		c.expect++
	}
	c.stats.Cancelled++
	if pause > 0 {
		c.unavailable(now, pause)
	}
}

// Expect tells how many requests are still to be sent. It decides whether the rest may be rushed,
// so a number that is too low costs politeness and one that is too high costs time; neither costs
// a 429. Every OnSend counts it down, and every 429 up again.
func (c *Controller) Expect(n int) { c.told, c.expect = true, max(0, n) }

func (c *Controller) clamp(now time.Time) time.Time {
	c.now = later(now, c.now)
	return c.now
}

func (c *Controller) needsProbe(now time.Time) bool { return c.unproven || c.win.over(now) }

// land removes seq from the requests in flight.
func (c *Controller) land(seq uint64) (f flight, ok bool) {
	for i := range c.flights {
		if c.flights[i].seq == seq {
			f = c.flights[i]
			last := len(c.flights) - 1
			c.flights[i] = c.flights[last]
			c.flights = c.flights[:last]
			c.answered++
			return f, true
		}
	}
	return flight{}, false
}

// budget is what the headers still vouch for; 0 if nothing can be sent.
func (c *Controller) budget(now time.Time) int {
	if !c.win.live(now) || c.gate.shut(now) {
		return 0
	}
	return max(0, c.win.left())
}
