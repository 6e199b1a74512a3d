package lab_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// What the limiter promises, in medians of 5 seeds; with LONG=1, as in .ci/run, of 20, and for 50,000 calls, too. The
// bound is a scheduler's that knows the server and has no latency, and answers 503 that spend quota count in it.
func TestTargets(t *testing.T) {
	const minute = 60.0
	seeds, most := 5, 5000
	if os.Getenv("LONG") != "" {
		seeds, most = 20, 50_000
	}
	for _, tt := range []struct {
		scenario  string
		calls     int
		ratio     float64 // of the bound; 0: any
		seconds   float64 // 0: any
		throttled float64 // percent of the calls
		denied    float64 // percent of the rival's
		recovery  float64 // s; 0: any
		jain      float64
		lost      int // in each run
	}{
		{scenario: "S1", calls: 100, seconds: 6},
		// The bound that counts ten in flight: 205 calls of the second window at 0.2155 s (the mean latency).
		{scenario: "S1", calls: 500, seconds: 1.05 * (minute + 205*0.2155/10)},
		{scenario: "S1", calls: 5000, ratio: 1.03},
		{scenario: "S1", calls: 50_000, ratio: 1.03},
		{scenario: "S2", calls: 5000, ratio: 1.12, throttled: 1},
		{scenario: "S3", calls: 5000, ratio: 1.12, throttled: 1},
		{scenario: "S3f", calls: 500, ratio: 1.12, throttled: 3},
		{scenario: "S3f", calls: 5000, ratio: 1.12, throttled: 1},
		{scenario: "S4", calls: 5000, ratio: 1.12, throttled: 1},
		{scenario: "S5", calls: 500, ratio: 1.15, throttled: 1, denied: 10},
		{scenario: "S5", calls: 5000, ratio: 1.15, throttled: 1, denied: 10},
		{scenario: "S6", calls: 5000, ratio: 1.12, recovery: 5},
		{scenario: "S6b", calls: 5000, ratio: 1.12, throttled: 1, recovery: 60},
		{scenario: "S8", calls: 1500, throttled: 1, jain: 0.98},
		{scenario: "S8b", calls: 1500, throttled: 1, jain: 0.98},
		{scenario: "S8c", calls: 1500, throttled: 3, jain: 0.98},
		{scenario: "S9", calls: 5000, ratio: 1.1},
		// Without a target but this: nothing is ever lost.
		{scenario: "S1f", calls: 5000, ratio: 1.05, throttled: 0.05},
		{scenario: "S2b", calls: 500, throttled: 3},
		{scenario: "S2b", calls: 5000, ratio: 1.25, throttled: 1.5},
		{scenario: "S5b", calls: 5000, throttled: 1, denied: 25},
		{scenario: "S7", calls: 5000, ratio: 1.12, throttled: 1},
		{scenario: "S2c", calls: 5000, ratio: 1.25, throttled: 1.7},
		{scenario: "S7", calls: 500, ratio: 1.4, throttled: 1}, // a scheduler that does not know of the hidden layer: 1.30
		{scenario: "S7f", calls: 500, ratio: 1.12, throttled: 1},
		{scenario: "S7f", calls: 5000, ratio: 1.12, throttled: 1},
		{scenario: "S10", calls: 500, ratio: 1.72}, // it cannot be known before the first window has ended
		{scenario: "S10", calls: 5000, ratio: 1.12},
		{scenario: "S10c", calls: 500, ratio: 1.72},
		{scenario: "S10c", calls: 5000, ratio: 1.12},
		{scenario: "S11", calls: 50_000, ratio: 1.17, throttled: 1},
		{scenario: "S12", calls: 250, seconds: 17, throttled: 1},
		{scenario: "S13", calls: 250, ratio: 1.3, throttled: 1},
		{scenario: "S13b", calls: 1000, ratio: 1.15, throttled: 1},
		{scenario: "S14", calls: 100, seconds: 10, throttled: 20, lost: 1}, // nobody is there to compare with any more
		{scenario: "S14b", calls: 100, seconds: 6, lost: 1},
		{scenario: "S15", calls: 500, ratio: 1.25, throttled: 2},
		{scenario: "S9c", calls: 5000, ratio: 1.1, throttled: 0.1},
		{scenario: "S9b", calls: 5000, ratio: 1.12, throttled: 1},
	} {
		if tt.calls > most {
			continue
		}
		t.Run(fmt.Sprintf("%s/%d", tt.scenario, tt.calls), func(t *testing.T) {
			f := lab.Measure(scenario(t, tt.scenario), lab.Limiter(aimd.Config{}), tt.calls, seeds)
			t.Logf("%d calls: %.1f s, %.3f of the bound, %.2f %% 429, rival denied %.1f %%, recovery %.0f s, Jain %.4f",
				tt.calls, f.Took.Seconds(), f.Ratio, f.Throttled, f.Denied, f.Recovery, f.Jain)
			switch {
			case tt.scenario == "S1" && f.WorstThrottled > 0:
				t.Errorf("a seed has %.2f %% 429, want none in any", f.WorstThrottled)
			case f.Lost != seeds*tt.lost:
				t.Errorf("%d lost", f.Lost)
			case tt.ratio > 0 && f.Ratio > tt.ratio:
				t.Errorf("%.3f of the bound, want at most %.2f", f.Ratio, tt.ratio)
			case tt.seconds > 0 && f.Took.Seconds() > tt.seconds:
				t.Errorf("%v, want at most %.1f s", f.Took, tt.seconds)
			case f.Throttled > tt.throttled:
				t.Errorf("%.2f %% 429, want at most %.2f %%", f.Throttled, tt.throttled)
			case f.Denied > tt.denied:
				t.Errorf("%.1f %% of the rival's calls denied, want at most %.0f %%", f.Denied, tt.denied)
			case tt.recovery > 0 && f.Recovery > tt.recovery:
				t.Errorf("%.0f s to full speed, want at most %.0f s", f.Recovery, tt.recovery)
			case f.Jain < tt.jain:
				t.Errorf("Jain index %.3f, want at least %.2f", f.Jain, tt.jain)
			}
		})
	}
}

func scenario(t testing.TB, name string) lab.Scenario {
	t.Helper()
	for _, s := range lab.Scenarios() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no scenario %s", name)
	return lab.Scenario{}
}

// What the others do in the lab is what they are known to do: the script loses users on a healthy API,
// and whoever waits as long as it is asked to loses none.
func TestOthersAreAsKnown(t *testing.T) {
	for _, p := range lab.Policies() {
		f := lab.Measure(scenario(t, "S1"), p.Policy, 500, 5)
		t.Logf("%s: %v, %.2f %% 429, %d lost", p.Name, f.Took.Round(time.Second), f.Throttled, f.Lost)
		switch p.Name {
		case "script", "CUBIC":
			if f.Lost == 0 || f.Throttled < 5 {
				t.Errorf("%s: %+v", p.Name, f)
			}
		default:
			if f.Lost > 0 {
				t.Errorf("%s: %+v", p.Name, f)
			}
		}
	}
}

// The same seed is the same run.
func TestPlayIsReproducible(t *testing.T) {
	for _, p := range lab.Policies() {
		_, a := lab.Play(scenario(t, "S5"), p.Policy, 300, 7)
		_, b := lab.Play(scenario(t, "S5"), p.Policy, 300, 7)
		if a != b {
			t.Errorf("%s: %+v and %+v", p.Name, a, b)
		}
	}
}

// The scenarios, for the figures: go test -bench . ./sync/aimd/...
func BenchmarkScenarios(b *testing.B) {
	for _, s := range lab.Scenarios() {
		b.Run(s.Name, func(b *testing.B) {
			var f lab.Figures
			for b.Loop() {
				f = lab.Measure(s, lab.Limiter(aimd.Config{}), 5000, 1)
			}
			b.ReportMetric(f.Ratio, "x-bound")
			b.ReportMetric(f.Throttled, "%429")
		})
	}
}
