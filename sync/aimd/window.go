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
	since    uint64 // requests sent before it was opened; later ones are surely counted in it or after it
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

// observe takes in the quota headers of the answer to f, received at now, when we have sent that
// many requests in all.
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
		allowed: q.allowed, newest: f.seq, since: sent,
		used: q.count + unheard, maxCount: q.count, others: max(0, q.count-ours),
	}

	switch afterEnd := w.over(f.sentAt); {
	case !w.known || lo.After(w.hi):
		*w = next
	case afterEnd:
		if q.count > unheard+1 && q.count > w.maxCount-unheard {
			// We woke at the end and the count goes on: the server rounds the time left down, not up.
			next.bias = time.Second
		}
		*w = next
	case hi.Before(w.lo):
		// A straggler of an older window, or a contradiction: the later end stands.
	default:
		if lo.After(w.lo) {
			w.lo = lo
		}
		// A request sent earlier may have been counted in the window before, which ended sooner.
		if hi.Before(w.hi) && f.seq > w.since {
			w.hi = hi
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
