package sim_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

const organization = "/api/v2/organizations/me"

// quota is what an answer's headers say: count/allowed/reset, or nothing.
func quota(r reply) string {
	h := r.header
	return strings.Trim(h.Get("inin-ratelimit-count")+"/"+h.Get("inin-ratelimit-allowed")+"/"+h.Get("inin-ratelimit-reset"), "/")
}

// A step of a script: wait, make requests, and see what the last of them got.
type step struct {
	wait  time.Duration
	calls int
	want  string // count/allowed/reset, or a refusal's Retry-After
}

// play runs a script against a quota in virtual time.
func play(t *testing.T, q sim.Quota, script ...step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Quota: q})
		for i, s := range script {
			time.Sleep(s.wait)
			var r reply
			for range s.calls {
				r = w.call(http.MethodGet, organization, "")
			}
			got := quota(r)
			if r.status == http.StatusTooManyRequests {
				got = strings.TrimSpace(got + " after " + r.header.Get("Retry-After"))
			}
			if got != s.want {
				t.Errorf("step %d: %d %q, want %q", i, r.status, got, s.want)
			}
		}
	})
}

// The window begins with the first request, and says 61 then as the trace of the vendor's SDK does.
func TestFixedWindow(t *testing.T) {
	play(t, sim.Quota{},
		step{0, 1, "1/300/61"},
		step{500 * time.Millisecond, 1, "2/300/60"},
		step{29500 * time.Millisecond, 298, "300/300/31"},
		step{0, 1, "after 30"},
		step{29500 * time.Millisecond, 1, "after 1"},
		step{499 * time.Millisecond, 1, "after 1"},
		step{time.Millisecond, 1, "1/300/61"},
		step{time.Hour, 300, "300/300/61"}, // idle time saves nothing up
		step{0, 1, "after 60"})
	play(t, sim.Quota{Limit: 2, Window: 10 * time.Second, Floor: true},
		step{1500 * time.Millisecond, 1, "1/2/10"},
		step{1500 * time.Millisecond, 1, "2/2/8"},
		step{0, 1, "after 8"},
		step{8 * time.Second, 1, "after 0"},
		step{500 * time.Millisecond, 1, "1/2/10"})
}

func TestAlignedWindow(t *testing.T) {
	play(t, sim.Quota{Model: sim.Aligned, Limit: 3},
		step{45*time.Second + 500*time.Millisecond, 3, "3/3/15"}, // a bubble's clock begins at midnight
		step{0, 1, "after 15"},
		step{14500 * time.Millisecond, 3, "3/3/61"},
		step{59 * time.Second, 1, "after 1"},
		step{time.Second, 1, "1/3/61"})
}

func TestSlidingWindow(t *testing.T) {
	play(t, sim.Quota{Model: sim.Sliding, Limit: 3},
		step{0, 1, "1/3/61"},
		step{20 * time.Second, 2, "3/3/41"},
		step{30 * time.Second, 1, "after 10"},
		step{10 * time.Second, 1, "3/3/21"},
		step{0, 1, "after 20"},
		step{20 * time.Second, 2, "3/3/41"})
}

func TestBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Quota: sim.Quota{Model: sim.Bucket}}) // 5 a second, 20 at once
		until429 := func() (n int) {
			for w.call(http.MethodGet, organization, "").status == 200 {
				n++
			}
			return n
		}
		for i, c := range []struct {
			wait time.Duration
			want int
		}{{0, 20}, {time.Second, 5}, {100 * time.Millisecond, 0}, {100 * time.Millisecond, 1}, {time.Hour, 20}} {
			time.Sleep(c.wait)
			if n := until429(); n != c.want {
				t.Errorf("step %d: %d went through, want %d", i, n, c.want)
			}
		}
	})
}

func TestRejectedRequestsMayCount(t *testing.T) {
	script := func(last string) []step {
		return []step{{0, 2, "2/2/61"}, {50 * time.Second, 1, "after 10"}, {10 * time.Second, 1, last}}
	}
	play(t, sim.Quota{Model: sim.Sliding, Limit: 2}, script("1/2/61")...)
	play(t, sim.Quota{Model: sim.Sliding, Limit: 2, CountAll: true}, script("2/2/51")...)
}

// The 429 is the one of the announcement of 2021, with no quota headers.
func TestTooManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Quota: sim.Quota{Limit: 1}})
		w.must(http.MethodGet, organization, "")
		time.Sleep(18 * time.Second)
		r := w.call(http.MethodPost, users, `{"name":"Ana","email":"ana@example.com"}`)
		w.refused(r, 429, "too.many.requests.retry.after")
		if r.header.Get("Retry-After") != "42" || quota(r) != "" || r.text("message") != "Rate limit exceeded the maximum. Retry the request in [42] seconds" ||
			len(r.list("details")) > 0 || len(r.list("errors")) > 0 || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%v %s", r.header, r.body)
		}
		if l := w.Ledger(); len(w.Users()) != 0 || l.Throttled != 1 || l.Count("POST /api/v2/users", 429) != 1 {
			t.Errorf("%+v", l)
		}
		first := w.token
		w.login() // another token has a quota of its own
		w.must(http.MethodGet, organization, "")
		w.token = first
		w.refused(w.call(http.MethodGet, organization, ""), 429, "too.many.requests.retry.after")
	})
}

// What a Retry-After may be instead.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, q := range map[string]sim.Quota{
			"60": {}, "": {NoRetry: true}, "600": {Seconds: 600}, time.Now().Add(time.Minute).UTC().Format(http.TimeFormat): {Dated: true},
		} {
			q.Limit = 1
			w := newOrg(t, sim.Options{Quota: q})
			w.must(http.MethodGet, organization, "")
			r := w.call(http.MethodGet, organization, "")
			if got := r.header.Get("Retry-After"); r.status != 429 || got != want {
				t.Errorf("%+v: %d %q, want %q", q, r.status, got, want)
			}
			if date := r.header.Get("Date"); (date != "") != q.Dated {
				t.Errorf("%+v: date %q", q, date)
			}
		}
	})
}

// Somebody who waited as told may still be refused.
func TestRepeatedRefusal(t *testing.T) {
	play(t, sim.Quota{Limit: 2, Repeat: 2},
		step{0, 2, "2/2/61"},
		step{0, 1, "after 60"},
		step{60 * time.Second, 1, "after 1"},
		step{time.Second, 1, "after 1"},
		step{time.Second, 1, "1/2/59"},
		step{59 * time.Second, 1, "1/2/61"})
}

// A 429 does not prove that the token's quota is used up.
func TestLayeredLimits(t *testing.T) {
	play(t, sim.Quota{Hidden: 3},
		step{0, 3, "3/300/61"},
		step{0, 1, "after 60"},
		step{60 * time.Second, 1, "1/300/61"})
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Users: 1, Quota: sim.Quota{Endpoint: "GET /api/v2/users", EndpointLimit: 2}})
		for i, c := range []struct {
			path, want string
		}{
			{users, "1/300/61"}, {organization, "2/300/61"}, {users, "3/300/61"}, {users, ""}, {users + "/" + w.first().ID, "5/300/61"},
		} {
			if r := w.call(http.MethodGet, c.path, ""); quota(r) != c.want || (r.status == 429) != (c.want == "") {
				t.Errorf("call %d: %d %s, want %s", i, r.status, quota(r), c.want)
			}
		}
		time.Sleep(time.Minute)
		w.must(http.MethodGet, users, "")
	})
}

func TestLimitChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{})
		for _, c := range []struct {
			limit int
			want  string
		}{{180, "1/180/61"}, {600, "2/600/61"}, {3, "3/3/61"}, {2, ""}, {4, "4/4/61"}} {
			w.SetLimit(c.limit)
			if got := quota(w.call(http.MethodGet, organization, "")); got != c.want {
				t.Errorf("limit %d: %s, want %s", c.limit, got, c.want)
			}
		}
	})
}

// Another program with the same token lets the count jump.
func TestConsume(t *testing.T) {
	for model, want := range map[sim.Model]string{sim.Fixed: "102/300/61", sim.Aligned: "102/300/61", sim.Sliding: "102/300/61"} {
		synctest.Test(t, func(t *testing.T) {
			w := newOrg(t, sim.Options{Quota: sim.Quota{Model: model}})
			w.must(http.MethodGet, organization, "")
			w.Consume(100)
			if got := quota(w.must(http.MethodGet, organization, "")); got != want {
				t.Errorf("%s: %s, want %s", model, got, want)
			}
			w.Consume(198)
			w.refused(w.call(http.MethodGet, organization, ""), 429, "too.many.requests.retry.after")
		})
	}
}

func TestQuotaHeaders(t *testing.T) {
	w := newOrg(t, sim.Options{Quota: sim.Quota{NoHeaders: true}})
	if r := w.must(http.MethodGet, organization, ""); quota(r) != "" {
		t.Errorf("headers %s", quota(r))
	}
	w = newOrg(t, sim.Options{})
	// Refusals of the API count and tell, those before the token do not.
	for i, r := range []reply{w.call(http.MethodGet, users+"/x", ""), w.call(http.MethodPost, users, "{"), w.call(http.MethodGet, users+"?state=x", "")} {
		if got := quota(r); got != fmt.Sprintf("%d/300/61", i+1) && got != fmt.Sprintf("%d/300/60", i+1) {
			t.Errorf("%d: %s", r.status, got)
		}
	}
	for _, r := range []reply{w.send(http.MethodGet, users, ""), w.call(http.MethodPut, users+"/x", ""), w.mint()} {
		if quota(r) != "" {
			t.Errorf("%d tells %s", r.status, quota(r))
		}
	}
}

// Two windows' worth may pass in one moment, and no more.
func TestWindowBoundary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Quota: sim.Quota{Limit: 100}})
		w.must(http.MethodGet, organization, "")
		time.Sleep(59999 * time.Millisecond)
		passed := 0
		for range 20 {
			for range 20 {
				if w.call(http.MethodGet, organization, "").status == 200 {
					passed++
				}
			}
			time.Sleep(100 * time.Microsecond)
		}
		if passed != 199 {
			t.Errorf("%d of 400 passed, want 99 and 100", passed)
		}
		if n, err := strconv.Atoi(w.call(http.MethodGet, organization, "").header.Get("Retry-After")); err != nil || n != 60 {
			t.Errorf("Retry-After %d, %v", n, err)
		}
	})
}
