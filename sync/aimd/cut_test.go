package aimd_test

import (
	"testing"
	"time"

	"usersyncd/sync/aimd"
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
		{"bare", true, 200, 0.90, 0.95, 0.80},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := &fixedWindow{allowed: 300, window: time.Minute, bare: tt.bare}
			r := &run{
				c: aimd.NewController(aimd.Config{Rand: seeded(1)}), srv: srv,
				latency: logNormal(seeded(2), 90*time.Millisecond),
				calls:   1_000_000, limit: end,
				onTime: map[time.Duration]func(){
					before:       func() { srv.allowed = 60 },
					before + cut: func() { srv.allowed = 300 },
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
				for _, at := range res.doneAt {
					if d := at.Sub(epoch); from <= d && d < to {
						n++
					}
				}
				return float64(n) / (float64(allowed) * (to - from).Minutes())
			}
			t.Log(res)
			if res.throttled > tt.throttled {
				t.Errorf("%d times 429, want at most %d", res.throttled, tt.throttled)
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
