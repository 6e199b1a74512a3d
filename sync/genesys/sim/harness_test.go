package sim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"usersyncd/sync/genesys/sim"
)

const (
	host  = "https://api.example.com"
	users = "/api/v2/users"
)

// An org is a simulated organization and a client with a token.
type org struct {
	*testing.T
	*sim.Server
	http  *http.Client
	token string
}

func newOrg(t *testing.T, o sim.Options) *org {
	t.Helper()
	s := sim.New(o)
	w := &org{T: t, Server: s, http: s.Client()}
	w.login()
	return w
}

// object is a JSON object.
type object = map[string]any

// A reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
	json   object // nil: it is none
	err    error
}

func (r reply) text(name string) string {
	v, _ := r.json[name].(string)
	return v
}

func (r reply) number(name string) int {
	v, _ := r.json[name].(float64)
	return int(v)
}

// list is a field that is a list of objects.
func (r reply) list(name string) []object {
	var out []object
	values, _ := r.json[name].([]any)
	for _, v := range values {
		o, _ := v.(object)
		out = append(out, o)
	}
	return out
}

func (r reply) emails(name string) string {
	var all []string
	for _, u := range r.list(name) {
		email, _ := u["email"].(string)
		all = append(all, email)
	}
	return strings.Join(all, " ")
}

// send makes any request; headers are name and value by turns.
func (w *org) send(method, path, body string, headers ...string) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, host+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return w.roundTrip(req)
}

func (w *org) roundTrip(req *http.Request) reply {
	resp, err := w.http.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(data), err: err}
	_ = json.Unmarshal(data, &r.json)
	return r
}

// call is a request as a correct client makes it.
func (w *org) call(method, path, body string) reply {
	w.Helper()
	headers := []string{"Authorization", "Bearer " + w.token}
	if body != "" {
		headers = append(headers, "Content-Type", "application/json")
	}
	return w.send(method, path, body, headers...)
}

// must is a call that must go well.
func (w *org) must(method, path, body string) reply {
	w.Helper()
	r := w.call(method, path, body)
	if r.err != nil || r.status < 200 || r.status > 299 {
		w.Fatalf("%s %s %s: %d %s %v", method, path, body, r.status, r.body, r.err)
	}
	return r
}

// refused checks that an answer is an error of the API's shape.
func (w *org) refused(r reply, status int, code string) {
	w.Helper()
	if r.err != nil || r.status != status || r.number("status") != status || r.text("code") != code || r.text("message") == "" {
		w.Errorf("got %d %s %v, want %d %s", r.status, r.body, r.err, status, code)
	}
	if id := r.header.Get("ININ-Correlation-Id"); id == "" || r.text("contextId") != id {
		w.Errorf("contextId %q, correlation id %q", r.text("contextId"), id)
	}
}

// mint asks for a token.
func (w *org) mint() reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, host+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("demo", "demo")
	return w.roundTrip(req)
}

func (w *org) login() {
	w.Helper()
	r := w.mint()
	if r.status != http.StatusOK || r.text("access_token") == "" {
		w.Fatalf("no token: %d %s %v", r.status, r.body, r.err)
	}
	w.token = r.text("access_token")
}

// first is the first user of the organization.
func (w *org) first() sim.User { return w.Users()[0] }

// fail puts a fault in force.
func (w *org) fail(text string) {
	w.Helper()
	f, err := sim.ParseFault(text)
	if err != nil {
		w.Fatal(err)
	}
	w.AddFault(f)
}
