package aimd_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// restart gives a new pool what an old one knew, through the form in which it is kept.
func restart(t *testing.T, p *aimd.Pool, saved, now time.Time) *aimd.Pool {
	t.Helper()
	data, err := json.Marshal(p.Memory(saved))
	if err != nil {
		t.Fatal(err)
	}
	var m aimd.Memory
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	next := aimd.NewPool(1, aimd.Config{Jitter: -1})
	next.Restore(now, m)
	return next
}

// The pause that a 429 asks for survives a restart, to the moment.
func TestMemoryGate(t *testing.T) {
	for _, tt := range []struct {
		after  string
		parked bool
	}{{"300", false}, {"3600", true}} {
		p := aimd.NewPool(1, aimd.Config{Jitter: -1})
		ticket, _ := take(t, p, epoch)
		p.OnResponse(epoch, ticket, 429, header{"Retry-After": {tt.after}})
		until := epoch.Add(p.Stats(epoch).Gate)

		p = restart(t, p, epoch.Add(time.Second), epoch.Add(time.Minute))
		_, _, wait, ok := p.Acquire(epoch.Add(time.Minute), aimd.Request{})
		if ok || !epoch.Add(time.Minute+wait).Equal(until) {
			t.Errorf("Retry-After %s: a restart waits %v (allowed: %t), want until %v", tt.after, wait, ok, until)
		}
		if _, parked := p.Parked(epoch.Add(time.Minute)); parked != tt.parked {
			t.Errorf("Retry-After %s: parked %t", tt.after, parked)
		}
		take(t, p, until)
	}
}

// A rate is begun with at nine tenths for a quarter of an hour, and then forgotten.
func TestMemoryRate(t *testing.T) {
	p := aimd.NewPool(1, aimd.Config{Jitter: -1})
	ticket, _ := take(t, p, epoch)
	p.OnResponse(epoch, ticket, 429, nil)
	learned := p.Stats(epoch).Rate
	if learned != 2.5 {
		t.Fatalf("rate %v after a 429", learned)
	}
	for _, tt := range []struct {
		age  time.Duration
		want float64
	}{
		{0, 0.9 * learned}, {14 * time.Minute, 0.9 * learned},
		{15 * time.Minute, aimd.DefaultStartRate}, {-time.Hour, aimd.DefaultStartRate}, // the clock was set back
	} {
		if got := restart(t, p, epoch, epoch.Add(tt.age)).Stats(epoch.Add(tt.age)).Rate; got != tt.want {
			t.Errorf("after %v: rate %v, want %v", tt.age, got, tt.want)
		}
	}
}

// A rate that nothing has limited is not remembered, and one that was not tried does not fade with every
// restart: small runs now and then do not make a large one slow.
func TestMemoryDoesNotFade(t *testing.T) {
	for _, throttled := range []bool{false, true} {
		now := epoch
		p := aimd.NewPool(1, aimd.Config{Jitter: -1})
		if throttled {
			ticket, _ := take(t, p, now)
			p.OnResponse(now, ticket, 429, nil)
			now = now.Add(2 * time.Second)
		}
		first := 0.0
		for i := range 20 {
			p.Expect(2)
			for range 2 {
				ticket, _ := take(t, p, now)
				p.OnResponse(now, ticket, 200, nil)
				now = now.Add(3 * time.Second)
			}
			p = restart(t, p, now, now.Add(5*time.Minute))
			now = now.Add(5 * time.Minute)
			if rate := p.Stats(now).Rate; i == 0 {
				first = rate
			} else if rate < first-1e-9 {
				t.Fatalf("throttled %t: rate %v after %d restarts, %v after the first", throttled, rate, i+1, first)
			}
		}
		if !throttled && first != aimd.DefaultStartRate {
			t.Errorf("nothing was throttled, and a restart begins at %v", first)
		}
	}
}

// So is that the headers do not tell all: no rush on their word after a restart either.
func TestMemoryDoubt(t *testing.T) {
	p := aimd.NewPool(1, aimd.Config{Jitter: -1})
	ticket, _ := take(t, p, epoch)
	p.OnResponse(epoch, ticket, 200, lab.Quota(1, 300, 60))
	now := epoch.Add(time.Second)
	ticket, _ = take(t, p, now)
	p.OnResponse(now, ticket, 429, header{"Retry-After": {"5"}})
	p = restart(t, p, now, now.Add(10*time.Second))
	now = now.Add(10 * time.Second)
	p.Expect(100)
	ticket, _ = take(t, p, now)
	p.OnResponse(now, ticket, 200, lab.Quota(3, 300, 49))
	if s := p.Stats(now.Add(time.Second)); s.Reason == aimd.Rush {
		t.Errorf("%v, ten seconds after a 429 with quota left", s)
	}
}

// That the server rounds down is remembered.
func TestMemoryBias(t *testing.T) {
	p := aimd.NewPool(1, aimd.Config{Jitter: -1})
	p.Restore(epoch, aimd.Memory{Saved: epoch, Tokens: []aimd.TokenMemory{{Bias: time.Second}, {Bias: time.Hour}}})
	ticket, _ := take(t, p, epoch)
	p.OnResponse(epoch, ticket, 200, lab.Quota(300, 300, 59))
	if s := p.Stats(epoch); s.Reset != 60*time.Second || p.Memory(epoch).Tokens[0].Bias != time.Second {
		t.Errorf("the window ends in %v, want a second more than the 59 s it says", s.Reset)
	}
}

// The window is remembered for the estimate, with headers and without.
func TestMemoryQuota(t *testing.T) {
	p := aimd.NewPool(1, aimd.Config{Jitter: -1})
	ticket, _ := take(t, p, epoch)
	p.OnResponse(epoch, ticket, 200, lab.Quota(1, 120, 60))
	if got, want := restart(t, p, epoch, epoch).Estimate(epoch, 500), p.Estimate(epoch, 500); got < want-time.Second || got > want+2*time.Second {
		t.Errorf("500 requests at 120 a minute: %v after a restart, %v before", got, want)
	}
	if m := p.Memory(epoch); m.Tokens[0].Quota != 120 || m.Tokens[0].Window != time.Minute {
		t.Errorf("%+v", m)
	}
}

// The pause of a token that is not in use again yet is not forgotten by the next restart.
func TestMemoryOfFurtherTokens(t *testing.T) {
	p := aimd.NewPool(3, aimd.Config{Jitter: -1})
	until := epoch.Add(time.Hour)
	p.Restore(epoch, aimd.Memory{Saved: epoch, Tokens: []aimd.TokenMemory{{Rate: 5}, {Rate: 5}, {Rate: 5, Gate: until}}})
	m := p.Memory(epoch.Add(time.Minute))
	if len(m.Tokens) != 3 || !m.Tokens[0].Gate.IsZero() || !m.Tokens[2].Gate.Equal(until) {
		t.Errorf("%+v", m)
	}
}

// A file may hold anything.
func TestMemoryNonsense(t *testing.T) {
	for _, tok := range []aimd.TokenMemory{
		{}, {Rate: -1, Quota: -5, Window: -time.Hour, Bias: -time.Hour}, {Rate: math.NaN()}, {Rate: math.Inf(1), Quota: 1, Window: math.MaxInt64},
		{Rate: 1e300, Bias: time.Hour}, {Gate: epoch.AddDate(1000, 0, 0)}, {Gate: epoch.AddDate(-1000, 0, 0)},
	} {
		p := aimd.NewPool(1, aimd.Config{Jitter: -1})
		p.Restore(epoch, aimd.Memory{Saved: epoch, Tokens: []aimd.TokenMemory{tok, tok}})
		s := p.Stats(epoch)
		if math.IsNaN(s.Rate) || s.Rate < aimd.DefaultMinRate || s.Rate > aimd.DefaultMaxRate || s.Gate > 24*time.Hour {
			t.Errorf("%+v is believed: %+v", tok, s)
		}
		if d := p.Estimate(epoch, 1000); d < 0 {
			t.Errorf("%+v: estimate %v", tok, d)
		}
		take(t, p, epoch.Add(s.Gate))
	}
}
