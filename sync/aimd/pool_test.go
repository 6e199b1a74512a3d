package aimd_test

import (
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// take asks a pool for one request and fails the test if it may not be sent.
func take(t *testing.T, p *aimd.Pool, now time.Time) (ticket uint64, token int) {
	t.Helper()
	ticket, token, _, ok := p.Acquire(now, aimd.Request{})
	if !ok {
		t.Fatalf("not allowed to send: %v", p.Stats(now))
	}
	return ticket, token
}

// blocked fails the test if a request may be sent.
func blocked(t *testing.T, p *aimd.Pool, now time.Time) {
	t.Helper()
	if _, token, _, ok := p.Acquire(now, aimd.Request{}); ok {
		t.Fatalf("allowed to send with token %d: %v", token, p.Stats(now))
	}
}

// Tokens are taken into use one at a time: the next when the last has answered, and only while there
// is more work than those in use get done in two seconds.
func TestPoolTakesTokensAsNeeded(t *testing.T) {
	p := aimd.NewPool(3, aimd.Config{Jitter: -1})
	p.Expect(2000)
	now := epoch
	for want := range 3 {
		ticket, token := take(t, p, now)
		if token != want {
			t.Fatalf("token %d, want %d", token, want)
		}
		blocked(t, p, now) // its probe is on the way
		p.OnResponse(now, ticket, 200, lab.Quota(1, 300, 60))
	}
	if s := p.Stats(now); s.Tokens != 3 || s.Left != 3*299 || s.Allowed != 900 {
		t.Errorf("%+v", s)
	}

	p = aimd.NewPool(3, aimd.Config{Jitter: -1})
	p.Expect(20)
	ticket, _ := take(t, p, now)
	p.OnResponse(now, ticket, 200, lab.Quota(1, 300, 60))
	for p.Stats(now).Expected > 0 {
		ticket, token, wait, ok := p.Acquire(now, aimd.Request{})
		if !ok {
			now = now.Add(wait)
			continue
		}
		if token != 0 {
			t.Fatalf("token %d is used for 20 requests", token)
		}
		p.OnResponse(now, ticket, 200, nil)
	}
}

// What fits into all budgets together is rushed with each.
func TestPoolRush(t *testing.T) {
	for _, tt := range []struct {
		expect int
		want   aimd.Reason
	}{{597, aimd.Rush}, {700, aimd.Rate}} {
		p := aimd.NewPool(2, aimd.Config{Jitter: -1})
		p.Expect(tt.expect)
		for range 2 {
			ticket, _ := take(t, p, epoch)
			p.OnResponse(epoch, ticket, 200, lab.Quota(1, 300, 60))
		}
		blocked(t, p, epoch) // both have just sent
		if s := p.Stats(epoch.Add(time.Second)); s.Reason != tt.want {
			t.Errorf("%d to come: %v, want %s", tt.expect, s, tt.want)
		}
	}
}

// A token that is throttled, or cannot be had, stops nobody else.
func TestPoolGoesOnWithoutOne(t *testing.T) {
	for name, stop := range map[string]func(p *aimd.Pool, now time.Time, ticket uint64){
		"throttled": func(p *aimd.Pool, now time.Time, ticket uint64) {
			p.OnResponse(now, ticket, 429, header{"Retry-After": {"3600"}})
		},
		"not to be had": func(p *aimd.Pool, now time.Time, ticket uint64) { p.Cancel(now, ticket, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			p := aimd.NewPool(2, aimd.Config{Jitter: -1})
			p.Expect(1000)
			ticket, _ := take(t, p, epoch)
			p.OnResponse(epoch, ticket, 200, lab.Quota(1, 300, 60))
			ticket, token := take(t, p, epoch)
			if token != 1 {
				t.Fatalf("token %d, want 1", token)
			}
			stop(p, epoch, ticket)
			if s := p.Stats(epoch); s.Expected != 999 || s.Gate != 0 || s.InFlight != 0 {
				t.Errorf("%+v", s)
			}
			now := epoch
			for range 20 {
				now = now.Add(time.Second)
				ticket, token := take(t, p, now)
				if token != 0 {
					t.Fatalf("token %d", token)
				}
				p.OnResponse(now, ticket, 200, nil)
			}
			if _, parked := p.Parked(now); parked {
				t.Error("parked with one token to go on with")
			}
			again := time.Time{} // and then it is tried again
			p.Expect(1_000_000)
			for now.Before(epoch.Add(2*time.Hour)) && again.IsZero() {
				now = now.Add(30 * time.Second)
				var tickets []uint64
				for range 2 {
					if ticket, token, _, ok := p.Acquire(now, aimd.Request{}); ok {
						tickets = append(tickets, ticket)
						if token == 1 {
							again = now
						}
					}
				}
				for _, ticket := range tickets {
					p.OnResponse(now, ticket, 200, lab.Quota(1, 300, 60))
				}
			}
			if again.Before(epoch.Add(time.Hour)) {
				t.Errorf("token 1 was used again at %v", again)
			}
		})
	}
}

func TestPoolParkedIsAllParked(t *testing.T) {
	p := aimd.NewPool(2, aimd.Config{Jitter: -1})
	p.Expect(1000)
	first, _ := take(t, p, epoch)
	p.OnResponse(epoch, first, 200, lab.Quota(1, 300, 60))
	second, _ := take(t, p, epoch)
	p.OnResponse(epoch, second, 429, header{"Retry-After": {"7200"}})
	third, _ := take(t, p, epoch.Add(time.Second))
	if _, parked := p.Parked(epoch.Add(time.Second)); parked {
		t.Error("parked")
	}
	p.OnResponse(epoch.Add(time.Second), third, 429, header{"Retry-After": {"3600"}})
	until, parked := p.Parked(epoch.Add(2 * time.Second))
	if want := epoch.Add(time.Hour); !parked || !until.Equal(want) {
		t.Errorf("parked %t until %v, want until %v", parked, until, want)
	}
	if s := p.Stats(epoch.Add(2 * time.Second)); s.Reason != aimd.Parked || s.Throttled != 2 {
		t.Errorf("%+v", s)
	}
}

func TestPoolEstimate(t *testing.T) {
	p := aimd.NewPool(3, aimd.Config{Jitter: -1})
	p.Expect(3000)
	for range 3 {
		ticket, _ := take(t, p, epoch)
		p.OnResponse(epoch, ticket, 200, lab.Quota(1, 300, 60))
	}
	one := aimd.NewController(aimd.Config{Jitter: -1})
	call(t, one, epoch, 200, lab.Quota(1, 300, 60))
	for _, n := range []int{1, 100, 1000, 5000} {
		got, want := p.Estimate(epoch, 3*n), one.Estimate(epoch, n)
		if d := got - want; d < -time.Second || d > time.Second {
			t.Errorf("%d with three tokens: %v; a third of it with one: %v", 3*n, got, want)
		}
	}
}

// A ceiling for all is one token's as long as there is one, and then divided.
func TestPoolTotalRate(t *testing.T) {
	p := aimd.NewPool(4, aimd.Config{TotalRate: 8, StartRate: 50, Jitter: -1})
	p.Expect(100_000)
	if s := p.Stats(epoch); s.Rate != 8 {
		t.Errorf("one token: %v, want 8/s", s)
	}
	sent := 0
	for now := epoch; now.Before(epoch.Add(100 * time.Second)); {
		ticket, _, wait, ok := p.Acquire(now, aimd.Request{})
		if !ok {
			now = now.Add(wait)
			continue
		}
		sent++
		p.OnResponse(now, ticket, 200, lab.Quota(1, 100_000, 60))
	}
	if s := p.Stats(epoch.Add(100 * time.Second)); s.Rate > 8+1e-9 || sent > 8*100+4 || sent < 8*100-20 {
		t.Errorf("%d sent in 100 s with %d tokens: %v", sent, s.Tokens, s)
	}
}

// A number of tokens that makes no sense is the nearest one that does.
func TestPoolSize(t *testing.T) {
	for tokens, want := range map[int]int{-1: 1, 0: 1, 10: 10, 11: aimd.MaxTokens} {
		p := aimd.NewPool(tokens, aimd.Config{Jitter: -1})
		p.Expect(1_000_000)
		used := 0
		for now := epoch; ; {
			ticket, token, _, ok := p.Acquire(now, aimd.Request{})
			if !ok {
				break
			}
			used = max(used, token+1)
			p.OnResponse(now, ticket, 200, lab.Quota(1, 300, 60))
		}
		if used != want {
			t.Errorf("%d tokens wanted: %d used, want %d", tokens, used, want)
		}
	}
}
