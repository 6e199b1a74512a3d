package lab

import (
	"math/rand/v2"
	"time"

	"usersyncd/sync/aimd"
)

// A Policy begins a client's work: from then on it acts whenever something happens, until all the
// calls have ended.
type Policy func(c *Client, rnd *rand.Rand)

// Limiter is the limiter of package aimd, with a token for each of the client's servers.
func Limiter(cfg aimd.Config) Policy {
	return func(c *Client, rnd *rand.Rand) {
		cfg := cfg // runs go on beside each other
		cfg.Rand = rand.New(rand.NewPCG(rnd.Uint64(), rnd.Uint64()))
		(&Ours{Pool: aimd.NewPool(len(c.Servers), cfg), Rand: rnd}).Start(c)
	}
}

// Named is a policy with its name.
type Named struct {
	Name   string
	Policy Policy
}

// Policies are those that are compared, ours last.
func Policies() []Named {
	return []Named{
		{"script", Script(4)},
		{"sequential", Sequential()},
		{"naive AIMD", Naive(8)},
		{"CUBIC", Cubic(8)},
		{"shared", Shared(5)},
		{"usersyncd", Limiter(aimd.Config{})},
	}
}

const (
	limit       = 300 // requests a minute, the API's documented default
	median      = 180 * time.Millisecond
	large       = 3000
	fast        = 30 * time.Millisecond
	slow        = 300 * time.Millisecond
	near        = 10 * time.Millisecond
	breakage    = 0.01
	secondStart = 17 * time.Second // of two clients
	cutAt       = 130 * time.Second
	restoredAt  = 430 * time.Second
)

// Scenario is a way in which an API may behave.
type Scenario struct {
	Name   string // short, for tables
	What   string
	Tokens int // a client has; 0 is 1. Only our limiter uses more than one
	Pair   bool
	Calls  int // it is made for so many; 0: for any number, of which the API breaks one in a hundred

	Latency time.Duration                              // of every call; 0: log-normal around 180 ms
	Near    bool                                       // requests arrive at once, and all of the latency is the API's
	Spoiled func(call int) (status int, header Header) // see Client

	build func(s *setup)
	bound func(calls int) time.Duration // the least time for so many accepted requests; nil: as per minute
}

// setup is one run of a scenario, before anything has happened.
type setup struct {
	*Lab
	rnd     *rand.Rand
	servers []Server
	rival   *Rival
	bound   func(calls int) time.Duration
}

// minutes is how long so many calls take at a limit a minute, for a scheduler without latency.
func minutes(calls, limit int) time.Duration {
	return time.Duration((max(calls, 1)-1)/limit) * time.Minute
}

func perMinute(limit int) func(int) time.Duration {
	return func(calls int) time.Duration { return minutes(calls, limit) }
}

// bucketBound spends the burst at once, and the rest as it comes.
func bucketBound(calls int) time.Duration {
	return time.Duration(max(0, float64(calls-20)/5) * float64(time.Second))
}

// Scenarios are those that are compared. Each server breaks one answer in a hundred (503, after it was
// counted), and the bound counts these, too.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "S1", What: "fixed window, 300 per minute, with headers", build: func(b *setup) { b.servers = []Server{PerMinute(limit)} }},
		{Name: "S1f", What: "the same, seconds rounded down", build: func(b *setup) {
			b.servers = []Server{&Fixed{Allowed: limit, Window: time.Minute, Floor: true}}
		}},
		{Name: "S2", What: "S1 with Retry-After but without quota headers", build: func(b *setup) {
			b.servers = []Server{&Fixed{Allowed: limit, Window: time.Minute, Bare: true}}
		}},
		{Name: "S2b", What: "the same without Retry-After", build: func(b *setup) {
			b.servers = []Server{&Fixed{Allowed: limit, Window: time.Minute, Bare: true, NoRetryAfter: true}}
		}},
		{Name: "S2c", What: "the same, Retry-After is always a second", build: func(b *setup) {
			b.servers = []Server{&Fixed{Allowed: limit, Window: time.Minute, Bare: true, Short: true}}
		}},
		{Name: "S3", What: "sliding window, 300 in any minute, Retry-After", build: func(b *setup) {
			b.servers = []Server{&Sliding{Allowed: limit, Window: time.Minute}}
		}},
		{Name: "S3f", What: "the same, responses in 30 ms", Latency: fast, build: func(b *setup) {
			b.servers = []Server{&Sliding{Allowed: limit, Window: time.Minute}}
		}},
		{Name: "S4", What: "token bucket, 5 per second, burst 20, Retry-After", build: func(b *setup) {
			b.servers = []Server{&Bucket{Rate: 5, Burst: 20}}
		}, bound: bucketBound},
		{Name: "S5", What: "S1 with a rival that uses 30 to 70 %", build: rival(false)},
		{Name: "S5b", What: "the same without headers", build: rival(true)},
		{Name: "S6", What: "S1, halved for five minutes", build: cut(false), bound: cutBound(limit, limit/2)},
		{Name: "S6b", What: "S2, halved for five minutes", build: cut(true), bound: cutBound(limit, limit/2)},
		{Name: "S7", What: "headers report 300, a hidden layer allows 180", build: func(b *setup) {
			b.servers = []Server{&Layered{Told: PerMinute(limit), Hidden: &Sliding{Allowed: 180, Window: time.Minute}}}
		}, bound: perMinute(180)},
		{Name: "S7f", What: "the same, the hidden layer has fixed windows", build: func(b *setup) {
			b.servers = []Server{&Layered{Told: PerMinute(limit), Hidden: &Fixed{Allowed: 180, Window: time.Minute, Bare: true}}}
		}, bound: perMinute(180)},
		{Name: "S10", What: "300 in any minute, with headers", build: func(b *setup) {
			b.servers = []Server{&Sliding{Allowed: limit, Window: time.Minute, Headers: true}}
		}},
		{Name: "S10c", What: "the same, the reset is always 60", build: func(b *setup) {
			b.servers = []Server{&Sliding{Allowed: limit, Window: time.Minute, Headers: true, Constant: true}}
		}},
		{Name: "S11", What: "S6b with 3,000 per minute", Calls: 50_000, build: func(b *setup) {
			s := &Fixed{Allowed: large, Window: time.Minute, Bare: true}
			b.servers = []Server{s}
			b.cut(s, large/2)
		}, bound: cutBound(large, large/2)},
		{Name: "S12", What: "S1, one stray 429 with quota left", Calls: 250, Latency: 100 * time.Millisecond, build: func(b *setup) {
			b.servers = []Server{&Stray{Server: PerMinute(limit), At: 30}}
		}, bound: inFlight(10, 100*time.Millisecond)},
		{Name: "S13", What: "S1, five requests at once", Calls: 250, Latency: slow, Near: true, build: func(b *setup) {
			b.servers = []Server{&AtOnce{Server: PerMinute(limit), Most: 5, Lab: b.Lab, Takes: slow}}
		}, bound: inFlight(5, slow)},
		{Name: "S13b", What: "the same with a hidden limit of 180 per minute", Calls: 1000, Latency: slow, Near: true, build: func(b *setup) {
			hidden := &Layered{Told: PerMinute(limit), Hidden: &Fixed{Allowed: 180, Window: time.Minute, Bare: true}}
			b.servers = []Server{&AtOnce{Server: hidden, Most: 5, Lab: b.Lab, Takes: slow}}
		}, bound: perMinute(180)},
		{Name: "S14", What: "one call is always answered 429", Calls: 100, Latency: near, Spoiled: only(429, 3), build: plain, bound: inFlight(10, near)},
		{Name: "S14b", What: "one call is always answered 503 with Retry-After", Calls: 100, Latency: near, Spoiled: only(503, 20), build: plain, bound: inFlight(10, near)},
		{Name: "S15", What: "headers that deny the quota", Calls: 500, build: func(b *setup) {
			b.servers = []Server{&Denying{Server: &Fixed{Allowed: limit, Window: time.Minute, Bare: true}}}
		}},
		{Name: "S8", What: "two processes on S1, the second 17 s later", Pair: true, build: func(b *setup) { b.servers = []Server{PerMinute(limit)} }},
		{Name: "S8b", What: "two processes on S2", Pair: true, build: func(b *setup) {
			b.servers = []Server{&Fixed{Allowed: limit, Window: time.Minute, Bare: true}}
		}},
		{Name: "S8c", What: "two processes on S4", Pair: true, build: func(b *setup) {
			b.servers = []Server{&Bucket{Rate: 5, Burst: 20}}
		}, bound: bucketBound},
		{Name: "S9", What: "three tokens, one allowed 60", Tokens: 3, build: func(b *setup) {
			b.servers = []Server{PerMinute(limit), PerMinute(60), PerMinute(limit)}
		}, bound: perMinute(2*limit + 60)},
		{Name: "S9c", What: "three tokens, the first gets only 429s", Tokens: 3, build: func(b *setup) {
			b.servers = []Server{Dead{}, PerMinute(limit), PerMinute(limit)}
		}, bound: perMinute(2 * limit)},
		{Name: "S9b", What: "three tokens that share one quota", Tokens: 3, build: func(b *setup) {
			s := PerMinute(limit)
			b.servers = []Server{s, s, s}
		}},
	}
}

// rival shares the quota with somebody; the bound is polite: it serves the rival first.
func rival(bare bool) func(*setup) {
	return func(b *setup) {
		b.servers = []Server{&Fixed{Allowed: limit, Window: time.Minute, Bare: bare}}
		const span = 24 * time.Hour
		b.rival = NewRival(b.rnd, limit, span)
		used := make([]int, span/time.Minute)
		for _, at := range b.rival.At {
			used[int(at.Sub(Epoch())/time.Minute)]++
		}
		b.bound = func(calls int) time.Duration {
			minute := 0
			for ; minute < len(used) && calls > limit-used[minute]; minute++ {
				calls -= limit - used[minute]
			}
			return max(time.Duration(minute)*time.Minute, time.Second)
		}
	}
}

// cut halves the limit for a while.
func cut(bare bool) func(*setup) {
	return func(b *setup) {
		s := &Fixed{Allowed: limit, Window: time.Minute, Bare: bare}
		b.servers = []Server{s}
		b.cut(s, limit/2)
	}
}

func (b *setup) cut(s *Fixed, to int) {
	before := s.Allowed
	b.After(cutAt, func() { s.Allowed = to })
	b.After(restoredAt, func() { s.Allowed = before })
}

func plain(b *setup) { b.servers = []Server{PerMinute(limit)} }

// only answers the 50th call.
func only(status int, after float64) func(call int) (int, Header) {
	return func(call int) (int, Header) {
		if call != 50 {
			return 0, nil
		}
		_, header := refuse(after)
		return status, header
	}
}

// inFlight is how long calls take that fit into a window, so many at a time.
func inFlight(most int, latency time.Duration) func(int) time.Duration {
	return func(calls int) time.Duration { return time.Duration(calls) * latency / time.Duration(most) }
}

// cutBound spends each window at once, so the cut comes too late for the window that it falls into.
func cutBound(allowed, cut int) func(calls int) time.Duration {
	return func(calls int) time.Duration {
		for at := time.Duration(0); ; at += time.Minute {
			room := allowed
			if at > cutAt && at+time.Minute <= restoredAt {
				room = cut
			}
			if calls <= room {
				return at
			}
			calls -= room
		}
	}
}
