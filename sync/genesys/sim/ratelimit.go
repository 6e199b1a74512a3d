package sim

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// Model is how a quota is counted.
type Model string

// The models. The real API looks like Fixed; nothing official says so.
const (
	Fixed   Model = "fixed"   // a window is opened by the token's first request
	Aligned Model = "aligned" // windows begin at full multiples of their length
	Sliding Model = "sliding" // requests of the last window's length
	Bucket  Model = "bucket"  // tokens flow back at Limit/Window, at most a fifteenth of Limit
)

// Quota is what each token may do, or the OAuth client with all its tokens, and how the API tells.
type Quota struct {
	Model     Model
	Limit     int           // requests a window; 300
	Window    time.Duration // 60 s
	NoHeaders bool          // ordinary answers do not carry the quota's headers
	Floor     bool          // seconds are rounded down instead of up
	CountAll  bool          // refused requests count, too

	NoRetry bool // a 429 carries no Retry-After
	Dated   bool // a 429's Retry-After is a date
	Seconds int  // a 429's Retry-After, whatever is left of the window; 0: what is left
	Repeat  int  // so many more requests are refused after a Retry-After has passed

	PerClient bool        // all tokens share one quota, which is the OAuth client's
	Tokens    map[int]int // other limits: of the first token given out, the second and so on; not with PerClient

	Hidden          int    // a lower limit a window that no header shows; 0: none
	HiddenPerClient int    // the same, of all tokens together
	Endpoint        string // has a lower limit of its own, such as "PATCH /api/v2/users/{id}"
	EndpointLimit   int    // requests a window, token and Endpoint
}

// of is the quota that the n-th token given out has.
func (q Quota) of(n int) Quota {
	if limit, other := q.Tokens[n]; other && !q.PerClient {
		q.Limit = limit
	}
	return q
}

// layer is a lower limit below the quota, which no header shows.
func (q Quota) layer(limit int) Quota {
	q.Model, q.Limit, q.Hidden = Fixed, limit, 0
	return q
}

// An account is what a quota is counted for: a token, or a client with all its tokens.
type account struct {
	quota  counter
	narrow counter // of Quota.Endpoint
}

// A counter is the use of one limit.
type counter struct {
	start time.Time   // of the window
	used  int         // in it
	sent  []time.Time // of a sliding window
	level float64     // of a bucket: requests that fit now
	at    time.Time   // when level was right
	owed  int         // refusals to come
}

// spend takes one request of a token out of its quotas and returns the headers that say so, or refuses it.
// The lock is held.
func (s *Server) spend(t *token, name string, now time.Time) (http.Header, *answer) {
	q, paying := s.o.Quota.of(t.number), &t.account
	if q.PerClient {
		paying = &s.client
	}
	left, reset, refusal := paying.quota.spend(q, now)
	if refusal == nil && q.HiddenPerClient > 0 {
		_, _, refusal = s.layer.spend(q.layer(q.HiddenPerClient), now)
	}
	if refusal == nil && name == q.Endpoint {
		_, _, refusal = paying.narrow.spend(q.layer(q.EndpointLimit), now)
	}
	if refusal != nil {
		return nil, refusal
	}
	if q.NoHeaders {
		return nil, nil
	}
	seconds := int(reset / time.Second)
	if !q.Floor {
		seconds++ // a window that was just opened says 61 in the trace of the vendor's SDK
	}
	header := http.Header{}
	header.Set("inin-ratelimit-count", strconv.Itoa(q.Limit-left+1))
	header.Set("inin-ratelimit-allowed", strconv.Itoa(q.Limit))
	header.Set("inin-ratelimit-reset", strconv.Itoa(seconds))
	return header, nil
}

func (c *counter) spend(q Quota, now time.Time) (left int, reset time.Duration, refusal *answer) {
	left, reset = c.room(q, now)
	if q.Hidden > 0 && q.Limit-left >= q.Hidden {
		left = 0
	}
	switch {
	case left < 1:
		c.owed = q.Repeat
		if q.CountAll {
			c.take(q, now)
		}
	case c.owed > 0:
		c.owed--
		reset = time.Second
	default:
		c.take(q, now)
		return left, reset, nil
	}
	return 0, 0, tooMany(q, now, reset)
}

// room says how many requests fit now, and how long until more do.
func (c *counter) room(q Quota, now time.Time) (left int, reset time.Duration) {
	switch q.Model {
	case Sliding:
		for len(c.sent) > 0 && now.Sub(c.sent[0]) >= q.Window {
			c.sent = c.sent[1:]
		}
		reset = q.Window
		if len(c.sent) > 0 {
			reset = c.sent[0].Add(q.Window).Sub(now)
		}
		return q.Limit - len(c.sent), reset
	case Bucket:
		rate, burst := float64(q.Limit)/q.Window.Seconds(), math.Max(1, float64(q.Limit)/15)
		if c.at.IsZero() {
			c.level = burst
		} else {
			c.level = min(burst, c.level+rate*now.Sub(c.at).Seconds())
		}
		c.at = now
		return int(c.level), time.Duration((1 - min(1, c.level)) / rate * float64(time.Second))
	}
	if c.start.IsZero() || now.Sub(c.start) >= q.Window {
		c.start, c.used = now, 0
		if q.Model == Aligned {
			c.start = now.Truncate(q.Window)
		}
	}
	return q.Limit - c.used, c.start.Add(q.Window).Sub(now)
}

func (c *counter) take(q Quota, now time.Time) {
	c.used++
	c.level--
	if q.Model == Sliding {
		c.sent = append(c.sent, now)
	}
}

// tooMany is the 429 as announced in 2021: no quota headers, always a Retry-After.
func tooMany(q Quota, now time.Time, reset time.Duration) *answer {
	seconds := int((reset + time.Second - 1) / time.Second)
	if q.Floor {
		seconds = int(reset / time.Second)
	}
	seconds = orElse(q.Seconds, seconds)
	a := refuse(http.StatusTooManyRequests, "too.many.requests.retry.after",
		"Rate limit exceeded the maximum. Retry the request in [%d] seconds", seconds)
	a.header = http.Header{}
	switch {
	case q.NoRetry:
	case q.Dated:
		a.header.Set("Date", now.UTC().Format(http.TimeFormat))
		a.header.Set("Retry-After", now.Add(time.Duration(seconds)*time.Second).UTC().Format(http.TimeFormat))
	default:
		a.header.Set("Retry-After", strconv.Itoa(seconds))
	}
	return &a
}

// SetLimit changes the quota from now on. Tokens with another limit keep theirs.
func (s *Server) SetLimit(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Quota.Limit = limit
}

// SetTokenLimit changes the quota of the n-th token given out, from 1, which may be one still to come.
func (s *Server) SetTokenLimit(n, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.Quota.Tokens == nil {
		s.o.Quota.Tokens = map[int]int{}
	}
	s.o.Quota.Tokens[n] = limit
}

// Consume takes n requests out of every token's quota, as another program with the same tokens would; out
// of the client's, if that is what is counted.
func (s *Server) Consume(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	take := func(a *account, q Quota) {
		a.quota.room(q, now)
		for range n {
			a.quota.take(q, now)
		}
	}
	if s.o.Quota.PerClient {
		take(&s.client, s.o.Quota)
		return
	}
	for _, t := range s.tokens {
		take(&t.account, s.o.Quota.of(t.number))
	}
}
