package genesys_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// serve answers token requests and hands the rest to answer, over a real connection on loopback.
func serve(t *testing.T, answer http.HandlerFunc) (*genesys.Directory, *fakeLimiter) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("spoke %s", r.Proto)
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/oauth/token" {
			_, _ = io.WriteString(w, `{"access_token":"t1","token_type":"bearer","expires_in":3600}`)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	d, b := open(t, &fake{}, func(o *api.Options) { o.API, o.Transport = s.URL, nil })
	t.Cleanup(d.Close)
	return d, b
}

func TestRealConnection(t *testing.T) {
	d, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t1" || r.UserAgent() != "usersyncd/1.2.3" {
			t.Errorf("headers %v", r.Header)
		}
		_, _ = io.WriteString(w, `{"id":"u1","version":8,"title":"Lead"}`)
	})
	get(t, d)
	now, err := do(t, d, retitle())
	if err != nil || now[0].Version != 8 || now[0].Fields.Get(spec.Title) != spec.Text("Lead") {
		t.Errorf("%+v, %v", now, err)
	}
}

func TestRedirectOverARealConnection(t *testing.T) {
	var leaked atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked.Add(1) }))
	defer evil.Close()
	for _, status := range []int{302, 307, 308} {
		d, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL+r.URL.Path, status) })
		if _, err := d.Get(t.Context(), "u1"); !errors.Is(err, apply.ErrRefused) {
			t.Errorf("%d: %v", status, err)
		}
		if _, err := do(t, d, retitle()); !errors.Is(err, apply.ErrRefused) {
			t.Errorf("%d: %v", status, err)
		}
	}
	if n := leaked.Load(); n != 0 {
		t.Errorf("%d requests went to another host", n)
	}
}

// The answer to a write is lost on a connection that was used before, which is where net/http would
// send a request again if it dared to: the write is applied once, and nobody claims to know.
func TestLostAnswerIsNotSentAgain(t *testing.T) {
	var applied atomic.Int64
	d, b := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"id":"u1","version":7}`)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		applied.Add(1)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = c.Close()
	})
	get(t, d)
	create := differing(plan.Create, nil, spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: ana, spec.Name: spec.Text("Ana")}))
	for i, c := range []*plan.Change{retitle(), create} {
		_, err := do(t, d, c)
		if !errors.Is(err, apply.ErrUncertain) || applied.Load() != int64(i+1) {
			t.Errorf("applied %d times, %v", applied.Load(), err)
		}
		get(t, d)
	}
	if got := fmt.Sprint(b.statuses); got != "[200 0 200 0 200]" {
		t.Errorf("the limiter heard of %s", got)
	}
}

// A certificate that is not trusted is told at once, at the login and at the API, and nothing was sent.
func TestUntrustedCertificate(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	for name, login := range map[string]string{"login": "", "api": "http://" + s.Listener.Addr().String()} {
		ours, _ := serve(t, http.NotFound) // gives out tokens
		if login != "" {
			login = ours.API()
		}
		d, b := open(t, &fake{}, func(o *api.Options) {
			o.API, o.Login, o.Transport = s.URL, login, nil
			o.Retry = &api.Retry{Max: 5, MinWait: time.Hour} // which no test survives
		})
		if _, err := d.Get(t.Context(), "u1"); !errors.Is(err, apply.ErrUnreachable) || !strings.Contains(err.Error(), "certificate is not trusted") || len(b.statuses) > 1 {
			t.Errorf("%s: %v, %v", name, err, b.statuses)
		}
		d.Close()
	}
}
