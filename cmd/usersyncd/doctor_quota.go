package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"usersyncd/spec/text"
	"usersyncd/sync/aimd"
)

const (
	skewDoubtful = 30 * time.Second
	skewIll      = 5 * time.Minute // the shortest life of an access token
)

// A listener is the limiter, and keeps what answers say in their headers.
type listener struct {
	*aimd.Dispatcher

	mu        sync.Mutex
	sent      map[uint64]time.Time
	answers   int
	throttled int
	quota     map[string]string // as the last answer that told it did
	clock     *clockSample      // of the fastest answer
}

// A clockSample is the other side's clock, and when it was read by ours.
type clockSample struct {
	date           time.Time
	sent, received time.Time
}

func newListener(d *aimd.Dispatcher) *listener {
	return &listener{Dispatcher: d, sent: map[uint64]time.Time{}, quota: map[string]string{}}
}

// Acquire implements api.Limiter.
func (l *listener) Acquire(ctx context.Context) (ticket uint64, token int, err error) {
	ticket, token, err = l.Dispatcher.Acquire(ctx)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.sent[ticket] = time.Now()
	}
	return ticket, token, err
}

// Release implements api.Limiter.
func (l *listener) Release(ticket uint64, status int, header map[string][]string) {
	l.Dispatcher.Release(ticket, status, header)
	if status == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	if status == http.StatusTooManyRequests {
		l.throttled++
	}
	told := map[string]string{}
	for _, name := range []string{"allowed", "count", "reset"} {
		if v := http.Header(header).Get("inin-ratelimit-" + name); v != "" {
			told[name] = v
		}
	}
	if len(told) > 0 {
		l.quota = told
	}
	sample := clockSample{sent: l.sent[ticket], received: time.Now()}
	delete(l.sent, ticket)
	var err error
	if sample.date, err = http.ParseTime(http.Header(header).Get("Date")); err != nil {
		return
	}
	if l.clock == nil || sample.received.Sub(sample.sent) < l.clock.received.Sub(l.clock.sent) {
		l.clock = &sample
	}
}

// checkQuota tells what the answers said of the quota.
func (d *doctor) checkQuota() {
	const name = "quota"
	if d.listener == nil || d.listener.answers == 0 {
		d.unchecked(name, "cannot be checked without an answer of the API")
		return
	}
	l := d.listener
	var n [3]int
	var wrong error
	for i, part := range []string{"allowed", "count", "reset"} {
		var err error
		if n[i], err = strconv.Atoi(strings.TrimSpace(l.quota[part])); err != nil {
			wrong = err
		}
	}
	const gateway = "ask who runs what is between here and the API to leave the headers inin-ratelimit-* in"
	switch {
	case l.throttled > 0:
		d.doubt(name, "give usersyncd an OAuth client of its own, or leave the others a share: --reserve 20%", "the API answered 429: others use the same quota, or usersyncd is at work")
	case len(l.quota) == 0:
		d.doubt(name, gateway, "no answer tells it: usersyncd finds the rate by trying, and takes 429s for it")
	case wrong != nil || n[0] <= 0 || n[1] < 0:
		d.doubt(name, gateway, "the answers tell it, but not so that it could be read: %v", l.quota)
	default:
		d.fine(name, "%d calls a window, %d used (%d by doctor), resets in %d s", n[0], n[1], l.answers, n[2])
	}
}

// checkClock compares the clocks.
func (d *doctor) checkClock() {
	const name = "clock"
	if d.listener == nil || d.listener.clock == nil {
		d.unchecked(name, "cannot be checked without an answer of the API that has a date")
		return
	}
	d.judgeClock(d.listener.clock.ahead())
}

// ahead is how far our clock is ahead of the other one, and by how much that may be wrong: half of the way there
// and back, and the second to which a date is given.
func (s *clockSample) ahead() (ahead, within time.Duration) {
	trip := s.received.Sub(s.sent)
	return s.sent.Add(trip / 2).Sub(s.date.Add(time.Second / 2)), trip/2 + time.Second/2
}

func (d *doctor) judgeClock(ahead, within time.Duration) {
	const name, fix = "clock", "sudo timedatectl set-ntp true; with chrony: sudo chronyc makestep"
	by, way := ahead, "ahead of"
	if ahead < 0 {
		by, way = -ahead, "behind"
	}
	switch surely := by - within; {
	case surely > skewIll:
		d.problem(name, fix, "%s %s the API's: tokens and pauses are reckoned wrong", text.Duration(by), way)
	case surely > skewDoubtful:
		d.doubt(name, fix, "%s %s the API's", text.Duration(by), way)
	default:
		d.fine(name, "as the API's, within %s", text.Duration(max(by+within, time.Second)))
	}
}
