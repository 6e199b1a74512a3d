package aimd_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// A token that is throttled from the beginning costs its own share, whichever it is.
func TestPoolWithADeadToken(t *testing.T) {
	for at := range 3 {
		servers := []lab.Server{lab.PerMinute(300), lab.PerMinute(300), lab.PerMinute(300)}
		servers[at] = lab.Dead{}
		l := lab.New()
		c := lab.NewClient(l, 5000, lab.LogNormal(lab.Seeded(1), 180*time.Millisecond), servers...)
		o := &lab.Ours{Pool: aimd.NewPool(3, aimd.Config{Rand: lab.Seeded(1)}), Rand: lab.Seeded(1)}
		o.Start(c)
		took := l.Run(time.Hour, func() bool { return c.Over() || o.Parked })
		if c.Done != c.Calls || took > 480*time.Second*11/10 { // two tokens' worth
			t.Errorf("token %d is dead: %d of %d done in %v, parked %t", at, c.Done, c.Calls, took, o.Parked)
		}
	}
}

// A first token that is parked since before a restart parks nobody else.
func TestPoolFirstTokenParked(t *testing.T) {
	p := aimd.NewPool(3, aimd.Config{Jitter: -1})
	p.Restore(epoch, aimd.Memory{Saved: epoch, Tokens: []aimd.TokenMemory{{Rate: 5, Gate: epoch.Add(time.Hour), Parked: true}, {Rate: 5}, {Rate: 5}}})
	p.Expect(5000)
	if until, parked := p.Parked(epoch); parked {
		t.Errorf("parked until %v with two tokens free", until)
	}
}

// Under a total rate, too, another token takes the place of one that is parked.
func TestPoolFirstTokenParkedUnderATotalRate(t *testing.T) {
	p := aimd.NewPool(3, aimd.Config{Jitter: -1, TotalRate: 2})
	p.Restore(epoch, aimd.Memory{Saved: epoch, Tokens: []aimd.TokenMemory{{Rate: 5, Gate: epoch.Add(time.Hour), Parked: true}}})
	p.Expect(5000)
	if _, token := take(t, p, epoch); token == 0 {
		t.Errorf("sent with the token that is parked")
	}
}

// The wait is the shortest of all tokens', one just taken into use included.
func TestPoolWaitsForTheFirst(t *testing.T) {
	p := aimd.NewPool(2, aimd.Config{Jitter: -1})
	p.Restore(epoch, aimd.Memory{Saved: epoch, Tokens: []aimd.TokenMemory{{Rate: 5}, {Rate: 5, Gate: epoch.Add(5 * time.Second)}}})
	p.Expect(5000)
	ticket, _ := take(t, p, epoch)
	p.OnResponse(epoch, ticket, 200, lab.Quota(300, 300, 60))
	if _, _, wait, ok := p.Acquire(epoch, aimd.Request{}); ok || wait > 5*time.Second {
		t.Errorf("waits %v (allowed: %t) while the other token opens in 5 s", wait, ok)
	}
}

// The reason shown is that of the token that sends, not of one whose window is spent.
func TestPoolReason(t *testing.T) {
	p := aimd.NewPool(2, aimd.Config{Jitter: -1})
	p.Expect(5000)
	ticket, _ := take(t, p, epoch)
	p.OnResponse(epoch, ticket, 200, lab.Quota(60, 60, 60))
	ticket, _ = take(t, p, epoch)
	p.OnResponse(epoch, ticket, 200, lab.Quota(1, 300, 30))
	now := epoch.Add(time.Second)
	s := p.Stats(now)
	if _, token, _, ok := p.Acquire(now, aimd.Request{}); !ok || s.Reason == aimd.Exhausted {
		t.Errorf("%v, and yet token %d sends: %t", s, token, ok)
	}
}

// A total rate that one token's quota allows needs no second one.
func TestPoolTakesNoNeedlessTokens(t *testing.T) {
	p := aimd.NewPool(10, aimd.Config{Jitter: -1, TotalRate: 2})
	p.Expect(1000)
	for now := epoch; now.Before(epoch.Add(30 * time.Second)); {
		ticket, _, wait, ok := p.Acquire(now, aimd.Request{})
		if !ok {
			now = now.Add(wait)
			continue
		}
		p.OnResponse(now, ticket, 200, lab.Quota(1, 300, 60))
	}
	if s := p.Stats(epoch.Add(30 * time.Second)); s.Tokens > 1 {
		t.Errorf("%d tokens for 2 requests a second in all: %v", s.Tokens, s)
	}
}

// 14, with several tokens: whatever they meet, all the work is done once the servers are well.
func TestPoolLiveness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := lab.Seeded(rapid.Uint64().Draw(t, "seed"))
		chance := rapid.Float64Range(0, 0.3)
		servers := make([]lab.Server, rapid.IntRange(2, 5).Draw(t, "tokens"))
		for i := range servers {
			servers[i] = &faulty{
				Server: drawServer(t), rnd: rnd, until: epoch.Add(20 * time.Minute),
				lost: chance.Draw(t, "lost"), unavailable: chance.Draw(t, "unavailable"),
				broken: chance.Draw(t, "broken"), garbled: chance.Draw(t, "garbled"),
			}
		}
		const inFlight = 5
		p := aimd.NewPool(len(servers), aimd.Config{
			MaxInFlight: inFlight, Rand: lab.Seeded(1), TotalRate: rapid.SampledFrom([]float64{0, 3, 20}).Draw(t, "total rate"),
		})
		l := lab.New()
		c := lab.NewClient(l, rapid.IntRange(1, 2000).Draw(t, "calls"), lab.LogNormal(rnd, 100*time.Millisecond), servers...)
		o := &lab.Ours{Pool: p, Rand: rnd, Patient: true, Tries: 1_000_000, Skew: drawSkew(t)}
		o.Sending = func(_ time.Time, _ uint64, s aimd.Stats) {
			if s.InFlight >= inFlight*len(servers) {
				t.Fatalf("too many in flight: %v", s)
			}
		}
		o.Start(c)
		if took := l.Run(1000*time.Hour, c.Over); c.Done != c.Calls {
			t.Fatalf("stalled after %v: %d of %d; %v", took, c.Done, c.Calls, p.Stats(l.Now()))
		}
	})
}

// 8, with several tokens: truthful headers, and no 429.
func TestPoolTruthfulHeaders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := lab.Seeded(rapid.Uint64().Draw(t, "seed"))
		servers := make([]lab.Server, rapid.IntRange(2, 10).Draw(t, "tokens"))
		for i := range servers {
			servers[i] = &lab.Fixed{
				Allowed: rapid.IntRange(1, 400).Draw(t, "allowed"), Aligned: rapid.Bool().Draw(t, "aligned"),
				Window: time.Duration(rapid.IntRange(1, 90).Draw(t, "window")) * time.Second,
			}
		}
		l := lab.New()
		latency := lab.LogNormal(rnd, time.Duration(rapid.IntRange(10, 800).Draw(t, "latency"))*time.Millisecond)
		c := lab.NewClient(l, rapid.IntRange(1, 4000).Draw(t, "calls"), latency, servers...)
		(&lab.Ours{Pool: aimd.NewPool(len(servers), aimd.Config{Rand: lab.Seeded(1)}), Rand: rnd}).Start(c)
		if took := l.Run(1000*time.Hour, c.Over); c.Done != c.Calls || c.Throttled > 0 {
			t.Fatalf("%d of %d in %v, %d times 429", c.Done, c.Calls, took, c.Throttled)
		}
	})
}
