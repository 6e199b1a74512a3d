package doctor

import (
	"context"
	"net/http"
	"sync"
	"time"

	"usersyncd/spec/text"
	"usersyncd/sync/aimd"
)

const (
	skewWarning = 30 * time.Second
	skewProblem = 5 * time.Minute // the shortest life of an access token
)

// A listener is the limiter, and keeps what responses say of the clock.
type listener struct {
	*aimd.Dispatcher

	mu        sync.Mutex
	sent      map[uint64]time.Time
	responses int
	fastest   *clockSample // of the fastest response
}

// A clockSample is the other side's clock, and when it was read by ours.
type clockSample struct {
	date           time.Time
	sent, received time.Time
}

func newListener(d *aimd.Dispatcher) *listener {
	return &listener{Dispatcher: d, sent: map[uint64]time.Time{}}
}

func (l *listener) Acquire(ctx context.Context, operation, id string) (ticket uint64, token int, err error) {
	ticket, token, err = l.Dispatcher.Acquire(ctx, operation, id)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[ticket] = time.Now()
	return ticket, token, err
}

func (l *listener) Release(ticket uint64, status int, header map[string][]string) {
	l.Dispatcher.Release(ticket, status, header)
	if status == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.responses++
	date, err := http.ParseTime(http.Header(header).Get("Date"))
	sample := &clockSample{date, l.sent[ticket], time.Now()}
	if err == nil && (l.fastest == nil || sample.received.Sub(sample.sent) < l.fastest.received.Sub(l.fastest.sent)) {
		l.fastest = sample
	}
}

// quota reports the quota that the headers of responses describe.
func (e *examination) quota(context.Context) findings {
	if e.listener == nil || e.listener.responses == 0 {
		return unchecked("cannot be checked without a response of the API")
	}
	switch s := e.listener.Stats(); {
	case s.Throttled > 0:
		return warning("give usersyncd an OAuth client of its own, or leave a share to the others: --reserve 20%", "the API answered 429: others use the same quota, or usersyncd is running")
	case !s.Windowed || s.Allowed < 1:
		return warning("ask whoever runs a proxy between here and the API to pass on the headers inin-ratelimit-*",
			"no response reports it, or not in a readable form: usersyncd finds the rate by trial, which costs 429s")
	default:
		return ok("%d calls per window, %d used (%d by doctor), resets in %.0f s", s.Allowed, s.Used, e.listener.responses, s.Reset.Seconds())
	}
}

func (e *examination) clock(context.Context) findings {
	if e.listener == nil || e.listener.fastest == nil {
		return unchecked("cannot be checked without a response of the API that has a date")
	}
	return compareClocks(e.listener.fastest.ahead())
}

// ahead is how far our clock is ahead of the other one, and by how much that may be wrong: half of the way there and
// back, and the second to which a date is given.
func (s *clockSample) ahead() (ahead, within time.Duration) {
	trip := s.received.Sub(s.sent)
	return s.sent.Add(trip / 2).Sub(s.date.Add(time.Second / 2)), trip/2 + time.Second/2
}

func compareClocks(ahead, within time.Duration) findings {
	const fix = "sudo timedatectl set-ntp true; with chrony: sudo chronyc makestep"
	by, way := ahead, "ahead of"
	if ahead < 0 {
		by, way = -ahead, "behind"
	}
	switch least := by - within; {
	case least > skewProblem:
		return problem(fix, "%s %s the API's: the ends of tokens and pauses are computed wrong", text.Duration(by), way)
	case least > skewWarning:
		return warning(fix, "%s %s the API's", text.Duration(by), way)
	}
	return ok("as the API's, within %s", text.Duration(max(by+within, time.Second)))
}
