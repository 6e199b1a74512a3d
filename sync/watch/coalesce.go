package watch

import "time"

// burst gathers events until they pause or have lasted long enough. It is pure: its caller brings the time.
type burst struct {
	quiet, max  time.Duration
	first, last time.Time // of the events gathered; zero when there are none
}

// hit adds an event.
func (b *burst) hit(now time.Time) {
	if b.first.IsZero() {
		b.first = now
	}
	b.last = now
}

// due tells when the burst is over if no further event comes; false if there is no burst.
func (b *burst) due() (time.Time, bool) {
	if b.first.IsZero() {
		return time.Time{}, false
	}
	end, limit := b.last.Add(b.quiet), b.first.Add(b.max)
	if limit.Before(end) {
		return limit, true
	}
	return end, true
}

// reset makes ready for the next burst.
func (b *burst) reset() { b.first, b.last = time.Time{}, time.Time{} }
