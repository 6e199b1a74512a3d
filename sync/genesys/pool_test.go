package genesys_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// These tests run everything there is between a change and the wire: directory, limiter and simulated
// organization, in virtual time.

// A member is one usersyncd with a number of tokens.
type member struct {
	*testing.T
	*genesys.Directory
	limiter *aimd.Dispatcher
	tokens  int
	done    atomic.Int64 // calls
}

func newMember(t *testing.T, transport http.RoundTripper, tokens int, seed uint64) *member {
	t.Helper()
	m := &member{T: t, tokens: tokens}
	source := func() *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
	m.limiter = aimd.NewDispatcher(aimd.NewPool(tokens, aimd.Config{Rand: source()}))
	m.Directory, _ = open(t, &fake{}, func(o *api.Options) {
		o.ClientID, o.ClientSecret, o.Transport = "demo", "demo", transport
		o.Limiter, o.Tokens, o.Rand = m.limiter, tokens, source()
	})
	return m
}

// retitle gives each of the users another title: one call each. It returns when all are done, or ctx is.
func (m *member) retitle(ctx context.Context, users []sim.User) {
	m.Helper()
	var changes []*plan.Change
	for _, u := range users {
		known := &state.User{Observed: state.Observed{ID: u.ID, Version: u.Version}}
		changes = append(changes, differing(plan.Update, known, spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text("Coach")})))
	}
	queue := make(chan *apply.Call)
	var wg sync.WaitGroup
	for range m.tokens * aimd.DefaultMaxInFlight {
		wg.Go(func() {
			for c := range queue {
				switch _, err := m.Do(ctx, c); {
				case err == nil:
					m.done.Add(1)
				case ctx.Err() == nil:
					m.Error(err)
				}
			}
		})
	}
	for _, c := range m.Compile(changes) {
		queue <- c
	}
	close(queue)
	wg.Wait()
}

// writtenOnce checks that every user was written exactly once.
func writtenOnce(t *testing.T, s *sim.Server) {
	t.Helper()
	for _, u := range s.Users() {
		if u.Title != "Coach" || u.Writes != 1 {
			t.Fatalf("%s has title %q after %d writes", u.Email, u.Title, u.Writes)
		}
	}
}

// mints watches the requests for tokens on their way to the server.
type mints struct {
	next   http.RoundTripper
	answer func(n int) reply // to the n-th request; without a status, or nil, it is the server's

	mu    sync.Mutex
	asked []mint
	out   int
	most  int // at the same time
}

// A mint is one request for a token.
type mint struct {
	at    time.Time
	given bool
}

func (m *mints) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/oauth/token" {
		return m.next.RoundTrip(r)
	}
	m.mu.Lock()
	n := len(m.asked)
	m.asked = append(m.asked, mint{at: time.Now()})
	m.out++
	m.most = max(m.most, m.out)
	m.mu.Unlock()
	next := m.next
	if m.answer != nil {
		if a := m.answer(n + 1); a.status != 0 || a.err != nil || a.delay != 0 {
			next = &fake{token: func(int) reply { return a }}
		}
	}
	resp, err := next.RoundTrip(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out--
	m.asked[n].given = err == nil && resp.StatusCode == http.StatusOK
	return resp, err
}

// given counts the tokens; refused are the times when none was.
func (m *mints) given() (n int) { return len(m.asked) - len(m.refused()) }

func (m *mints) refused() (at []time.Time) {
	for _, a := range m.asked {
		if !a.given {
			at = append(at, a.at)
		}
	}
	return at
}

// spared checks that tokens were asked for one by one, and after a refusal not before a pause.
func (m *mints) spared(t *testing.T, pause time.Duration) {
	t.Helper()
	if m.most != 1 {
		t.Errorf("%d tokens were asked for at once", m.most)
	}
	for i, a := range m.asked[1:] {
		if before := m.asked[i]; !before.given && a.at.Sub(before.at) < pause {
			t.Errorf("asked again %v after a refusal, want %v", a.at.Sub(before.at), pause)
		}
	}
}

// Ten tokens are wanted, three a minute are given out: the others come as they may, and meanwhile the
// work is done with those that are there.
func TestTokensAreRationed(t *testing.T) {
	for _, c := range []struct {
		status, users, tokens int
		bound                 time.Duration // with what the login service gives out, each token's window spent in a moment
	}{
		{429, 900, 3, 0},
		{400, 900, 3, 0},
		{429, 6000, 9, 3 * time.Minute}, // 900 in the first minute, 1,800 in the second, 2,700 in the third, 600 in the fourth's first moment
	} {
		synctest.Test(t, func(t *testing.T) {
			s := sim.New(sim.Options{Users: c.users, Seed: 1, Latency: 30 * time.Millisecond, MintLimit: 3, MintLimitStatus: c.status})
			wire := &mints{next: s.Transport()}
			m := newMember(t, wire, 10, 1)
			began := time.Now()
			m.retitle(t.Context(), s.Users())
			spent, ledger := time.Since(began), s.Ledger()
			t.Logf("%d calls took %v with %d tokens, %d more refused (%d), %d of 429", c.users, spent, wire.given(), len(wire.refused()), c.status, ledger.Throttled)
			writtenOnce(t, s)
			wire.spared(t, time.Minute)
			if wire.given() < c.tokens {
				t.Errorf("%d tokens, want %d", wire.given(), c.tokens)
			}
			if most := c.bound + 20*time.Second; spent > most {
				t.Errorf("took %v, want at most %v", spent, most)
			}
		})
	}
}

// Three tokens, of which one may do a fifth of what the others may: it holds up nobody.
func TestCrippledTokenSlowsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 3000
		s := sim.New(sim.Options{Users: calls, Seed: 1, Latency: 30 * time.Millisecond, Quota: sim.Quota{Tokens: map[int]int{2: 60}}})
		m := newMember(t, s.Transport(), 3, 1)
		began := time.Now()
		m.retitle(t.Context(), s.Users())
		spent, throttled := time.Since(began), s.Ledger().Throttled
		// 660 fit into each minute, and a full window can be spent in its first moment.
		bound := calls / 660 * time.Minute
		t.Logf("%d calls took %v, %.2f of the bound, %d of 429", calls, spent, spent.Seconds()/bound.Seconds(), throttled)
		writtenOnce(t, s)
		if spent.Seconds() > 1.15*bound.Seconds() || throttled > calls/100 {
			t.Errorf("took %v, bound %v, %d of 429", spent, bound, throttled)
		}
	})
}

// Two processes on one client's quota share it, though each knows of the other by the count alone, or by
// 429s alone. Without headers the window that the first of them has begun is its own, so they begin together.
func TestTwoProcessesShareAQuota(t *testing.T) {
	for _, c := range []struct {
		name  string
		quota sim.Quota
		later time.Duration // the second begins
	}{
		{"headers", sim.Quota{PerClient: true}, 17 * time.Second},
		{"no headers", sim.Quota{PerClient: true, NoHeaders: true}, 0},
	} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(c.name, " ", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const each = 1500
					s := sim.New(sim.Options{Users: 2 * each, Seed: seed, Latency: 30 * time.Millisecond, Jitter: 100 * time.Millisecond, Quota: c.quota})
					all, began := s.Users(), time.Now()
					members := []*member{newMember(t, s.Transport(), 1, 2*seed), newMember(t, s.Transport(), 1, 2*seed+1)}
					var once sync.Once
					var done [2]float64 // when one of them was through
					var wg sync.WaitGroup
					for i, m := range members {
						wg.Go(func() {
							time.Sleep(time.Duration(i) * c.later)
							m.retitle(t.Context(), all[i*each:(i+1)*each])
							once.Do(func() { done = [2]float64{float64(members[0].done.Load()), float64(members[1].done.Load())} })
						})
					}
					wg.Wait()
					a, b := done[0], done[1]
					jain := (a + b) * (a + b) / (2 * (a*a + b*b))
					t.Logf("%.0f and %.0f calls when one was through: Jain %.3f; all %d took %v, %d of 429",
						a, b, jain, 2*each, time.Since(began), s.Ledger().Throttled)
					writtenOnce(t, s)
					if jain < 0.95 {
						t.Errorf("Jain %.3f, want at least 0.95", jain)
					}
				})
			})
		}
	}
}
