package sim_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// A turn is one request with the token of that number, from 1, and what its answer tells: the quota, or
// a 429's Retry-After.
type turn struct {
	token int
	want  string
}

// take plays turns against a quota. Tokens are fetched in the order of their numbers.
func take(t *testing.T, q sim.Quota, turns ...turn) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Quota: q})
		tokens := []string{w.token}
		for i, c := range turns {
			for len(tokens) < c.token {
				w.login()
				tokens = append(tokens, w.token)
			}
			w.token = tokens[c.token-1]
			r := w.call(http.MethodGet, organization, "")
			got := quota(r)
			if r.status == http.StatusTooManyRequests {
				got += "after " + r.header.Get("Retry-After")
			}
			if got != c.want {
				t.Errorf("turn %d: %d %q, want %q", i, r.status, got, c.want)
			}
			time.Sleep(time.Second)
		}
	})
}

// Whose quota it is, nobody outside knows for sure: the token's, or the OAuth client's with all its tokens.
func TestSharedQuotas(t *testing.T) {
	for name, c := range map[string]struct {
		quota sim.Quota
		turns []turn
	}{
		"of a token": {sim.Quota{Limit: 2}, []turn{{1, "1/2/61"}, {2, "1/2/61"}, {1, "2/2/59"}, {2, "2/2/59"}, {1, "after 56"}}},
		"of a client": {sim.Quota{Limit: 3, PerClient: true},
			[]turn{{1, "1/3/61"}, {2, "2/3/60"}, {3, "3/3/59"}, {1, "after 57"}, {2, "after 56"}, {4, "after 55"}}},
		"of a client, sliding": {sim.Quota{Limit: 2, Window: 3 * time.Second, PerClient: true, Model: sim.Sliding},
			[]turn{{1, "1/2/4"}, {2, "2/2/3"}, {3, "after 1"}, {3, "2/2/2"}}},
		"hidden layer of a client": {sim.Quota{HiddenPerClient: 3},
			[]turn{{1, "1/300/61"}, {2, "1/300/61"}, {1, "2/300/59"}, {2, "after 57"}, {3, "after 56"}}},
		"both of a client": {sim.Quota{PerClient: true, HiddenPerClient: 2}, []turn{{1, "1/300/61"}, {2, "2/300/60"}, {1, "after 58"}}},
		"a crippled token": {sim.Quota{Limit: 3, Tokens: map[int]int{2: 1}},
			[]turn{{1, "1/3/61"}, {2, "1/1/61"}, {2, "after 59"}, {1, "2/3/58"}, {3, "1/3/61"}, {1, "3/3/56"}, {1, "after 54"}}},
		"a crippled token of a client": {sim.Quota{Limit: 3, PerClient: true, Tokens: map[int]int{2: 1}}, []turn{{1, "1/3/61"}, {2, "2/3/60"}}},
	} {
		t.Run(name, func(t *testing.T) { take(t, c.quota, c.turns...) })
	}
	// A limit of one endpoint is the token's, or the client's, as the quota is.
	for shared, want := range map[bool]int{false: 200, true: 429} {
		w := newOrg(t, sim.Options{Quota: sim.Quota{PerClient: shared, Endpoint: "GET " + users, EndpointLimit: 1}})
		w.must(http.MethodGet, users, "")
		w.login()
		if r := w.call(http.MethodGet, users, ""); r.status != want {
			t.Errorf("shared %t: %d", shared, r.status)
		}
	}
}

// Other programs use the same tokens, and limits change, while it runs.
func TestSharedQuotaChanges(t *testing.T) {
	crippled := map[int]int{2: 5}
	for name, c := range map[string]struct {
		quota sim.Quota
		want  [2]string
	}{
		"tokens":          {sim.Quota{}, [2]string{"101/400/61", "101/400/61"}},
		"client":          {sim.Quota{PerClient: true}, [2]string{"101/400/61", "102/400/61"}},
		"crippled bucket": {sim.Quota{Model: sim.Bucket, Tokens: crippled}, [2]string{"", ""}},
		"crippled":        {sim.Quota{Tokens: crippled}, [2]string{"101/400/61", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newOrg(t, sim.Options{Quota: c.quota})
				first := w.token
				w.login()
				w.SetLimit(400)
				w.Consume(100)
				for i, token := range []string{first, w.token} {
					w.token = token
					if got := quota(w.call(http.MethodGet, organization, "")); got != c.want[i] {
						t.Errorf("token %d: %q, want %q", i+1, got, c.want[i])
					}
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		limits := map[int]int{3: 7}
		w := newOrg(t, sim.Options{Quota: sim.Quota{Tokens: limits}})
		w.SetTokenLimit(1, 9)
		w.SetTokenLimit(2, 8) // still to come
		for n, want := range []string{"1/9/61", "1/8/61", "1/7/61", "1/300/61"} {
			if got := quota(w.must(http.MethodGet, organization, "")); got != want {
				t.Errorf("token %d: %s, want %s", n+1, got, want)
			}
			w.login()
		}
		if got := fmt.Sprint(limits); got != "map[3:7]" {
			t.Errorf("the options were changed: %s", got)
		}
	})
}
