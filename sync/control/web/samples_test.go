package web

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usersyncd/sync/control"
)

func TestSamplesCountWhatHappened(t *testing.T) {
	s := samples{size: 10}
	at := time.Unix(1_700_000_000, 0)
	first := s.add(at, &control.Limiter{Sent: 100, Throttled: 7, Rate: math.Inf(1), AIMD: math.NaN()})
	if first.Sent != 0 || first.Throttled != 0 || first.Left != nil || first.Rate != 0 || first.AIMD != 0 {
		t.Errorf("the first sample counts what was before it: %+v", first)
	}
	second := s.add(at.Add(2*time.Second), &control.Limiter{Sent: 109, Throttled: 8, Windowed: true, Left: 0, Allowed: 300, Rate: 4.5, AIMD: 5})
	if second.Sent != 4.5 || second.Throttled != 1 || second.Left == nil || *second.Left != 0 || second.Allowed != 300 || second.Seq != 2 {
		t.Errorf("%+v", second)
	}
	third := s.add(at.Add(3*time.Second), &control.Limiter{Sent: 3, Throttled: 1}) // a limiter that began again at 0
	if third.Sent != 3 || third.Throttled != 1 {
		t.Errorf("%+v", third)
	}
	again := s.add(at.Add(3*time.Second), &control.Limiter{Sent: 5}) // a clock that stands
	if again.Sent != 0 {
		t.Errorf("%+v", again)
	}
	if _, err := json.Marshal(s.all()); err != nil {
		t.Error(err)
	}
}

// They are the last ones, in their order, and never more.
func TestSamplesAreTheLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size, n := rapid.IntRange(1, 20).Draw(t, "size"), rapid.IntRange(0, 100).Draw(t, "samples")
		s := samples{size: size}
		for i := range n {
			s.add(time.Unix(int64(i), 0), &control.Limiter{})
		}
		all := s.all()
		if len(all) != min(size, n) || cap(s.list) > 2*size {
			t.Fatalf("%d samples of %d, capacity %d", len(all), size, cap(s.list))
		}
		for i, one := range all {
			if want := uint64(n - len(all) + i + 1); one.Seq != want {
				t.Fatalf("sample %d is number %d, want %d", i, one.Seq, want)
			}
		}
	})
}
