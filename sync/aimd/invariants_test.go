package aimd_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// faulty puts a server behind a bad network and a bad gateway until the faults end.
type faulty struct {
	lab.Server
	rnd                                *rand.Rand
	lost, unavailable, broken, garbled float64 // probabilities
	until                              time.Time
}

func (s *faulty) Serve(now time.Time) (int, header) {
	if now.After(s.until) {
		return s.Server.Serve(now)
	}
	p := s.rnd.Float64()
	switch {
	case p < s.lost/2: // on the way there
		return 0, nil
	case p < s.lost: // on the way back
		s.Server.Serve(now)
		return 0, nil
	case p < s.lost+s.unavailable:
		return 503, header{"retry-after": {strconv.Itoa(s.rnd.IntN(20))}}
	case p < s.lost+s.unavailable+s.broken:
		status, h := s.Server.Serve(now)
		if status == 200 {
			status = 500
		}
		return status, h
	}
	status, h := s.Server.Serve(now)
	if s.rnd.Float64() < s.garbled {
		junk := []string{"", "-1", "x", "1e9", "99999999999999999999", "0", "7, 9", "3.5", "Sun, 01 Mar 2026 09:01:00 GMT", "Sun, 01 Mar 2126 09:01:00 GMT"}
		for key := range h {
			h[key] = []string{junk[s.rnd.IntN(len(junk))]}
		}
	}
	return status, h
}

func drawServer(t *rapid.T) lab.Server {
	// With one request a window, a quota that is used up looks like one request that is refused alone.
	allowed := rapid.IntRange(2, 400).Draw(t, "allowed")
	window := time.Duration(rapid.IntRange(1, 120).Draw(t, "window")) * time.Second
	switch rapid.SampledFrom([]string{"fixed", "sliding", "bucket", "layered"}).Draw(t, "kind") {
	case "sliding":
		return &lab.Sliding{Allowed: allowed, Window: window}
	case "bucket":
		return &lab.Bucket{Rate: float64(allowed) / window.Seconds(), Burst: rapid.Float64Range(1, 30).Draw(t, "burst")}
	case "layered":
		return &lab.Layered{Told: &lab.Fixed{Allowed: allowed, Window: window}, Hidden: &lab.Sliding{Allowed: max(1, allowed/2), Window: window}}
	}
	return &lab.Fixed{
		Allowed: allowed, Window: window,
		Aligned:       rapid.Bool().Draw(t, "aligned"),
		Floor:         rapid.Bool().Draw(t, "floor"),
		Bare:          rapid.Bool().Draw(t, "bare"),
		NoRetryAfter:  rapid.Bool().Draw(t, "noRetryAfter"),
		CountRejected: rapid.Bool().Draw(t, "countRejected"),
	}
}

// drawSkew is a clock that is wrong by up to an hour, and by something else every five minutes.
func drawSkew(t *rapid.T) func(time.Time) time.Time {
	jumps := rapid.SliceOfN(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)), 0, 20).Draw(t, "clock jumps")
	if len(jumps) == 0 {
		return nil
	}
	return func(now time.Time) time.Time {
		return now.Add(time.Duration(jumps[int(now.Sub(epoch)/(5*time.Minute))%len(jumps)]))
	}
}

// Whatever the server does, the laws 1 to 7, 9 and 10 hold, header bytes do not matter (13), and once it
// is well again all the work is done (14).
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := aimd.Config{
			MaxInFlight: rapid.IntRange(1, 20).Draw(t, "maxInFlight"), Rand: lab.Seeded(1),
			Reserve: rapid.Float64Range(0, 0.9).Draw(t, "reserve"),
		}
		rnd := lab.Seeded(rapid.Uint64().Draw(t, "seed"))
		chance := rapid.Float64Range(0, 0.3)
		srv := &faulty{
			Server: drawServer(t), rnd: rnd, until: epoch.Add(20 * time.Minute),
			lost: chance.Draw(t, "lost"), unavailable: chance.Draw(t, "unavailable"),
			broken: chance.Draw(t, "broken"), garbled: chance.Draw(t, "garbled"),
		}
		r := &run{
			p: aimd.NewPool(1, cfg), srv: srv,
			latency: lab.LogNormal(rnd, time.Duration(rapid.IntRange(10, 1000).Draw(t, "latency"))*time.Millisecond),
			calls:   rapid.IntRange(1, 400).Draw(t, "calls"), patient: true, limit: 1000 * time.Hour,
			skew: drawSkew(t),
		}
		(&laws{t: t, cfg: cfg, skewed: r.skew != nil, effSince: aimd.DefaultMinRate, effAt: map[uint64]float64{}}).watch(r)
		if res := r.play(); res.Done != r.calls {
			t.Fatalf("stalled after %v with %d of %d done; %v", res.took, res.Done, r.calls, r.p.Stats(epoch.Add(res.took)))
		}
	})
}

// 8: alone with truthful headers there is never a 429, in whatever order the answers come.
func TestTruthfulHeadersMeanNoThrottling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		srv := &lab.Fixed{
			Allowed: rapid.IntRange(1, 400).Draw(t, "allowed"),
			Window:  time.Duration(rapid.IntRange(1, 90).Draw(t, "window")) * time.Second,
			Aligned: rapid.Bool().Draw(t, "aligned"),
			Floor:   rapid.Bool().Draw(t, "floor"),
		}
		rnd := lab.Seeded(rapid.Uint64().Draw(t, "seed"))
		r := &run{
			p: pool(1), srv: srv,
			latency: lab.LogNormal(rnd, time.Duration(rapid.IntRange(10, 800).Draw(t, "latency"))*time.Millisecond),
			calls:   rapid.IntRange(1, 800).Draw(t, "calls"),
		}
		most := 0
		if srv.Floor {
			srv.Window += 4 * time.Second // a reset that is 0 for half of the window teaches nothing
			most = 1
		}
		if res := r.play(); res.Throttled > most || res.Done != r.calls {
			t.Fatalf("%d of %d done, %d times 429; %v", res.Done, r.calls, res.Throttled, r.p.Stats(epoch.Add(res.took)))
		}
	})
}

// 12: a clock that jumps mints no tokens: only the time by which it exceeds all before counts.
func TestJumpingClockMintsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rate = 5.0
		c := aimd.NewController(aimd.Config{StartRate: rate, MaxRate: rate})
		c.Acquire(epoch) // sets the clock, and takes the token there is
		now, last := epoch, epoch
		sent := 1
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "jump")))
			if rapid.Bool().Draw(t, "small") {
				now = last.Add(-time.Second / 2)
			}
			if now.After(last) {
				last = now
			}
			if _, ok := c.Acquire(now); ok {
				sent++
				c.OnResponse(now, c.OnSend(now), 200, nil)
			}
			// The limiter counts in whole nanoseconds, which is far from a token.
			if most := 1 + rate*last.Sub(epoch).Seconds(); float64(sent) > most+1e-6 {
				t.Fatalf("%d sent, %.1f tokens minted", sent, most)
			}
		}
	})
}

// 15: two limiters that share a server share it fairly.
func TestTwoLimitersAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const calls = 1500
		limit := rapid.IntRange(60, 400).Draw(t, "limit")
		var srv lab.Server
		switch rapid.SampledFrom([]string{"headers", "Retry-After", "sliding", "bucket"}).Draw(t, "kind") {
		case "headers":
			srv = lab.PerMinute(limit)
		case "Retry-After":
			srv = &lab.Fixed{Allowed: limit, Window: time.Minute, Bare: true}
		case "sliding":
			srv = &lab.Sliding{Allowed: limit, Window: time.Minute}
		case "bucket":
			srv = &lab.Bucket{Rate: float64(limit) / 60, Burst: float64(limit) / 15}
		}
		rnd := lab.Seeded(rapid.Uint64().Draw(t, "seed"))
		latency := lab.LogNormal(rnd, time.Duration(rapid.IntRange(20, 400).Draw(t, "latency"))*time.Millisecond)
		l := lab.New()
		a, b := lab.NewClient(l, calls, latency, srv), lab.NewClient(l, calls, latency, srv)
		(&lab.Ours{Pool: pool(1), Rand: rnd}).Start(a)
		l.After(time.Duration(rapid.IntRange(0, 60).Draw(t, "later"))*time.Second, func() {
			b.Began = l.Now()
			(&lab.Ours{Pool: pool(2), Rand: rnd}).Start(b)
		})
		l.Run(100*time.Hour, func() bool { return a.Over() && b.Over() })
		if j := lab.Jain(calls/a.Took().Seconds(), calls/b.Took().Seconds()); j < 0.95 {
			t.Fatalf("Jain index %.3f: %v and %v", j, a.Took(), b.Took())
		}
	})
}

// 16: when the headers go away in the middle of a run it only slows down.
func TestHeadersRemovedMidRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		srv := lab.PerMinute(300)
		at := time.Duration(rapid.IntRange(0, 150).Draw(t, "after")) * time.Second
		r := &run{
			p: pool(1), srv: srv, latency: lab.LogNormal(lab.Seeded(rapid.Uint64().Draw(t, "seed")), 700*time.Millisecond), calls: 900, limit: 6 * time.Minute,
			onTime: map[time.Duration]func(){at: func() { srv.Bare = true }},
		}
		if res := r.play(); res.Done != r.calls || res.Throttled > 20 {
			t.Fatalf("removed at %v: %d of %d done in %v, %d times 429; %v", at, res.Done, r.calls, res.took, res.Throttled, r.p.Stats(epoch.Add(res.took)))
		}
	})
}
