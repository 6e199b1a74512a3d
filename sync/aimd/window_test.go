package aimd_test

import (
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// The steps of a window: requests are sent and answered at whole seconds after the epoch.
func TestWindow(t *testing.T) {
	type answer struct {
		sent, answered int // seconds
		header         header
	}
	for _, tt := range []struct {
		name    string
		answers []answer // in the order in which they arrive
		at      int
		left    int // -1: no window is known
		allowed int
		reset   time.Duration
	}{
		{"the first answer", []answer{{0, 0, lab.Quota(1, 300, 60)}}, 0, 299, 300, 60 * time.Second},
		{"a restart finds what was spent before", []answer{{0, 0, lab.Quota(120, 300, 31)}}, 1, 180, 300, 30 * time.Second},
		{"own requests are counted when sent", []answer{{0, 0, lab.Quota(1, 300, 60)}, {1, 1, nil}, {2, 2, nil}}, 2, 297, 300, 58 * time.Second},
		{"others' requests are noticed", []answer{{0, 0, lab.Quota(1, 300, 60)}, {1, 1, lab.Quota(22, 300, 59)}}, 1, 278, 300, 59 * time.Second},
		{"the end is narrowed down", []answer{{0, 3, lab.Quota(1, 300, 60)}, {4, 4, lab.Quota(2, 300, 57)}}, 5, 298, 300, 56 * time.Second},
		{"and not widened again", []answer{{0, 0, lab.Quota(1, 300, 60)}, {1, 5, lab.Quota(2, 300, 60)}}, 5, 298, 300, 55 * time.Second},
		{"a contradiction keeps the later end", []answer{{0, 0, lab.Quota(1, 300, 60)}, {1, 1, lab.Quota(2, 300, 10)}}, 1, 298, 300, 59 * time.Second},
		{"an old count raises nothing", []answer{{0, 0, lab.Quota(1, 300, 60)}, {2, 3, lab.Quota(9, 300, 58)}, {1, 4, lab.Quota(2, 300, 59)}}, 4, 291, 300, 56 * time.Second},
		{"a new limit applies at once", []answer{{0, 0, lab.Quota(1, 300, 60)}, {1, 1, lab.Quota(2, 60, 59)}}, 1, 58, 60, 59 * time.Second},
		{"upwards too", []answer{{0, 0, lab.Quota(1, 60, 60)}, {1, 1, lab.Quota(2, 300, 59)}}, 1, 298, 300, 59 * time.Second},
		{"even on a response without a count", []answer{{0, 0, lab.Quota(1, 60, 60)}, {1, 1, header{"inin-ratelimit-allowed": {"90"}}}}, 1, 88, 90, 59 * time.Second},
		{"but not from an older request", []answer{{0, 0, lab.Quota(1, 300, 60)}, {2, 3, lab.Quota(2, 60, 58)}, {1, 4, lab.Quota(3, 300, 59)}}, 4, 57, 60, 56 * time.Second},
		{"the next window", []answer{{0, 0, lab.Quota(1, 300, 60)}, {61, 61, lab.Quota(1, 300, 60)}}, 61, 299, 300, 60 * time.Second},
		{"a straggler of the old one is ignored", []answer{{0, 0, lab.Quota(1, 300, 60)}, {61, 61, lab.Quota(1, 300, 60)}, {59, 62, lab.Quota(250, 300, 1)}}, 62, 298, 300, 59 * time.Second},
		{"over and not renewed", []answer{{0, 0, lab.Quota(1, 300, 60)}}, 60, -1, 0, 0},
		{"more counted than allowed, and accepted", []answer{{0, 0, lab.Quota(400, 300, 60)}}, 0, -1, 0, 0},
		{"none allowed, and accepted", []answer{{0, 0, lab.Quota(1, 0, 60)}}, 0, -1, 0, 0},
		{"denied, and ignored for the window", []answer{{0, 0, lab.Quota(1, 0, 60)}, {30, 30, lab.Quota(2, 300, 30)}}, 30, -1, 0, 0},
		{"and no longer", []answer{{0, 0, lab.Quota(1, 0, 60)}, {61, 61, lab.Quota(1, 300, 60)}}, 61, 299, 300, 60 * time.Second},
		{"denied in a window that is known", []answer{{0, 0, lab.Quota(1, 300, 60)}, {1, 1, lab.Quota(301, 300, 59)}}, 1, -1, 0, 0},

		{"the announced end moves, and the count goes on", []answer{{0, 0, lab.Quota(1, 300, 60)}, {1, 1, lab.Quota(2, 300, 60)}, {2, 2, lab.Quota(3, 300, 60)}}, 2, 297, 300, 2 * time.Second},
		{"until the end stays where it is", []answer{
			{0, 0, lab.Quota(1, 300, 60)}, {2, 2, lab.Quota(2, 300, 60)}, {6, 6, lab.Quota(3, 300, 56)}, {9, 9, lab.Quota(4, 300, 53)},
		}, 9, 296, 300, 53 * time.Second},

		{"no headers", []answer{{0, 0, nil}}, 0, -1, 0, 0},
		{"one is missing", []answer{{0, 0, header{"inin-ratelimit-count": {"1"}, "inin-ratelimit-allowed": {"300"}}}}, 0, -1, 0, 0},
		{"garbled", []answer{{0, 0, header{"inin-ratelimit-count": {"one"}, "inin-ratelimit-allowed": {"300"}, "inin-ratelimit-reset": {"60"}}}}, 0, -1, 0, 0},
		{"negative", []answer{{0, 0, header{"inin-ratelimit-count": {"1"}, "inin-ratelimit-allowed": {"-300"}, "inin-ratelimit-reset": {"60"}}}}, 0, -1, 0, 0},
		{"huge", []answer{{0, 0, header{"inin-ratelimit-count": {"1"}, "inin-ratelimit-allowed": {"9999999999"}, "inin-ratelimit-reset": {"60"}}}}, 0, -1, 0, 0},
		{"an epoch instead of seconds", []answer{{0, 0, lab.Quota(1, 300, 1772355677)}}, 0, -1, 0, 0},
		{"upper case", []answer{{0, 0, header{"ININ-RATELIMIT-COUNT": {"1"}, "ININ-RATELIMIT-ALLOWED": {"300"}, "ININ-RATELIMIT-RESET": {"60"}}}}, 0, 299, 300, 60 * time.Second},
		{"duplicated: the most careful", []answer{{0, 0, header{"inin-ratelimit-count": {"5", "7"}, "inin-ratelimit-allowed": {"300, 200"}, "inin-ratelimit-reset": {"30, 60"}}}}, 0, 193, 200, 60 * time.Second},
		{"in two cases", []answer{{0, 0, header{"inin-ratelimit-count": {"5"}, "Inin-Ratelimit-Count": {"7"}, "inin-ratelimit-allowed": {"300"}, "inin-ratelimit-reset": {"60"}}}}, 0, 293, 300, 60 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := exact()
			type moment struct {
				at int
				do func()
			}
			seqs := make([]uint64, len(tt.answers))
			var moments []moment
			for i, a := range tt.answers {
				moments = append(moments,
					moment{2 * a.sent, func() { seqs[i] = c.OnSend(epoch.Add(time.Duration(a.sent) * time.Second)) }},
					moment{2*a.answered + 1, func() {
						c.OnResponse(epoch.Add(time.Duration(a.answered)*time.Second), seqs[i], 200, a.header)
					}})
			}
			for now := 0; len(moments) > 0; now++ {
				rest := moments[:0:0]
				for _, m := range moments {
					if m.at == now {
						m.do()
					} else {
						rest = append(rest, m)
					}
				}
				moments = rest
			}
			s := c.Stats(epoch.Add(time.Duration(tt.at) * time.Second))
			if tt.left == -1 {
				if s.Windowed {
					t.Errorf("believed: %v", s)
				}
				return
			}
			if !s.Windowed || s.Left != tt.left || s.Allowed != tt.allowed || s.Reset != tt.reset {
				t.Errorf("left %d of %d, reset in %v; want %d of %d, %v", s.Left, s.Allowed, s.Reset, tt.left, tt.allowed, tt.reset)
			}
		})
	}
}

// Others are counted, and as many are left room for in the next window: half of it at the most, all of
// it down to what they have used, and nothing if they were few.
func TestOthersAreCounted(t *testing.T) {
	c := exact()
	for i, step := range []struct{ at, count, others, left int }{
		{0, 5, 4, 295}, {1, 6, 4, 294}, {2, 27, 24, 273}, {3, 28, 24, 272},
		{70, 1, 0, 299 - 24}, {71, 4, 2, 296 - 22}, {72, 29, 26, 271},
		{140, 1, 0, 299 - 26},
		{210, 1, 0, 299 - 13}, // an unusually quiet window halves it
		{280, 1, 0, 299 - 7},
		{350, 1, 0, 299}, // below one in fifty they are not noticed
		{351, 250, 248, 50},
		{420, 1, 0, 150 - 1}, // they are left no more than half
	} {
		now := epoch.Add(time.Duration(step.at) * time.Second)
		call(t, c, now, 200, lab.Quota(step.count, 300, 60-step.at%70))
		if s := c.Stats(now); s.Others != step.others || s.Left != step.left {
			t.Errorf("answer %d: %d by others, %d left; want %d, %d", i+1, s.Others, s.Left, step.others, step.left)
		}
	}
}

// Who has not come by the end of a window will not use all that was left to them.
func TestOthersWhoStayAway(t *testing.T) {
	c := exact()
	call(t, c, epoch, 200, lab.Quota(121, 300, 60))
	for _, step := range []struct{ at, count, reset, left int }{
		{70, 1, 60, 299 - 120}, {100, 2, 30, 298 - 120}, {118, 3, 12, 297 - 60}, {124, 4, 6, 296 - 30},
	} {
		now := epoch.Add(time.Duration(step.at) * time.Second)
		call(t, c, now, 200, lab.Quota(step.count, 300, step.reset))
		if s := c.Stats(now); s.Left != step.left {
			t.Errorf("%d s into the window: %d left, want %d", step.at-70, s.Left, step.left)
		}
	}
}

// A server that rounds down is found out by a count that goes on after the end. What it counted before
// was ours.
func TestRoundedDownIsNotOthers(t *testing.T) {
	c := exact()
	for i := range 30 {
		call(t, c, epoch.Add(time.Duration(i)*time.Second), 200, lab.Quota(i+1, 300, 59-i))
	}
	call(t, c, epoch.Add(59*time.Second), 200, lab.Quota(31, 300, 0)) // the window ends at 60 s
	call(t, c, epoch.Add(61*time.Second), 200, lab.Quota(1, 300, 59))
	if s := c.Stats(epoch.Add(61 * time.Second)); s.Others != 0 || s.Left != 299 {
		t.Errorf("%d by others, %d left; want 0, 299", s.Others, s.Left)
	}
}

// Who began to use the token in this window is expected to go on.
func TestOthersTrend(t *testing.T) {
	c := exact()
	call(t, c, epoch, 200, lab.Quota(1, 300, 60))
	call(t, c, epoch.Add(20*time.Second), 200, lab.Quota(32, 300, 40)) // 30 in 20 s: 90 in the window
	if s := c.Stats(epoch.Add(20 * time.Second)); s.Others != 30 || s.Left != 300-32-60 {
		t.Errorf("%d by others, %d left; want 30, %d", s.Others, s.Left, 300-32-60)
	}
}

func TestExhaustedWindowIsWaitedOut(t *testing.T) {
	c := exact()
	call(t, c, epoch, 200, lab.Quota(300, 300, 33))
	now := epoch.Add(time.Second)
	wait, ok := c.Acquire(now)
	if s := c.Stats(now); ok || wait != 32*time.Second || s.Reason != aimd.Exhausted {
		t.Errorf("Acquire says %v, %t; %v", wait, ok, s)
	}
	if s := c.Stats(now.Add(wait)); s.Reason != aimd.Probe {
		t.Errorf("the next window begins with %v", s)
	}
	send(t, c, now.Add(wait))
}

// The reserve is left to others, but one call a window is ours in any case.
func TestReserve(t *testing.T) {
	c := aimd.NewController(aimd.Config{Reserve: 0.25})
	call(t, c, epoch, 200, lab.Quota(1, 300, 60))
	if s := c.Stats(epoch); s.Left != 224 {
		t.Errorf("left %d of 300 with a reserve of a quarter, want 224", s.Left)
	}
	// It is theirs, so what they use of it costs us nothing.
	call(t, c, epoch.Add(time.Second), 200, lab.Quota(42, 300, 59))
	if s := c.Stats(epoch.Add(time.Second)); s.Others != 40 || s.Left != 300-42-(75-40) {
		t.Errorf("left %d with 40 of the reserve used, want %d", s.Left, 300-42-(75-40))
	}
	r := &run{
		p:   aimd.NewPool(1, aimd.Config{Reserve: 0.99}),
		srv: &lab.Fixed{Allowed: 10, Window: time.Minute}, latency: lab.Constant(time.Second), calls: 5,
	}
	if res := r.play(); res.Done != 5 || res.took > 5*time.Minute {
		t.Errorf("%v", res)
	}
}

// Rush is for a rest that fits; whoever has been throttled lately paces.
func TestRush(t *testing.T) {
	for _, tt := range []struct {
		name   string
		expect int
		want   aimd.Reason
	}{
		{"nothing is told", -1, aimd.Paced}, {"nothing to come", 0, aimd.Paced},
		{"fits", 199, aimd.Rush}, {"does not fit", 200, aimd.Paced},
	} {
		c := aimd.NewController(aimd.Config{})
		call(t, c, epoch, 200, lab.Quota(101, 300, 60))
		if tt.expect >= 0 {
			c.Expect(tt.expect)
		}
		if s := c.Stats(epoch); s.Reason != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, s, tt.want)
		}
	}
	for _, tt := range []struct {
		name  string
		first header // the answer before the 429
		want  aimd.Reason
	}{
		{"the headers had promised a budget", lab.Quota(1, 300, 60), aimd.Rate},
		{"the headers had said nothing", nil, aimd.Rush},
	} {
		c := exact()
		call(t, c, epoch, 200, tt.first)
		call(t, c, epoch.Add(time.Second), 429, header{"Retry-After": {"1"}})
		now := epoch.Add(5 * time.Second)
		call(t, c, now, 200, lab.Quota(3, 300, 55))
		c.Expect(50)
		if s := c.Stats(now); s.Reason != tt.want {
			t.Errorf("after a 429, %s: %v, want %s", tt.name, s, tt.want)
		}
	}
}

// A window that is rolling is paced by what it allows, not by what is left of it.
func TestRollingWindow(t *testing.T) {
	c := exact()
	for i := range 100 {
		call(t, c, epoch.Add(time.Duration(i)*time.Second), 200, lab.Quota(min(i+1, 60)*4, 300, 60))
	}
	now := epoch.Add(100 * time.Second)
	if s := c.Stats(now); s.Effective < 4.8 || s.Effective > 5 || !s.Rolling || s.Left != 60 {
		t.Errorf("%v, rolling %t; want 300 a minute", s, s.Rolling)
	}
	if d := c.Estimate(now, 3000); d < 9*time.Minute || d > 11*time.Minute {
		t.Errorf("3,000 requests are estimated to take %v", d)
	}
}
