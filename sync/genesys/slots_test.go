package genesys_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
)

// slots is an adjustment: so many tokens.
func slots(n int) func(*api.Options) { return func(o *api.Options) { o.Tokens = n } }

// A further token cannot be had, for whatever reason: the first one does the work, no call fails, and the
// login service is asked rarely.
func TestWorkGoesOnWithoutFurtherTokens(t *testing.T) {
	for name, c := range map[string]struct {
		answer reply
		pause  time.Duration
	}{
		"429":             {jsonReply(429, `{}`), time.Minute},
		"429 Retry-After": {reply{status: 429, body: `{}`, header: map[string]string{"Retry-After": "90"}}, 90 * time.Second},
		"400 rate limit":  {jsonReply(400, `{"error":"invalid_request","description":"rate limit exceeded the maximum"}`), time.Minute},
		"503":             {jsonReply(503, `{}`), time.Minute},
		"reset":           {reply{err: io.ErrUnexpectedEOF}, time.Minute},
		"silence":         {reply{delay: time.Hour}, time.Minute},
		"refused":         {jsonReply(401, `{"error":"invalid_client"}`), 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sim.New(sim.Options{Users: 480, Seed: 1, Latency: 30 * time.Millisecond, Quota: sim.Quota{Limit: 60}})
				wire := &mints{next: s.Transport(), answer: func(n int) reply {
					if n == 1 {
						return reply{}
					}
					return c.answer
				}}
				m := newMember(t, wire, 3, 1)
				began := time.Now()
				m.retitle(t.Context(), s.Users())
				spent := time.Since(began)
				t.Logf("480 calls at 60 a minute took %v, %d tokens refused", spent, len(wire.refused()))
				writtenOnce(t, s)
				wire.spared(t, c.pause)
				if n := len(wire.refused()); n == 0 || n > 1+int(spent/c.pause) {
					t.Errorf("%d tokens refused in %v", n, spent)
				}
				if most := 7*time.Minute + 30*time.Second; spent > most { // eight windows, the last one a moment
					t.Errorf("took %v, want at most %v", spent, most)
				}
			})
		})
	}
}

// The first token ends and its successor is long in coming: those that are there do its work meanwhile.
func TestOthersStandInForTheFirstToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(sim.Options{Users: 600, Seed: 1, Latency: 30 * time.Millisecond, Quota: sim.Quota{Limit: 60}})
		began := time.Now()
		wire := &mints{answer: func(n int) reply {
			if n == 3 {
				return reply{status: 503, body: `{}`, header: map[string]string{"Retry-After": "120"}}
			}
			return reply{}
		}}
		var first string
		wire.next = roundTripper(func(r *http.Request) (*http.Response, error) {
			auth := r.Header.Get("Authorization")
			if bearer := strings.HasPrefix(auth, "Bearer "); bearer && first == "" {
				first = auth
			}
			if auth == first && time.Since(began) > 30*time.Second {
				r.Header.Set("Authorization", "Bearer ended")
			}
			return s.Transport().RoundTrip(r)
		})
		m := newMember(t, wire, 2, 1)
		m.retitle(t.Context(), s.Users())
		spent := time.Since(began)
		t.Logf("600 calls took %v", spent)
		writtenOnce(t, s)
		wire.spared(t, 2*time.Minute)
		if wire.given() != 3 || len(wire.refused()) != 1 {
			t.Errorf("tokens: %+v", wire.asked)
		}
		if spent > 6*time.Minute+30*time.Second { // 60 a minute, twice, less what the first could not do in two
			t.Errorf("took %v", spent)
		}
	})
}

// All tokens are revoked at once, and fewer than all may be fetched in a minute: nobody's call fails.
func TestPoolSurvivesRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(sim.Options{Users: 3000, Seed: 1, Latency: 30 * time.Millisecond, MintLimit: 3, Quota: sim.Quota{Limit: 60}})
		wire := &mints{next: s.Transport()}
		m := newMember(t, wire, 5, 1)
		began := time.Now()
		go func() {
			time.Sleep(4*time.Minute + 30*time.Second)
			s.Revoke()
		}()
		m.retitle(t.Context(), s.Users())
		t.Logf("3000 calls took %v, %d tokens, %d refused, %d of 401", time.Since(began), wire.given(), len(wire.refused()),
			s.Ledger().Count("PATCH /api/v2/users/{id}", 401))
		writtenOnce(t, s)
		if wire.most != 1 || wire.given() != 10 {
			t.Errorf("%d tokens, %d at once", wire.given(), wire.most)
		}
		if spent := time.Since(began); spent > 13*time.Minute {
			t.Errorf("took %v", spent)
		}
	})
}

// Tokens of a short life: each is renewed under its number, and no more often than it must.
func TestPoolRenewsItsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(sim.Options{Users: 3000, Seed: 1, Latency: 30 * time.Millisecond, TokenLife: 5 * time.Minute, Quota: sim.Quota{Limit: 60}})
		wire := &mints{next: s.Transport()}
		m := newMember(t, wire, 3, 1)
		began := time.Now()
		m.retitle(t.Context(), s.Users())
		spent, ledger := time.Since(began), s.Ledger()
		t.Logf("3000 calls took %v, %d tokens, %d of 429", spent, wire.given(), ledger.Throttled)
		writtenOnce(t, s)
		wire.spared(t, time.Minute)
		if most := 3 * (int(spent/(4*time.Minute)) + 1); wire.given() > most || len(wire.refused()) > 0 {
			t.Errorf("%d tokens, want at most %d", wire.given(), most)
		}
		if n := ledger.Count("PATCH /api/v2/users/{id}", 401); n > 0 {
			t.Errorf("%d calls met a token that had ended", n)
		}
	})
}

// A 401 ends the token that was sent, and no other; its successor has its number.
func TestRefusedTokenIsReplacedInItsPlace(t *testing.T) {
	var used []string
	revoked := map[string]bool{}
	f := &fake{api: func(r *http.Request, body string) reply {
		auth := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		used = append(used, auth)
		if revoked[auth] {
			return jsonReply(401, `{"code":"bad.credentials"}`)
		}
		return userReply(r, body)
	}}
	d, b := open(t, f, slots(3))
	for _, b.slot = range []int{0, 1, 2} {
		get(t, d)
	}
	revoked["t2"] = true
	for _, b.slot = range []int{1, 0, 1, 2} {
		get(t, d)
	}
	if got := strings.Join(used, " "); got != "t1 t2 t3 t2 t4 t1 t4 t3" {
		t.Errorf("used %s", got)
	}
}

// A call that meets one ended token after the other is not at fault, as long as no new one is refused.
func TestCallMeetsSeveralRefusedTokens(t *testing.T) {
	b := &fakeLimiter{}
	f := &fake{api: func(r *http.Request, body string) reply {
		switch r.Header.Get("Authorization") {
		case "Bearer t1":
			b.slot = 1 // the limiter goes on with the other
			return jsonReply(401, `{}`)
		case "Bearer t2":
			return jsonReply(401, `{}`)
		}
		return userReply(r, body)
	}}
	d, _ := open(t, f, func(o *api.Options) { o.Tokens, o.Limiter = 2, b })
	get(t, d)
	if f.minted != 3 {
		t.Errorf("%d tokens, want 3", f.minted)
	}
	if err := b.balance(); err != nil {
		t.Error(err)
	}
}
