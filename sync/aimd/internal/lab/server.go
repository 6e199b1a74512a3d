package lab

import (
	"math"
	"strconv"
	"time"
)

// Header is an answer's header.
type Header = map[string][]string

// Server answers a request that reaches it at now.
type Server interface {
	Serve(now time.Time) (status int, header Header)
}

// Fixed allows so many requests a window, which its first request opens, or the clock.
type Fixed struct {
	Allowed       int
	Window        time.Duration
	Aligned       bool // windows begin at full multiples of their length
	Floor         bool // seconds are rounded down instead of up
	Bare          bool // no quota headers
	NoRetryAfter  bool
	Short         bool // Retry-After is always a second
	CountRejected bool

	Hits []int // accepted requests of each window

	end   time.Time
	count int
}

// PerMinute is a Fixed server with the API's documented headers.
func PerMinute(allowed int) *Fixed { return &Fixed{Allowed: allowed, Window: time.Minute} }

// Serve implements Server.
func (s *Fixed) Serve(now time.Time) (int, Header) {
	if !now.Before(s.end) {
		s.end, s.count = now.Add(s.Window), 0
		if s.Aligned {
			s.end = now.Truncate(s.Window).Add(s.Window)
		}
		s.Hits = append(s.Hits, 0)
	}
	rest := math.Ceil(s.end.Sub(now).Seconds())
	if s.Floor {
		rest = math.Floor(s.end.Sub(now).Seconds())
	}
	if s.count >= s.Allowed {
		if s.CountRejected {
			s.count++
		}
		if s.NoRetryAfter {
			return 429, nil
		}
		if s.Short {
			rest = 1
		}
		return refuse(rest)
	}
	s.count++
	s.Hits[len(s.Hits)-1]++
	if s.Bare {
		return 200, nil
	}
	return 200, Quota(s.count, s.Allowed, int(rest))
}

// Quota is the three headers that tell of a window; reset is in seconds.
func Quota(count, allowed, reset int) Header {
	return Header{
		"Inin-Ratelimit-Count":   {strconv.Itoa(count)},
		"Inin-Ratelimit-Allowed": {strconv.Itoa(allowed)},
		"Inin-Ratelimit-Reset":   {strconv.Itoa(reset)},
	}
}

func refuse(seconds float64) (int, Header) {
	return 429, Header{"Retry-After": {strconv.Itoa(int(math.Ceil(seconds)))}}
}

// Sliding allows so many requests in any span of the window's length. It says how long to wait in Retry-After.
type Sliding struct {
	Allowed  int
	Window   time.Duration
	Headers  bool // the reset is when the oldest request is no longer counted,
	Constant bool // or always the length of the window
	log      []time.Time
}

// Serve implements Server.
func (s *Sliding) Serve(now time.Time) (int, Header) {
	for len(s.log) > 0 && now.Sub(s.log[0]) >= s.Window {
		s.log = s.log[1:]
	}
	if len(s.log) >= s.Allowed {
		return refuse((s.Window - now.Sub(s.log[0])).Seconds())
	}
	s.log = append(s.log, now)
	if !s.Headers {
		return 200, nil
	}
	rest := s.Window
	if !s.Constant {
		rest -= now.Sub(s.log[0])
	}
	return 200, Quota(len(s.log), s.Allowed, int(math.Ceil(rest.Seconds())))
}

// Bucket is a token bucket that says nothing of itself but Retry-After.
type Bucket struct {
	Rate   float64 // requests/s
	Burst  float64
	tokens float64
	last   time.Time
}

// Serve implements Server.
func (s *Bucket) Serve(now time.Time) (int, Header) {
	if s.last.IsZero() {
		s.tokens = s.Burst
	} else {
		s.tokens = min(s.Burst, s.tokens+now.Sub(s.last).Seconds()*s.Rate)
	}
	s.last = now
	if s.tokens < 1 {
		return refuse((1 - s.tokens) / s.Rate)
	}
	s.tokens--
	return 200, nil
}

// Layered has a lower limit below the one that its headers tell of.
type Layered struct {
	Told   Server
	Hidden Server
}

// Serve implements Server.
func (s *Layered) Serve(now time.Time) (int, Header) {
	if status, header := s.Hidden.Serve(now); status == 429 {
		return status, header
	}
	return s.Told.Serve(now)
}

// Dead answers nothing but 429, and asks for an hour.
type Dead struct{}

// Serve implements Server.
func (Dead) Serve(time.Time) (int, Header) { return refuse(3600) }
