package sdkcontract

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
)

// A kindOfCodes is what the program makes of codes, under whichever status the API sends them.
type kindOfCodes struct {
	kind  error
	codes string
}

// named are the codes that the program's tables have (codes.go).
var named = []kindOfCodes{
	{apply.ErrConflict, "general.conflict request.conflict conflict general.resource.conflict"},
	{apply.ErrNotFound, "general.resource.not.found resource.not.found not.found client.not.found user.not.found.on.delete"},
	{apply.ErrUncertain, `client.timeout client.failed.request internal.server.error general.internal.server.error service.unavailable
		external.server.error external.service.error architect.external.call.failure bulk.move.permission.check.error
		request.timeout authentication.request.timeout division.authorization.timeout`},
}

// byStatus are the codes of the description that no table of the program has: their status decides, to the same end. One that a
// new version of the description brings is an error here until somebody has thought about it.
var byStatus = []kindOfCodes{
	{apply.ErrUnauthorized, "authentication.required bad.credentials ip.not.authorized"},
	{apply.ErrForbidden, `missing.any.permissions missing.permissions missing.division.permission missing.division.permissions
		missing.any.division.permissions insufficient.permissions bulk.move.no.permission.division not.authorized authz.policy.denied
		app.not.authorized.for.scope`},
	{apply.ErrThrottled, "too.many.requests too.many.requests.retry.after"},
	{apply.ErrNotFound, "wfm.business.units.not.found wfm.management.units.not.found"},
	{apply.ErrUncertain, "502 unable.to.set.password"},
	{apply.ErrRefused, `bad.request general.bad.request constraint.validation invalid.value invalid.property invalid.date
		invalid.query.param.value invalid.id invalid.page.number bad.role.divisions interrupt.same.media.type invalid.media.capacity
		unsupported.media.type empty.bulk.division.update invalid.password wfm.entity.not.found
		response.entity.too.large request.entity.too.large max.user.ids max_user_ids max.directory.users max.role.ids
		too.many.bulk.division.updates too.many.search.criteria search.criteria.values.exceed.limit too.many.requested.results
		queue.size.limit max.role.assignments.exceeded`},
}

// expected puts kinds into one table. A code with blanks is written with underscores.
func expected(list []kindOfCodes) map[string]error {
	all := map[string]error{}
	for _, k := range list {
		for code := range strings.FieldsSeq(k.codes) {
			all[strings.ReplaceAll(code, "_", " ")] = k.kind
		}
	}
	return all
}

// undescribed says why a row of the program has a code that the description does not list there.
var undescribed = map[string]string{
	"setVoicemail voicemailservice.user.usernotfound": "listed for GET of the same path: a user without voicemail has no policy to change",
}

// Each code that the description lists for an operation of the program means what the tables above say, whatever the status;
// what an operation says of a code in its own row comes first. And the tables have no codes that the description does not list.
func TestErrorCodes(t *testing.T) {
	var status int
	var code string
	client := classifier(t, func() (int, string) { return status, code })
	general, rest := expected(named), expected(byStatus)
	listed := map[string]bool{}
	for _, u := range operations(t) {
		own := map[string]bool{}
		for text, response := range u.described(t).Responses {
			status, _ = strconv.Atoi(text)
			for code = range response.Codes {
				listed[code], own[code] = true, true
				if status < 300 {
					continue // a success
				}
				want := u.Codes[code]
				if want == nil {
					want = general[code]
				}
				if want == nil {
					want = rest[code]
				}
				if want == nil {
					t.Errorf("%s: %d %q is in none of this test's tables", u.name, status, code)
					continue
				}
				if want == apply.ErrNotFound && u.Codes[code] == nil && !u.Writes() && !strings.Contains(u.Path, "{") {
					want = apply.ErrRefused // the request names nothing that could be missing
				}
				_, err := client.Send(t.Context(), &api.Request{Operation: &u.Operation, Args: make([]string, strings.Count(u.Path, "{"))}, nil)
				if status == http.StatusUnauthorized && errors.Is(err, apply.ErrRefused) && code != "ip.not.authorized" {
					want = apply.ErrRefused // of this request alone, as others are accepted
				}
				if e := (*apply.CallError)(nil); !errors.As(err, &e) || e.Kind != want {
					t.Errorf("%s: %d %s: %v, want %v", u.name, status, code, err, want)
				}
			}
		}
		for code := range u.Codes {
			if !own[code] && undescribed[u.name+" "+code] == "" {
				t.Errorf("%s: the description lists no %s", u.name, code)
			}
		}
	}
	t.Logf("by their status alone: %q", slices.Sorted(maps.Keys(rest)))
	for _, code := range slices.Sorted(maps.Keys(general)) {
		if !listed[code] {
			t.Errorf("%s is listed for no operation of the program", code)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(rest)) {
		if !listed[code] {
			t.Errorf("%s, by its status, is listed for no operation of the program", code)
		}
	}
	table := switchCodes(t)
	if have := slices.Sorted(maps.Keys(general)); !slices.Equal(have, table) {
		t.Errorf("codes.go has\n%q, this test\n%q", table, have)
	}
}

// switchCodes are the codes that codes.go sorts.
func switchCodes(t *testing.T) []string {
	t.Helper()
	s := parse(t, "../api/codes.go")
	var all []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		if by, ok := n.(*ast.SwitchStmt); ok && by.Tag != nil {
			for _, clause := range by.Body.List {
				for _, e := range clause.(*ast.CaseClause).List {
					all = append(all, s.text(e))
				}
			}
		}
		return true
	})
	slices.Sort(all)
	return all
}

// answers is a connection on which everything but the login gets one answer.
type answers func() (status int, code string)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, []byte(`{"access_token":"0123456789abcdef","token_type":"bearer","expires_in":3600}`)
	if !strings.HasSuffix(r.URL.Path, "/oauth/token") {
		var code string
		status, code = a()
		body, _ = json.Marshal(map[string]any{"code": code, "message": "m", "status": status})
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, nil
}

// classifier is the program's own client, which gets such answers and retries nothing.
func classifier(t *testing.T, a answers) *api.Client {
	t.Helper()
	c, err := api.New(api.Options{API: "https://api.example.com", ClientID: "demo", ClientSecret: "demo", Limiter: free{}, Transport: a, Retry: &api.Retry{No429: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
