package aimd

import (
	"fmt"
	"time"
)

// Request identifies a request, so that an answer which concerns it alone stops nobody else. The zero Request is nobody's:
// each of its refusals concerns everybody.
type Request struct {
	Operation string // such as "PATCH /users/{id}"
	ID        string // the same whenever the request is sent again, and no other request's
}

// RefusedError is returned while the API refuses one request and accepts others.
type RefusedError struct {
	After time.Duration // until the request may be sent again
	Final bool          // it was refused too often, each time while others of its operation were accepted
}

func (e *RefusedError) Error() string {
	if e.Final {
		return fmt.Sprintf("the API has refused this request %d times, and accepted others of its kind in between", maxRefusals)
	}
	return fmt.Sprintf("the API refuses this request and accepts others; it may be sent again in %v", e.After.Round(time.Second))
}

// RetryAfter is After; 0 if the refusal is final.
func (e *RefusedError) RetryAfter() time.Duration { return e.After }

// refusals knows the requests that were refused: answered with 429, or with 502, 503 or 504 and a Retry-After.
type refusals struct {
	known map[string]*refusal // by Request.ID
	last  string              // refused since a request was last accepted; "" if none was
}

// A refusal is what is known of a refused request, until it is accepted.
type refusal struct {
	operation string
	at        time.Time     // of the last refusal,
	token     int           // and the token it was sent with
	asked     time.Duration // its Retry-After; 0: none
	until     time.Time     // the end of its own pause
	// Of its 429s:
	count    int       // all
	first    time.Time // of them
	alone    bool      // another request was accepted after one of them: they concern nobody else
	again    bool      // the last two came without any other answer in between: there is nobody else to be concerned
	charged  int       // of those since then, with another one of its operation accepted between each two, see accept
	accepted bool      // another request was, since the last of them
	same     bool      // one of its operation, so soon that the API refuses this one alone
	cause    bool      // it was the only one to be refused when the gate was last closed
}

// sending is a request in flight.
type sending struct {
	Request
	at    time.Time
	token int
}

// note records that a request was refused. again and other are whether it was, or another one, since a request was last
// accepted.
func (r *refusals) note(now time.Time, s sending) (f *refusal, again, other bool) {
	for id, old := range r.known { // nobody sends these any more
		if now.Sub(later(old.at, old.until)) > 2*parkedProbe {
			delete(r.known, id)
		}
	}
	if f = r.known[s.ID]; f == nil {
		f = &refusal{operation: s.Operation}
		r.known[s.ID] = f
	}
	f.at, f.token = now, s.token
	again, other = r.last == s.ID, r.last != "" && r.last != s.ID
	r.last = s.ID
	return f, again, other
}

// throttled records a 429, and reports whether it concerns this request alone. asked is the Retry-After, if it has one.
func (r *refusals) throttled(now time.Time, s sending, asked time.Duration, hasAsked bool) (alone bool) {
	f, again, other := r.note(now, s)
	if f.count == 0 {
		f.first = now
	}
	f.again = again && f.count > 0
	f.count++
	if f.asked = asked; !hasAsked || asked <= time.Second {
		asked = max(asked, backoff(f.count-1))
	}
	f.until = now.Add(max(asked, shortestGate))
	if other || !f.alone && !f.again {
		for _, f := range r.known { // it concerns everybody, so none of these can be charged to one request
			f.alone, f.charged, f.cause = false, 0, false
		}
		f.cause = !other
		return false
	}
	if f.alone && (f.charged == 0 || f.same) {
		f.charged++
	}
	if !f.accepted { // there is nobody else, so it may be everybody who is refused
		f.until = later(f.until, now.Add(backoff(f.count-2)))
		if f.count >= max429s && now.Sub(f.first) >= RetryAfterCap {
			f.until = later(f.until, now.Add(parkedProbe))
		}
	}
	f.accepted, f.same = false, false
	return true
}

// unavailable records a 502, 503 or 504 with a Retry-After, and reports whether it concerns this request alone: not if
// another one was refused since a request was last accepted.
func (r *refusals) unavailable(now time.Time, s sending, asked time.Duration) (alone bool) {
	f, _, other := r.note(now, s)
	f.until = now.Add(max(asked, shortestGate))
	return !other
}

// accept records an accepted request. It proves nothing for one that was refused after it was sent, or with another token. A
// refusal is charged to its request only if another one was accepted that was sent before the Retry-After, in whole seconds,
// was over: so a limit of all charges nobody. pardon is whether what the refusal has changed for all is to be taken back.
func (r *refusals) accept(s sending) (pardon bool) {
	r.last = ""
	delete(r.known, s.ID)
	for _, f := range r.known {
		if f.token != s.token || !s.at.After(f.at) {
			continue
		}
		f.alone, f.accepted = f.count > 0, true
		if f.operation == s.Operation && (f.asked <= time.Second || s.at.Before(f.at.Add(f.asked-time.Second))) {
			f.same = true
			if f.cause && (f.charged > 2 || f.charged > 0 && f.asked > time.Second) {
				f.cause, pardon = false, true
			}
		}
	}
	return pardon
}

// check returns why a request is not to be sent now, if that is because it alone was refused.
func (r *refusals) check(now time.Time, id string) *RefusedError {
	switch f := r.known[id]; {
	case f == nil, f.count > 0 && !f.alone && !f.again: // the gate is shut
	case f.charged >= maxRefusals:
		f.charged = 0 // if it is sent again, the count starts from zero
		return &RefusedError{Final: true}
	case now.Before(f.until):
		return &RefusedError{After: f.until.Sub(now)}
	}
	return nil
}

// suspect reports whether a request was refused and it is not known yet whether others would be, too.
func (r *refusals) suspect(id string) bool {
	f := r.known[id]
	return f != nil && f.count > 0 && !f.alone
}
