// Package tally sums up what was done lately: by the minute for as long as it counts, by the hour as long as it is
// remembered.
package tally

import (
	"maps"
	"slices"
	"time"

	"usersyncd/state"
)

// Window is for how long what was done counts.
const Window = 24 * time.Hour

// remembered is for how long it is kept: a clock that was ahead may be set right.
const remembered = 7 * Window

// Prune returns those of some tallies that are still to be remembered. What is dated in the future, by a clock that was set
// back since, is taken as of now: it counts, and not for ever.
func Prune(done []state.Tally, now time.Time) []state.Tally {
	var kept []state.Tally
	for _, t := range done {
		t.At = NotAfter(t.At, now)
		switch age := now.Sub(t.At); {
		case age < Window:
			kept = add(kept, t, time.Minute)
		case age < remembered:
			kept = add(kept, t, time.Hour)
		}
	}
	return kept
}

// Add adds what was done now.
func Add(done []state.Tally, t state.Tally, now time.Time) []state.Tally {
	t.At = Minute(now)
	return add(done, t, time.Minute)
}

// Recent sums up what was done within the time that counts.
func Recent(done []state.Tally, now time.Time) state.Tally {
	all := state.Tally{}
	for _, t := range done {
		if now.Sub(t.At) < Window {
			all = sum(all, t)
		}
	}
	return all
}

// Minute is the minute that a time is in, in UTC.
func Minute(t time.Time) time.Time { return t.UTC().Truncate(time.Minute) }

// NotAfter is a time, or the minute of now if that was before it.
func NotAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return Minute(now)
	}
	return t
}

// add adds what was done, to what was done within the same minute or hour.
func add(done []state.Tally, t state.Tally, unit time.Duration) []state.Tally {
	if n := len(done); n > 0 && done[n-1].At.Truncate(unit).Equal(t.At.Truncate(unit)) {
		return append(slices.Clip(done[:n-1]), sum(done[n-1], t))
	}
	return append(slices.Clip(done), t)
}

// sum adds up two tallies, as of the second.
func sum(a, b state.Tally) state.Tally {
	b.Incomplete = b.Incomplete || a.Incomplete
	b.Removed += a.Removed
	b.Deactivated += a.Deactivated
	b.Created += a.Created
	b.Renamed += a.Renamed
	if len(a.Losses) > 0 {
		lost := map[string]int{}
		maps.Copy(lost, b.Losses)
		for key, n := range a.Losses {
			lost[key] += n
		}
		b.Losses = lost
	}
	return b
}
