package aimd_test

import (
	"errors"
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// exact is a controller without jitter.
func exact() *aimd.Controller { return aimd.NewController(aimd.Config{Jitter: -1}) }

// open is a controller whose first probe has been accepted, and the time after it.
func open(t *testing.T, h header) (*aimd.Controller, time.Time) {
	t.Helper()
	c := exact()
	call(t, c, epoch, 200, h)
	return c, epoch.Add(time.Second)
}

// call makes one request that is answered at once.
func call(t *testing.T, c *aimd.Controller, now time.Time, status int, h header) {
	t.Helper()
	if _, ok := c.Acquire(now); !ok {
		t.Fatalf("not allowed to send: %v", c.Stats(now))
	}
	c.OnResponse(now, c.OnSend(now), status, h)
}

func TestRetryAfter(t *testing.T) {
	const (
		imf = "Sun, 01 Mar 2026 09:01:00 GMT" // 43 s after the epoch, 42 s after the call
		old = "Sunday, 01-Mar-26 09:01:00 GMT"
		asc = "Sun Mar  1 09:01:00 2026"
	)
	for _, tt := range []struct {
		name   string
		header header
		gate   time.Duration
		parked bool
	}{
		{"seconds", header{"Retry-After": {"42"}}, 42 * time.Second, false},
		{"lower case", header{"retry-after": {"42"}}, 42 * time.Second, false},
		{"spaces", header{"Retry-After": {" 42 "}}, 42 * time.Second, false},
		{"zero", header{"Retry-After": {"0"}}, 250 * time.Millisecond, false},
		{"float", header{"Retry-After": {"1.5"}}, 1500 * time.Millisecond, false},
		{"the longest of several", header{"Retry-After": {"7", "junk", "9", "8"}}, 9 * time.Second, false},
		{"at the cap", header{"Retry-After": {"600"}}, 10 * time.Minute, false},
		{"over the cap", header{"Retry-After": {"601"}}, 601 * time.Second, true},
		{"huge", header{"Retry-After": {"99999999999999999999999"}}, 24 * time.Hour, true},

		{"absent", nil, time.Second, false},
		{"empty", header{"Retry-After": {""}}, time.Second, false},
		{"no value", header{"Retry-After": {}}, time.Second, false},
		{"negative", header{"Retry-After": {"-5"}}, time.Second, false},
		{"exponent", header{"Retry-After": {"1e3"}}, time.Second, false},
		{"not a number", header{"Retry-After": {"NaN"}}, time.Second, false},
		{"dot", header{"Retry-After": {"."}}, time.Second, false},
		{"garbage", header{"Retry-After": {"soon"}}, time.Second, false},

		{"IMF-fixdate", header{"Retry-After": {imf}}, 42 * time.Second, false},
		{"RFC 850", header{"Retry-After": {old}}, 42 * time.Second, false},
		{"asctime", header{"Retry-After": {asc}}, 42 * time.Second, false},
		{"the server's clock is 10 s ahead", header{"Retry-After": {imf}, "Date": {"Sun, 01 Mar 2026 09:00:28 GMT"}}, 32 * time.Second, false},
		{"the server's clock is an hour behind", header{"Retry-After": {"Sun, 01 Mar 2026 08:01:00 GMT"}, "date": {"Sun Mar  1 08:00:30 2026"}}, 30 * time.Second, false},
		{"a Date that is no date", header{"Retry-After": {imf}, "Date": {"today"}}, 42 * time.Second, false},
		{"a date in the past", header{"Retry-After": {"Sun, 01 Mar 2026 08:01:00 GMT"}}, 250 * time.Millisecond, false},
		{"a date next year", header{"Retry-After": {"Mon, 01 Mar 2027 09:01:00 GMT"}}, 24 * time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, now := open(t, nil)
			call(t, c, now, 429, tt.header)
			s := c.Stats(now)
			if s.Gate != tt.gate {
				t.Errorf("gate %v, want %v", s.Gate, tt.gate)
			}
			probe := min(tt.gate, time.Hour) // a parked limiter sends one probe an hour
			wait, ok := c.Acquire(now)
			if ok || wait != probe {
				t.Errorf("Acquire says %v, %t", wait, ok)
			}
			if until, parked := c.Parked(now); parked != tt.parked || !until.Equal(now.Add(probe)) {
				t.Errorf("parked %t until %v", parked, until)
			}
			if _, parked := c.Parked(now.Add(tt.gate)); parked {
				t.Error("still parked when the pause is over")
			}
			if _, ok := c.Acquire(now.Add(tt.gate)); !ok {
				t.Error("no probe when the pause is over")
			}
		})
	}
}

func TestGateNeverShortens(t *testing.T) {
	c, now := open(t, nil)
	var seqs []uint64
	for range 3 {
		now = now.Add(time.Second)
		if _, ok := c.Acquire(now); !ok {
			t.Fatal("not allowed to send")
		}
		seqs = append(seqs, c.OnSend(now))
	}
	for i, step := range []struct {
		retryAfter string
		want       time.Duration
	}{{"30", 30 * time.Second}, {"5", 30 * time.Second}, {"40", 40 * time.Second}} {
		c.OnResponse(now, seqs[i], 429, header{"Retry-After": {step.retryAfter}})
		if s := c.Stats(now); s.Gate != step.want || s.Decreases != 1 {
			t.Errorf("after Retry-After %s: gate %v, want %v; %d decreases, want 1", step.retryAfter, s.Gate, step.want, s.Decreases)
		}
	}
}

// Without a Retry-After, or when honouring it does not help, the pauses double.
func TestGateBacksOff(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header header
		want   []float64 // seconds
	}{
		{"bare", nil, []float64{1, 2, 4, 8, 16, 32, 60, 60}},
		{"with Retry-After", header{"Retry-After": {"3"}}, []float64{3, 3, 3, 4, 8, 16, 32, 60}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, now := open(t, nil)
			for i, want := range tt.want {
				call(t, c, now, 429, tt.header)
				s := c.Stats(now)
				if s.Gate.Seconds() != want {
					t.Errorf("pause %d is %v, want %v s", i+1, s.Gate, want)
				}
				if s.Rate != 2.5 || s.Decreases != 1 {
					t.Errorf("after %d times 429: %v, want one decrease to 2.5/s", i+1, s)
				}
				now = now.Add(s.Gate)
			}
			call(t, c, now, 200, nil)
			now = now.Add(time.Second)
			call(t, c, now, 429, nil)
			if s := c.Stats(now); s.Gate != time.Second || s.Rate > 1.3 {
				t.Errorf("a new episode begins with %v at rate %v", s.Gate, s.Rate)
			}
		})
	}
}

// A park ends with its gate, also if nobody asked in between.
func TestParkEnds(t *testing.T) {
	c, now := open(t, nil)
	first := send(t, c, now)
	now = now.Add(time.Second)
	second := send(t, c, now)
	c.OnResponse(now, first, 429, header{"Retry-After": {"601"}})
	now = now.Add(700 * time.Second)
	c.OnResponse(now, second, 429, header{"Retry-After": {"5"}})
	if _, parked := c.Parked(now); parked {
		t.Errorf("parked by five seconds: %v", c.Stats(now))
	}
}

// Nothing but 429 for longer than the cap is not waited out.
func TestGateParksWhenNothingHelps(t *testing.T) {
	c, now := open(t, nil)
	begin := now
	for {
		call(t, c, now, 429, nil)
		until, parked := c.Parked(now)
		if parked {
			break
		}
		if now.Sub(begin) > 2*aimd.RetryAfterCap {
			t.Fatalf("not parked after %v", now.Sub(begin))
		}
		now = until
	}
	if now.Sub(begin) < aimd.RetryAfterCap {
		t.Errorf("parked after %v already", now.Sub(begin))
	}
	until, _ := c.Parked(now)
	call(t, c, until, 200, nil)
	if _, ok := c.Acquire(until.Add(time.Second)); !ok {
		t.Error("not open after an accepted probe")
	}
}

func TestGateJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for seed := range uint64(20) {
		c := aimd.NewController(aimd.Config{Rand: lab.Seeded(seed)})
		call(t, c, epoch, 429, header{"Retry-After": {"7"}})
		gate := c.Stats(epoch).Gate
		if gate < 7*time.Second || gate >= 7*time.Second+aimd.DefaultJitter {
			t.Errorf("seed %d: gate %v", seed, gate)
		}
		seen[gate] = true
	}
	if len(seen) < 15 {
		t.Errorf("%d different pauses of 20", len(seen))
	}
}

func TestParkedError(t *testing.T) {
	var err error = &aimd.ParkedError{Until: epoch}
	if !errors.Is(err, aimd.ErrParked) {
		t.Error("not an ErrParked")
	}
	if want := "the API asks for a pause that is too long to wait for: no request before 2026-03-01T09:00:17Z"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

// A gate that shuts while a probe is away has a probe of its own.
func TestProbeAfterEveryGate(t *testing.T) {
	c, now := open(t, nil)
	a := send(t, c, now)
	now = now.Add(time.Second)
	b := send(t, c, now)
	c.OnResponse(now, a, 429, header{"Retry-After": {"1"}})
	now = now.Add(3 * time.Second)
	probe := send(t, c, now)
	c.OnResponse(now, b, 429, header{"Retry-After": {"30"}})
	c.OnResponse(now, probe, 200, nil)
	if s := c.Stats(now.Add(31 * time.Second)); s.Reason != aimd.Probe {
		t.Errorf("after the gate: %v, want a probe", s)
	}
}

// A 429 that says itself that the window is spent does not contradict the headers.
func TestExplained429IsNoContradiction(t *testing.T) {
	for _, tt := range []struct {
		count int
		want  aimd.Reason
	}{{300, aimd.Rush}, {200, aimd.Paced}} {
		c := exact()
		call(t, c, epoch, 200, lab.Quota(1, 300, 60))
		h := lab.Quota(tt.count, 300, 59)
		h["Retry-After"] = []string{"59"}
		now := epoch.Add(time.Second)
		call(t, c, now, 429, h)
		now = now.Add(c.Stats(now).Gate + time.Second)
		call(t, c, now, 200, lab.Quota(1, 300, 60))
		c.Expect(100)
		if s := c.Stats(now.Add(time.Second)); (s.Reason == aimd.Rush) != (tt.want == aimd.Rush) {
			t.Errorf("a 429 with %d of 300 used: %v, want %s", tt.count, s, tt.want)
		}
	}
}
