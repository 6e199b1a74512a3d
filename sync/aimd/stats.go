package aimd

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// Reason is what limits the next request.
type Reason string

// The reasons, from the strongest.
const (
	Parked    Reason = "parked"    // a pause that is too long to wait for; see ErrParked
	Gate      Reason = "gate"      // Retry-After, or the backoff without one
	Probe     Reason = "probe"     // a probe has no answer yet, or is next
	InFlight  Reason = "inflight"  // too many requests without an answer
	Exhausted Reason = "exhausted" // the window's budget is spent
	Rush      Reason = "rush"      // all remaining work fits into the window
	Paced     Reason = "paced"     // the budget is spread over the window
	Rate      Reason = "rate"      // the rate of AIMD
)

// Stats is the state of a limiter at one moment.
type Stats struct {
	Reason    Reason
	Rate      float64 // requests/s AIMD and slow start allow
	Effective float64 // requests/s: Rate, or the window's pace if that is lower

	Windowed bool          // the headers describe the current window; else the next five fields are 0
	Allowed  int           // requests the window allows
	Used     int           // of these, counted or in flight
	Left     int           // of the rest, without what is left to others
	Others   int           // requests in it that this process did not send, at least
	Reset    time.Duration // until it ends
	Rolling  bool          // it never does: the server counts what was sent in as long a time; Used may fall

	Gate     time.Duration // until the gate opens; 0 if it is open
	InFlight int           // requests sent and not answered
	Expected int           // requests still to be sent; see Expect
	Waiting  int           // callers waiting for their turn
	Tokens   int           // tokens in use; the other numbers are sums over them

	Sent      uint64 // requests, cancelled ones included
	Cancelled uint64 // tickets returned unused
	Throttled uint64 // 429 answers
	Decreases uint64 // times the rate was cut
}

// String is one line for a log.
func (s Stats) String() string {
	window := "left=? reset=?"
	if s.Windowed {
		window = fmt.Sprintf("left=%d/%d reset=%.0fs", s.Left, s.Allowed, s.Reset.Seconds())
	}
	return fmt.Sprintf("rate=%.1f eff=%.1f %s gate=%.0fs others=%d inflight=%d throttled=%d reason=%s",
		s.Rate, s.Effective, window, s.Gate.Seconds(), s.Others, s.InFlight, s.Throttled, s.Reason)
}

// shut is how long no request is sent because of the gate or the window.
func (s Stats) shut() time.Duration {
	if s.Reason == Exhausted {
		return s.Reset
	}
	return s.Gate
}

// Stats returns the state of the controller. It changes nothing.
func (c *Controller) Stats(now time.Time) Stats {
	seen := *c
	return seen.describe(now)
}

func (c *Controller) describe(now time.Time) Stats {
	now = c.clamp(now)
	s := c.stats
	s.Rate = c.allowance(now)
	s.Effective, s.Reason = c.effective(now)
	s.InFlight, s.Expected = len(c.flights), c.expect
	if c.win.live(now) {
		s.Windowed, s.Rolling = true, c.win.rolling.length > 0
		s.Allowed, s.Used, s.Others = c.win.allowed, c.win.used, c.win.others
		s.Left = max(0, c.win.left())
		s.Reset = c.win.wake().Sub(now)
	}
	if c.isShut() {
		s.Gate = c.gate.Sub(now)
	}
	if why, _ := c.blocked(now); why != "" {
		s.Reason = why
	} else if c.state == start || c.state == probing {
		s.Reason = Probe
	}
	return s
}

// Estimate returns how long n more requests will take, if the quota stays as last known, and others use what is left to
// them.
func (c *Controller) Estimate(now time.Time, n int) time.Duration {
	if n <= 0 {
		return 0
	}
	now = later(now, c.now)
	gated := time.Duration(0)
	if c.isShut() {
		gated = max(0, c.gate.Sub(now))
	}
	at := now.Add(gated)
	w := c.forecast(at)
	if w.quota == 0 {
		return gated + toDuration(float64(n)/c.rate)
	}
	// No window allows more than the largest rate does.
	w.left = min(w.left, int(c.ceiling()*w.rest.Seconds()))
	w.quota = max(1, min(w.quota, int(c.ceiling()*w.length.Seconds())))
	if n <= w.left {
		return gated + c.spend(at, n, w.rest)
	}
	n -= w.left
	whole := (n - 1) / w.quota
	return gated + w.rest + time.Duration(whole)*w.length + c.spend(at, n-whole*w.quota, w.length)
}

// forecast is the quota of the next windows, and what is left of the one at a time.
type forecast struct {
	quota, left  int // quota is 0 if nothing is known
	length, rest time.Duration
}

func (c *Controller) forecast(at time.Time) (f forecast) {
	switch l := c.learned; {
	case c.win.rolling.length > 0:
		f = forecast{quota: max(1, c.win.allowed), length: c.win.rolling.length}
	case c.win.known:
		full := window{known: true, allowed: c.win.allowed, share: c.win.share}
		f = forecast{quota: max(1, full.left()), length: max(c.length, time.Second)}
		if c.win.live(at) {
			f.left, f.rest = max(0, c.win.left()), c.win.wake().Sub(at)
			return f
		}
	case l.quota > 0:
		f = forecast{quota: l.quota, length: l.length}
		if rest := l.opened.Add(l.length).Sub(at); rest > 0 {
			f.left, f.rest = max(0, l.quota-l.accepted), rest
			return f
		}
	}
	f.left, f.rest = f.quota, f.length
	return f
}

// within is how many of n requests finish in d.
func (c *Controller) within(now time.Time, d time.Duration, n int) int {
	return sort.Search(n, func(k int) bool { return c.Estimate(now, k+1) > d })
}

// sustained is the average rate that the quota allows, as far as known.
func (c *Controller) sustained(now time.Time) float64 {
	if f := c.forecast(now); f.quota > 0 {
		return float64(f.quota) / f.length.Seconds()
	}
	return c.rate
}

// ceiling is the highest rate that the configuration and the latency allow.
func (c *Controller) ceiling() float64 {
	if c.latency <= 0 {
		return c.cfg.MaxRate
	}
	return min(c.cfg.MaxRate, float64(c.cfg.MaxInFlight)/c.latency.Seconds())
}

// spend is how long n requests take that fit into the rest of a window.
func (c *Controller) spend(at time.Time, n int, rest time.Duration) time.Duration {
	top := c.ceiling()
	if at.Before(c.distrustUntil) {
		top = min(top, max(c.rate, c.cfg.MinRate))
		return c.latency + max(toDuration(float64(n)/top), toDuration(float64(n)/spread(n, rest)))
	}
	// Slow start gains slowStartStep per answer, so the rate grows exponentially to top.
	first := min(c.rate, top)
	ramp := (top - first) / slowStartStep
	late := c.latency + toDuration(1/first)
	if float64(n) < ramp {
		return late + toDuration(math.Log(1+slowStartStep*float64(n)/first)/slowStartStep)
	}
	return late + toDuration(math.Log(top/first)/slowStartStep+(float64(n)-ramp)/top)
}

// measure updates the moving average of latencies.
func (c *Controller) measure(d time.Duration) {
	if c.latency == 0 {
		c.latency = d
	}
	c.latency += (d - c.latency) / 8
}

func toDuration(seconds float64) time.Duration {
	return time.Duration(min(seconds, float64(math.MaxInt64/4)/float64(time.Second)) * float64(time.Second))
}
