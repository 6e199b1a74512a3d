package aimd

import (
	"fmt"
	"math"
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

	Windowed bool          // the headers describe the current window, and the next four count
	Allowed  int           // requests the window allows
	Left     int           // requests we may still send in it
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

// Stats returns the controller's view at now. It changes nothing.
func (c *Controller) Stats(now time.Time) Stats {
	now = later(now, c.now)
	s := c.stats
	s.Rate = c.allowance(now)
	s.Effective, s.Reason = c.effective(now)
	s.InFlight, s.Expected = len(c.flights), c.expect
	if c.win.live(now) {
		s.Windowed = true
		s.Allowed, s.Others = c.win.allowed, c.win.others
		s.Left = max(0, c.win.left(c.cfg.Reserve))
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

// Estimate says how long n more requests will take, if the headers keep saying what they said last
// and nobody else uses the token.
func (c *Controller) Estimate(now time.Time, n int) time.Duration {
	if n <= 0 {
		return 0
	}
	now = later(now, c.now)
	gated := max(0, c.gate.until.Sub(now))
	if !c.win.known {
		return gated + toDuration(float64(n)/c.rate)
	}
	at := now.Add(gated)
	full := window{known: true, allowed: c.win.allowed}
	quota, rest := max(1, full.left(c.cfg.Reserve)), max(c.length, time.Second)
	first := quota
	if c.win.live(at) {
		first, rest = max(0, c.win.left(c.cfg.Reserve)), c.win.wake().Sub(at)
	}
	if n <= first {
		return gated + c.spend(at, n, rest)
	}
	n -= first
	whole := (n - 1) / quota
	return gated + rest + time.Duration(whole)*c.length + c.spend(at, n-whole*quota, c.length)
}

// spend is how long n requests take that fit into a window with rest to go.
func (c *Controller) spend(at time.Time, n int, rest time.Duration) time.Duration {
	top := c.cfg.MaxRate
	if c.latency > 0 {
		top = min(top, float64(c.cfg.MaxInFlight)/c.latency.Seconds())
	}
	if at.Before(c.distrust) {
		top = min(top, max(c.rate, c.cfg.MinRate))
		return c.latency + max(toDuration(float64(n)/top), toDuration(float64(n)/c.pace(n, rest)))
	}
	// Slow start gains slowStartStep per answer, so the rate grows exponentially from start to top.
	start := min(c.rate, top)
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
