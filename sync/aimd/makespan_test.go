package aimd_test

import (
	"fmt"
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// The clocks, windows and latencies that a server may have: none of them costs a 429, or much time. The
// targets for whole servers are tested in package lab.
func TestMakespan(t *testing.T) {
	for name, srv := range map[string]lab.Fixed{"ceil": {}, "aligned": {Aligned: true}, "floor": {Floor: true}} {
		for _, latency := range []time.Duration{30 * time.Millisecond, 200 * time.Millisecond} {
			t.Run(fmt.Sprint(name, "/", latency), func(t *testing.T) {
				srv := srv
				srv.Allowed, srv.Window = 300, time.Minute
				r := &run{p: pool(1), srv: &srv, latency: lab.Constant(latency), calls: 5000}
				res := r.play()
				most := 0
				if srv.Floor {
					most = 1 // the one that teaches it
				}
				if res.Throttled > most {
					t.Errorf("%d times 429, want at most %d", res.Throttled, most)
				}
				if took := res.took; took > 980*time.Second {
					t.Errorf("took %v, want at most 960 s and a few to begin with", took)
				}
				for i, hits := range srv.Hits[:len(srv.Hits)-1] {
					if hits < 291 && (i > 0 || !srv.Aligned) {
						t.Errorf("window %d: %d of 300 requests used", i, hits)
					}
				}
			})
		}
	}
}

// A sequential loop that honours Retry-After needs 67.8 s for this; 200 requests in ten at a time make
// the bound 60.6 s.
func TestFiveHundredCallsAtThirtyMilliseconds(t *testing.T) {
	for _, bare := range []bool{false, true} {
		r := &run{
			p: pool(1), srv: &lab.Fixed{Allowed: 300, Window: time.Minute, Bare: bare},
			latency: lab.Constant(30 * time.Millisecond), calls: 500,
		}
		res := r.play()
		t.Logf("without headers %t: %v, %d times 429", bare, res.took, res.Throttled)
		if res.took > 64*time.Second || res.Throttled > 5 || !bare && res.Throttled > 0 {
			t.Errorf("without headers %t: %v, %d times 429", bare, res.took, res.Throttled)
		}
	}
}

// What fits into one window is not paced: slow start takes a second or two, the rest goes at the highest rate.
func TestMakespanWithinAWindow(t *testing.T) {
	for calls, most := range map[int]time.Duration{100: 2 * time.Second, 300: 4 * time.Second} {
		for name, srv := range map[string]lab.Fixed{"ceil": {}, "aligned": {Aligned: true}, "floor": {Floor: true}} {
			srv.Allowed, srv.Window = 300, time.Minute
			r := &run{p: pool(1), srv: &srv, latency: lab.Constant(30 * time.Millisecond), calls: calls}
			if res := r.play(); res.took > most || res.Throttled > 0 {
				t.Errorf("%s: %d calls took %v with %d answers 429, want at most %v and none", name, calls, res.took, res.Throttled, most)
			}
		}
	}
}

// What the bar shows must be near what then happens.
func TestEstimate(t *testing.T) {
	for _, n := range []int{50, 250, 400, 1000, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := &run{p: pool(1), srv: lab.PerMinute(300), latency: lab.Constant(100 * time.Millisecond), calls: n}
			var estimate time.Duration
			var at time.Time
			r.answered = func(now time.Time, seq uint64, _ int, _, _ aimd.Stats) {
				if seq == 1 {
					at, estimate = now, r.p.Estimate(now, n-1)
				}
			}
			took := epoch.Add(r.play().took).Sub(at)
			if ratio := estimate.Seconds() / took.Seconds(); ratio < 0.85 || ratio > 1.15 {
				t.Errorf("estimate %v, took %v", estimate, took)
			}
		})
	}
	slow := aimd.NewController(aimd.Config{MaxRate: 4})
	call(t, slow, epoch, 200, lab.Quota(1, 300, 60))
	for _, n := range []int{299, 500, 1000} {
		if got, least := slow.Estimate(epoch, n), time.Duration(n)*time.Second/4; got < least || got > least*11/10 {
			t.Errorf("%d calls at 4/s: %v", n, got)
		}
	}
	c := aimd.NewController(aimd.Config{})
	if got := c.Estimate(epoch, 0); got != 0 {
		t.Errorf("estimate of nothing: %v", got)
	}
	if got := c.Estimate(epoch, 50); got != 10*time.Second {
		t.Errorf("estimate of 50 calls at 5/s: %v", got)
	}
}
