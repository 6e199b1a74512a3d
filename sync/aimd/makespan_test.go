package aimd_test

import (
	"fmt"
	"testing"
	"time"

	"usersyncd/sync/aimd"
)

// bound is the time that a scheduler needs which knows the server: whole windows, and then the rest
// as fast as the cap on requests in flight and the highest rate allow.
func bound(calls, allowed int, window, latency time.Duration) time.Duration {
	full := (calls - 1) / allowed
	rest := calls - full*allowed
	each := max(latency/aimd.DefaultMaxInFlight, time.Duration(float64(time.Second)/aimd.DefaultMaxRate))
	return time.Duration(full)*window + time.Duration(rest-1)*each + latency
}

func TestMakespan(t *testing.T) {
	type variant struct {
		name      string
		srv       fixedWindow
		throttled int
	}
	variants := []variant{
		{"ceil", fixedWindow{}, 0},
		{"aligned", fixedWindow{aligned: true}, 0},
		{"floor", fixedWindow{floor: true}, 1}, // the one that teaches it
	}
	latencies := map[string]func() (time.Duration, func() time.Duration){
		"30ms": func() (time.Duration, func() time.Duration) {
			return 30 * time.Millisecond, constant(30 * time.Millisecond)
		},
		"~200ms": func() (time.Duration, func() time.Duration) {
			return 200 * time.Millisecond, logNormal(seeded(7), 170*time.Millisecond)
		},
	}
	// Slow start needs about 2 s to reach the highest rate, and the windows' ends are known to a
	// fraction of a second: that is what the ratio allows for.
	for n, ratio := range map[int]float64{100: 2, 300: 1.4, 500: 1.05, 5000: 1.02} {
		for _, v := range variants {
			for name, latency := range latencies {
				t.Run(fmt.Sprintf("%d/%s/%s", n, v.name, name), func(t *testing.T) {
					srv := v.srv
					srv.allowed, srv.window = 300, time.Minute
					mean, draw := latency()
					r := &run{c: aimd.NewController(aimd.Config{Rand: seeded(1)}), srv: &srv, latency: draw, calls: n}
					res := r.play()
					want := bound(n, 300, time.Minute, mean)
					t.Logf("%v; bound %.2fs, ratio %.3f", res, want.Seconds(), res.took.Seconds()/want.Seconds())
					if res.throttled > v.throttled {
						t.Errorf("%d times 429, want at most %d", res.throttled, v.throttled)
					}
					if res.took > time.Duration(float64(want)*ratio) {
						t.Errorf("took %v, want at most %.2f x %v", res.took, ratio, want)
					}
					for i, hits := range srv.hits[:len(srv.hits)-1] {
						if hits < 291 && !srv.aligned {
							t.Errorf("window %d: %d of 300 requests used", i, hits)
						}
					}
				})
			}
		}
	}
}

// A sequential loop that honours Retry-After needs 67.8 s for this.
func TestFiveHundredCallsInSixtyFiveSeconds(t *testing.T) {
	r := &run{
		c:   aimd.NewController(aimd.Config{Rand: seeded(1)}),
		srv: &fixedWindow{allowed: 300, window: time.Minute}, latency: constant(30 * time.Millisecond), calls: 500,
	}
	if res := r.play(); res.took > 65*time.Second || res.throttled > 0 {
		t.Errorf("%v, want at most 65 s without a 429", res)
	}
}

// Without headers the limiter must find the limit by itself.
func TestMakespanWithoutHeaders(t *testing.T) {
	servers := map[string]func() server{
		"fixed":        func() server { return &fixedWindow{allowed: 300, window: time.Minute, bare: true} },
		"fixed, no RA": func() server { return &fixedWindow{allowed: 300, window: time.Minute, bare: true, noRetryAfter: true} },
		"sliding":      func() server { return &slidingWindow{allowed: 300, window: time.Minute} },
		"bucket":       func() server { return &bucket{rate: 5, burst: 20} },
	}
	for name, srv := range servers {
		t.Run(name, func(t *testing.T) {
			r := &run{c: aimd.NewController(aimd.Config{Rand: seeded(1)}), srv: srv(), latency: logNormal(seeded(2), 90*time.Millisecond), calls: 5000}
			res := r.play()
			want := bound(5000, 300, time.Minute, 200*time.Millisecond)
			t.Logf("%v; bound %.0fs, ratio %.3f", res, want.Seconds(), res.took.Seconds()/want.Seconds())
			if res.took > want*5/4 {
				t.Errorf("took %v, want at most 1.25 x %v", res.took, want)
			}
			if res.throttled > res.sent*15/1000 {
				t.Errorf("%d of %d calls were answered 429, want at most 1.5 %%", res.throttled, res.sent)
			}
		})
	}
}

// What the bar shows must be near what then happens.
func TestEstimate(t *testing.T) {
	for _, n := range []int{50, 250, 400, 1000, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := &run{
				c:   aimd.NewController(aimd.Config{Rand: seeded(1)}),
				srv: &fixedWindow{allowed: 300, window: time.Minute}, latency: constant(100 * time.Millisecond), calls: n,
			}
			var estimate time.Duration
			var at time.Time
			r.answered = func(now time.Time, seq uint64, _ int, _, _ aimd.Stats) {
				if seq == 1 {
					at, estimate = now, r.c.Estimate(now, n-1)
				}
			}
			took := epoch.Add(r.play().took).Sub(at)
			if ratio := estimate.Seconds() / took.Seconds(); ratio < 0.85 || ratio > 1.15 {
				t.Errorf("estimate %v, took %v", estimate, took)
			}
		})
	}
	c := aimd.NewController(aimd.Config{})
	if got := c.Estimate(epoch, 0); got != 0 {
		t.Errorf("estimate of nothing: %v", got)
	}
	if got := c.Estimate(epoch, 50); got != 10*time.Second {
		t.Errorf("estimate of 50 calls at 5/s: %v", got)
	}
}
