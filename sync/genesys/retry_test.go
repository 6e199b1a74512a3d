package genesys_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
)

// Whoever wants 429s returned gets them, with all there is to know; the limiter hears of them all the same.
func TestThrottledRequestsAreReturnedIfWanted(t *testing.T) {
	const id = "f3ac4404-283d-4d98-8b70-b75c4891d2ef"
	f := &fake{}
	f.api = func(r *http.Request, body string) reply {
		if f.count(r.Method+" ") > 1 {
			return userReply(r, body)
		}
		return reply{status: 429, body: `{"message":"Rate limit exceeded the maximum.","code":"too.many.requests.retry.after","status":429}`,
			header: map[string]string{"Retry-After": "42", "ININ-Correlation-Id": id}}
	}
	d, b := open(t, f, func(o *api.Options) { o.Retry = &api.Retry{Max: 5, No429: true} })
	_, read := d.Get(t.Context(), "u1")
	_, write := do(t, d, retitle())
	for _, err := range []error{read, write} {
		e := (*apply.CallError)(nil)
		if !errors.As(err, &e) || !errors.Is(err, apply.ErrThrottled) || e.Status != 429 || e.RetryAfter != 42*time.Second ||
			e.CorrelationID != id || e.Code != "too.many.requests.retry.after" {
			t.Errorf("%+v", err)
		}
	}
	if s := d.Stats(); s != (api.Stats{Reads: 1, Writes: 1, Throttled: 2, Tokens: 1}) {
		t.Errorf("%+v", s)
	}
	if len(b.statuses) != 2 || b.statuses[0] != 429 || b.statuses[1] != 429 {
		t.Errorf("the limiter heard of %v", b.statuses)
	}
}

// Whoever wants 5xx returned still has broken connections and timeouts tried again.
func TestServerErrorsAreReturnedIfWanted(t *testing.T) {
	for name, c := range map[string]struct {
		bad   reply
		tries int
	}{
		"500":        {jsonReply(500, `{"code":"internal.server.error"}`), 1},
		"503":        {reply{status: 503, header: map[string]string{"Retry-After": "1"}}, 1},
		"half a 502": {reply{status: 502, body: "<html></html>", cut: true}, 1},
		"429":        {reply{status: 429}, 3},
		"408":        {jsonReply(408, `{}`), 3},
		"reset":      {reply{err: io.ErrUnexpectedEOF}, 3},
		"timeout":    {reply{delay: time.Hour}, 2}, // see TestABlackHole
		"half a 200": {reply{status: 200, body: `{"id":"u1"}`, cut: true}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.api = func(r *http.Request, body string) reply {
					if f.count("GET ") < 3 {
						return c.bad
					}
					return userReply(r, body)
				}
				d, _ := open(t, f, func(o *api.Options) { o.Retry = &api.Retry{Max: 5, No5xx: true} })
				_, err := d.Get(t.Context(), "u1")
				if n := f.count("GET "); n != c.tries {
					t.Errorf("sent %d times, want %d", n, c.tries)
				}
				if (err == nil) != (c.tries == 3) || err != nil && !errors.Is(err, apply.ErrUncertain) {
					t.Error(err)
				}
			})
		})
	}
}

// Between two tries nobody is kept waiting: the ticket is back, and the try that failed is counted.
func TestNoTicketIsHeldInAPause(t *testing.T) {
	for name, bad := range map[string]reply{"503": jsonReply(503, `{}`), "reset": {err: io.ErrUnexpectedEOF}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{api: func(*http.Request, string) reply { return bad }}
				d, b := open(t, f, tries(3))
				end := make(chan error)
				go func() {
					_, err := d.Get(t.Context(), "u1")
					end <- err
				}()
				for try := 1; ; try++ {
					synctest.Wait() // in the pause after a try, or at the end
					if err := b.balance(); err != nil {
						t.Errorf("after try %d: %v", try, err)
					}
					if n := f.count("GET "); n != try {
						t.Errorf("%d tries, want %d", n, try)
					}
					select {
					case err := <-end:
						if try != 4 || !errors.Is(err, apply.ErrUncertain) || d.Stats().Retried != 3 {
							t.Errorf("%d tries, %v", try, err)
						}
						return
					default:
					}
					// Somebody else's request goes out at once.
					began := time.Now()
					ticket, _, err := b.Acquire(t.Context(), "", "")
					if err != nil || time.Since(began) > 0 {
						t.Errorf("waited %v, %v", time.Since(began), err)
					}
					b.Cancel(ticket, 0)
					time.Sleep(time.Second << (try - 1)) // the longest that this pause can be
				}
			})
		})
	}
}
