package sim_test

import (
	"encoding/base64"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

func TestTokenRequests(t *testing.T) {
	const form, grant = "application/x-www-form-urlencoded", "grant_type=client_credentials"
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	good := basic("id:a+b/c=")
	for name, c := range map[string]struct {
		method, media, auth, body string
		status                    int
		fault                     string
	}{
		"right":             {http.MethodPost, form, good, grant, 200, ""},
		"charset":           {http.MethodPost, form + "; charset=utf-8", good, grant, 200, ""},
		"GET":               {http.MethodGet, form, good, grant, 405, "invalid_request"},
		"JSON":              {http.MethodPost, "application/json", good, `{"grant_type":"client_credentials"}`, 400, "invalid_request"},
		"wrong grant":       {http.MethodPost, form, good, "grant_type=password", 400, "unsupported_grant_type"},
		"no grant":          {http.MethodPost, form, good, "", 400, "unsupported_grant_type"},
		"scope":             {http.MethodPost, form, good, grant + "&scope=users", 400, "invalid_request"},
		"secret in body":    {http.MethodPost, form, "", grant + "&client_id=id&client_secret=a%2Bb", 400, "invalid_request"},
		"no credentials":    {http.MethodPost, form, "", grant, 401, "invalid_client"},
		"wrong secret":      {http.MethodPost, form, basic("id:x"), grant, 401, "invalid_client"},
		"wrong id":          {http.MethodPost, form, basic("x:a+b/c="), grant, 401, "invalid_client"},
		"escaped as a form": {http.MethodPost, form, basic("id:a%2Bb%2Fc%3D"), grant, 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sim.New(sim.Options{ClientID: "id", ClientSecret: "a+b/c=", BadClientStatus: 401, TokenLife: 5 * time.Minute})
			w := &org{T: t, Server: s, http: s.Client()}
			headers := []string{"Content-Type", c.media}
			if c.auth != "" {
				headers = append(headers, "Authorization", c.auth)
			}
			r := w.send(c.method, "/oauth/token", c.body, headers...)
			if r.status != c.status || r.header.Get("ININ-Correlation-Id") == "" {
				t.Fatalf("%d %s", r.status, r.body)
			}
			if c.fault == "" {
				if r.text("access_token") == "" || r.text("token_type") != "bearer" || r.number("expires_in") != 300 || r.json["refresh_token"] != nil {
					t.Errorf("%s", r.body)
				}
				return
			}
			if r.text("error") != c.fault || r.text("description") == "" || r.text("error_description") == "" || r.json["code"] != nil {
				t.Errorf("%s is not the login service's shape", r.body)
			}
			if w.Ledger().Tokens != 0 {
				t.Error("a token was given out")
			}
		})
	}
	if r := newOrg(t, sim.Options{}).send(http.MethodPost, "/oauth/token", grant, "Content-Type", form); r.status != 400 {
		t.Errorf("wrong credentials are %d by default, want 400", r.status)
	}
}

func TestBearer(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 1})
	for auth, code := range map[string]string{
		"": "authentication.required", "Basic ZGVtbzpkZW1v": "authentication.required", "Bearer": "authentication.required",
		"Bearer ": "bad.credentials", "Bearer nonsense": "bad.credentials",
	} {
		w.refused(w.send(http.MethodGet, users, "", "Authorization", auth), 401, code)
	}

	// Several tokens live side by side, until all are revoked.
	first := w.token
	w.login()
	second := w.token
	for _, w.token = range []string{first, second} {
		w.must(http.MethodGet, users, "")
	}
	w.Revoke()
	for _, w.token = range []string{first, second} {
		w.refused(w.call(http.MethodGet, users, ""), 401, "bad.credentials")
	}
	w.login()
	w.must(http.MethodGet, users, "")
	if n := w.Ledger().Tokens; n != 3 {
		t.Errorf("%d tokens, want 3", n)
	}
}

func TestTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{})
		if life := w.mint().number("expires_in"); life != 86400 {
			t.Errorf("a token is good for %d s, want 24 h", life)
		}
		const me = "/api/v2/organizations/me"
		time.Sleep(24*time.Hour - time.Nanosecond)
		w.must(http.MethodGet, me, "")
		time.Sleep(time.Nanosecond)
		w.refused(w.call(http.MethodGet, me, ""), 401, "bad.credentials")
		w.login()
		w.must(http.MethodGet, me, "")
	})
}

func TestMintLimit(t *testing.T) {
	for _, status := range []int{429, 400} {
		synctest.Test(t, func(t *testing.T) {
			w := newOrg(t, sim.Options{MintLimit: 2, MintLimitStatus: status}) // one is taken
			time.Sleep(30 * time.Second)
			for i, want := range []int{200, status, status} {
				if r := w.mint(); r.status != want || want != 200 && r.text("error") == "" {
					t.Errorf("token %d: %d %s, want %d", i+2, r.status, r.body, want)
				}
			}
			time.Sleep(30 * time.Second) // the first no longer counts
			for i, want := range []int{200, status} {
				if r := w.mint(); r.status != want {
					t.Errorf("later token %d: %d, want %d", i+1, r.status, want)
				}
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	for permission, calls := range map[string][][3]string{
		"directory:user:view": {{http.MethodGet, users}, {http.MethodGet, users + "/ID"}, {http.MethodGet, users + "/query"}, {http.MethodPost, users + "/search", "{}"}},
		"directory:user:add":  {{http.MethodPost, users, `{"name":"a","email":"a@example.com"}`}},
		"directory:user:edit": {{http.MethodPatch, users + "/ID", `{"version":1}`}, {http.MethodPatch, users + "/bulk", `[]`},
			{http.MethodPut, users + "/ID/state", `{"state":"active"}`}},
		"directory:user:delete":          {{http.MethodDelete, users + "/ID"}},
		"directory:userStateChange:view": {{http.MethodGet, users + "/ID/state"}},
	} {
		w := newOrg(t, sim.Options{Forbid: permission})
		id := w.Add(sim.User{Email: "ana@example.com", Name: "Ana"}).ID
		for _, c := range calls {
			w.refused(w.call(c[0], replaceID(c[1], id), c[2]), 403, "missing.any.permissions")
		}
		w.must(http.MethodGet, "/api/v2/organizations/me", "")
		if u := w.first(); len(w.Users()) != 1 || u.Version != 1 || u.State != "active" {
			t.Errorf("without %s: %+v", permission, u)
		}
	}
}

// A client that sees some divisions alone finds a shorter listing, and nothing says that it is short.
func TestDivisions(t *testing.T) {
	for _, status := range []int{403, 404} {
		w := newOrg(t, sim.Options{Users: 10, Hide: 3, HiddenStatus: status})
		if r := w.must(http.MethodGet, users+"?state=any", ""); r.number("total") != 7 || len(r.list("entities")) != 7 {
			t.Errorf("%d users of %d, want 7", len(r.list("entities")), r.number("total"))
		}
		hidden := w.Users()[2]
		if r := w.must(http.MethodPost, users+"/search", `{"query":[{"type":"EXACT","fields":["email"],"value":"`+hidden.Email+`"}]}`); r.number("total") != 0 {
			t.Errorf("the search shows %s", r.body)
		}
		w.refused(w.call(http.MethodGet, users+"/query", ""), 403, "missing.any.permissions")
		code, gone := "missing.division.permission", "missing.division.permission"
		if status == 404 {
			code, gone = "not.found", "user.not.found.on.delete"
		}
		self := users + "/" + hidden.ID
		w.refused(w.call(http.MethodGet, self, ""), status, code)
		w.refused(w.call(http.MethodPatch, self, `{"version":1,"title":"x"}`), status, code)
		w.refused(w.call(http.MethodGet, self+"/state", ""), status, code)
		w.refused(w.call(http.MethodPut, self+"/state", `{"state":"inactive"}`), status, code)
		w.refused(w.call(http.MethodDelete, self, ""), status, gone)
		w.refused(w.call(http.MethodPatch, users+"/bulk", `[{"id":"`+hidden.ID+`","acdAutoAnswer":true}]`), 400, "bad.request")
		w.refused(w.call(http.MethodPost, users, `{"name":"Again","email":"`+hidden.Email+`"}`), 409, "general.conflict")
		if now := w.Users()[2]; now.Version != hidden.Version || now.State != hidden.State {
			t.Errorf("a hidden user was changed: %+v", now)
		}
	}
}
