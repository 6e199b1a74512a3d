package sim_test

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// Each effect: what the client sees, and what has happened to the user.
func TestEffects(t *testing.T) {
	const html = "<html>"
	for _, c := range []struct {
		fault   string
		status  int
		says    string // the code, or what the body begins with
		err     error
		title   string // after it
		version int
	}{
		{"500", 500, "internal.server.error", nil, "old", 1},
		{"503 retry-after=7", 503, "service.unavailable", nil, "old", 1},
		{"504", 504, "request.timeout", nil, "old", 1},
		{"408", 408, "client.timeout", nil, "old", 1},
		{"410", 410, "client.failed.request", nil, "old", 1},
		{"403", 403, "missing.any.permissions", nil, "old", 1},
		{"401", 401, "bad.credentials", nil, "old", 1},
		{"404", 404, "not.found", nil, "old", 1},
		{"429 retry-after=7", 429, "too.many.requests.retry.after", nil, "old", 1},
		{"drop", 0, "", io.EOF, "old", 1},
		{"lost", 0, "", io.EOF, "new", 2},
		{"truncated", 200, "{", io.ErrUnexpectedEOF, "new", 2},
		{"html", 502, html, nil, "old", 1},
		{"slow=20s", 200, "", nil, "new", 2},
		{"conflict409", 409, "general.conflict", nil, "old", 2},
		{"conflict400", 400, "bad.request", nil, "old", 2},
		{"spurious", 409, "general.conflict", nil, "old", 1},
		{"expired", 401, "bad.credentials", nil, "old", 1},
		{"revoked", 401, "bad.credentials", nil, "old", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newOrg(t, sim.Options{})
			w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Texts: sim.Texts{Title: "old"}})
			w.fail("PATCH x1 " + c.fault)
			began := time.Now()
			patch := func() reply { return w.call(http.MethodPatch, users+"/u-1", `{"version":1,"title":"new"}`) }
			r := patch()
			if r.status != c.status || !errors.Is(r.err, c.err) {
				t.Errorf("%s: %d %s %v", c.fault, r.status, r.body, r.err)
			}
			if took := time.Since(began); took != 0 && c.fault != "slow=20s" || took != 20*time.Second && c.fault == "slow=20s" {
				t.Errorf("%s: took %v", c.fault, took)
			}
			switch {
			case c.err == nil && c.status != 200 && c.says != html:
				w.refused(r, c.status, c.says)
			case !strings.HasPrefix(r.body, c.says) || c.says != "" && r.json != nil:
				t.Errorf("%s: %q", c.fault, r.body)
			}
			if after := r.header.Get("Retry-After"); (after == "7") != strings.Contains(c.fault, "retry-after") {
				t.Errorf("%s: Retry-After %q", c.fault, after)
			}
			if quota(r) != "" && c.status == 429 {
				t.Errorf("%s tells the quota", c.fault)
			}
			if u := w.first(); u.Title != c.title || u.Version != c.version {
				t.Errorf("%s: title %s, version %d", c.fault, u.Title, u.Version)
			}
			// The fault is spent. A replay goes well, or meets what is new.
			switch r := patch(); {
			case c.says == "bad.credentials" && c.fault != "401":
				w.refused(r, 401, "bad.credentials")
			case c.version == 2 && (r.status == 409 || r.status == 400):
			case c.version == 1 && r.status == 200:
			default:
				t.Errorf("%s: the replay got %d %s", c.fault, r.status, r.body)
			}
		})
	}
}

// The text of a version conflict is the one by which the vendor's provider knows it.
func TestConflictTexts(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 1})
	self := users + "/" + w.first().ID
	for fault, text := range map[string]string{
		"conflict400": "does not match the current version", "conflict409": "must match the version number", "spurious": "must match the version number",
	} {
		for _, method := range []string{http.MethodPatch, http.MethodDelete} {
			w.ClearFaults()
			w.fail(method + " x1 " + fault)
			body := ""
			if method == http.MethodPatch {
				body = `{"version":1}`
			}
			if r := w.call(method, self, body); !strings.Contains(r.text("message"), text) {
				t.Errorf("%s %s: %s", method, fault, r.body)
			}
		}
	}
	if w.first().State != "active" {
		t.Error("deleted after all")
	}
}

// A creation whose answer was lost is found by its replay as a conflict.
func TestLostCreation(t *testing.T) {
	w := newOrg(t, sim.Options{})
	w.fail("POST x1 lost")
	const body = `{"name":"Ana","email":"ana@example.com"}`
	if r := w.call(http.MethodPost, users, body); !errors.Is(r.err, io.EOF) {
		t.Errorf("%d %v", r.status, r.err)
	}
	w.refused(w.call(http.MethodPost, users, body), 409, "general.conflict")
	if l := w.Ledger(); len(w.Users()) != 1 || l.Creates["ana@example.com"] != 2 {
		t.Errorf("%d users, %v", len(w.Users()), l.Creates)
	}
}

func TestEditedJustBefore(t *testing.T) {
	w := newOrg(t, sim.Options{})
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Texts: sim.Texts{Title: "old"}})
	w.fail("x1 edited")
	if r := w.must(http.MethodGet, users+"/u-1", ""); r.text("title") != "Edited by hand" || r.number("version") != 2 {
		t.Errorf("%s", r.body)
	}
	w.must(http.MethodPatch, users+"/u-1", `{"version":2,"title":"new"}`)
	if u := w.first(); u.Writes != 1 {
		t.Errorf("%d writes: the edit was nobody's", u.Writes)
	}
}

// Expired ends the request's token, revoked every token.
func TestTokensEnd(t *testing.T) {
	for effect, others := range map[string]int{"expired": 200, "revoked": 401} {
		w := newOrg(t, sim.Options{})
		first := w.token
		w.login()
		w.fail("x1 " + effect)
		w.refused(w.call(http.MethodGet, organization, ""), 401, "bad.credentials")
		w.refused(w.call(http.MethodGet, organization, ""), 401, "bad.credentials")
		w.token = first
		if r := w.call(http.MethodGet, organization, ""); r.status != others {
			t.Errorf("%s: another token gets %d, want %d", effect, r.status, others)
		}
	}
}

func TestFaultMatches(t *testing.T) {
	const lists, bobs, creates, patches = "GET users", "GET bob", "POST bob", "PATCH ana"
	for fault, want := range map[string]string{
		"500":                                    lists + bobs + creates + patches,
		"* 500":                                  lists + bobs + creates + patches,
		"* * 500":                                lists + bobs + creates + patches,
		"GET 500":                                lists + bobs,
		"PUT 500":                                "",
		"/api/v2/users 500":                      lists + creates,
		"/api/v2/users/* 500":                    bobs + patches,
		"/api/v2/users* 500":                     lists + bobs + creates + patches,
		"GET /api/v2/users/u-2 500":              bobs,
		"/api/v2 500":                            "",
		"user=bob@example.com 500":               bobs + creates,
		"user=BOB@Example.COM 500":               bobs + creates,
		"user=u-1 500":                           patches,
		"PATCH user=bob@example.com 500":         "",
		"user=bob@example.com /api/v2/users 500": creates,
	} {
		w := newOrg(t, sim.Options{})
		w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
		w.Add(sim.User{ID: "u-2", Name: "Bob", Email: "Bob@example.com"})
		w.fail(fault)
		got := ""
		for _, c := range []struct{ name, method, path, body string }{
			{lists, http.MethodGet, users, ""}, {bobs, http.MethodGet, users + "/u-2", ""},
			{creates, http.MethodPost, users, `{"name":"Bob","email":"bob@example.com"}`}, {patches, http.MethodPatch, users + "/u-1", `{"version":1}`},
		} {
			if w.call(c.method, c.path, c.body).status == 500 {
				got += c.name
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", fault, got, want)
		}
	}
}

// How often: x is refused, . goes well.
func TestFaultCounts(t *testing.T) {
	for fault, want := range map[string]string{
		"500":                            "xxxxxxxxxxxx",
		"x3 500":                         "xxx.........",
		"after=2 500":                    "..xxxxxxxxxx",
		"after=2 x3 500":                 "..xxx.......",
		"every=3 500":                    "..x..x..x..x",
		"every=3 x2 500":                 "..x..x......",
		"after=1 every=4 500":            "....x...x...",
		"100% 500":                       "xxxxxxxxxxxx",
		"every=2 x2 500; x3 after=5 503": ".x.x...xxx..", // the first is asked first, and what it takes the second does not see
	} {
		w := newOrg(t, sim.Options{})
		for f := range strings.SplitSeq(fault, ";") {
			w.fail(f)
		}
		got := ""
		for range want {
			mark := "x"
			if w.call(http.MethodGet, organization, "").status == 200 {
				mark = "."
			}
			got += mark
		}
		if got != want {
			t.Errorf("%s: %s, want %s", fault, got, want)
		}
		w.ClearFaults()
		w.must(http.MethodGet, organization, "")
	}
	w := newOrg(t, sim.Options{Quota: sim.Quota{Limit: 1 << 20}})
	w.fail("10% 500")
	for range 5000 {
		w.call(http.MethodGet, organization, "")
	}
	if n := w.Ledger().Count("GET "+organization, 500); math.Abs(float64(n)-500) > 100 {
		t.Errorf("10%% of 5000 were %d", n)
	}
}

func TestParseFault(t *testing.T) {
	for text, want := range map[string]sim.Fault{
		"PATCH /api/v2/users/* 10% lost": {Method: "PATCH", Path: "/api/v2/users/*", Share: 0.1, Effect: sim.Lost},
		"PATCH user=bob@example.com 500": {Method: "PATCH", User: "bob@example.com", Effect: sim.Status, Code: 500},
		"* 429 retry-after=-1":           {Effect: sim.Status, Code: 429, RetryAfter: "-1"},
		"* 429 retry-after=date:90":      {Effect: sim.Status, Code: 429, RetryAfter: "date:90"},
		"POST done=502":                  {Method: "POST", Effect: sim.Done, Code: 502},
		"* 5% 503 retry-after=1":         {Share: 0.05, Effect: sim.Status, Code: 503, RetryAfter: "1"},
		" x3  slow=1.5s  GET ":           {Method: "GET", Times: 3, Effect: sim.Slow, Delay: 1500 * time.Millisecond},
		"every=2 after=1 conflict400":    {Every: 2, After: 1, Effect: sim.Conflict400},
		"0.5% html":                      {Share: 0.005, Effect: sim.HTML},
		"after=1 x2 listing=hole":        {After: 1, Times: 2, Effect: sim.Listing, Shape: "hole"},
		"/api/v2/groups listing=short:3": {Path: "/api/v2/groups", Effect: sim.Listing, Shape: "short:3"},
	} {
		if f, err := sim.ParseFault(text); err != nil || f != want {
			t.Errorf("%q: %+v, %v", text, f, err)
		}
	}
	for text, says := range map[string]string{
		"": "no status and no effect", "PATCH": "no status and no effect", "GET 5% x3 user=a": "no status and no effect",
		"nonsense": "write [METHOD]", "patch 500": "write [METHOD]", "200": "write [METHOD]", "600": "write [METHOD]", "5000": "write [METHOD]", "5e2": "write [METHOD]",
		"0% lost": "above 0%", "101% lost": "above 0%", "-1% lost": "above 0%", "NaN% lost": "above 0%", "% lost": "above 0%", "1e-323% lost": "above 0%",
		"x0 lost": "such as x3", "x lost": "such as x3", "x-1 lost": "such as x3", "x99999999999999999999 lost": "such as x3",
		"slow=2": "such as slow=2s", "slow=-1s": "such as slow=2s", "slow=": "such as slow=2s", "slow": "write [METHOD]",
		"503 retry-after=date:soon": "such as 30",
		"503 done=200":              "not a status",
		"503 done=502":              "two of one kind",
		"lost retry-after=3":        "goes with a status", "user= 500": "names no user", "colour=red 500": "takes a value",
		"500 503": "two of one kind", "500 lost": "two of one kind", "lost slow=2s": "two of one kind", "GET PATCH 500": "two of one kind", "x1 x2 500": "two of one kind",
		"user=a user=b 500": "two of one kind", "/a /b 500": "two of one kind", "/users/*/state 500": "not at its end", "status": "write [METHOD]",
		"listing": "write [METHOD]", "listing=": "shape of a listing", "listing=odd": "shape of a listing", "listing=short": "shape of a listing",
		"listing=short:0": "or short:3", "listing=null retry-after=1": "goes with a status", "listing=null 503": "two of one kind",
	} {
		if f, err := sim.ParseFault(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v; want an error that says %q", text, f, err, says)
		}
	}
}
