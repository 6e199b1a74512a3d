package aimd_test

import (
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// For two hours the limit is a fifth of what it was; the cut comes in the middle of a window.
func TestLimitCutAndRestored(t *testing.T) {
	const before, cut, after = 10*time.Minute + 30*time.Second, 2 * time.Hour, 20 * time.Minute
	const end = before + cut + after
	for _, tt := range []struct {
		name                string
		bare                bool
		throttled           int     // at most, in all
		use, cutUse, regain float64 // of the quota, at least: before, during, and in the minutes 2 to 4 after
	}{
		{"headers", false, 10, 0.97, 0.97, 0.97},
		{"bare", true, 200, 0.95, 0.95, 0.95},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := &lab.Fixed{Allowed: 300, Window: time.Minute, Bare: tt.bare}
			r := &run{
				p: pool(1), srv: srv, latency: lab.LogNormal(lab.Seeded(2), 90*time.Millisecond), calls: 1_000_000, limit: end,
				onTime: map[time.Duration]func(){
					before:       func() { srv.Allowed = 60 },
					before + cut: func() { srv.Allowed = 300 },
				},
			}
			storm := 0
			r.answered = func(now time.Time, _ uint64, status int, _, after aimd.Stats) {
				if status == 429 {
					storm++
				}
				if status == 200 {
					storm = 0
				}
				if storm > 12 {
					t.Fatalf("%v: %d times 429 in a row: %v", now.Sub(epoch), storm, after)
				}
			}
			res := r.play()
			used := func(from, to time.Duration, allowed int) float64 {
				n := 0
				for _, at := range res.DoneAt {
					if d := at.Sub(epoch); from <= d && d < to {
						n++
					}
				}
				return float64(n) / (float64(allowed) * (to - from).Minutes())
			}
			if res.Throttled > tt.throttled {
				t.Errorf("%d times 429, want at most %d", res.Throttled, tt.throttled)
			}
			for _, span := range []struct {
				name     string
				from, to time.Duration
				allowed  int
				want     float64
			}{
				{"before", 0, 10 * time.Minute, 300, tt.use},
				{"cut", before + 2*time.Minute, before + cut, 60, tt.cutUse},
				{"restored", before + cut + 2*time.Minute, before + cut + 5*time.Minute, 300, tt.regain},
			} {
				got := used(span.from, span.to, span.allowed)
				t.Logf("%s: %.1f %% of the quota used", span.name, 100*got)
				if got < span.want {
					t.Errorf("%s: used %.1f %% of the quota, want %.1f %%", span.name, 100*got, 100*span.want)
				}
			}
		})
	}
}
