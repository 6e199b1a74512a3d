package genesys_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"usersyncd/sync/apply"
)

func TestClassification(t *testing.T) {
	const version = `{"message":"The user version 3 does not match the current version 4","code":"bad.request","status":400}`
	for name, tt := range map[string]struct {
		answer  reply
		kind    error
		message string // a part of it
	}{
		"gone":               {jsonReply(404, `{"message":"The requested resource was not found.","code":"not.found"}`), apply.ErrNotFound, "not.found"},
		"gone for good":      {jsonReply(410, ``), apply.ErrNotFound, "Gone"},
		"version, as 409":    {jsonReply(409, `{"message":"The version number of the modified resource must match","code":"general.conflict"}`), apply.ErrConflict, "must match"},
		"version, as 400":    {jsonReply(400, version), apply.ErrConflict, "current version 4"},
		"conflict, as 400":   {jsonReply(400, `{"message":"conflict","code":"general.conflict"}`), apply.ErrConflict, "general.conflict"},
		"not found, as 400":  {jsonReply(400, `{"message":"m","code":"general.resource.not.found"}`), apply.ErrNotFound, ""},
		"half a request":     {jsonReply(400, `{"message":"m","code":"client.failed.request"}`), apply.ErrUncertain, ""},
		"answer too large":   {jsonReply(400, `{"message":"m","code":"response.entity.too.large"}`), apply.ErrRefused, ""},
		"policy":             {jsonReply(403, `{"message":"m","code":"authz.policy.denied"}`), apply.ErrForbidden, "a further role does not change"},
		"grant type":         {jsonReply(403, `{"message":"m","code":"app.not.authorized.for.scope"}`), apply.ErrForbidden, "client credentials"},
		"address not listed": {jsonReply(401, `{"message":"m","code":"ip.not.authorized"}`), apply.ErrUnauthorized, "a new token would not help"},
		"malformed":          {jsonReply(400, `{"message":"malformed","code":"bad.request"}`), apply.ErrRefused, "malformed"},
		"too large":          {jsonReply(413, `{}`), apply.ErrRefused, "Request Entity Too Large"},
		"wrong type":         {jsonReply(415, `{}`), apply.ErrRefused, ""},
		"timeout":            {jsonReply(408, `{"code":"client.timeout"}`), apply.ErrUncertain, "client.timeout"},
		"server":             {jsonReply(500, `{}`), apply.ErrUncertain, ""},
		"unimplemented":      {jsonReply(501, `{}`), apply.ErrUncertain, ""},
		"html":               {reply{status: 502, body: "<html>Bad Gateway</html>", header: map[string]string{"Content-Type": "text/html"}}, apply.ErrUncertain, "Bad Gateway"},
		"half an error":      {reply{status: 404, body: `{"message":"The requested res`, cut: true}, apply.ErrNotFound, "Not Found"},
		"error, then reset":  {reply{status: 409, body: `{}`, cut: true}, apply.ErrConflict, ""},
		"odd types":          {jsonReply(400, `{"message":"m","status":"400","code":7,"details":{}}`), apply.ErrRefused, "m"},
		"nested":             {jsonReply(400, `{"errors":[{"message":"inner","code":"invalid.value"}]}`), apply.ErrRefused, "invalid.value: inner"},
		"fields":             {jsonReply(400, `{"message":"bad","details":[{"fieldName":"email","errorCode":"x"}]}`), apply.ErrRefused, "bad (email x)"},
		"no permission":      {jsonReply(403, `{"message":"You must have at least one of the following permissions assigned: [directory:user:edit]"}`), apply.ErrForbidden, "all divisions"},
		"no permission said": {jsonReply(403, `{"message":"not authorized"}`), apply.ErrForbidden, "needs directory:user:edit"},
		"escape":             {jsonReply(400, "{\"message\":\"a\\u001b[31m\\u202eb\\nc\"}"), apply.ErrRefused, `a\x1b[31m\u202eb c`},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.answer.header == nil {
				tt.answer.header = map[string]string{}
			}
			tt.answer.header["ININ-Correlation-Id"] = "c-42"
			f := &fake{api: func(*http.Request, string) reply { return tt.answer }}
			d, _ := open(t, f, nil)
			_, err := do(t, d, retitle())
			var e *apply.CallError
			if !errors.As(err, &e) {
				t.Fatalf("%T: %v", err, err)
			}
			if !errors.Is(err, tt.kind) || e.Op != "PATCH /api/v2/users/u1" || e.Status != tt.answer.status || e.CorrelationID != "c-42" {
				t.Errorf("%+v", e)
			}
			if !strings.Contains(err.Error(), tt.message) {
				t.Errorf("%q lacks %q", err, tt.message)
			}
			if f.count("PATCH ") != 1 {
				t.Errorf("sent %d times", f.count("PATCH "))
			}
		})
	}
}

func TestCorrelationIDFromTheBody(t *testing.T) {
	f := &fake{api: func(*http.Request, string) reply { return jsonReply(404, `{"contextId":"c0ffee-1"}`) }}
	d, _ := open(t, f, nil)
	_, err := d.Get(t.Context(), "u1")
	var e *apply.CallError
	if !errors.As(err, &e) || e.CorrelationID != "c0ffee-1" {
		t.Errorf("%+v", err)
	}
}

// Whatever the API sends with an error, it becomes one of the kinds, in one printable line.
func FuzzErrorBody(f *testing.F) {
	f.Add(400, "application/json", `{"message":"m","code":"c","status":400,"contextId":"x","details":[{"fieldName":"f"}],"errors":[{"message":"n"}]}`)
	f.Add(500, "text/html", "<html>\x00")
	f.Add(409, "", "{\"message\":\"\\u202e\xff\"}")
	f.Add(400, "application/json", `{"message":"does not match the current version"}`)
	f.Add(200, "application/json", `[]`)
	f.Add(204, "application/json", ``)
	f.Add(401, "application/json", strings.Repeat(`{"errors":[`, 100))
	kinds := []error{
		apply.ErrNotFound, apply.ErrConflict, apply.ErrUncertain, apply.ErrForbidden,
		apply.ErrRefused, apply.ErrUnauthorized,
	}
	f.Fuzz(func(t *testing.T, status int, media, body string) {
		if status < 200 || status > 599 || status == 429 { // 429 is sent again and no error
			return
		}
		answer := reply{status: status, body: body, header: map[string]string{"Content-Type": media, "ININ-Correlation-Id": body}}
		d, _ := open(t, &fake{api: func(*http.Request, string) reply { return answer }}, tries(0))
		u, err := d.Get(t.Context(), "u1")
		if err == nil {
			if status > 299 || u.ID == "" {
				t.Errorf("%d %q was taken for a user", status, body)
			}
			return
		}
		var e *apply.CallError
		if !errors.As(err, &e) {
			t.Fatalf("%T: %v", err, err)
		}
		n := 0
		for _, k := range kinds {
			if errors.Is(err, k) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%v is of %d kinds", err, n)
		}
		text := e.Message + e.Code + e.CorrelationID
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || len(text) > 4000 {
			t.Errorf("not fit to be printed: %q", text)
		}
	})
}
