package aimd

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// Controller decides when the next request of one token may be sent. It has no clock, no goroutine and does no I/O:
// every method is given the time. A time before the last one counts as the last one. It is not safe for concurrent use.
type Controller struct {
	cfg Config
	lim *rate.Limiter
	now time.Time

	rate          float64 // what AIMD has found, requests/s
	ramp          float64 // what slow start has reached while trusting the headers; 0 or above rate
	kept          float64 // the restored rate, before it was reduced by a tenth; 0 once it was used
	calm          float64 // seconds with answers since the last decrease
	grownAt       time.Time
	decreasedAt   uint64    // last request sent before the last decrease
	distrustUntil time.Time // until then the headers are not trusted

	state           state
	gate            time.Time // in the states gated and parked: no request before; it never shortens
	probedAt        time.Time // when the last probe was sent that was the first of its kind,
	firstProbe      uint64    // and its number
	probes          int       // in flight, in the state probing
	failures429     int       // episodes and failed probes since the last accepted probe
	failing429Since time.Time

	win         window
	denied      time.Time // until then the headers are ignored: they deny what was accepted
	learned     learned   // used if the headers describe no window
	cold        bool      // nothing has limited the rate yet: no headers, no 429, no memory
	goodput     goodput
	flights     []flight
	concurrency concurrency
	before      *learnt // the last 429; nil if there was none
	answered    uint64
	expectKnown bool // Expect has been called
	expect      int

	reason  Reason  // what decided the last Acquire
	eff     float64 // the rate it used
	limited bool    // it found no token, so the rate was the limit

	length  time.Duration // longest time to reset of any header
	latency time.Duration // moving average of accepted requests
	stats   Stats         // counters only
}

// NewController returns a controller whose first request is a probe.
func NewController(cfg Config) *Controller {
	cfg = cfg.withDefaults()
	return &Controller{
		cfg:         cfg,
		lim:         rate.NewLimiter(rate.Limit(cfg.StartRate), burst),
		rate:        cfg.StartRate,
		win:         window{share: share{reserve: cfg.Reserve}},
		cold:        true,
		flights:     make([]flight, 0, cfg.MaxInFlight),
		concurrency: concurrency{most: cfg.MaxInFlight},
	}
}

// Acquire asks to send one request. If ok, the caller calls OnSend and sends it at once. If not, the caller asks again
// after wait or the next answer, whichever comes first; a wait of 0 means to wait for an answer. See [Controller.Parked].
func (c *Controller) Acquire(now time.Time) (wait time.Duration, ok bool) {
	now = c.clamp(now)
	if c.reason, wait = c.blocked(now); c.reason != "" {
		return wait, false
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

// Parked reports whether the gate is longer than RetryAfterCap, and when the next probe may be sent.
func (c *Controller) Parked(now time.Time) (until time.Time, yes bool) {
	c.clamp(now)
	return c.opensAt(), c.state == parked
}

// OnSend records that a request is being sent and returns its number, from 1.
func (c *Controller) OnSend(now time.Time) (seq uint64) {
	now = c.clamp(now)
	c.stats.Sent++
	f := flight{seq: c.stats.Sent, sentAt: now, answered: c.answered, beside: len(c.flights) + 1, eff: c.eff, reason: c.reason}
	if !c.limited {
		f.reason = ""
	}
	c.limited = false
	c.launch(&f)
	if c.win.live(now) {
		c.win.used++
	}
	c.expect = max(0, c.expect-1)
	c.flights = append(c.flights, f)
	return f.seq
}

// Cancel takes back a request that was not sent, for example because there was no access token. If pause is not 0,
// nothing is sent for so long.
func (c *Controller) Cancel(now time.Time, seq uint64, pause time.Duration) {
	now = c.clamp(now)
	f, ok := c.removeFlight(seq)
	if !ok {
		return
	}
	c.land(f, false)
	if c.win.live(now) && c.win.used > c.win.maxCount {
		c.win.used--
	}
	if c.expectKnown {
		c.expect++
	}
	c.stats.Cancelled++
	if pause > 0 {
		c.unavailable(now, pause)
	}
}

// Expect tells how many requests are still to be sent, which decides whether they are rushed. A number that is too low
// leaves less to others, one that is too high costs time; neither costs a 429. OnSend counts it down, and a 429 up again.
func (c *Controller) Expect(n int) { c.expectKnown, c.expect = true, max(0, n) }

// clamp returns the time, which never runs backwards, and makes the transitions that are due.
func (c *Controller) clamp(now time.Time) time.Time {
	c.now = later(now, c.now)
	c.advance(c.now)
	return c.now
}

// removeFlight removes seq from the requests in flight.
func (c *Controller) removeFlight(seq uint64) (f flight, ok bool) {
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

// budget is how many requests the window still allows; 0 if nothing can be sent.
func (c *Controller) budget(now time.Time) int {
	if !c.win.live(now) || c.isShut() {
		return 0
	}
	return max(0, c.win.left())
}
