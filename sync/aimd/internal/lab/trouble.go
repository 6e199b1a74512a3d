package lab

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Broken answers some requests with 503 and no Retry-After, after they were counted.
type Broken struct {
	Server
	Share float64 // of the accepted requests
	Rand  *rand.Rand
	Count int // so far
}

// Serve implements Server.
func (s *Broken) Serve(now time.Time) (int, Header) {
	status, header := s.Server.Serve(now)
	if status == 200 && s.Rand.Float64() < s.Share {
		s.Count++
		return 503, nil
	}
	return status, header
}

// Rival is another program with the same token: it makes its requests when it wants to, and does not
// repeat those that are denied.
type Rival struct {
	At             []time.Time // its requests, in order
	Served, Denied int
}

// NewRival uses between 30 and 70 % of a quota a minute, in two to five bursts of 50 requests a second.
func NewRival(rnd *rand.Rand, quota int, span time.Duration) *Rival {
	r := &Rival{At: make([]time.Time, 0, int(span/time.Minute)*quota*3/4)}
	for minute := time.Duration(0); minute < span; minute += time.Minute {
		calls, bursts, first := int(float64(quota)*(0.3+0.4*rnd.Float64())), 2+rnd.IntN(4), len(r.At)
		for range bursts {
			begin := Epoch().Add(minute + time.Duration(rnd.Float64()*float64(55*time.Second)))
			for i := range calls / bursts {
				r.At = append(r.At, begin.Add(time.Duration(i)*20*time.Millisecond))
			}
		}
		slices.SortFunc(r.At[first:], time.Time.Compare) // a burst that begins in a minute ends in it
	}
	return r
}

// Use makes the rival's requests.
func (r *Rival) Use(l *Lab, s Server) {
	var next func()
	i := 0
	next = func() {
		if status, _ := s.Serve(l.now); status == 429 {
			r.Denied++
		} else {
			r.Served++
		}
		if i++; i < len(r.At) {
			l.After(r.At[i].Sub(l.now), next)
		}
	}
	l.After(r.At[0].Sub(l.now), next)
}

// Stray answers one request with 429, the At-th, and asks for a second.
type Stray struct {
	Server
	At, met int
}

// Serve implements Server.
func (s *Stray) Serve(now time.Time) (int, Header) {
	if s.met++; s.met == s.At {
		return refuse(1)
	}
	return s.Server.Serve(now)
}

// AtOnce answers requests beyond so many at a time with 429, and asks for a second.
type AtOnce struct {
	Server
	Most  int
	Lab   *Lab
	Takes time.Duration // each of them

	busy int
}

// Serve implements Server.
func (s *AtOnce) Serve(now time.Time) (int, Header) {
	if s.busy >= s.Most {
		return refuse(1)
	}
	status, header := s.Server.Serve(now)
	if status != 429 {
		s.busy++
		s.Lab.After(s.Takes, func() { s.busy-- })
	}
	return status, header
}

// Denying says in the headers of what it accepts that nothing is allowed.
type Denying struct{ Server }

// Serve implements Server.
func (s *Denying) Serve(now time.Time) (int, Header) {
	status, header := s.Server.Serve(now)
	if status == 200 {
		header = Quota(1, 0, 60)
	}
	return status, header
}
