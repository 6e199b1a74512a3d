package aimd_test

import (
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// crowd sends until n requests are in flight, in a window of the headers, and returns the last and when it was sent.
func crowd(t *testing.T, c *aimd.Controller, now time.Time, n int) (flights []uint64, at time.Time) {
	t.Helper()
	for c.Stats(now).InFlight < n {
		if wait, ok := c.Acquire(now); !ok {
			now = now.Add(wait)
			if _, ok = c.Acquire(now); !ok {
				t.Fatalf("not allowed to send: %v", c.Stats(now))
			}
		}
		flights = append(flights, c.OnSend(now))
	}
	return flights, now
}

// windowed is a controller at the beginning of a window with many requests, all of which fit.
func windowed(t *testing.T) (*aimd.Controller, time.Time) {
	t.Helper()
	c := exact()
	c.Expect(50_000)
	call(t, c, epoch, 200, lab.Quota(1, 100_000, 600))
	return c, epoch.Add(time.Second)
}

// The first 429 with quota left, beside more than two others, lowers how many are in flight, and not the rate.
func TestThrottledBesideMany(t *testing.T) {
	c, now := windowed(t)
	flights, now := crowd(t, c, now, 8)
	before := c.Stats(now)
	c.OnResponse(now, flights[7], 429, header{"Retry-After": {"1"}})
	c.OnResponse(now, flights[6], 429, header{"Retry-After": {"1"}}) // the same episode
	for _, seq := range flights[:6] {
		c.OnResponse(now, seq, 200, nil)
	}
	if s := c.Stats(now); s.Decreases != 0 || s.Rate < before.Rate {
		t.Errorf("the rate was cut: %v, before %v", s, before)
	}
	now = now.Add(time.Second)
	call(t, c, now, 200, nil)
	if _, now = crowd(t, c, now.Add(time.Second), 4); c.Stats(now).Reason != aimd.InFlight {
		t.Errorf("%v, want four in flight at most", c.Stats(now))
	}
}

// Another one at no more in flight than that, soon, is one of the rate: it is cut, and as many may be in flight as before.
func TestThrottledBesideFewer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		beside int
		later  time.Duration // after the gate
		cuts   uint64
	}{
		{"soon", 3, 9 * time.Second, 1},
		{"alone", 1, 9 * time.Second, 1},
		{"late", 3, 11 * time.Second, 0},
		{"late, with nobody else in flight", 1, 11 * time.Second, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, now := windowed(t)
			flights, now := crowd(t, c, now, 8)
			for i, seq := range flights {
				status := 200
				if i == 7 {
					status = 429
				}
				c.OnResponse(now, seq, status, header{"Retry-After": {"1"}})
			}
			call(t, c, now.Add(time.Second), 200, nil)
			now = now.Add(time.Second + tt.later)
			flights, now = crowd(t, c, now, tt.beside)
			c.OnResponse(now, flights[len(flights)-1], 429, header{"Retry-After": {"1"}})
			if s := c.Stats(now); s.Decreases != tt.cuts {
				t.Errorf("the rate was cut %d times, want %d: %v", s.Decreases, tt.cuts, s)
			}
			for _, seq := range flights[:len(flights)-1] {
				c.OnResponse(now, seq, 200, nil)
			}
			call(t, c, now.Add(time.Second), 200, nil)
			want := 10
			if tt.cuts == 0 {
				want = 1
			}
			if _, now = crowd(t, c, now.Add(10*time.Second), want); c.Stats(now).Reason != aimd.InFlight {
				t.Errorf("%v, want %d in flight at most", c.Stats(now), want)
			}
		})
	}
}

// One more may be in flight after every 20 accepted beside as many as are allowed; 200 if so many were refused before.
func TestInFlightGrows(t *testing.T) {
	c, now := windowed(t)
	flights, now := crowd(t, c, now, 6)
	for i, seq := range flights {
		status := 200
		if i == 5 {
			status = 429
		}
		c.OnResponse(now, seq, status, header{"Retry-After": {"1"}})
	}
	now = now.Add(time.Second)
	call(t, c, now, 200, nil)
	grow := func(rounds int) {
		for range rounds {
			var flights []uint64
			for ok := true; ok; {
				now = now.Add(100 * time.Millisecond)
				if _, ok = c.Acquire(now); ok {
					flights = append(flights, c.OnSend(now))
				}
			}
			for _, seq := range flights {
				c.OnResponse(now, seq, 200, nil)
			}
		}
	}
	for _, step := range []struct{ rounds, want int }{{19, 3}, {1, 4}, {20, 5}, {199, 5}, {1, 6}} {
		grow(step.rounds)
		flights, at := crowd(t, c, now.Add(time.Second), step.want)
		if now = at; c.Stats(now).Reason != aimd.InFlight {
			t.Fatalf("after %d more: %v, want %d in flight at most", step.rounds, c.Stats(now), step.want)
		}
		for _, seq := range flights {
			c.OnResponse(now, seq, 0, nil)
		}
	}
}

// Distrust of the headers begins with 10 s, and doubles up to ten minutes.
func TestDistrustDoubles(t *testing.T) {
	c, now, count := exact(), epoch, 0
	accept := func() {
		t.Helper()
		gone := int(now.Sub(epoch).Seconds())
		if count++; gone/60 != int(now.Add(-5*time.Second).Sub(epoch).Seconds())/60 {
			count = 1
		}
		call(t, c, now, 200, lab.Quota(count, 1000, 60-gone%60))
	}
	accept()
	for _, seconds := range []int{10, 20, 40, 80, 160, 320, 600, 600} {
		want := time.Duration(seconds) * time.Second
		now = now.Add(5 * time.Second)
		accept()
		now = now.Add(5 * time.Second)
		call(t, c, now, 429, header{"Retry-After": {"5"}})
		now = now.Add(5 * time.Second)
		for end := now.Add(want); now.Before(end); now = now.Add(5 * time.Second) {
			accept()
			c.Expect(500)
			if s := c.Stats(now); s.Reason == aimd.Rush {
				t.Fatalf("%v before the end of %v: %v", end.Sub(now), want, s)
			}
		}
		accept()
		c.Expect(500)
		if s := c.Stats(now); s.Reason != aimd.Rush {
			t.Fatalf("after %v: %v, want trust", want, s)
		}
	}
}

// The first 429 of the rate cuts the speed that slow start had reached, not the rate from before slow start.
func TestThrottledAfterSlowStart(t *testing.T) {
	c, now := windowed(t)
	for range 40 {
		flights, at := crowd(t, c, now, 1)
		now = at.Add(10 * time.Millisecond)
		c.OnResponse(now, flights[0], 200, nil)
	}
	flights, now := crowd(t, c, now, 1)
	before := c.Stats(now).Rate
	c.OnResponse(now, flights[0], 429, header{"Retry-After": {"1"}})
	if after := c.Stats(now).Rate; before < 50 || after < before/2 || after > before*0.9 {
		t.Errorf("cut from %.1f to %.1f", before, after)
	}
}
