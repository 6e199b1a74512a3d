package watch

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBurst(t *testing.T) {
	const ms = time.Millisecond
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		hits []time.Duration
		due  time.Duration // negative: no burst
	}{
		{"no event", nil, -1},
		{"one event waits for the pause", []time.Duration{0}, 500 * ms},
		{"a second event starts the pause again", []time.Duration{0, 400 * ms}, 900 * ms},
		{"the pause is counted from the last event", []time.Duration{0, 1 * ms, 2 * ms}, 502 * ms},
		{"just before the limit", []time.Duration{0, 4499 * ms}, 4999 * ms},
		{"the limit is counted from the first event", []time.Duration{0, 4501 * ms}, 5000 * ms},
		{"no event moves the limit", []time.Duration{0, 4501 * ms, 4999 * ms}, 5000 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := burst{quiet: 500 * ms, max: 5 * time.Second}
			for _, d := range tt.hits {
				b.hit(start.Add(d))
			}
			due, ok := b.due()
			if want := tt.due >= 0; ok != want {
				t.Fatalf("due: burst %v, want %v", ok, want)
			}
			if ok && !due.Equal(start.Add(tt.due)) {
				t.Errorf("due after %v, want %v", due.Sub(start), tt.due)
			}
			b.reset()
			if _, ok := b.due(); ok {
				t.Error("there is a burst after reset")
			}
		})
	}
}

// Whatever the events, a burst ends after its last event, within the pause of it and the limit of the first.
func TestBurstLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := burst{quiet: 500 * time.Millisecond, max: 5 * time.Second}
		first := time.Unix(0, 0)
		now := first
		for range rapid.IntRange(1, 50).Draw(t, "events") {
			if due, ok := b.due(); ok && !now.Before(due) {
				break // its owner would have ended it
			}
			b.hit(now)
			due, ok := b.due()
			if !ok || due.Before(now) || due.After(now.Add(b.quiet)) || due.After(first.Add(b.max)) {
				t.Fatalf("event at %v: due at %v (%v)", now.Sub(first), due.Sub(first), ok)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "gap")) * time.Millisecond)
		}
	})
}
