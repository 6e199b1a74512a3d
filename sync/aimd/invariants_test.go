package aimd_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usersyncd/sync/aimd"
)

// faulty puts a server behind a bad network and a bad gateway until the faults end.
type faulty struct {
	server
	rnd                                *rand.Rand
	lost, unavailable, broken, garbled float64 // probabilities
	until                              time.Time
}

func (s *faulty) serve(now time.Time) (int, header) {
	if now.After(s.until) {
		return s.server.serve(now)
	}
	p := s.rnd.Float64()
	switch {
	case p < s.lost/2: // on the way there
		return 0, nil
	case p < s.lost: // on the way back
		s.server.serve(now)
		return 0, nil
	case p < s.lost+s.unavailable:
		return 503, header{"retry-after": {strconv.Itoa(s.rnd.IntN(20))}}
	case p < s.lost+s.unavailable+s.broken:
		status, h := s.server.serve(now)
		if status == 200 {
			status = 500
		}
		return status, h
	}
	status, h := s.server.serve(now)
	if s.rnd.Float64() < s.garbled {
		junk := []string{"", "-1", "x", "1e9", "99999999999999999999", "0", "7, 9", "3.5"}
		for key := range h {
			h[key] = []string{junk[s.rnd.IntN(len(junk))]}
		}
	}
	return status, h
}

func drawServer(t *rapid.T) server {
	allowed := rapid.IntRange(1, 400).Draw(t, "allowed")
	window := time.Duration(rapid.IntRange(1, 120).Draw(t, "window")) * time.Second
	switch rapid.SampledFrom([]string{"fixed", "sliding", "bucket"}).Draw(t, "kind") {
	case "sliding":
		return &slidingWindow{allowed: allowed, window: window}
	case "bucket":
		return &bucket{rate: float64(allowed) / window.Seconds(), burst: rapid.Float64Range(1, 30).Draw(t, "burst")}
	}
	return &fixedWindow{
		allowed: allowed, window: window,
		aligned:       rapid.Bool().Draw(t, "aligned"),
		floor:         rapid.Bool().Draw(t, "floor"),
		bare:          rapid.Bool().Draw(t, "bare"),
		noRetryAfter:  rapid.Bool().Draw(t, "noRetryAfter"),
		countRejected: rapid.Bool().Draw(t, "countRejected"),
	}
}

// Whatever the server does, the laws below hold, and once it is well again all the work is done.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := aimd.Config{MaxInFlight: rapid.IntRange(1, 20).Draw(t, "maxInFlight"), Rand: seeded(1)}
		rnd := seeded(rapid.Uint64().Draw(t, "seed"))
		chance := rapid.Float64Range(0, 0.3)
		srv := &faulty{
			server: drawServer(t), rnd: rnd, until: epoch.Add(20 * time.Minute),
			lost: chance.Draw(t, "lost"), unavailable: chance.Draw(t, "unavailable"),
			broken: chance.Draw(t, "broken"), garbled: chance.Draw(t, "garbled"),
		}
		r := &run{
			c: aimd.NewController(cfg), srv: srv,
			latency: logNormal(rnd, time.Duration(rapid.IntRange(10, 1000).Draw(t, "latency"))*time.Millisecond),
			calls:   rapid.IntRange(1, 400).Draw(t, "calls"), patient: true,
		}
		(&laws{t: t, cfg: cfg, effSince: aimd.DefaultMinRate, effAt: map[uint64]float64{}}).watch(r)
		if res := r.play(); res.done != r.calls {
			t.Fatalf("stalled: %v; %v", res, r.c.Stats(epoch.Add(res.took)))
		}
	})
}

// laws checks a run as it goes.
type laws struct {
	t   *rapid.T
	cfg aimd.Config

	probe     uint64 // in flight, or 0
	lastSent  time.Time
	effSince  float64            // highest effective rate seen since the last send
	effAt     map[uint64]float64 // of each request
	episodeAt uint64             // requests sent at the last decrease
	sends     uint64
}

func (l *laws) watch(r *run) {
	r.asked = func(_ time.Time, s aimd.Stats) { l.rates(s) }
	r.sent = l.sent
	r.answered = l.answered
}

func (l *laws) rates(s aimd.Stats) {
	for _, v := range []float64{s.Rate, s.Effective} {
		if math.IsNaN(v) || v < aimd.DefaultMinRate || v > aimd.DefaultMaxRate {
			l.t.Fatalf("rate out of bounds: %v", s)
		}
	}
	l.effSince = max(l.effSince, s.Effective)
}

func (l *laws) sent(now time.Time, seq uint64, s aimd.Stats) {
	l.rates(s)
	if s.Gate > 0 {
		l.t.Fatalf("sent while the gate is shut: %v", s)
	}
	if s.InFlight >= l.cfg.MaxInFlight {
		l.t.Fatalf("sent beyond the cap of %d in flight: %v", l.cfg.MaxInFlight, s)
	}
	if l.probe != 0 {
		l.t.Fatalf("sent while the probe is in flight: %v", s)
	}
	if s.Windowed && s.Left < 1 {
		l.t.Fatalf("sent without budget: %v", s)
	}
	if s.Reason == aimd.Probe {
		l.probe = seq
	}
	// A bucket of one token is empty after every send, so the gap must have filled it.
	if filled := now.Sub(l.lastSent).Seconds() * l.effSince; !l.lastSent.IsZero() && filled < 0.999 {
		l.t.Fatalf("burst: %.4f tokens since the last send: %v", filled, s)
	}
	l.lastSent, l.effSince, l.effAt[seq] = now, 0, s.Effective
	l.rates(s)
	l.sends++
}

func (l *laws) answered(_ time.Time, seq uint64, status int, before, after aimd.Stats) {
	if seq == l.probe {
		l.probe = 0
	}
	l.rates(before)
	l.rates(after)
	if after.Gate < before.Gate {
		l.t.Fatalf("the gate shortened:\n%v\n%v", before, after)
	}
	if after.InFlight != before.InFlight-1 {
		l.t.Fatalf("an answer did not free its slot:\n%v\n%v", before, after)
	}
	if status != 200 && after.Rate > before.Rate {
		l.t.Fatalf("a %d raised the rate:\n%v\n%v", status, before, after)
	}
	sameWindow := before.Windowed && after.Windowed && after.Reset <= before.Reset+time.Second
	if sameWindow && after.Allowed <= before.Allowed && after.Left > before.Left {
		l.t.Fatalf("the budget grew within a window:\n%v\n%v", before, after)
	}
	switch after.Decreases - before.Decreases {
	case 0:
	case 1:
		low, high := min(before.Rate, l.effAt[seq])/2, before.Rate*0.9
		if before.Windowed && !after.Windowed {
			low = 0 // and what slow start had lent is gone with the window
		}
		if after.Rate < max(low, aimd.DefaultMinRate)-1e-9 || after.Rate > max(high, aimd.DefaultMinRate)+1e-9 {
			l.t.Fatalf("decrease from %v (sent at %v) to %v", before.Rate, l.effAt[seq], after.Rate)
		}
		if seq <= l.episodeAt {
			l.t.Fatalf("request %d was sent before the last decrease, at %d, and decreased again", seq, l.episodeAt)
		}
		l.episodeAt = l.sends
	default:
		l.t.Fatalf("more than one decrease:\n%v\n%v", before, after)
	}
}

// Alone with truthful headers there is never a 429, in whatever order the answers come.
func TestTruthfulHeadersMeanNoThrottling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		srv := &fixedWindow{
			allowed: rapid.IntRange(1, 400).Draw(t, "allowed"),
			window:  time.Duration(rapid.IntRange(1, 90).Draw(t, "window")) * time.Second,
			aligned: rapid.Bool().Draw(t, "aligned"),
			floor:   rapid.Bool().Draw(t, "floor"),
		}
		rnd := seeded(rapid.Uint64().Draw(t, "seed"))
		r := &run{
			c: aimd.NewController(aimd.Config{Rand: seeded(1)}), srv: srv,
			latency: logNormal(rnd, time.Duration(rapid.IntRange(10, 800).Draw(t, "latency"))*time.Millisecond),
			calls:   rapid.IntRange(1, 800).Draw(t, "calls"),
		}
		most := 0
		if srv.floor {
			srv.window += 4 * time.Second // a reset that is 0 for half of the window teaches nothing
			most = 1
		}
		if res := r.play(); res.throttled > most || res.done != r.calls {
			t.Fatalf("%v; %v", res, r.c.Stats(epoch.Add(res.took)))
		}
	})
}

// A clock that jumps mints no tokens: only the time by which it exceeds all before counts.
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
			if most := 1 + rate*last.Sub(epoch).Seconds(); float64(sent) > most {
				t.Fatalf("%d sent, %.1f tokens minted", sent, most)
			}
		}
	})
}

// When the headers go away in the middle of a run it only slows down.
func TestHeadersRemovedMidRun(t *testing.T) {
	for _, at := range []time.Duration{time.Second, 30 * time.Second, 61 * time.Second, 90 * time.Second} {
		srv := &fixedWindow{allowed: 300, window: time.Minute}
		r := &run{
			c: aimd.NewController(aimd.Config{Rand: seeded(1)}), srv: srv,
			latency: constant(100 * time.Millisecond), calls: 900, limit: 10 * time.Minute,
			onTime: map[time.Duration]func(){at: func() { srv.bare = true }},
		}
		res := r.play()
		if res.done != r.calls || res.throttled > 20 {
			t.Errorf("removed at %v: %v; %v", at, res, r.c.Stats(epoch.Add(res.took)))
		}
	}
}
