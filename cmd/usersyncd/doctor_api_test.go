package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/sim"
)

// Each way in which the login can fail has a name and a fix of its own.
func TestDoctorTellsFailedLoginsApart(t *testing.T) {
	answer := func(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	encrypted := httptest.NewUnstartedServer(nil)
	encrypted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	encrypted.StartTLS()
	t.Cleanup(encrypted.Close)
	plain := served(t, sim.Options{}, nil)
	for name, c := range map[string]struct {
		url        string
		found, fix string
		verdict    verdict
		code       int
	}{
		"wrong secret": {served(t, sim.Options{ClientSecret: "other", ClientID: "demo"}, nil), "does not know this client id with this secret", "generate a new secret", ill, 1},
		"wrong grant": {served(t, sim.Options{}, answer(400, `{"error":"unauthorized_client","description":"client is not authorized to use the client_credential grant type"}`)),
			"another grant type", "grant type Client Credentials", ill, 1},
		"not active":  {served(t, sim.Options{}, answer(403, `{"error":"access_denied","description":"ip not allowed"}`)), "ip not allowed", "from this address", ill, 1},
		"redirect":    {served(t, sim.Options{}, answer(302, ``, "Location", "https://sso.example/x")), "sso.example", "--login-url", ill, 1},
		"throttled":   {served(t, sim.Options{}, answer(429, `{"error":"invalid_request"}`)), "asks for a pause", "wait", doubtful, 0},
		"outage":      {served(t, sim.Options{}, answer(503, `<html>`)), "not well", "status.mypurecloud.com", ill, 1},
		"a page":      {served(t, sim.Options{}, answer(200, `<html>Log in to the guest network</html>`, "Content-Type", "text/html")), "no usable answer", "curl -v", ill, 1},
		"refused":     {closed.URL, "the connection is refused; $HTTPS_PROXY is set: it is asked through that proxy", "curl -v " + closed.URL + "/oauth/token", ill, 1},
		"certificate": {encrypted.URL, "is not trusted", "SSL_CERT_FILE", ill, 1},
		"no TLS":      {strings.Replace(plain, "http:", "https:", 1), "speaks no TLS", "curl -v https://127.0.0.1", ill, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, out, code := examined(t, c.url)
			if f := found["login"]; f.Verdict != c.verdict || !strings.Contains(f.Found, c.found) || !strings.Contains(f.Fix, c.fix) || code != c.code {
				t.Errorf("code %d, %+v", code, f)
			}
			for _, later := range []string{"organization", "permissions", "quota", "clock"} {
				if found[later].Verdict != unchecked {
					t.Errorf("%s: %+v", later, found[later])
				}
			}
			if strings.Contains(out, "guest network") {
				t.Error(out)
			}
		})
	}
}

// Without an answer the reason is told by its kind.
func TestDoctorTellsSilenceApart(t *testing.T) {
	for _, c := range []struct {
		err        error
		found, fix string
	}{
		{&net.DNSError{Err: "no such host", Name: "login.example.com", IsNotFound: true}, "the name of https://login.example.com/oauth/token is not found", "getent hosts login.example.com"},
		{context.DeadlineExceeded, "in time: a firewall", "curl -v https://login.example.com/oauth/token"},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "in time: a firewall", "curl -v"},
		{errors.New("EOF"), "no usable answer from https://login.example.com/oauth/token (EOF)", "curl -v"},
	} {
		d := &doctor{blocked: map[string]bool{}, c: config.New(func(string) (string, bool) { return "", false })}
		d.unreachable("login", "https://login.example.com/oauth/token", c.err)
		if f := d.findings[0]; f.Verdict != ill || !strings.Contains(f.Found, c.found) || !strings.HasPrefix(f.Fix, c.fix) {
			t.Errorf("%v: %+v", c.err, f)
		}
	}
}

// What the API says after a login that worked.
func TestDoctorOnAnAilingAPI(t *testing.T) {
	at := func(path string, status int, headers ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			return true
		}
	}
	for name, c := range map[string]struct {
		change  func(http.ResponseWriter, *http.Request) bool
		check   string
		verdict verdict
		found   string
		next    verdict // of permissions
	}{
		"throttled":     {at("/api/v2/organizations/me", 429, "Retry-After", "42"), "organization", doubtful, "429", unchecked},
		"unauthorized":  {at("/api/v2/organizations/me", 401), "organization", ill, "refuses the token", unchecked},
		"outage":        {at("/api/v2/organizations/me", 503), "organization", ill, "503", unchecked},
		"not shown":     {at("/api/v2/organizations/me", 403), "organization", doubtful, "may not be read", fine},
		"later outage":  {at("/api/v2/tokens/me", 503), "permissions", ill, "503", ill},
		"quota is told": {at("/api/v2/organizations/me", 429, "Retry-After", "42"), "quota", doubtful, "others use the same quota", unchecked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, _, code := examined(t, served(t, sim.Options{Users: 1}, c.change))
			if f := found[c.check]; f.Verdict != c.verdict || !strings.Contains(f.Found, c.found) || f.Fix == "" || found["permissions"].Verdict != c.next || (code == 1) != (c.verdict == ill) {
				t.Errorf("code %d, %+v, then %+v", code, f, found["permissions"])
			}
		})
	}
	found, _, _ := examined(t, served(t, sim.Options{Users: 1}, at("/api/v2/organizations/me", 429, "Retry-After", "42")))
	if f := found["organization"]; !strings.Contains(f.Fix, "wait 42 seconds") && !strings.Contains(f.Fix, "wait 41 seconds") {
		t.Errorf("%+v", f)
	}
}

// A client that is let see some divisions alone is told which permissions are not good in all.
func TestDoctorOnDivisions(t *testing.T) {
	for bare, want := range map[bool]string{false: "directory:user:edit", true: "directory:user:view"} {
		forbid := map[bool]string{true: ownRolesHidden, false: ""}[bare]
		found, _, code := examined(t, served(t, sim.Options{Users: 5, Hide: 2, BareToken: bare, Forbid: forbid}, nil), "--min-admins=0")
		if f := found["divisions"]; f.Verdict != doubtful || !strings.Contains(f.Found, want) || !strings.Contains(f.Fix, "in all divisions") || code != 0 {
			t.Errorf("code %d, %+v", code, found)
		}
	}
}

const ownRolesHidden = "oauth:client:view authorization:grant:view"

func TestDoctorJudgesAccess(t *testing.T) {
	need := func(p string, writes bool) genesys.Need {
		return genesys.Need{Permission: p, For: []string{"x"}, Writes: writes}
	}
	for name, c := range map[string]struct {
		a    genesys.Access
		want []string
	}{
		"no role": {genesys.Access{ByRoles: true, Findings: []genesys.Finding{{Need: need("a:b:c", false), Met: genesys.Missing}}},
			[]string{"permissions problem the OAuth client has no role"}},
		"granted": {genesys.Access{ByRoles: true, Roles: []string{"R"}, Findings: []genesys.Finding{{Need: need("a:b:c", true), Met: genesys.Granted}}},
			[]string{`permissions ok the OAuth client has those 1 of 1 that can be told (by "R"), for 1 field`}},
		"all kinds": {genesys.Access{Client: "c", Findings: []genesys.Finding{{Need: need("a:b:c", false), Met: genesys.Missing}, {Need: need("d:e:f", false), Met: genesys.Partly}, {Need: need("g:h:i", true)}}},
			[]string{`permissions problem the OAuth client "c" lacks 1 of the 3 that 1 field take: a:b:c (x)`, "divisions warning 1 are not good", "further permissions unchecked the client may not see its own roles"}},
	} {
		d := &doctor{blocked: map[string]bool{}}
		d.judgeAccess(c.a, 1)
		for i, want := range c.want {
			if len(d.findings) != len(c.want) {
				t.Fatalf("%s: %+v", name, d.findings)
			}
			if f := d.findings[i]; !strings.HasPrefix(fmt.Sprint(f.Name, " ", f.Verdict, " ", f.Found), want) {
				t.Errorf("%s: %+v, want %s", name, f, want)
			}
		}
	}
}
