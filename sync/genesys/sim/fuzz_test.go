package sim_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/sync/genesys/sim"
)

// What is understood can be said again, and means the same.
func FuzzParseFault(f *testing.F) {
	for _, text := range []string{
		"PATCH /api/v2/users/* 10% lost", "PATCH user=bob@example.com 500", "* 5% 503 retry-after=1", "x3 slow=1.5s GET", "every=2 after=1 conflict400",
		"GET PATCH 500", "0.1e-3% html", "/* user== truncated", "NaN% drop", "x+3 expired",
		"x1 listing=hole", "/api/v2/groups listing=short:+3", "listing=listing=null",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := sim.ParseFault(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fault ") {
				t.Errorf("%q: %v does not say of what", text, err)
			}
			return
		}
		again, err := sim.ParseFault(fault.String())
		if err != nil || math.Abs(again.Share-fault.Share) > 1e-12*fault.Share {
			t.Fatalf("%q is %q: %v, share %g and %g", text, fault.String(), err, fault.Share, again.Share)
		}
		if again.Share = fault.Share; again != fault {
			t.Errorf("%q is %+v, and %q is %+v", text, fault, fault.String(), again)
		}
		if fault.Effect == "" || fault.Share < 0 || fault.Share > 1 || fault.Times < 0 || fault.Delay < 0 || fault.Effect == sim.Status && (fault.Code < 400 || fault.Code > 599) {
			t.Errorf("%q is %+v", text, fault)
		}
	})
}

// Whatever a PATCH says, it is carried out whole with the version one higher, or refused and nothing
// is changed; and what is stored stays such that the API takes it.
func FuzzPatchBody(f *testing.F) {
	for _, body := range []string{
		`{"version":1,"title":"x"}`, `{"version":1,"state":"inactive","title":"x"}`, `{"version":1,"addresses":[{"mediaType":"PHONE","address":"+12025550100"}]}`,
		`{"version":1,"email":"BOB@example.com"}`, `{"version":1,"email":"new@example.com","manager":""}`, `{"version":1,"employerInfo":{"dateHire":"2024-02-29"}}`,
		`{"version":2}`, `{"Version":1}`, `{"version":1,"version":2}`, `{"version":1e0}`, `null`, `[]`, `{"version":1,"certifications":null,"acdAutoAnswer":true}`,
		`{"version":1,"addresses":[{"extension":"9001","type":"HOME"},{"mediaType":"EMAIL","address":"a@b.example"}]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := newOrg(t, sim.Options{})
		w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Texts: sim.Texts{Title: "old"}})
		w.Add(sim.User{ID: "u-2", Name: "Bob", Email: "bob@example.com"})
		before := w.Users()
		r := w.send(http.MethodPatch, users+"/u-1", body, "Authorization", "Bearer "+w.token, "Content-Type", "application/json")
		now := w.Users()
		if !cmp.Equal(before[1], now[1]) {
			t.Fatalf("%q changed another user", body)
		}
		switch {
		case r.status == 400 || r.status == 409 || r.status == 413:
			if !cmp.Equal(before, now) || r.text("message") == "" || r.number("status") != r.status {
				t.Fatalf("%q was refused as %s, and is %s", body, r.body, cmp.Diff(before, now))
			}
			return
		case r.status != 200 || now[0].Version != 2 || now[0].Writes != 1 || r.number("version") != 2:
			t.Fatalf("%q: %d %s", body, r.status, r.body)
		}
		if u := now[0]; u.Name == "" || !strings.Contains(u.Email, "@") || strings.EqualFold(u.Email, "bob@example.com") ||
			u.State != "active" && u.State != "inactive" && u.State != "deleted" {
			t.Fatalf("%q stored %+v", body, u)
		}
		query := ""
		if now[0].State == "deleted" {
			query = "?state=deleted"
		}
		if again := w.must(http.MethodGet, users+"/u-1"+query, ""); again.body != r.body {
			t.Fatalf("%q answered %s, and reads %s", body, r.body, again.body)
		}
		w.must(http.MethodPatch, users+"/u-1", fmt.Sprintf(`{"version":2,"state":%q}`, before[0].State))
	})
}

// Whatever a write of what hangs under a user says, it is carried out whole, or refused and nothing is
// changed; and what is stored can be read.
func FuzzPartBody(f *testing.F) {
	for i, p := range (&org{Server: sim.New(sim.Options{})}).parts() {
		for _, body := range []string{p.body, `null`, `[]`, `{}`, `[null]`, `{"grants":[null]}`, `{"utilization":{"chat":null}}`, p.body[:len(p.body)-1]} {
			f.Add(i, body)
		}
	}
	f.Fuzz(func(t *testing.T, which int, body string) {
		w := staff(t, sim.Options{})
		all := w.parts()
		p := all[(which%len(all)+len(all))%len(all)]
		before := w.Users()
		r := w.send(p.method, p.path, body, "Authorization", "Bearer "+w.token, "Content-Type", "application/json")
		now := w.Users()
		written := now[0].Writes == 1 && now[0].Version == 2
		switch {
		case r.status == 200 || r.status == 204:
			others := slices.ContainsFunc(now[1:], func(u sim.User) bool { return u.Writes > 1 })
			if !written && !strings.HasSuffix(p.path, "USER") || others {
				t.Fatalf("%s %q: %+v", p.name, body, now[0])
			}
		case r.status != 400 && r.status != 404 && r.status != 409 && r.status != 413 || r.text("message") == "":
			t.Fatalf("%s %q: %d %s", p.name, body, r.status, r.body)
		case !cmp.Equal(before, now):
			t.Fatalf("%s %q was refused as %s, and is %s", p.name, body, r.body, cmp.Diff(before, now))
		}
		for _, p := range now[0].Skills {
			if !(p >= 0 && p <= 5) {
				t.Fatalf("%q stored %+v", body, now[0])
			}
		}
		for _, path := range []string{
			users + "/u-1?expand=skills,languages,locations,profileSkills,groups,authorization", users + "/u-1/externalid", users + "/u-1/profileskills",
			"/api/v2/routing/users/u-1/utilization", "/api/v2/voicemail/userpolicies/u-1", subjects + "/u-1",
		} {
			if r := w.must(http.MethodGet, path, ""); r.body == "" {
				t.Fatalf("%s after %q is empty", path, body)
			}
		}
	})
}
