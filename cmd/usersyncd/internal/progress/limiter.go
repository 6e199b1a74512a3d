package progress

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"usersyncd/sync/aimd"
)

const (
	watchInterval = time.Second
	// windowTail is the end of a window: its budget is spent a little early, which is not worth a line.
	windowTail = 5 * time.Second
)

// WatchLimiter watches the limiter every second until stop is called. It logs a line at a level whenever what limits the rate has
// changed, and calls each.
func WatchLimiter(limiter *aimd.Dispatcher, log *slog.Logger, level slog.Level, each func(now time.Time)) (stop func()) {
	var f changeFilter
	return every(watchInterval, func(now time.Time) {
		s := limiter.Stats()
		if f.pass(s) {
			log.Log(context.Background(), level, "rate limit", limiterAttrs(s)...)
		}
		each(now)
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

// A changeFilter passes the states of the limiter that are to be logged: those that last for a second, differ from the
// last one logged, and say something of the quota; and every decrease of the rate.
type changeFilter struct {
	logged, seen aimd.Reason
	decreases    uint64
	full         bool // the limit of calls in flight was reached, the last time too
}

func (f *changeFilter) pass(s aimd.Stats) bool {
	now := s.Reason
	full := f.full
	f.full = now == aimd.InFlight
	switch {
	case s.Gate == 0 && s.Expected+s.Waiting+s.InFlight == 0: // idle
		f.logged, f.seen = "", ""
		return false
	case now == aimd.Probe, now == aimd.InFlight && !full: // on the way from one state to the next
		return false
	case now == aimd.Exhausted && s.Reset <= windowTail:
		now = aimd.Paced
	}
	lasts := f.seen == now
	f.seen = now
	if s.Decreases == f.decreases && (!lasts || f.logged == now) {
		return false
	}
	f.logged, f.decreases = now, s.Decreases
	return true
}

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
