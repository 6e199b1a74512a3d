package aimd

import "time"

// minLearned is the shortest Retry-After that reveals a window; that of a token bucket is shorter.
const minLearned = 5 * time.Second

// learned is the window of a server without quota headers, as its Retry-After reveals it. It is not a budget, only a
// permission to rush what surely fits: a client that took it for a budget would keep its share from clients that come
// later.
type learned struct {
	quota  int           // requests accepted from the first one to the 429; 0: nothing is known
	length time.Duration // from the first one to the end of the Retry-After

	opened   time.Time // when the first request of the current window was sent
	accepted int       // since then
}

// open begins a window with the first request after a gate or after the previous window.
func (l *learned) open(now time.Time) { l.opened, l.accepted = now, 0 }

// accept counts a request.
func (l *learned) accept(sent time.Time) {
	if l.opened.IsZero() || l.length > 0 && sent.Sub(l.opened) >= l.length {
		l.open(sent)
	}
	l.accepted++
}

// throttled processes a 429 with a Retry-After.
func (l *learned) throttled(now time.Time, asked time.Duration) {
	switch {
	case l.accepted == 0:
	case asked >= minLearned:
		l.quota, l.length = l.accepted, now.Add(asked).Sub(l.opened)
	case l.accepted < l.quota*3/4: // it was not the window's end
		l.quota, l.length = 0, 0
	}
}

// fits reports whether n more requests fit into the current window, besides those in flight.
func (l *learned) fits(now time.Time, n, inFlight int) bool {
	used := l.accepted
	if now.Sub(l.opened) >= l.length {
		used = 0
	}
	return n > 0 && used+inFlight+n <= l.quota
}
