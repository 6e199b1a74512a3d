package aimd_test

import (
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// spent is a controller that a server without headers has answered n times from the epoch on, ten a
// second, and then with 429 and a Retry-After. It returns when the gate opens.
func spent(t *testing.T, n int, after string) (*aimd.Controller, time.Time) {
	t.Helper()
	c := aimd.NewController(aimd.Config{Jitter: -1, StartRate: 10, MaxRate: 10})
	now := epoch
	for range n {
		call(t, c, now, 200, nil)
		now = now.Add(time.Second / 10)
	}
	call(t, c, now, 429, header{"Retry-After": {after}})
	return c, now.Add(c.Stats(now).Gate)
}

// A Retry-After of some length gives a window away: what fits into it is rushed.
func TestLearnedWindow(t *testing.T) {
	for _, tt := range []struct {
		name   string
		after  string
		expect int
		want   aimd.Reason
	}{
		{"fits", "50", 48, aimd.Rush}, // one was the probe, one is to come beside them
		{"does not fit", "50", 50, aimd.Rate},
		{"nothing to come", "50", 0, aimd.Rate},
		{"too short to tell of a window", "4", 10, aimd.Rate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, now := spent(t, 50, tt.after)
			call(t, c, now, 200, nil)
			c.Expect(tt.expect)
			if s := c.Stats(now.Add(time.Second)); s.Reason != tt.want {
				t.Errorf("%v, want %s", s, tt.want)
			}
		})
	}
}

// A 429 long before the window was full says that there is no such window.
func TestLearnedWindowIsForgotten(t *testing.T) {
	c, now := spent(t, 50, "50")
	for range 10 {
		call(t, c, now, 200, nil)
		now = now.Add(time.Second)
	}
	call(t, c, now, 429, header{"Retry-After": {"1"}})
	now = now.Add(c.Stats(now).Gate)
	call(t, c, now, 200, nil)
	c.Expect(5)
	if s := c.Stats(now.Add(time.Second)); s.Reason != aimd.Rate {
		t.Errorf("%v, want rate", s)
	}
}

// Requests on their way may still come to be counted, and so may those that failed; a 503 is no end of a
// window.
func TestLearnedWindowIsNotLargerThanItIs(t *testing.T) {
	c, now := spent(t, 50, "50")
	call(t, c, now, 200, nil)
	for range 5 {
		now = now.Add(time.Second / 5)
		send(t, c, now)
	}
	c.Expect(45)
	if s := c.Stats(now.Add(time.Second)); s.Reason != aimd.Rate {
		t.Errorf("50 in all, 1 answered, 5 on their way, 45 to come: %v, want rate", s)
	}

	c, now = spent(t, 50, "50")
	call(t, c, now, 200, nil)
	for range 5 {
		now = now.Add(time.Second / 5)
		call(t, c, now, 500, nil)
	}
	c.Expect(45)
	if s := c.Stats(now.Add(time.Second)); s.Reason != aimd.Rate {
		t.Errorf("50 in all, 1 answered, 5 failed, 45 to come: %v, want rate", s)
	}

	c, now = spent(t, 50, "50")
	for range 30 {
		call(t, c, now, 200, nil)
		now = now.Add(300 * time.Millisecond)
	}
	call(t, c, now, 503, header{"Retry-After": {"1"}})
	now = now.Add(c.Stats(now).Gate)
	call(t, c, now, 200, nil)
	c.Expect(45)
	if s := c.Stats(now.Add(time.Second)); s.Reason != aimd.Rate {
		t.Errorf("50 in all, 31 answered before and after a 503, 45 to come: %v, want rate", s)
	}
}

// The estimate uses it.
func TestLearnedWindowEstimate(t *testing.T) {
	c, now := spent(t, 50, "55") // 50 a minute
	if got := c.Estimate(now, 500); got < 9*time.Minute || got > 11*time.Minute {
		t.Errorf("500 at 50 a minute: %v", got)
	}
}

// A decrease does not go far below what was accepted in the last minute, and slow start ends at the
// window it has found.
func TestDecreaseKeepsGoodput(t *testing.T) {
	c, _ := spent(t, 300, "30") // 300 in 60 s
	if s := c.Stats(epoch.Add(31 * time.Second)); s.Rate < 4.9 || s.Rate > 5.1 {
		t.Errorf("slow start ended at %v, want 300 a minute", s)
	}

	c = aimd.NewController(aimd.Config{Jitter: -1, StartRate: 6, MaxRate: 6})
	now := epoch
	for range 600 { // 5 a second
		call(t, c, now, 200, lab.Quota(1, 1000, 60))
		now = now.Add(time.Second / 5)
	}
	call(t, c, now, 429, header{"Retry-After": {"1"}})
	if s := c.Stats(now); s.Rate < 3.9 || s.Rate > 4.1 {
		t.Errorf("%v, want four fifths of the 5/s that were accepted", s)
	}
}

// The vendor's default is begun with, and doubled within a second, until something says no.
func TestColdStart(t *testing.T) {
	c := exact()
	sent, now := 0, epoch
	for now.Before(epoch.Add(2 * time.Second)) {
		wait, ok := c.Acquire(now)
		if !ok {
			now = now.Add(wait)
			continue
		}
		c.OnResponse(now, c.OnSend(now), 200, nil)
		sent++
	}
	if sent < 50 {
		t.Errorf("%d calls in the first 2 s", sent)
	}
	call(t, c, now.Add(time.Second), 429, nil)
	before := c.Stats(now.Add(time.Second)).Rate
	for range 20 {
		now = now.Add(2 * time.Second)
		call(t, c, now, 200, nil)
	}
	if after := c.Stats(now).Rate; after > before+1 {
		t.Errorf("rate %v in the 40 s after a 429, from %v", after, before)
	}
}
