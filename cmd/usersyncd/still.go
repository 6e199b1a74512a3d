package main

import (
	"errors"
	"time"

	"usersyncd/spec"
)

const (
	// A checkout that is being changed is no news: a pull takes seconds. After so long it is an alarm, as by
	// then a person has to end a merge, or clear away what a killed git has left.
	alarmAfter = 5 * time.Minute
	// Until then, and afterwards, it is tried again at least so often.
	longestUnstill = time.Minute
)

// A stillness remembers since when the checkout is not still.
type stillness struct{ since time.Time } // zero while it is

// disturbed takes the error of a pass, and reports whether it is one of a checkout that is being changed,
// and for how long there has been no other outcome.
func (s *stillness) disturbed(err error, now time.Time) (time.Duration, bool) {
	if !errors.Is(err, spec.ErrMoved) {
		s.since = time.Time{}
		return 0, false
	}
	if s.since.IsZero() {
		s.since = now
	}
	return now.Sub(s.since), true
}
