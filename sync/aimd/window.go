package aimd

import "time"

// window is what the headers have told about the server's current window.
//
// The server counts a request at some moment between its sending and its answer, and rounds the
// time left to whole seconds, so each answer only brackets the end of the window:
// [sent+reset-1s, received+reset]. The brackets of all answers are intersected.
type window struct {
	known    bool
	lo, hi   time.Time // the end lies between
	bias     time.Duration
	allowed  int
	newest   uint64 // the request that allowed was read from
	used     int    // requests counted or on their way; never falls within a window
	maxCount int    // largest count the server has told
	others   int    // part of used that is not ours, at least
}

// wake is when the window is surely over.
func (w *window) wake() time.Time { return w.hi.Add(w.bias) }

func (w *window) live(now time.Time) bool { return w.known && now.Before(w.wake()) }

func (w *window) over(now time.Time) bool { return w.known && !now.Before(w.wake()) }

// left is the budget that remains after share of the window is set aside for others. A window
// that allows anything allows us one call, or we would never learn that it allows more.
func (w *window) left(reserve float64) int {
	quota := w.allowed
	if quota > 0 {
		quota = max(1, int(float64(quota)*(1-reserve)))
	}
	return quota - w.used
}

// observe takes in the quota headers of the answer to f, received at now. unheard is how many of
// our requests the server may have counted after f: those not answered when f was sent.
func (w *window) observe(now time.Time, f flight, q quota, unheard int) {
	if q.hasAllowed && w.known && f.seq >= w.newest {
		w.allowed, w.newest = q.allowed, f.seq
	}
	if !q.complete() {
		return
	}
	lo, hi := f.sentAt.Add(q.reset-time.Second), now.Add(q.reset)
	next := *w
	next.known, next.lo, next.hi = true, lo, hi
	if f.seq >= w.newest {
		next.allowed, next.newest = q.allowed, f.seq
	}
	next.used, next.maxCount, next.others = q.count+unheard, q.count, max(0, q.count-1)

	switch afterEnd := w.over(f.sentAt); {
	case !w.known || lo.After(w.wake()):
		*w = next
	case afterEnd && w.bias == 0 && q.count > w.maxCount:
		// We woke at the end and the count goes on: the server rounds the time left down, not up.
		w.bias = time.Second
		w.count(q.count)
	case afterEnd:
		*w = next
	case hi.Before(w.lo):
		// A straggler of an older window, or a contradiction: the later end stands.
	default:
		if lo.After(w.lo) {
			w.lo = lo
		}
		if hi.Before(w.hi) {
			w.hi = hi
		}
		if w.hi.Before(w.lo) {
			w.hi = w.lo
		}
		w.count(q.count)
	}
}

// count raises used to what the server has counted. used already holds every request of ours,
// so the excess was somebody else's.
func (w *window) count(n int) {
	w.maxCount = max(w.maxCount, n)
	if n > w.used {
		w.others += n - w.used
		w.used = n
	}
}
