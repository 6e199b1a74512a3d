package aimd

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// Reason is what decides when the next request is sent.
type Reason string

// The reasons, from the strongest.
const (
	Parked    Reason = "parked"    // the gate is longer than we wait
	Gate      Reason = "gate"      // Retry-After, or the back-off without one
	Probe     Reason = "probe"     // one request finds out whether the way is free
	InFlight  Reason = "inflight"  // too many requests without an answer
	Exhausted Reason = "exhausted" // the window's budget is spent
	Rush      Reason = "rush"      // all that is left to do fits into the window
	Paced     Reason = "paced"     // the budget is spread over the window
	Rate      Reason = "rate"      // the rate that AIMD has found
)

// Stats is all there is to say about a limiter at one moment.
type Stats struct {
	Reason    Reason
	Rate      float64 // requests/s AIMD and slow start allow
	Effective float64 // requests/s used now: Rate, or the window's pace if that is lower

	Windowed bool          // the headers describe the current window, and the next five count
	Allowed  int           // requests the window allows
	Used     int           // of these, counted or on their way
	Left     int           // of the rest, those that are not left to others
	Others   int           // requests in it that this process did not send, at least
	Reset    time.Duration // until it ends

	Gate     time.Duration // until the gate opens; 0 if it is open
	InFlight int           // requests sent and not answered
	Expected int           // requests still to be sent, as far as told
	Waiting  int           // callers waiting for their turn
	Tokens   int           // tokens in use, over which everything else is added up

	Sent      uint64 // requests, cancelled ones included
	Cancelled uint64 // tickets handed back unused
	Throttled uint64 // 429 answers
	Decreases uint64 // times the rate was cut
}

// String is one line for a log: it answers "why is it slow?".
func (s Stats) String() string {
	window := "left=? reset=?"
	if s.Windowed {
		window = fmt.Sprintf("left=%d/%d reset=%.0fs", s.Left, s.Allowed, s.Reset.Seconds())
	}
	return fmt.Sprintf("rate=%.1f eff=%.1f %s gate=%.0fs others=%d inflight=%d throttled=%d reason=%s",
		s.Rate, s.Effective, window, s.Gate.Seconds(), s.Others, s.InFlight, s.Throttled, s.Reason)
}

// shut is for how long nothing is sent, gate and window taken together.
func (s Stats) shut() time.Duration {
	if s.Reason == Exhausted {
		return s.Reset
	}
	return s.Gate
}

// Stats returns the controller's view at now. It changes nothing.
func (c *Controller) Stats(now time.Time) Stats {
	now = later(now, c.now)
	s := c.stats
	s.Rate = c.allowance(now)
	s.Effective, s.Reason = c.effective(now)
	s.InFlight, s.Expected = len(c.flights), c.expect
	if c.win.live(now) {
		s.Windowed = true
		s.Allowed, s.Used, s.Others = c.win.allowed, c.win.used, c.win.others
		s.Left = max(0, c.win.left())
		s.Reset = c.win.wake().Sub(now)
	}
	s.Gate = max(0, c.gate.until.Sub(now))
	switch { // as in Acquire
	case s.Gate > 0 && c.gate.parked:
		s.Reason = Parked
	case s.Gate > 0:
		s.Reason = Gate
	case c.probe != 0:
		s.Reason = Probe
	case s.InFlight >= c.cfg.MaxInFlight:
		s.Reason = InFlight
	case s.Windowed && s.Left < 1:
		s.Reason = Exhausted
	case c.needsProbe(now):
		s.Reason = Probe
	}
	return s
}

// Estimate says how long n more requests will take, if the server keeps to the quota it told last,
// or gave away last, and others keep to what is left to them.
func (c *Controller) Estimate(now time.Time, n int) time.Duration {
	if n <= 0 {
		return 0
	}
	now = later(now, c.now)
	gated := max(0, c.gate.until.Sub(now))
	at := now.Add(gated)
	w := c.forecast(at)
	if w.quota == 0 {
		return gated + toDuration(float64(n)/c.rate)
	}
	// No window lets more through than the ceiling of the rate.
	w.left = min(w.left, int(c.ceiling()*w.rest.Seconds()))
	w.quota = max(1, min(w.quota, int(c.ceiling()*w.length.Seconds())))
	if n <= w.left {
		return gated + c.spend(at, n, w.rest)
	}
	n -= w.left
	whole := (n - 1) / w.quota
	return gated + w.rest + time.Duration(whole)*w.length + c.spend(at, n-whole*w.quota, w.length)
}

// forecast is the quota of the windows to come, and what is left of the one at a time.
type forecast struct {
	quota, left  int // quota is 0 if nothing is known
	length, rest time.Duration
}

func (c *Controller) forecast(at time.Time) (f forecast) {
	switch l := c.learned; {
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

// within is how many of n requests get done in d.
func (c *Controller) within(now time.Time, d time.Duration, n int) int {
	return sort.Search(n, func(k int) bool { return c.Estimate(now, k+1) > d })
}

// sustained is the rate that the quota allows in the long run, as far as known.
func (c *Controller) sustained(now time.Time) float64 {
	if f := c.forecast(now); f.quota > 0 {
		return float64(f.quota) / f.length.Seconds()
	}
	return c.rate
}

// ceiling is the highest rate that the configuration and the latency leave room for.
func (c *Controller) ceiling() float64 {
	if c.latency <= 0 {
		return c.cfg.MaxRate
	}
	return min(c.cfg.MaxRate, float64(c.cfg.MaxInFlight)/c.latency.Seconds())
}

// spend is how long n requests take that fit into a window with rest to go.
func (c *Controller) spend(at time.Time, n int, rest time.Duration) time.Duration {
	top := c.ceiling()
	if at.Before(c.distrust) {
		top = min(top, max(c.rate, c.cfg.MinRate))
		return c.latency + max(toDuration(float64(n)/top), toDuration(float64(n)/c.pace(n, rest)))
	}
	// Slow start gains slowStartStep per answer, so the rate grows exponentially to top.
	start := min(max(c.rate, rushStart), top)
	ramp := (top - start) / slowStartStep
	if float64(n) < ramp {
		return c.latency + toDuration(math.Log(1+slowStartStep*float64(n)/start)/slowStartStep)
	}
	return c.latency + toDuration(math.Log(top/start)/slowStartStep+(float64(n)-ramp)/top)
}

// measure feeds the moving average of latencies.
func (c *Controller) measure(d time.Duration) {
	if c.latency == 0 {
		c.latency = d
	}
	c.latency += (d - c.latency) / 8
}

func toDuration(seconds float64) time.Duration {
	return time.Duration(min(seconds, float64(math.MaxInt64/4)/float64(time.Second)) * float64(time.Second))
}
