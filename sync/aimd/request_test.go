package aimd_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// A limiter is a pool without jitter, at a moment.
type limiter struct {
	*testing.T
	*aimd.Pool
	now time.Time
}

func newLimiter(t *testing.T, cfg aimd.Config) *limiter {
	cfg.Jitter = -1
	return &limiter{t, aimd.NewPool(1, cfg), epoch}
}

func request(id string) aimd.Request { return aimd.Request{Operation: "PATCH /users/{id}", ID: id} }

// send sends a request that may be sent.
func (l *limiter) send(r aimd.Request) (ticket uint64) {
	l.Helper()
	if err := l.Refused(l.now, r); err != nil {
		l.Fatalf("%s: %v", r.ID, err)
	}
	ticket, _, _, ok := l.Acquire(l.now, r)
	if !ok {
		l.Fatalf("%s is not allowed: %v", r.ID, l.Stats(l.now))
	}
	return ticket
}

func (l *limiter) answer(ticket uint64, status int, after string) {
	var h header
	if after != "" {
		h = header{"Retry-After": {after}}
	}
	l.OnResponse(l.now, ticket, status, h)
}

// call makes a request that is answered at once, and lets time pass.
func (l *limiter) call(r aimd.Request, status int, after string) {
	l.Helper()
	l.answer(l.send(r), status, after)
}

func (l *limiter) pass(d time.Duration) { l.now = l.now.Add(d) }

// gated checks for how long everybody waits.
func (l *limiter) gated(want time.Duration) {
	l.Helper()
	if s := l.Stats(l.now); s.Gate != want {
		l.Fatalf("the gate is shut for %v, want %v", s.Gate, want)
	}
}

// waits checks for how long a request alone waits; less than 0: for good.
func (l *limiter) waits(r aimd.Request, want time.Duration) {
	l.Helper()
	switch err := l.Refused(l.now, r); {
	case err == nil && want == 0:
	case err == nil || err.Final != (want < 0) || !err.Final && err.After != want:
		l.Fatalf("%s: %v, want to wait %v", r.ID, err, want)
	}
}

// refused is a limiter after one request was refused, and another one was accepted as the probe.
func refused(t *testing.T, after string) (l *limiter, one, other aimd.Request) {
	t.Helper()
	l, one, other = newLimiter(t, aimd.Config{StartRate: 100}), request("one"), request("other")
	l.call(other, 200, "")
	l.pass(time.Second)
	l.call(one, 429, after)
	if !l.Suspect(one) || l.Suspect(other) {
		t.Error("the request that was refused is not the suspect")
	}
	l.pass(l.Stats(l.now).Gate)
	l.call(other, 200, "")
	if l.Suspect(one) {
		t.Error("still a suspect although another one was accepted")
	}
	l.pass(time.Second)
	return l, one, other
}

// The 429s of a request concern nobody else once another one was accepted, until a different one is refused.
func TestARequestOnItsOwn(t *testing.T) {
	l, one, other := refused(t, "5")
	l.call(one, 429, "5")
	l.gated(0)
	l.waits(one, 5*time.Second)
	l.waits(other, 0)
	l.pass(time.Second)
	l.call(other, 200, "")
	l.pass(4 * time.Second)
	l.waits(one, 0)
	l.call(one, 429, "5")
	l.gated(0)
	l.pass(time.Second)
	l.call(request("a third"), 429, "7")
	l.gated(7 * time.Second)
	if !l.Suspect(one) || !l.Suspect(request("a third")) {
		t.Error("two requests were refused, and one is on its own")
	}
}

// Accepted in the end, it is like any other.
func TestARequestOnItsOwnIsAccepted(t *testing.T) {
	l, one, _ := refused(t, "5")
	l.call(one, 429, "5")
	l.pass(5 * time.Second)
	l.call(one, 200, "")
	l.pass(time.Second)
	l.call(one, 429, "5")
	l.gated(5 * time.Second)
}

// It is refused for good after eight times, each of which another one of its operation was accepted soon after: an answer
// to another operation, one that comes when the pause is over, and none at all prove nothing.
func TestARequestIsRefusedForGood(t *testing.T) {
	for _, tt := range []struct {
		name    string
		between func(l *limiter, other aimd.Request)
		final   int // refusals; 0: never
	}{
		{"others are accepted", func(l *limiter, other aimd.Request) { l.call(other, 200, "") }, 8},
		{"a 404 is accepted", func(l *limiter, other aimd.Request) { l.call(other, 404, "") }, 8},
		{"others fail", func(l *limiter, other aimd.Request) { l.call(other, 500, "") }, 0},
		{"others are not sent", func(*limiter, aimd.Request) {}, 0},
		{"other operations", func(l *limiter, _ aimd.Request) { l.call(aimd.Request{Operation: "GET", ID: "x"}, 200, "") }, 0},
		{"others at the end of the pause", func(l *limiter, other aimd.Request) {
			l.pass(3700 * time.Millisecond)
			l.call(other, 200, "")
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, one, other := refused(t, "5")
			for n := 1; n <= 20; n++ {
				l.call(one, 429, "5")
				l.pass(time.Second / 2)
				if n == tt.final {
					l.waits(one, -1)
					return
				}
				tt.between(l, other)
				refusal := l.Refused(l.now, one)
				if refusal == nil || refusal.Final {
					t.Fatalf("after %d refusals: %v", n, refusal)
				}
				l.pass(refusal.After)
			}
			if tt.final > 0 {
				t.Error("never")
			}
		})
	}
}

// Two that are refused in turns are charged as well, if others are accepted in between.
func TestTwoRequestsAreRefusedForGood(t *testing.T) {
	l, one, other := refused(t, "5")
	two := request("two")
	l.call(two, 429, "5")
	l.pass(5 * time.Second)
	l.call(other, 200, "")
	for range 8 {
		for _, r := range []aimd.Request{one, two} {
			l.pass(10 * time.Second)
			l.call(r, 429, "5")
			l.gated(0)
			l.pass(time.Second)
			l.call(other, 200, "")
		}
	}
	l.waits(one, -1)
	l.waits(two, -1)
}

// With nobody else to ask for, a request waits alone, longer and longer, and then an hour; who comes is not held up.
func TestTheOnlyRequestIsRefused(t *testing.T) {
	l := newLimiter(t, aimd.Config{})
	one := request("one")
	l.call(request("other"), 200, "")
	l.pass(time.Second)
	l.call(one, 429, "3")
	l.gated(3 * time.Second)
	l.pass(3 * time.Second)
	began := l.now
	for {
		l.call(one, 429, "3")
		l.gated(0)
		wait := l.Refused(l.now, one).After
		if wait == time.Hour {
			break
		}
		if wait < 3*time.Second || wait > time.Minute {
			t.Fatalf("it waits %v", wait)
		}
		l.pass(wait)
	}
	if took := l.now.Sub(began); took < 9*time.Minute || took > 12*time.Minute {
		t.Errorf("it was given up after %v", took)
	}
	if s := l.Stats(l.now); s.Decreases > 1 || s.Reason != aimd.Probe {
		t.Errorf("%v, cut %d times", s, s.Decreases)
	}
	l.pass(time.Second)
	l.call(request("new"), 200, "")
	l.gated(0)
}

// A 503 with a Retry-After is of one request until another one has it, without a good answer in between.
func TestUnavailableForOne(t *testing.T) {
	for _, good := range []bool{true, false} {
		l := newLimiter(t, aimd.Config{})
		one, two := request("one"), request("two")
		l.call(two, 200, "")
		l.pass(time.Second)
		l.call(one, 503, "20")
		l.gated(0)
		l.waits(one, 20*time.Second)
		if good {
			l.pass(time.Second)
			l.call(request("three"), 200, "")
		}
		l.pass(time.Second)
		l.call(two, 503, "30")
		if good {
			l.gated(0)
			l.waits(two, 30*time.Second)
		} else {
			l.gated(30 * time.Second)
		}
	}
}

// What one request's refusal has changed for all is taken back.
func TestPardon(t *testing.T) {
	l := newLimiter(t, aimd.Config{})
	one, other := request("one"), request("other")
	l.Expect(100)
	l.OnResponse(l.now, l.send(other), 200, lab.Quota(1, 300, 60))
	l.pass(time.Second)
	before := l.Stats(l.now)
	l.call(one, 429, "4")
	l.pass(4 * time.Second)
	l.call(other, 200, "")
	l.pass(time.Second)
	if s := l.Stats(l.now); s.Reason == aimd.Rush || s.Rate >= before.Rate {
		t.Errorf("after the 429: %v", s)
	}
	l.call(one, 429, "4")
	l.pass(2 * time.Second)
	l.call(other, 200, "")
	if s := l.Stats(l.now); s.Reason != aimd.Rush || s.Rate < before.Rate {
		t.Errorf("%v, want as before: %v", s, before)
	}
}

// A dispatcher sends others first while a request is suspected, and tells whose request waits alone at once.
func TestDispatcherSendsOthersFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, aimd.Config{Jitter: -1})
		get := func(id string) (uint64, error) {
			ticket, _, err := d.Acquire(t.Context(), "PATCH", id)
			return ticket, err
		}
		one, err := get("one")
		if err != nil {
			t.Fatal(err)
		}
		d.Release(one, 429, header{"Retry-After": {"3"}})
		began := time.Now()
		order := make(chan string, 2)
		for _, id := range []string{"one", "other"} {
			go func() {
				ticket, err := get(id)
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
				order <- id
				d.Release(ticket, map[string]int{"one": 429, "other": 200}[id], header{"Retry-After": {"3"}})
			}()
			synctest.Wait()
		}
		if first, second := <-order, <-order; first != "other" || second != "one" || time.Since(began) > 4*time.Second {
			t.Errorf("%s and %s after %v", first, second, time.Since(began))
		}
		synctest.Wait()
		began = time.Now()
		_, err = get("one")
		if refusal := (*aimd.RefusedError)(nil); !errors.As(err, &refusal) || refusal.RetryAfter() != 3*time.Second || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
