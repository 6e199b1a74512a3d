package genesys_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
)

func userReply(r *http.Request, _ string) reply { return jsonReply(200, `{"id":"u1","version":1}`) }

func token(life int) func(n int) reply {
	return func(n int) reply {
		return jsonReply(200, fmt.Sprintf(`{"access_token":"t%d","token_type":"bearer","expires_in":%d}`, n, life))
	}
}

func get(t *testing.T, d *genesys.Directory) {
	t.Helper()
	if _, err := d.Get(t.Context(), "u1"); err != nil {
		t.Fatal(err)
	}
}

func TestTokenRequest(t *testing.T) {
	var auth, agent, kind string
	f := &fake{api: userReply}
	d, _ := open(t, f, func(o *api.Options) {
		o.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/oauth/token" {
				id, password, _ := r.BasicAuth()
				auth, agent, kind = r.URL.Host+" "+id+":"+password, r.UserAgent(), r.Header.Get("Content-Type")
			} else if got := r.Header.Get("Authorization"); got != "Bearer t1" {
				t.Errorf("Authorization: %s", got)
			}
			return f.RoundTrip(r)
		})
	})
	get(t, d)
	if auth != "login.example.test client:"+secret || agent != "usersyncd/1.2.3" || kind != "application/x-www-form-urlencoded" {
		t.Errorf("asked with %q, %q, %q", auth, agent, kind)
	}
	if f.bodies[0] != "grant_type=client_credentials" {
		t.Errorf("body %q", f.bodies[0])
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A token is renewed max(60 s, 5 %) before its end, and never kept longer than a day.
func TestTokenIsRenewedEarly(t *testing.T) {
	for _, tt := range []struct {
		life        int
		kept, until time.Duration // one second before it is renewed, and the moment it is
	}{
		{300, 239 * time.Second, 240 * time.Second},
		{3600, 3419 * time.Second, 3420 * time.Second},
		{172800, 22*time.Hour + 47*time.Minute, 22*time.Hour + 48*time.Minute},
		{9, 4 * time.Second, 5 * time.Second},
		{0, 239 * time.Second, 240 * time.Second},  // missing: the shortest that is legal
		{-5, 239 * time.Second, 240 * time.Second}, // senseless: the same
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{api: userReply, token: token(tt.life)}
			d, _ := open(t, f, nil)
			get(t, d)
			time.Sleep(tt.kept)
			get(t, d)
			if f.minted != 1 {
				t.Errorf("life %d s: renewed within %v", tt.life, tt.kept)
			}
			time.Sleep(tt.until - tt.kept)
			get(t, d)
			if f.minted != 2 {
				t.Errorf("life %d s: %d tokens after %v, want 2", tt.life, f.minted, tt.until)
			}
		})
	}
}

func TestOneCallerFetchesTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{api: userReply, token: func(n int) reply {
			r := token(3600)(n)
			r.delay = 2 * time.Second
			return r
		}}
		d, _ := open(t, f, nil)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { get(t, d) })
		}
		wg.Wait()
		if f.minted != 1 {
			t.Errorf("%d token requests for 100 callers", f.minted)
		}
	})
}

// Whoever waits for a token waits no longer than its own context allows, even if another fetches it.
func TestWaitingForATokenEndsWithTheCallersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{api: userReply, token: func(n int) reply {
			r := token(3600)(n)
			r.delay = 20 * time.Second
			return r
		}}
		d, _ := open(t, f, nil)
		var wg sync.WaitGroup
		patient, hasty := time.Duration(0), time.Duration(0)
		wg.Go(func() { get(t, d) })
		wg.Go(func() {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if _, err := d.Get(ctx, "u1"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			hasty = time.Since(began)
		})
		began := time.Now()
		wg.Wait()
		patient = time.Since(began)
		if hasty != 300*time.Millisecond || patient < 20*time.Second || f.minted > 2 {
			t.Errorf("waited %v and %v, with %d token requests", hasty, patient, f.minted)
		}
	})
}

// While the old token is good, a login service that fails is nobody's problem.
func TestFailedRenewalKeepsTheOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{api: userReply, token: func(n int) reply {
			if n > 1 {
				return reply{status: 503, body: "<html>"}
			}
			return token(3600)(n)
		}}
		d, _ := open(t, f, nil)
		get(t, d)
		time.Sleep(3420 * time.Second)
		get(t, d)
		get(t, d)
		if f.minted != 2 {
			t.Errorf("%d token requests, want one that failed and then a pause", f.minted-1)
		}
	})
}

func TestRevokedTokenIsReplacedOnce(t *testing.T) {
	for _, tt := range []struct {
		good   string // the token that the API takes
		minted int
		err    error
	}{
		{"t2", 2, nil},
		{"none", 2, apply.ErrUnauthorized},
	} {
		f := &fake{api: func(r *http.Request, body string) reply {
			if r.Header.Get("Authorization") == "Bearer "+tt.good {
				return userReply(r, body)
			}
			return jsonReply(401, `{"message":"Invalid login credentials (`+r.Header.Get("Authorization")+`).","code":"bad.credentials","status":401}`)
		}}
		d, b := open(t, f, nil)
		_, err := d.Get(t.Context(), "u1")
		if !errors.Is(err, tt.err) || f.minted != tt.minted || f.count("GET ") != 2 {
			t.Errorf("good %s: %v, %d tokens, %v", tt.good, err, f.minted, f.requests())
		}
		if err != nil && strings.Contains(err.Error(), "Bearer t") {
			t.Errorf("the error quotes the token: %v", err)
		}
		if len(b.statuses) != 2 || b.statuses[0] != 401 {
			t.Errorf("the limiter heard of %v", b.statuses)
		}
	}
}

// Many callers meet the same revoked token: one of them replaces it.
func TestRevokedTokenIsReplacedByOneCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		revoked := make(chan struct{})
		f := &fake{api: func(r *http.Request, body string) reply {
			select {
			case <-revoked:
				if r.Header.Get("Authorization") == "Bearer t1" {
					return reply{status: 401, delay: time.Second}
				}
			default:
			}
			return userReply(r, body)
		}}
		d, _ := open(t, f, nil)
		get(t, d)
		close(revoked)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { get(t, d) })
		}
		wg.Wait()
		if f.minted != 2 {
			t.Errorf("%d tokens fetched, want 2", f.minted)
		}
	})
}

// The login service fails: whatever it says, and however many ask, it sees few requests.
func TestFailingLoginServiceIsSpared(t *testing.T) {
	for name, answer := range map[string]reply{
		"500":            jsonReply(500, `{}`),
		"html":           {status: 200, header: map[string]string{"Content-Type": "text/html"}, body: "<html>" + secret},
		"429":            {status: 429, body: `{}`, header: map[string]string{"Retry-After": "7"}},
		"400 rate limit": jsonReply(400, `{"error":"invalid_request","description":"rate limit exceeded the maximum"}`),
		"reset":          {err: io.ErrUnexpectedEOF},
		"silence":        {delay: time.Hour},
		"no token":       jsonReply(200, `{"token_type":"bearer"}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{api: userReply, token: func(int) reply { return answer }}
				d, _ := open(t, f, nil)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute-time.Second)
				defer cancel()
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() {
						for ctx.Err() == nil {
							_, err := d.Get(ctx, "u1")
							if ctx.Err() == nil && !errors.Is(err, apply.ErrThrottled) && !errors.Is(err, apply.ErrUnreachable) {
								t.Errorf("error %v", err)
							}
							if err != nil && strings.Contains(err.Error(), secret) {
								t.Errorf("the error quotes the secret: %v", err)
							}
							time.Sleep(5 * time.Second)
						}
					})
				}
				wg.Wait()
				if f.minted < 4 || f.minted > 10 {
					t.Errorf("%d token requests in 10 minutes", f.minted)
				}
			})
		})
	}
}

func TestRefusedCredentials(t *testing.T) {
	for _, answer := range []reply{
		jsonReply(400, `{"error":"invalid_client","description":"client not found `+secret+`","error_description":"client not found: `+secret+`"}`),
		jsonReply(401, `{"error":"invalid_client"}`),
		{status: 401, body: "<html>"},
		jsonReply(400, `{"error":"unauthorized_client"}`),
		{status: 302, header: map[string]string{"Location": "https://elsewhere.example.test/sso?x=" + secret}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{api: userReply, token: func(n int) reply {
				if n > 1 {
					return token(300)(n)
				}
				return answer
			}}
			d, b := open(t, f, nil)
			for range 3 {
				_, err := d.Get(t.Context(), "u1")
				if !errors.Is(err, apply.ErrUnauthorized) || strings.Contains(err.Error(), secret) {
					t.Errorf("%d: %v", answer.status, err)
				}
			}
			if f.minted != 1 || b.cancels != 3 {
				t.Errorf("%d token requests, %d tickets returned unused", f.minted, b.cancels)
			}
			time.Sleep(5 * time.Minute)
			get(t, d) // somebody enabled the client again
		})
	}
}

// The login service recovers while callers are still willing to wait.
func TestShortOutageOfTheLoginServiceIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{api: userReply, token: func(n int) reply {
			if n < 4 {
				return reply{status: 503, header: map[string]string{"Retry-After": "3"}}
			}
			return token(3600)(n)
		}}
		d, _ := open(t, f, nil)
		get(t, d)
		for i := 1; i < len(f.at); i++ {
			if pause := f.at[i].Sub(f.at[i-1]); pause < 3*time.Second {
				t.Errorf("asked again after %v in spite of Retry-After: 3", pause)
			}
		}
	})
}

func TestEachSlotHasItsToken(t *testing.T) {
	var used []string
	f := &fake{api: func(r *http.Request, body string) reply {
		used = append(used, r.Header.Get("Authorization"))
		return userReply(r, body)
	}}
	d, b := open(t, f, func(o *api.Options) { o.Tokens = 2 })
	get(t, d)
	b.slot = 1
	get(t, d)
	b.slot = 0
	get(t, d)
	if got := strings.Join(used, ","); got != "Bearer t1,Bearer t2,Bearer t1" {
		t.Errorf("used %s", got)
	}
	b.slot = 2
	if _, err := d.Get(t.Context(), "u1"); err == nil || !strings.Contains(err.Error(), "token 2 of 2") {
		t.Errorf("a slot that is not there: %v", err)
	}
	if n := d.Stats().Tokens; n != 2 {
		t.Errorf("%d tokens counted", n)
	}
}

// Workers that are refused one after the other do not fetch a token each.
func TestRefusedWorkersShareATokenAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{api: func(*http.Request, string) reply {
			return reply{status: 401, body: `{"code":"bad.credentials"}`, delay: 200 * time.Millisecond}
		}}
		d, _ := open(t, f, nil)
		var workers sync.WaitGroup
		for i := range 40 {
			workers.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				if _, err := d.Get(t.Context(), "u1"); !errors.Is(err, apply.ErrUnauthorized) {
					t.Error(err)
				}
			})
		}
		workers.Wait()
		if n := f.count("POST /oauth/token"); n != 2 {
			t.Errorf("%d tokens", n)
		}
		time.Sleep(5 * time.Second)
		_, _ = d.Get(t.Context(), "u1")
		if n := f.count("POST /oauth/token"); n != 3 {
			t.Errorf("%d tokens after the pause", n)
		}
	})
}
