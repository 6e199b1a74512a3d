package aimd_test

import (
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// What each kind of answer does to an open limiter at 5/s.
func TestOutcomes(t *testing.T) {
	after := func(s string) header { return header{"Retry-After": {s}} }
	for _, tt := range []struct {
		name   string
		status int
		header header
		rate   float64
		gate   time.Duration
		reason aimd.Reason
	}{
		{"200", 200, nil, 5, 0, aimd.Rate},
		{"404 spent quota like any other", 404, nil, 5, 0, aimd.Rate},
		{"409", 409, nil, 5, 0, aimd.Rate},
		{"401", 401, nil, 5, 0, aimd.Rate},
		{"408", 408, nil, 5, 0, aimd.Rate},
		{"no answer", 0, nil, 5, 0, aimd.Rate},
		{"500", 500, nil, 5, 0, aimd.Rate},
		{"500 with Retry-After", 500, after("9"), 5, 0, aimd.Rate},
		{"503", 503, nil, 5, 0, aimd.Rate},
		{"502 with Retry-After", 502, after("9"), 5, 9 * time.Second, aimd.Gate},
		{"503 with Retry-After", 503, after("9"), 5, 9 * time.Second, aimd.Gate},
		{"504 with Retry-After", 504, after("9"), 5, 9 * time.Second, aimd.Gate},
		{"503 far away", 503, after("3600"), 5, time.Hour, aimd.Parked},
		{"429", 429, after("9"), 2.5, 9 * time.Second, aimd.Gate},
		{"429 bare", 429, nil, 2.5, time.Second, aimd.Gate},
		{"429 far away", 429, after("3600"), 2.5, time.Hour, aimd.Parked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, now := open(t, nil)
			call(t, c, now, tt.status, tt.header)
			s := c.Stats(now)
			if s.Rate != tt.rate || s.Gate != tt.gate || s.Reason != tt.reason {
				t.Errorf("rate %v, gate %v, %s; want %v, %v, %s", s.Rate, s.Gate, s.Reason, tt.rate, tt.gate, tt.reason)
			}
			if s.InFlight != 0 || s.Sent != 2 {
				t.Errorf("%d in flight, %d sent", s.InFlight, s.Sent)
			}
		})
	}
}

// The first call, the first after a gate and the first of a window are sent alone, until an answer
// proves that the way is free.
func TestProbe(t *testing.T) {
	for _, tt := range []struct {
		status int
		opens  bool
	}{
		{200, true}, {201, true}, {400, true}, {404, true}, {409, true},
		{0, false}, {401, false}, {408, false}, {500, false}, {503, false},
	} {
		c := exact()
		now := epoch
		seq := send(t, c, now)
		for left := 3 * time.Second; left > 0; left -= time.Second {
			if wait, ok := c.Acquire(now); ok || wait != left {
				t.Fatalf("beside the probe: %v, %t; want to wait for its answer, %v at most", wait, ok, left)
			}
			now = now.Add(time.Second)
		}
		c.OnResponse(now, seq, tt.status, nil)
		send(t, c, now) // the slot is free again, whatever came
		now = now.Add(2 * time.Second)
		if _, ok := c.Acquire(now); ok != tt.opens {
			t.Errorf("after a probe answered %d: open %t, want %t", tt.status, ok, tt.opens)
		}
	}
}

func TestProbeOfAnExhaustedWindowDoesNotShrinkTheRate(t *testing.T) {
	c := exact()
	h := lab.Quota(300, 300, 20)
	h["Retry-After"] = []string{"20"}
	call(t, c, epoch, 429, h)
	if s := c.Stats(epoch); s.Decreases != 0 || s.Rate != 5 || s.Gate != 20*time.Second {
		t.Errorf("%v, %d decreases; somebody else spent the budget", s, s.Decreases)
	}
}

func TestOneDecreasePerEpisode(t *testing.T) {
	c, now := open(t, nil)
	var flights []uint64
	for range 10 {
		flights = append(flights, send(t, c, now))
		now = now.Add(200 * time.Millisecond)
	}
	for _, seq := range flights {
		c.OnResponse(now, seq, 429, header{"Retry-After": {"1"}})
	}
	if s := c.Stats(now); s.Decreases != 1 || s.Rate != 2.5 || s.Throttled != 10 {
		t.Errorf("%v, %d decreases, want one", s, s.Decreases)
	}
}

// A 429 halves what we did, which is less than the rate where the window paced us.
func TestDecreaseFromThePace(t *testing.T) {
	c := exact()
	call(t, c, epoch, 200, lab.Quota(184, 300, 60)) // 116 left: 2 a second
	now := epoch.Add(time.Second)
	call(t, c, now, 429, nil)
	if s := c.Stats(now); s.Rate < 0.9 || s.Rate > 1.1 {
		t.Errorf("rate %.2f after a 429 at a pace of 2/s", s.Rate)
	}
}

// The good news of a request sent before the decrease is old news.
func TestStragglersDoNotRaiseTheRate(t *testing.T) {
	c, now := open(t, nil)
	send(t, c, now)
	wait, _ := c.Acquire(now)
	now = now.Add(wait)
	second := send(t, c, now) // held back by the rate, so its success would count
	c.OnResponse(now, second-1, 429, nil)
	c.OnResponse(now.Add(time.Second), second, 200, nil)
	if s := c.Stats(now.Add(time.Second)); s.Rate != 2.5 {
		t.Errorf("rate %v, want 2.5", s.Rate)
	}
}

func TestExpectCounts(t *testing.T) {
	c, now := open(t, nil)
	c.Expect(3)
	for i, step := range []struct{ status, expected int }{{200, 2}, {429, 2}, {200, 1}, {500, 0}, {200, 0}} {
		call(t, c, now, step.status, nil)
		if s := c.Stats(now); s.Expected != step.expected {
			t.Errorf("after answer %d, a %d: %d expected, want %d", i+1, step.status, s.Expected, step.expected)
		}
		now = now.Add(10 * time.Second)
	}
	c.Expect(-1)
	if s := c.Stats(now); s.Expected != 0 {
		t.Errorf("%d expected, want 0", s.Expected)
	}
}

// Even endless throttling leaves a pace.
func TestRateStaysAboveMinimum(t *testing.T) {
	c, now := open(t, nil)
	for range 20 {
		call(t, c, now, 429, nil)
		now = now.Add(c.Stats(now).Gate + 2*time.Second) // the probe keeps the pace too
		call(t, c, now, 200, nil)
		now = now.Add(10 * time.Second)
	}
	if s := c.Stats(now); s.Rate < aimd.DefaultMinRate || s.Rate > aimd.DefaultMinRate+1 {
		t.Errorf("rate %v after 20 episodes", s.Rate)
	}
}

// The rate grows with time while it holds us back, and not otherwise.
func TestGrowth(t *testing.T) {
	grow := func(hungry bool) float64 {
		c, now := open(t, nil)
		call(t, c, now, 429, nil)
		end := now.Add(2 * time.Minute)
		for now.Before(end) {
			wait, ok := c.Acquire(now)
			if ok {
				c.OnResponse(now, c.OnSend(now), 200, nil)
				if !hungry {
					now = now.Add(time.Second)
				}
				continue
			}
			now = now.Add(wait)
		}
		return c.Stats(now).Rate
	}
	// 2.5 + 0.02 x (t + t^2/60) up to 5/s, at 68 s, and then exponentially, by 0.004 x (1 + t/30)
	if got := grow(true); got < 11.5 || got > 13.5 {
		t.Errorf("rate %.2f two minutes after the decrease, want about 12.5", got)
	}
	if got := grow(false); got != 2.5 {
		t.Errorf("rate %.2f, want 2.5: it held nobody back", got)
	}
}

// A probe that hangs is given 3 s: then a second one is sent, and no third.
func TestProbeThatHangs(t *testing.T) {
	c := exact()
	first := send(t, c, epoch)
	now := epoch.Add(3 * time.Second)
	if wait, ok := c.Acquire(now.Add(-time.Millisecond)); ok || wait != time.Millisecond {
		t.Errorf("before: %v, %t", wait, ok)
	}
	second := send(t, c, now)
	now = now.Add(time.Minute)
	if wait, ok := c.Acquire(now); ok || wait != 0 || c.Stats(now).Reason != aimd.Probe {
		t.Errorf("a third probe: %v, %t, %v", wait, ok, c.Stats(now))
	}
	c.OnResponse(now, second, 0, nil)
	if wait, ok := c.Acquire(now); ok != true || wait != 0 {
		t.Errorf("in place of the second: %v, %t", wait, ok)
	}
	c.OnResponse(now, first, 200, nil)
	for range 2 {
		now = now.Add(time.Second)
		send(t, c, now)
	}
}

func TestCancelIsNoAnswer(t *testing.T) {
	c := exact()
	seq := send(t, c, epoch)
	c.Cancel(epoch, seq, 0)
	if s := c.Stats(epoch); s.InFlight != 0 || s.Cancelled != 1 || s.Reason != aimd.Probe {
		t.Errorf("after a cancelled probe: %v", s)
	}
	now := epoch.Add(time.Second)
	call(t, c, now, 200, lab.Quota(1, 300, 60))
	c.Expect(100)
	seq = send(t, c, now.Add(time.Second))
	c.Cancel(now.Add(time.Second), seq, 0)
	c.Cancel(now.Add(time.Second), seq, 0)
	if s := c.Stats(now.Add(time.Second)); s.Left != 299 || s.Expected != 100 || s.Cancelled != 2 {
		t.Errorf("left %d, expected %d, cancelled %d; want 299, 100, 2", s.Left, s.Expected, s.Cancelled)
	}
}

func TestAnswersCountOnce(t *testing.T) {
	c, now := open(t, nil)
	seq := send(t, c, now)
	before := c.Stats(now)
	c.OnResponse(now, seq+7, 429, nil)
	if after := c.Stats(now); after != before {
		t.Errorf("an answer to nothing changed\n%v to\n%v", before, after)
	}
	c.OnResponse(now, seq, 200, nil)
	before = c.Stats(now)
	c.OnResponse(now, seq, 429, nil)
	if after := c.Stats(now); after != before {
		t.Errorf("a second answer changed\n%v to\n%v", before, after)
	}
}

func TestInFlightCap(t *testing.T) {
	c := aimd.NewController(aimd.Config{MaxInFlight: 3})
	call(t, c, epoch, 200, nil)
	now := epoch
	var last uint64
	for range 3 {
		now = now.Add(time.Second)
		last = send(t, c, now)
	}
	now = now.Add(time.Minute)
	if wait, ok := c.Acquire(now); ok || wait != 0 || c.Stats(now).Reason != aimd.InFlight {
		t.Errorf("a fourth request: %v, %t, %v", wait, ok, c.Stats(now))
	}
	c.OnResponse(now, last, 0, nil)
	send(t, c, now)
}

func TestConfigDefaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  aimd.Config
		rate float64
	}{
		{"zero", aimd.Config{}, 5},
		{"negative", aimd.Config{StartRate: -1, MinRate: -1, MaxRate: -1, MaxInFlight: -1}, 5},
		{"below the minimum", aimd.Config{StartRate: 0.1}, 0.5},
		{"above the maximum", aimd.Config{MaxRate: 2}, 2},
		{"maximum below the minimum", aimd.Config{MaxRate: 0.1}, 0.1},
	} {
		c := aimd.NewController(tt.cfg)
		if got := c.Stats(epoch).Rate; got != tt.rate {
			t.Errorf("%s: rate %v, want %v", tt.name, got, tt.rate)
		}
		call(t, c, epoch, 200, nil)
	}
}

// send sends one request and leaves it in flight.
func send(t *testing.T, c *aimd.Controller, now time.Time) uint64 {
	t.Helper()
	if _, ok := c.Acquire(now); !ok {
		t.Fatalf("not allowed to send: %v", c.Stats(now))
	}
	return c.OnSend(now)
}
