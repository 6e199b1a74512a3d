package sim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"usersyncd/sync/genesys/sim"
)

// operator makes a request of whoever runs the server: no token, no content type.
func (w *org) operator(method, name, body string, status int) reply {
	w.Helper()
	r := w.send(method, "/_sim/"+name, body)
	if r.status != status || r.err != nil {
		w.Errorf("%s %s %s: %d %s %v, want %d", method, name, body, r.status, r.body, r.err, status)
	}
	return r
}

func TestOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Users: 3, Quota: sim.Quota{Limit: 5}})
		self := users + "/" + w.first().ID
		w.must(http.MethodGet, self, "")

		var l sim.Ledger
		if err := json.Unmarshal([]byte(w.operator(http.MethodGet, "ledger", "", 200).body), &l); err != nil || l.Calls["GET /api/v2/users/{id}"][200] != 1 || l.Tokens != 1 {
			t.Errorf("%+v, %v", l, err)
		}
		w.operator(http.MethodDelete, "ledger", "", 200)
		if l := w.Ledger(); len(l.Calls) != 0 || l.Tokens != 0 {
			t.Errorf("%+v", l)
		}
		var all []sim.User
		if err := json.Unmarshal([]byte(w.operator(http.MethodGet, "users", "", 200).body), &all); err != nil || len(all) != 3 || all[0].ID != w.first().ID {
			t.Errorf("%+v, %v", all, err)
		}

		w.operator(http.MethodPost, "fault", "GET 500\n", 200)
		w.operator(http.MethodPost, "fault", "PATCH x2 lost", 200)
		if got := w.operator(http.MethodGet, "fault", "", 200).body; strings.TrimSpace(got) != `["GET 500","PATCH x2 lost"]` {
			t.Errorf("%s", got)
		}
		w.refused(w.call(http.MethodGet, self, ""), 500, "internal.server.error")
		w.operator(http.MethodDelete, "fault", "", 200)
		w.must(http.MethodGet, self, "")

		w.operator(http.MethodPost, "limit", "6\n", 200)
		if got := quota(w.must(http.MethodGet, self, "")); got != "4/6/61" {
			t.Errorf("quota %s", got)
		}
		w.operator(http.MethodPost, "consume", "1", 200)
		if got := quota(w.must(http.MethodGet, self, "")); got != "6/6/61" {
			t.Errorf("quota %s", got)
		}
		w.operator(http.MethodPost, "limit", "token=1 7", 200)
		if got := quota(w.must(http.MethodGet, self, "")); got != "7/7/61" {
			t.Errorf("quota %s", got)
		}
		w.operator(http.MethodPost, "limit", "5", 200) // the first token's stays
		w.refused(w.call(http.MethodGet, self, ""), 429, "too.many.requests.retry.after")
		w.operator(http.MethodPost, "limit", "token=1 8", 200)
		w.must(http.MethodGet, self, "")
		w.operator(http.MethodPost, "revoke", "", 200)
		w.refused(w.call(http.MethodGet, self, ""), 401, "bad.credentials")

		for _, c := range [][3]string{
			{http.MethodPost, "limit", "0"}, {http.MethodPost, "limit", "6x"}, {http.MethodPost, "limit", ""},
			{http.MethodPost, "limit", "token=1"}, {http.MethodPost, "limit", "token=0 5"}, {http.MethodPost, "limit", "token=x 5"},
			{http.MethodPost, "limit", "token=1 0"}, {http.MethodPost, "limit", "5 token=1"}, {http.MethodPost, "consume", "-1"},
			{http.MethodPost, "consume", "10000001"}, {http.MethodPost, "fault", "nonsense"}, {http.MethodPost, "fault", ""},
		} {
			w.operator(c[0], c[1], c[2], 400)
		}
		for _, c := range [][2]string{{http.MethodGet, "nonsense"}, {http.MethodPost, "users"}, {http.MethodGet, ""}} {
			if r := w.operator(c[0], c[1], "", 404); !strings.Contains(r.body, "/_sim/ledger") {
				t.Errorf("%s %s does not say what there is: %s", c[0], c[1], r.body)
			}
		}
		if unreal := w.Ledger().Unreal; len(unreal) > 0 {
			t.Errorf("the operator's requests are in the ledger: %v", unreal)
		}
	})
}

func TestOperatorEdits(t *testing.T) {
	w := newOrg(t, sim.Options{})
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Texts: sim.Texts{Department: "D"}})
	w.operator(http.MethodPost, "edit", `{"email":"Ana@example.com","title":"Chief","state":"inactive","addresses":[{"extension":"41"}]}`, 200)
	if u := w.first(); u.Title != "Chief" || u.State != "inactive" || u.Department != "D" || u.Email != "ana@example.com" || len(u.Contacts) != 1 || u.Version != 2 || u.Writes != 0 {
		t.Errorf("%+v", u)
	}
	for body, status := range map[string]int{
		`{"email":"nobody@example.com"}`: 404, `{}`: 404, ``: 400, `{"email":"ana@example.com","nonsense":1}`: 400, `{"email":"ana@example.com","":1}`: 400, `{"email":"ana@example.com","update":{}}`: 400, `{"email":"ana@example.com","state":"x"}`: 400,
		`{"email":"ana@example.com","manager":"x"}`: 400, `{"email":"ana@example.com"}x`: 400, `{"email":"ana@example.com","addresses":[{}],"state":"active"}`: 400,
	} {
		w.operator(http.MethodPost, "edit", body, status)
	}
	if u := w.first(); u.Version != 2 || u.State != "inactive" {
		t.Errorf("%+v", u)
	}
}

func TestDirectAccess(t *testing.T) {
	w := newOrg(t, sim.Options{})
	made := w.Add(sim.User{Name: "Ana", Email: "Ana@example.com", Certifications: []string{"X"}})
	if made.ID == "" || made.State != "active" || made.Version != 1 || made.Division == "" {
		t.Errorf("%+v", made)
	}
	made.Certifications[0], w.Users()[0].Certifications[0] = "changed", "changed"
	u, ok := w.User("ANA@example.com")
	if !ok || u.Certifications[0] != "X" {
		t.Errorf("copies share what is stored: %+v", u)
	}
	if _, ok := w.User("nobody@example.com"); ok || w.Edit("nobody@example.com", func(*sim.User) {}) {
		t.Error("nobody is somebody")
	}
	// The id and the version are not for editing; the address moves along.
	if !w.Edit("ana@EXAMPLE.com", func(u *sim.User) { u.ID, u.Version, u.Email = "x", 99, "b@example.com" }) {
		t.Error("not found")
	}
	if u, ok := w.User("b@example.com"); !ok || u.ID != made.ID || u.Version != 2 {
		t.Errorf("%+v", u)
	}
	if _, ok := w.User("ana@example.com"); ok {
		t.Error("the old address still finds somebody")
	}
}

func TestLedger(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 1})
	self := users + "/" + w.first().ID
	w.must(http.MethodGet, self, "")
	w.must(http.MethodGet, self, "")
	w.call(http.MethodGet, users+"/x", "")
	w.fail("GET x1 drop")
	w.call(http.MethodGet, self, "")
	w.send(http.MethodGet, self, "")
	l := w.Ledger()
	const get = "GET /api/v2/users/{id}"
	for want, got := range map[int]int{5: l.Count(get), 2: l.Count(get, 200), 3: l.Count(get, 200, 404), 1: l.Count(get, 401), 0: l.Count("GET /api/v2/users")} {
		if got != want {
			t.Errorf("counted %d, want %d: %v", got, want, l.Calls)
		}
	}
	if l.Count(get, 0) != 1 || l.Count("POST /oauth/token") != 1 {
		t.Errorf("%v", l.Calls)
	}
	l.Calls[get][200], l.Creates["x"] = 99, 99
	if again := w.Ledger(); again.Count(get, 200) != 2 || len(again.Creates) != 0 {
		t.Error("a ledger shares what is kept")
	}
	w.ResetLedger()
	if l := w.Ledger(); len(l.Calls)+len(l.Creates)+len(l.Unreal)+l.Tokens+l.Throttled != 0 {
		t.Errorf("%+v", l)
	}
}
