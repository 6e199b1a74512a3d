package sim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Latency: 180 * time.Millisecond})
		for _, call := range []func() reply{
			func() reply { return w.must(http.MethodGet, organization, "") },
			func() reply { return w.call(http.MethodGet, users+"/x", "") }, w.mint,
		} {
			began := time.Now()
			if call(); time.Since(began) != 180*time.Millisecond {
				t.Errorf("took %v", time.Since(began))
			}
		}
	})
}

// With jitter answers overtake each other: their counts do not come in order.
func TestAnswersOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Latency: 10 * time.Millisecond, Jitter: 100 * time.Millisecond})
		var mu sync.Mutex
		var counts []string
		var wg sync.WaitGroup
		began := time.Now()
		for range 20 {
			wg.Go(func() {
				r := w.call(http.MethodGet, organization, "")
				mu.Lock()
				defer mu.Unlock()
				counts = append(counts, r.header.Get("inin-ratelimit-count"))
			})
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
		if took := time.Since(began); took < 30*time.Millisecond || took > 130*time.Millisecond {
			t.Errorf("20 calls side by side took %v", took)
		}
		sorted := true
		for i, c := range counts {
			sorted = sorted && c == fmt.Sprint(i+1)
		}
		if sorted || len(counts) != 20 {
			t.Errorf("counts came in order: %v", counts)
		}
	})
}

// Who gives up before the request arrives changed nothing; who gives up later may have.
func TestCancel(t *testing.T) {
	for _, c := range []struct {
		name     string
		o        sim.Options
		fault    string
		timeout  time.Duration
		took     time.Duration
		versions int
	}{
		{"already", sim.Options{}, "", 0, 0, 0},
		{"on the way", sim.Options{Latency: time.Minute}, "", time.Second, time.Second, 0},
		{"on the way back", sim.Options{Latency: time.Second}, "slow=1h", 16 * time.Second, 16 * time.Second, 1},
		{"in time", sim.Options{Latency: time.Second}, "", 16 * time.Second, time.Second, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newOrg(t, c.o)
			w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
			if c.fault != "" {
				w.fail(c.fault)
			}
			ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPatch, host+users+"/u-1", strings.NewReader(`{"version":1,"title":"x"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+w.token)
			req.Header.Set("Content-Type", "application/json")
			began := time.Now()
			r := w.roundTrip(req)
			if late := c.took == c.timeout; errors.Is(r.err, context.DeadlineExceeded) != late || late == (r.status == 200) {
				t.Errorf("%s: %d %v", c.name, r.status, r.err)
			}
			if took := time.Since(began); took != c.took {
				t.Errorf("%s: took %v, want %v", c.name, took, c.took)
			}
			if n := w.first().Writes; n != c.versions {
				t.Errorf("%s: written %d times, want %d", c.name, n, c.versions)
			}
		})
	}
}

// The same over a socket: what the client without one does is what net/http does.
func TestOverSocket(t *testing.T) {
	s := sim.New(sim.Options{Users: 3})
	web := httptest.NewServer(s)
	defer web.Close()
	w := &org{T: t, Server: s, http: &http.Client{Transport: &rehost{web.Client().Transport, web.Listener.Addr().String()}}}
	w.login()
	self := users + "/" + w.first().ID
	patch := func() string { return fmt.Sprintf(`{"version":%d,"title":"x"}`, w.first().Version) }
	direct := &org{T: t, Server: s, http: s.Client(), token: w.token}
	for _, fault := range []string{"x2 drop", "x2 lost", "x2 truncated", "x2 html", "x2 503 retry-after=1", "x2 404"} {
		w.fail("PATCH " + fault)
		a, b := w.call(http.MethodPatch, self, patch()), direct.call(http.MethodPatch, self, patch())
		if a.status != b.status || (a.err == nil) != (b.err == nil) || errors.Is(a.err, io.ErrUnexpectedEOF) != errors.Is(b.err, io.ErrUnexpectedEOF) ||
			errors.Is(a.err, io.EOF) != errors.Is(b.err, io.EOF) || a.header.Get("Content-Type") != b.header.Get("Content-Type") {
			t.Errorf("%s: %d %v %v over a socket, %d %v %v without", fault, a.status, a.header, a.err, b.status, b.header, b.err)
		}
	}
	for _, path := range []string{users, self, self + "x", "/nonsense", "/_sim/users", "/_sim/nonsense", users + "?id=%zz"} {
		a, b := w.call(http.MethodGet, path, ""), direct.call(http.MethodGet, path, "")
		if a.status != b.status || a.header.Get("Content-Type") != b.header.Get("Content-Type") || b.header.Get("Content-Length") != "" && a.header.Get("Content-Length") != b.header.Get("Content-Length") {
			t.Errorf("%s: %d %v over a socket, %d %v without", path, a.status, a.header, b.status, b.header)
		}
	}
}

// rehost sends requests to another address than their URL says.
type rehost struct {
	next http.RoundTripper
	addr string
}

func (t *rehost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", t.addr
	return t.next.RoundTrip(r)
}

// Many clients at once: every version is given out once, and nobody's write is lost.
func TestConcurrentWrites(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 4, Quota: sim.Quota{Limit: 1 << 20}})
	start := w.Users()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			u := start[i%4]
			for n := range 40 {
				at := w.call(http.MethodGet, users+"/"+u.ID+"?expand=employerInfo,certifications", "").number("version")
				w.call(http.MethodPatch, users+"/"+u.ID, fmt.Sprintf(`{"version":%d,"employerInfo":{"employeeId":"%d"},"certifications":["%d"]}`, at, n, n))
				w.call(http.MethodGet, users+"?expand=employerInfo,certifications", "")
				w.call(http.MethodPost, search, byEmail(u.Email))
				w.Consume(1)
			}
		})
	}
	wg.Wait()
	good := w.Ledger().Count("PATCH /api/v2/users/{id}", 200)
	bumps := 0
	for i, u := range w.Users() {
		if bumps += u.Version - start[i].Version; u.Writes != u.Version-start[i].Version {
			t.Errorf("%s: %d writes, version %d was %d", u.Email, u.Writes, u.Version, start[i].Version)
		}
	}
	if good != bumps || good < 160 {
		t.Errorf("%d went well, versions rose by %d", good, bumps)
	}
}

// The same seed makes the same people and the same chance.
func TestDeterminism(t *testing.T) {
	run := func(seed uint64) string {
		w := newOrg(t, sim.Options{Users: 200, Inactive: 20, Deleted: 10, Seed: seed})
		w.fail("GET 30% 503")
		s := fmt.Sprint(w.Users())
		for range 50 {
			s += fmt.Sprint(w.call(http.MethodGet, organization, "").status)
		}
		return s
	}
	one := run(1)
	if again := run(1); one != again {
		t.Error("the same seed makes another organization")
	}
	if one == run(2) {
		t.Error("another seed makes the same organization")
	}
	seen := map[string]bool{}
	for _, u := range sim.New(sim.Options{Users: 5000}).Users() {
		if seen[u.Email] || u.Name == "" || !strings.HasSuffix(u.Email, "@example.com") {
			t.Fatalf("%+v", u)
		}
		seen[u.Email] = true
	}
}
