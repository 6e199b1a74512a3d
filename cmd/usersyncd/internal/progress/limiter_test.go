package progress

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"usersyncd/sync/aimd"
)

// One line for each state that lasts, none for those on the way and none while there is nothing to do.
func TestChangeFilter(t *testing.T) {
	busy := func(r aimd.Reason) aimd.Stats { return aimd.Stats{Reason: r, Expected: 10} }
	cut := func(s aimd.Stats, n uint64) aimd.Stats { s.Decreases = n; return s }
	gate := aimd.Stats{Reason: aimd.Gate, Gate: time.Second, Expected: 10}
	tail := aimd.Stats{Reason: aimd.Exhausted, Expected: 10, Reset: 2 * time.Second}
	empty := aimd.Stats{Reason: aimd.Exhausted, Expected: 10, Reset: 40 * time.Second}
	idle := aimd.Stats{Reason: aimd.Rate}
	for _, tt := range []struct {
		name string
		seen []aimd.Stats
		want []int // which of them are told
	}{
		{"idle", []aimd.Stats{idle, idle, idle}, nil},
		{"paced", []aimd.Stats{busy(aimd.Paced), busy(aimd.Paced), busy(aimd.Paced), busy(aimd.Paced)}, []int{1}},
		{"the end of a window is its pace", []aimd.Stats{busy(aimd.Paced), busy(aimd.Paced), tail, tail, busy(aimd.Probe), busy(aimd.Paced), busy(aimd.Paced)}, []int{1}},
		{"a window that others have emptied is not", []aimd.Stats{busy(aimd.Paced), busy(aimd.Paced), empty, empty, empty}, []int{1, 3}},
		{"what does not last", []aimd.Stats{busy(aimd.Paced), busy(aimd.Paced), busy(aimd.Rush), busy(aimd.Paced), busy(aimd.Paced)}, []int{1}},
		{"in flight and probe are on the way", []aimd.Stats{busy(aimd.Rush), busy(aimd.InFlight), busy(aimd.Rush), busy(aimd.InFlight), busy(aimd.Rush)}, []int{2}},
		{"as many calls under way as may be, for longer", []aimd.Stats{busy(aimd.InFlight), busy(aimd.InFlight), busy(aimd.InFlight), busy(aimd.InFlight)}, []int{2}},
		{"a cut is told at once", []aimd.Stats{busy(aimd.Rate), cut(gate, 1), cut(gate, 1), cut(busy(aimd.Rate), 1), cut(busy(aimd.Rate), 1)}, []int{1, 4}},
		{"each of them", []aimd.Stats{cut(gate, 1), cut(gate, 2), cut(gate, 2)}, []int{0, 1}},
		{"the next pass starts again", []aimd.Stats{busy(aimd.Paced), busy(aimd.Paced), idle, busy(aimd.Paced), busy(aimd.Paced)}, []int{1, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f changeFilter
			var told []int
			for i, s := range tt.seen {
				if f.pass(s) {
					told = append(told, i)
				}
			}
			if !slices.Equal(told, tt.want) {
				t.Errorf("told %v, want %v", told, tt.want)
			}
		})
	}
}

func TestLimiterAttrs(t *testing.T) {
	s := aimd.Stats{
		Reason: aimd.Paced, Effective: 4.5, Windowed: true, Left: 212, Allowed: 300, Reset: 43 * time.Second, Others: 18, InFlight: 2,
	}
	if got, want := fmt.Sprint(limiterAttrs(s)), "[rate 4.5 left 212/300 reset 43s gate 0s others 18 inflight 2 reason paced]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s = aimd.Stats{Reason: aimd.Gate, Effective: 2.5, Gate: 41 * time.Second, Tokens: 3}
	if got, want := fmt.Sprint(limiterAttrs(s)), "[rate 2.5 left ? reset ? gate 41s others 0 inflight 0 reason gate tokens 3]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
