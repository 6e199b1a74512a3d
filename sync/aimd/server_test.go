package aimd_test

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"usersyncd/sync/aimd"
)

// epoch is the virtual time at which every simulated run begins.
var epoch = time.Date(2026, 3, 1, 9, 0, 17, 0, time.UTC)

type header = map[string][]string

// server answers a request that reaches it at now.
type server interface {
	serve(now time.Time) (status int, h header)
}

// fixedWindow allows n requests per window, which the first request opens, or the wall clock does.
type fixedWindow struct {
	allowed       int
	window        time.Duration
	aligned       bool
	floor         bool // round the time left down instead of up
	bare          bool // no inin headers
	noRetryAfter  bool
	countRejected bool

	end   time.Time
	count int
	hits  []int // accepted requests of each window
}

func (s *fixedWindow) serve(now time.Time) (int, header) {
	if !now.Before(s.end) {
		s.end, s.count = now.Add(s.window), 0
		if s.aligned {
			s.end = now.Truncate(s.window).Add(s.window)
		}
		s.hits = append(s.hits, 0)
	}
	rest := s.round(s.end.Sub(now))
	if s.count >= s.allowed {
		if s.countRejected {
			s.count++
		}
		if s.noRetryAfter {
			return 429, nil
		}
		return 429, header{"Retry-After": {strconv.Itoa(rest)}}
	}
	s.count++
	s.hits[len(s.hits)-1]++
	if s.bare {
		return 200, nil
	}
	return 200, quota(s.count, s.allowed, rest)
}

func (s *fixedWindow) round(d time.Duration) int {
	if s.floor {
		return int(math.Floor(d.Seconds()))
	}
	return int(math.Ceil(d.Seconds()))
}

func quota(count, allowed, reset int) header {
	return header{
		"Inin-Ratelimit-Count":   {strconv.Itoa(count)},
		"Inin-Ratelimit-Allowed": {strconv.Itoa(allowed)},
		"Inin-Ratelimit-Reset":   {strconv.Itoa(reset)},
	}
}

// slidingWindow allows n requests in any window.
type slidingWindow struct {
	allowed int
	window  time.Duration
	log     []time.Time
}

func (s *slidingWindow) serve(now time.Time) (int, header) {
	for len(s.log) > 0 && now.Sub(s.log[0]) >= s.window {
		s.log = s.log[1:]
	}
	if len(s.log) >= s.allowed {
		rest := s.window - now.Sub(s.log[0])
		return 429, header{"Retry-After": {strconv.Itoa(int(math.Ceil(rest.Seconds())))}}
	}
	s.log = append(s.log, now)
	return 200, nil
}

// bucket is a token bucket that says nothing about itself but Retry-After.
type bucket struct {
	rate, burst, tokens float64
	last                time.Time
}

func (s *bucket) serve(now time.Time) (int, header) {
	if s.last.IsZero() {
		s.tokens = s.burst
	} else {
		s.tokens = min(s.burst, s.tokens+now.Sub(s.last).Seconds()*s.rate)
	}
	s.last = now
	if s.tokens < 1 {
		return 429, header{"Retry-After": {strconv.Itoa(int(math.Ceil((1 - s.tokens) / s.rate)))}}
	}
	s.tokens--
	return 200, nil
}

// run drives a Controller against a server in virtual time, one event after the other.
type run struct {
	c       *aimd.Controller
	srv     server
	latency func() time.Duration
	calls   int // how many must be answered with anything but 429, 5xx or nothing
	limit   time.Duration
	patient bool                      // come back when a park is over
	skew    func(time.Time) time.Time // the clock that the controller sees; nil is the true one
	onTime  map[time.Duration]func()

	// observers; each may be nil
	asked    func(now time.Time, s aimd.Stats) // before every Acquire
	sent     func(now time.Time, seq uint64, before aimd.Stats)
	answered func(now time.Time, seq uint64, status int, before, after aimd.Stats)
}

type result struct {
	took                          time.Duration
	done, sent, throttled, failed int
	doneAt                        []time.Time
	parked                        bool
}

func (r result) String() string {
	return fmt.Sprintf("took %.2fs, %d done, %d sent, %d throttled, %d failed", r.took.Seconds(), r.done, r.sent, r.throttled, r.failed)
}

func (r *run) play() (res result) {
	now := epoch
	seen := func() time.Time {
		if r.skew != nil {
			return r.skew(now)
		}
		return now
	}
	var events timeline
	for d, f := range r.onTime {
		heap.Push(&events, event{epoch.Add(d), f})
	}
	pending, inflight := r.calls, 0
	limit := r.limit
	if limit == 0 {
		limit = 100 * time.Hour
	}
	r.c.Expect(r.calls)
	for res.done < r.calls && now.Sub(epoch) < limit {
		next := time.Time{}
		if until, parked := r.c.Parked(seen()); parked && pending > 0 {
			res.parked = true
			if next = until; !r.patient && inflight == 0 {
				break
			}
		} else if pending > 0 {
			if r.asked != nil {
				r.asked(now, r.c.Stats(seen()))
			}
			wait, ok := r.c.Acquire(seen())
			if ok {
				before := r.c.Stats(seen())
				seq := r.c.OnSend(seen())
				if r.sent != nil {
					r.sent(now, seq, before)
				}
				pending--
				inflight++
				res.sent++
				up, down := r.latency()/2, r.latency()/2
				heap.Push(&events, event{now.Add(up), func() {
					status, h := r.srv.serve(now)
					heap.Push(&events, event{now.Add(down), func() {
						before := r.c.Stats(seen())
						r.c.OnResponse(seen(), seq, status, h)
						if r.answered != nil {
							r.answered(now, seq, status, before, r.c.Stats(seen()))
						}
						inflight--
						switch {
						case status == 429:
							res.throttled++
							pending++
						case status == 0 || status >= 500:
							res.failed++
							pending++
							r.c.Expect(pending)
						default:
							res.done++
							res.doneAt = append(res.doneAt, now)
						}
					}})
				}})
				continue
			}
			if wait > 0 {
				next = now.Add(wait)
			} else if inflight == 0 {
				return res // a stall: it is told to wait for an answer to nothing
			}
		}
		if len(events) > 0 && (next.IsZero() || !events[0].at.After(next)) {
			e := heap.Pop(&events).(event)
			now = e.at
			e.do()
		} else {
			now = next
		}
	}
	res.took = now.Sub(epoch)
	return res
}

type event struct {
	at time.Time
	do func()
}

// timeline is a heap of events.
type timeline []event

func (t timeline) Len() int           { return len(t) }
func (t timeline) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timeline) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timeline) Push(x any)        { *t = append(*t, x.(event)) }
func (t *timeline) Pop() any {
	old := *t
	e := old[len(old)-1]
	*t = old[:len(old)-1]
	return e
}

func constant(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// logNormal is a long-tailed latency between 30 ms and 2 s. A request draws it twice.
func logNormal(rnd *rand.Rand, median time.Duration) func() time.Duration {
	return func() time.Duration {
		f := math.Exp(rnd.NormFloat64() * 0.6)
		return min(max(time.Duration(float64(median)*f), 30*time.Millisecond), 2*time.Second)
	}
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
