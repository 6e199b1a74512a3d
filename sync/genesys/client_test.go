package genesys_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// known is a user that exists, with the version 7.
func known(f spec.Fields) *state.User {
	return &state.User{Observed: state.Observed{ID: "u1", Version: 7, Fields: f, Opaque: []byte("[]")}}
}

// retitle is a change that costs one PATCH.
func retitle() *plan.Change {
	return &plan.Change{
		Key: "ana@example.com", Action: plan.Update, Current: known(nil),
		Fields:  []plan.FieldChange{{Field: spec.Title, After: spec.Text("Lead")}},
		Desired: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text("ana@example.com"), spec.Title: spec.Text("Lead")}),
	}
}

func do(t *testing.T, d *genesys.Directory, c *plan.Change) ([]state.Observed, error) {
	t.Helper()
	calls := d.Compile([]*plan.Change{c})
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	return d.Do(t.Context(), calls[0])
}

// Reads are tried again, with pauses that double and are half random; writes are not.
func TestOnlyReadsAreTriedAgain(t *testing.T) {
	for name, bad := range map[string]reply{
		"500": jsonReply(500, `{"message":"boom","code":"internal.server.error","status":500}`), "408": jsonReply(408, `{}`),
		"503 html": {status: 503, body: "<html>busy</html>", header: map[string]string{"Content-Type": "text/html"}},
		"reset":    {err: io.ErrUnexpectedEOF}, "cut": {status: 200, body: `{"id":"u1","version":1}`, cut: true},
		"half json": jsonReply(200, `{"id":"u1","ver`), "empty": jsonReply(200, ""), "no id": jsonReply(200, `{"version":1}`),
		"html": {status: 200, body: "<html>", header: map[string]string{"Content-Type": "text/html"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				f := &fake{api: func(*http.Request, string) reply { at = append(at, time.Now()); return bad }}
				d, _ := open(t, f, nil)
				_, err := d.Get(t.Context(), "u1")
				if !errors.Is(err, apply.ErrUncertain) || f.count("GET ") != 6 || d.Stats().Retried != 5 {
					t.Errorf("%d reads, %v", f.count("GET "), err)
				}
				for i := 1; i < len(at); i++ {
					longest := min(time.Second<<(i-1), 30*time.Second)
					pause := at[i].Sub(at[i-1])
					if pause < longest/2 || pause > longest {
						t.Errorf("pause %d was %v, want half of %v to all of it", i, pause, longest)
					}
				}
				if _, err := do(t, d, retitle()); !errors.Is(err, apply.ErrUncertain) || f.count("PATCH ") != 1 {
					t.Errorf("%d writes, %v", f.count("PATCH "), err)
				}
			})
		})
	}
}

func TestReadSucceedsAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := &fake{api: func(r *http.Request, body string) reply {
			// A partial answer must not shine through the whole one that follows.
			if n++; n < 3 {
				return reply{status: 200, body: `{"id":"u9","version":9,"title":"old","addresses":{}}`}
			}
			return userReply(r, body)
		}}
		d, _ := open(t, f, nil)
		u, err := d.Get(t.Context(), "u1")
		if err != nil || u.ID != "u1" || u.Fields.Get(spec.Title) != spec.Text("") {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

func TestNoRetriesIfNoneAreWanted(t *testing.T) {
	f := &fake{api: func(*http.Request, string) reply { return jsonReply(503, `{}`) }}
	d, _ := open(t, f, tries(0))
	if _, err := d.Get(t.Context(), "u1"); !errors.Is(err, apply.ErrUncertain) || f.count("GET ") != 1 {
		t.Errorf("%d reads, %v", f.count("GET "), err)
	}
}

// A 429 was not carried out: reads and writes alike are sent until they are let through, and no try is spent.
func TestThrottledRequestsAreSentAgain(t *testing.T) {
	n := 0
	f := &fake{api: func(r *http.Request, body string) reply {
		if n++; n%10 != 0 {
			return reply{status: 429, body: `{"code":"too.many.requests.retry.after","status":429}`, header: map[string]string{"Retry-After": "1"}}
		}
		return userReply(r, body)
	}}
	d, b := open(t, f, tries(0))
	get(t, d)
	if _, err := do(t, d, retitle()); err != nil {
		t.Error(err)
	}
	if s := d.Stats(); s != (api.Stats{Reads: 10, Writes: 10, Throttled: 18, Tokens: 1}) {
		t.Errorf("%+v", s)
	}
	if len(b.statuses) != 20 || b.statuses[8] != 429 || b.statuses[9] != 200 {
		t.Errorf("the limiter heard of %v", b.statuses)
	}
}

func TestParkedLimiter(t *testing.T) {
	f := &fake{api: userReply}
	d, b := open(t, f, nil)
	b.parked = errors.New("no request before 2026-03-01T12:00:00Z")
	_, err := d.Get(t.Context(), "u1")
	if !errors.Is(err, apply.ErrThrottled) || !errors.Is(err, b.parked) || !strings.Contains(err.Error(), "before 2026-03-01T12:00:00Z") {
		t.Error(err)
	}
	if len(f.requests()) != 0 {
		t.Errorf("sent %v", f.requests())
	}
}

// The time of an attempt starts with the limiter's leave, not when it is asked for.
func TestTimeoutStartsWithTheLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{api: func(r *http.Request, _ string) reply {
			return reply{status: 200, body: `{"id":"u1","version":1}`, delay: 29 * time.Second}
		}}
		d, _ := open(t, f, func(o *api.Options) { o.Limiter = slow{&fakeLimiter{}} })
		began := time.Now()
		get(t, d)
		if spent := time.Since(began); spent != 89*time.Second {
			t.Errorf("took %v", spent)
		}
	})
}

type slow struct{ *fakeLimiter }

func (s slow) Acquire(ctx context.Context, operation, id string) (uint64, int, error) {
	time.Sleep(time.Minute)
	return s.fakeLimiter.Acquire(ctx, operation, id)
}

// The caller's own end is told as such, and not as the API's failure.
func TestCancelled(t *testing.T) {
	for name, answer := range map[string]reply{
		"in flight": {delay: time.Hour}, "in a pause": jsonReply(503, `{}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{api: func(*http.Request, string) reply { return answer }}
				d, b := open(t, f, func(o *api.Options) { o.Timeout = 2 * time.Hour })
				// A cause, such as the signal of signal.NotifyContext, must not hide what it is.
				ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("interrupt signal received"))
				defer cancel()
				_, err := d.Get(ctx, "u1")
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, apply.ErrUncertain) {
					t.Error(err)
				}
				if b.statuses[0] == 200 {
					t.Errorf("the limiter heard of %v", b.statuses)
				}
			})
		})
	}
	// An answer that came counts, whatever the caller thinks by then.
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{api: func(r *http.Request, body string) reply { cancel(); return userReply(r, body) }}
	d, _ := open(t, f, nil)
	if u, err := d.Get(ctx, "u1"); err != nil || u.ID != "u1" {
		t.Errorf("%+v, %v", u, err)
	}
}

// No redirect is followed, so no token and no secret reaches another host.
func TestRedirectsAreRefused(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := &fake{}
		f.api = func(r *http.Request, _ string) reply {
			if r.URL.Host != "api.example.test" {
				t.Errorf("%d: %s %s was sent, Authorization %q", status, r.Method, r.URL, r.Header.Get("Authorization"))
			}
			return reply{status: status, header: map[string]string{"Location": "https://evil.example.test/api/v2/users/u1?x=1"}}
		}
		d, _ := open(t, f, nil)
		_, err := d.Get(t.Context(), "u1")
		if !errors.Is(err, apply.ErrRefused) || !strings.Contains(err.Error(), `"https://evil.example.test"`) || f.count("GET ") != 1 {
			t.Errorf("%d: %v, %v", status, err, f.requests())
		}
		if _, err := do(t, d, retitle()); !errors.Is(err, apply.ErrRefused) || f.count("PATCH ") != 1 {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// Read-only means that no write leaves, whoever asks for it.
func TestReadOnly(t *testing.T) {
	f := &fake{api: func(r *http.Request, body string) reply {
		if strings.HasSuffix(r.URL.Path, "/search") {
			return jsonReply(200, `{"results":[{"id":"u1","version":1,"email":"ana@example.com"}]}`)
		}
		return jsonReply(200, `{"id":"u1","version":1,"email":"ana@example.com"}`)
	}}
	d, _ := open(t, f, func(o *api.Options) { o.ReadOnly, o.API = true, "https://gateway.example.test/genesys" })
	get(t, d)
	if _, err := d.Find(t.Context(), "ana@example.com"); err != nil {
		t.Error(err)
	}
	before := len(f.requests())
	create := &plan.Change{Action: plan.Create, Desired: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text("b@example.com"), spec.Name: spec.Text("B")})}
	for _, c := range []*plan.Change{retitle(), create} {
		_, err := do(t, d, c)
		if !errors.Is(err, api.ErrReadOnly) || !errors.Is(err, apply.ErrRefused) {
			t.Errorf("%s: %v", c.Action, err)
		}
	}
	if sent := f.requests()[before:]; len(sent) > 0 {
		t.Errorf("sent %v", sent)
	}
}

// The log tells what was asked and answered, and nothing of what was said.
func TestDebugLog(t *testing.T) {
	var log bytes.Buffer
	f := &fake{api: func(r *http.Request, _ string) reply {
		return reply{status: 200, body: `{"id":"u1","version":1,"name":"Ana Private"}`, header: map[string]string{"ININ-Correlation-Id": "c-1"}}
	}}
	d, _ := open(t, f, func(o *api.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	get(t, d)
	line := log.String()
	for _, want := range []string{"method=GET", "path=/api/v2/users/{id}", "status=200", "correlationId=c-1", "ms=", "path=/oauth/token"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is missing in %s", want, line)
		}
	}
	for _, not := range []string{"Private", "u1", "t1", secret, "Bearer"} {
		if strings.Contains(line, not) {
			t.Errorf("%q is in %s", not, line)
		}
	}
}
