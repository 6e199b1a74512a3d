package aimd

import (
	"math"
	"time"
)

// window is what is known from the headers about the server's current window.
//
// The server counts a request at some moment between its sending and its answer, and rounds the time left to whole
// seconds, so each answer only gives a bracket for the end: [sent+reset-1s, received+reset]. The brackets of all answers
// are intersected.
type window struct {
	known    bool
	lo, hi   time.Time // the end lies between
	bias     time.Duration
	allowed  int
	newest   uint64    // the request that allowed was read from
	used     int       // requests counted or in flight; never falls within a window
	maxCount int       // largest count of any answer
	others   int       // part of used that is not ours, at least
	began    time.Time // time of the first answer
	share    share
	rolling  rolling
}

// share is the part of each window that is left to other clients of the token.
type share struct {
	reserve float64 // part of the window that is left in any case
	before  float64 // requests they sent in the windows before
	trend   float64 // requests they will send in this one at their current speed
	gone    float64 // elapsed part of the window
}

const (
	fairShare   = 0.5             // at most, of a window, for what they used: two clients of a token meet in the middle
	lateness    = 2.5             // a client with bursts may send a part of them late
	othersNoise = 0.02            // smaller parts of a window are ignored
	trendAfter  = 5 * time.Second // in a younger window a single request would count too much
)

// ahead is how many more requests of a window are left to others, who have sent so many.
func (s share) ahead(allowed, others int) int {
	n := min(max(s.before, s.trend), fairShare*float64(allowed))
	if n < othersNoise*float64(allowed) {
		n = 0
	}
	n = min(n-float64(others), n*lateness*(1-s.gone))
	return int(math.Ceil(max(0, n, s.reserve*float64(allowed)-float64(others))))
}

// next is the share in the next window. One with few requests of others lowers it by no more than half.
func (s share) next(others int) share {
	return share{reserve: s.reserve, before: max(float64(others), (s.before+float64(others))/2)}
}

// wake is when the window is certainly over.
func (w *window) wake() time.Time { return w.hi.Add(w.bias) }

func (w *window) live(now time.Time) bool { return w.known && now.Before(w.wake()) }

func (w *window) over(now time.Time) bool { return w.known && !now.Before(w.wake()) }

// spent reports whether nothing can be sent before the window ends.
func (w *window) spent(now time.Time) bool { return w.live(now) && w.left() < 1 }

// left is the budget without what is left to others. It is at least one call of a new window, or we would never learn
// that it allows more.
func (w *window) left() int {
	theirs := w.share.ahead(w.allowed, w.others)
	if w.used == 0 {
		theirs = min(theirs, max(0, w.allowed-1))
	}
	return w.allowed - w.used - theirs
}

// observe processes the quota headers of the answer to f, received at now. sent is how many requests we have sent in all.
func (w *window) observe(now time.Time, f flight, q quota, sent uint64) {
	if q.hasAllowed && w.known && f.seq >= w.newest {
		w.allowed, w.newest = q.allowed, f.seq
	}
	if !q.complete() {
		return
	}
	lo, hi := f.sentAt.Add(q.reset-time.Second), now.Add(q.reset)
	unheard := int(sent - f.answered - 1) // the server may have counted these after f
	ours := int(sent)                     // and at most these before
	if w.known {
		ours = unheard + 1
	}
	next := window{
		known: true, lo: lo, hi: hi, bias: w.bias,
		allowed: q.allowed, newest: f.seq,
		used: q.count + unheard, maxCount: q.count, others: max(0, q.count-ours),
		share: w.share, began: now,
	}
	if w.known && lo.After(w.lo.Add(time.Second)) {
		next.share = w.share.next(w.others)
	}

	switch afterEnd := w.over(f.sentAt); {
	case w.rolling.length > 0:
		w.roll(now, lo, next, q)
	case w.known && lo.After(w.hi.Add(w.bias)) && f.sentAt.Before(w.lo) && q.count >= w.maxCount:
		w.rolling = rolling{length: q.reset, at: now, hi: hi}
		w.roll(now, lo, next, q)
	case !w.known || lo.After(w.hi):
		*w = next
	case afterEnd:
		if q.count > unheard+1 && q.count > w.maxCount-unheard {
			// It should be over and the count continues: the server rounds the time left down, not up.
			next.bias, next.others, next.share = time.Second, w.others, w.share
		}
		*w = next
	case hi.Before(w.lo):
		// A late answer of an older window, or a contradiction: the later end is used.
	default:
		if lo.After(w.lo) {
			w.lo = lo
		}
		if hi.Before(w.hi) {
			w.hi = hi
		}
		w.count(q.count)
		age, length := now.Sub(w.began).Seconds(), w.hi.Sub(w.began).Seconds()
		w.share.gone = min(max(0, age/length), 1)
		if age > trendAfter.Seconds() {
			w.share.trend = float64(w.others) * length / age
		}
	}
}

// rolling is a window that never ends: the server counts the requests of the last minute, say, and the announced end moves
// with the time. The count does not restart, so to spread what is left over the rest would use half of the quota for ever.
type rolling struct {
	length time.Duration // 0: it is not rolling
	at     time.Time     // of the answer that is compared with,
	hi     time.Time     // and the end that it announced
}

const (
	rollingShare = 0.98            // of the quota: the answers are counted when they arrive, not when they are sent
	rollingLook  = 2 * time.Second // an older count says little: then a probe reads it
	rollingCheck = 5 * time.Second // after which the announced end must have moved
)

// roll processes the headers of a rolling window, which next takes for a new one, until its end stays where it is.
func (w *window) roll(now, lo time.Time, next window, q quota) {
	next.rolling, next.others, next.share = w.rolling, w.others, w.share
	if r := &next.rolling; now.Sub(r.at) > rollingCheck {
		if !lo.After(r.hi) {
			next.rolling = rolling{}
			*w = next
			return
		}
		r.at, r.hi = now, next.hi
	}
	next.lo, next.hi = now.Add(rollingLook), now.Add(rollingLook)
	next.rolling.length = q.reset
	*w = next
}

// pace spreads the budget over the rest of the window, up to a margin before its end. It is in requests/s.
func (w *window) pace(now time.Time) float64 {
	if length := w.rolling.length; length > 0 {
		return rollingShare * (1 - w.share.reserve) * float64(w.allowed) / length.Seconds()
	}
	return spread(w.left(), w.wake().Sub(now))
}

// spread is the rate at which so many requests take the rest of a window, but for a margin before its end.
func spread(left int, rest time.Duration) float64 {
	return float64(left) / max(rest-tailMargin, rest/2).Seconds()
}

// count raises used to what the server has counted. used includes all our requests, so the excess is from others.
func (w *window) count(n int) {
	w.maxCount = max(w.maxCount, n)
	if n > w.used {
		w.others += n - w.used
		w.used = n
	}
}

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
