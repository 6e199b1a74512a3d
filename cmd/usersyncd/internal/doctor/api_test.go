package doctor

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

// Each way in which the login can fail has a text and a fix of its own.
func TestFailedLogins(t *testing.T) {
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
	const nobodyThere = "http://127.0.0.1:1" // no test gets a port below 1024
	encrypted := httptest.NewUnstartedServer(nil)
	encrypted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	encrypted.StartTLS()
	t.Cleanup(encrypted.Close)
	plain := served(t, sim.Options{}, nil)
	for name, c := range map[string]struct {
		url        string
		found, fix string
		verdict    Verdict
		code       int
	}{
		"wrong secret": {served(t, sim.Options{ClientSecret: "other", ClientID: "demo"}, nil), "rejects this client id and secret", "generate a new secret", Problem, 1},
		"wrong grant": {served(t, sim.Options{}, answer(400, `{"error":"unauthorized_client","description":"client is not authorized to use the client_credential grant type"}`)),
			"another grant type", "grant type Client Credentials", Problem, 1},
		"not active":  {served(t, sim.Options{}, answer(403, `{"error":"access_denied","description":"ip not allowed"}`)), "ip not allowed", "from this address", Problem, 1},
		"redirect":    {served(t, sim.Options{}, answer(302, ``, "Location", "https://sso.example/x")), "sso.example", "--login-url", Problem, 1},
		"throttled":   {served(t, sim.Options{}, answer(429, `{"error":"invalid_request"}`)), "asks for a pause", "wait", Warning, 0},
		"outage":      {served(t, sim.Options{}, answer(503, `<html>`)), "the login service failed", "status.mypurecloud.com", Problem, 1},
		"a page":      {served(t, sim.Options{}, answer(200, `<html>Log in to the guest network</html>`, "Content-Type", "text/html")), "no usable response", "curl -v", Problem, 1},
		"refused":     {nobodyThere, "refused; $HTTPS_PROXY is set, so the request goes through that proxy", "curl -v " + nobodyThere + "/oauth/token", Problem, 1},
		"certificate": {encrypted.URL, "is not trusted", "SSL_CERT_FILE", Problem, 1},
		"no TLS":      {strings.Replace(plain, "http:", "https:", 1), "does not speak TLS", "curl -v https://127.0.0.1", Problem, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, r := examined(t, c.url)
			if f := found["login"]; f.Verdict != c.verdict || !strings.Contains(f.Found, c.found) || !strings.Contains(f.Fix, c.fix) || min(r.Problems, 1) != c.code {
				t.Errorf("%+v", f)
			}
			for _, later := range []string{"organization", "permissions", "quota", "clock"} {
				if found[later].Verdict != Unchecked {
					t.Errorf("%s: %+v", later, found[later])
				}
			}
			if strings.Contains(fmt.Sprint(r.Checks), "guest network") {
				t.Error(r.Checks)
			}
		})
	}
}

// Without a response the reason depends on the error.
func TestUnreachable(t *testing.T) {
	for _, c := range []struct {
		err        error
		found, fix string
	}{
		{&net.DNSError{Err: "no such host", Name: "login.example.com", IsNotFound: true}, "the host name of https://login.example.com/oauth/token cannot be resolved", "getent hosts login.example.com"},
		{context.DeadlineExceeded, "in time: a firewall", "curl -v https://login.example.com/oauth/token"},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "in time: a firewall", "curl -v"},
		{errors.New("EOF"), "no usable response from https://login.example.com/oauth/token (EOF)", "curl -v"},
	} {
		e := &examination{Config: config.New(func(string) (string, bool) { return "", false })}
		if f := e.unreachable("https://login.example.com/oauth/token", c.err)[0]; f.Verdict != Problem || !strings.Contains(f.Found, c.found) || !strings.HasPrefix(f.Fix, c.fix) {
			t.Errorf("%v: %+v", c.err, f)
		}
	}
}

// What the API says after a login that worked.
func TestFailedCalls(t *testing.T) {
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
		verdict Verdict
		found   string
		next    Verdict // of permissions
	}{
		"throttled":     {at("/api/v2/organizations/me", 429, "Retry-After", "42"), "organization", Warning, "429", Unchecked},
		"unauthorized":  {at("/api/v2/organizations/me", 401), "organization", Problem, "rejects the token", Unchecked},
		"outage":        {at("/api/v2/organizations/me", 503), "organization", Problem, "503", Unchecked},
		"not shown":     {at("/api/v2/organizations/me", 403), "organization", Warning, "may not read it", OK},
		"later outage":  {at("/api/v2/tokens/me", 503), "permissions", Problem, "503", Problem},
		"quota is told": {at("/api/v2/organizations/me", 429, "Retry-After", "42"), "quota", Warning, "others use the same quota", Unchecked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, r := examined(t, served(t, sim.Options{Users: 1}, c.change))
			if f := found[c.check]; f.Verdict != c.verdict || !strings.Contains(f.Found, c.found) || f.Fix == "" || found["permissions"].Verdict != c.next || (r.Problems > 0) != (c.verdict == Problem) {
				t.Errorf("%+v, then %+v", f, found["permissions"])
			}
		})
	}
	found, _ := examined(t, served(t, sim.Options{Users: 1}, at("/api/v2/organizations/me", 429, "Retry-After", "42")))
	if f := found["organization"]; !strings.Contains(f.Fix, "wait 42 seconds") && !strings.Contains(f.Fix, "wait 41 seconds") {
		t.Errorf("%+v", f)
	}
}

// A client that is let see some divisions alone is told which permissions are not good in all.
func TestDivisions(t *testing.T) {
	for bare, want := range map[bool]string{false: "directory:user:edit", true: "directory:user:view"} {
		forbid := map[bool]string{true: ownRolesHidden, false: ""}[bare]
		found, r := examined(t, served(t, sim.Options{Users: 5, Hide: 2, BareToken: bare, Forbid: forbid}, nil), "--min-admins=0")
		if f := found["divisions"]; f.Verdict != Warning || !strings.Contains(f.Found, want) || !strings.Contains(f.Fix, "in all divisions") || r.Problems != 0 {
			t.Errorf("%+v", r)
		}
	}
}

const ownRolesHidden = "oauth:client:view authorization:grant:view"

func TestCompareAccess(t *testing.T) {
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
			[]string{`permissions ok the OAuth client has 1 of the 1 permissions that 1 field need (checked by "R")`}},
		"all kinds": {genesys.Access{Client: "c", Findings: []genesys.Finding{{Need: need("a:b:c", false), Met: genesys.Missing}, {Need: need("d:e:f", false), Met: genesys.Partly}, {Need: need("g:h:i", true)}}},
			[]string{`permissions problem the OAuth client "c" lacks 1 of the 3 permissions that 1 field need: a:b:c (x)`, "divisions warning 1 permission is not granted", "further permissions unchecked the client may not see its own roles"}},
	} {
		found := compareAccess(c.a, 1)
		if len(found) != len(c.want) {
			t.Fatalf("%s: %+v", name, found)
		}
		found[0].Name = "permissions"
		for i, want := range c.want {
			if f := found[i]; !strings.HasPrefix(fmt.Sprint(f.Name, " ", f.Verdict, " ", f.Found), want) {
				t.Errorf("%s: %+v, want %s", name, f, want)
			}
		}
	}
}
