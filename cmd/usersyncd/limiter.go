package main

import (
	"fmt"
	"time"

	"usersyncd/sync/aimd"
)

const (
	logLimiterEvery = time.Second
	// windowTail is the end of a window: its budget is spent a little early, and that is no news.
	windowTail = 5 * time.Second
)

// logLimiter looks at the limiter every second until stop is called: it writes a line whenever the reason
// for the pace has changed, and has what was learned kept.
func (a *app) logLimiter() (stop func()) {
	var n changeFilter
	return every(logLimiterEvery, func(now time.Time) {
		s := a.limiter.Stats()
		if n.worth(s) {
			a.log.Info("rate limit", limiterAttrs(s)...)
		}
		a.learned.Save(a.limiter, now)
	})
}

// every calls do at an interval until stop is called, which waits for a call under way.
func every(interval time.Duration, do func(now time.Time)) (stop func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				do(now)
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-gone }
}

// A changeFilter decides which states of the limiter are worth a line: those that last for a second, differ from
// the last one that was told, and say something of the quota. A cut of the rate always is.
type changeFilter struct {
	told, seen aimd.Reason
	decreases  uint64
	full       bool // as many calls were under way as may be, the last time too
}

func (n *changeFilter) worth(s aimd.Stats) bool {
	now := s.Reason
	full := n.full
	n.full = now == aimd.InFlight
	switch {
	case s.Gate == 0 && s.Expected+s.Waiting+s.InFlight == 0: // idle
		n.told, n.seen = "", ""
		return false
	case now == aimd.Probe, now == aimd.InFlight && !full: // on the way from one state to the next
		return false
	case now == aimd.Exhausted && s.Reset <= windowTail:
		now = aimd.Paced
	}
	lasts := n.seen == now
	n.seen = now
	if s.Decreases == n.decreases && (!lasts || n.told == now) {
		return false
	}
	n.told, n.decreases = now, s.Decreases
	return true
}

// limiterAttrs says why it is as fast as it is.
func limiterAttrs(s aimd.Stats) []any {
	left, reset := "?", "?"
	if s.Windowed {
		left, reset = fmt.Sprintf("%d/%d", s.Left, s.Allowed), wholeSeconds(s.Reset)
	}
	attrs := []any{
		"rate", fmt.Sprintf("%.1f", s.Effective), "left", left, "reset", reset, "gate", wholeSeconds(s.Gate),
		"others", s.Others, "inflight", s.InFlight, "reason", string(s.Reason),
	}
	if s.Tokens > 1 {
		attrs = append(attrs, "tokens", s.Tokens)
	}
	return attrs
}

func wholeSeconds(d time.Duration) string { return fmt.Sprintf("%.0fs", d.Seconds()) }
