// Package tally counts what was recently done: by the minute for as long as it counts, then by the hour.
package tally

import (
	"maps"
	"slices"
	"time"

	"usersyncd/state"
)

// Window is for how long what was done counts.
const Window = 24 * time.Hour

// retention is for how long it is stored: the clock may have been ahead, and be set back.
const retention = 7 * Window

// Prune returns the tallies that are still to be stored. A time in the future, because the clock was set back, becomes now: so
// it counts, and not for ever.
func Prune(done []state.Tally, now time.Time) []state.Tally {
	var pruned []state.Tally
	for _, t := range done {
		t.At = Clamp(t.At, now)
		switch age := now.Sub(t.At); {
		case age < Window:
			pruned = add(pruned, t, time.Minute)
		case age < retention:
			pruned = add(pruned, t, time.Hour)
		}
	}
	return pruned
}

// Add adds what is done now.
func Add(done []state.Tally, t state.Tally, now time.Time) []state.Tally {
	t.At = Minute(now)
	return add(done, t, time.Minute)
}

// Recent returns the sum of what was done within Window.
func Recent(done []state.Tally, now time.Time) state.Tally {
	all := state.Tally{}
	for _, t := range done {
		if now.Sub(t.At) < Window {
			all = sum(all, t)
		}
	}
	return all
}

// Minute returns a time to the minute, in UTC.
func Minute(t time.Time) time.Time { return t.UTC().Truncate(time.Minute) }

// Clamp returns a time, or the current minute if the time is in the future.
func Clamp(t, now time.Time) time.Time {
	if t.After(now) {
		return Minute(now)
	}
	return t
}

// add adds a tally to that of the same minute or hour.
func add(done []state.Tally, t state.Tally, unit time.Duration) []state.Tally {
	if n := len(done); n > 0 && done[n-1].At.Truncate(unit).Equal(t.At.Truncate(unit)) {
		return append(slices.Clip(done[:n-1]), sum(done[n-1], t))
	}
	return append(slices.Clip(done), t)
}

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
