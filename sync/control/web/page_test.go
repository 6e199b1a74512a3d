package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// answer decodes what a path says.
func answer[T any](t *testing.T, l *Listener, path string) T {
	t.Helper()
	w := get(l, http.MethodGet, path, "localhost")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%s: %d %s: %s", path, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

type shownPlan struct {
	Total, Matches int
	Changes        []pageChange
}

func TestPlanIsFilteredAndBounded(t *testing.T) {
	src := &script{}
	for i := range 450 {
		src.plan = append(src.plan, plan.Change{Key: fmt.Sprintf("user%03d@example.com", i), Pos: spec.Pos{File: "madrid/a.yaml", Line: i + 1}, Action: plan.Update, Cause: plan.Edit,
			Outcome: plan.Planned, Fields: []plan.FieldChange{{Field: spec.Title, Before: spec.Text("Agent"), After: spec.Text("Señor"), Cause: plan.Drift}}})
	}
	src.plan[449].Outcome, src.plan[449].Err = plan.Failed, errors.New("409: somebody has\nthis address")
	src.plan[448].WaitsFor, src.plan[448].Outcome = "boss@example.com", plan.Skipped
	src.plan[447].Hold, src.plan[447].Drift = "p-1f", []plan.FieldChange{{Field: spec.Department, After: spec.Text("x")}}
	src.plan[446].Withheld = []plan.Withheld{{FieldChange: plan.FieldChange{Field: spec.Department, Before: spec.Text("a"), After: spec.Text("b")}, Reason: plan.ByContest, Note: "somebody else keeps\nchanging it back"}}
	l := page(t, src)
	for path, want := range map[string][3]int{ // total, matches, shown
		"/api/plan": {450, 450, 200}, "/api/plan?limit=3": {450, 450, 3}, "/api/plan?q=USER44": {450, 10, 10}, "/api/plan?q=se%C3%B1OR": {450, 450, 200},
		"/api/plan?q=a.yaml:7": {450, 11, 11}, "/api/plan?q=nobody": {450, 0, 0}, "/api/plan?q=failed": {450, 1, 1}, "/api/plan?q=boss@": {450, 1, 1}, "/api/plan?q=p-1f": {450, 1, 1},
		"/api/plan?q=%20user001%20": {450, 1, 1}, "/api/plan?q=title": {450, 450, 200}, "/api/plan?q=%22agent%22&limit=1": {450, 450, 1},
	} {
		got := answer[shownPlan](t, l, path)
		if got.Total != want[0] || got.Matches != want[1] || len(got.Changes) != want[2] {
			t.Errorf("%s: %d, %d, %d; want %v", path, got.Total, got.Matches, len(got.Changes), want)
		}
	}
	withheld := answer[shownPlan](t, l, "/api/plan?q=user446").Changes[0]
	if n := len(withheld.Fields); n != 2 || withheld.Fields[1].Note != `contested: somebody else keeps\nchanging it back` || withheld.Fields[1].Before != `"a"` {
		t.Errorf("%+v", withheld)
	}
	one := answer[shownPlan](t, l, "/api/plan?q=user449").Changes[0]
	if one.Note != `409: somebody has\nthis address` || one.At != "madrid/a.yaml:450" || one.Fields[0].Before != `"Agent"` || one.Fields[0].After != `"Señor"` || one.Fields[0].Note != "drift" {
		t.Errorf("%+v", one)
	}
	if f := answer[shownPlan](t, l, "/api/plan?q=user447").Changes[0].Fields; len(f) != 2 || f[1].Note != "drift, only reported" {
		t.Errorf("what is only reported: %+v", f)
	}
}

func TestBadQuestions(t *testing.T) {
	l := page(t, &script{})
	for _, path := range []string{"/api/plan?limit=0", "/api/plan?limit=201", "/api/plan?limit=-1", "/api/plan?limit=1e3", "/api/plan?q=" + strings.Repeat("x", 201),
		"/api/history?limit=1001", "/api/history?limit=x", "/api/history?limit=99999999999999999999"} {
		if w := get(l, http.MethodGet, path, "localhost"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "at most") && !strings.Contains(w.Body.String(), "from 1 to") {
			t.Errorf("%.60s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	src := &script{}
	for i := range 1200 {
		src.events = append(src.events, state.Event{At: time.Unix(int64(5000-i), 0), Email: fmt.Sprintf("user%d@example.com", i), Revision: "abc", Action: "update",
			Fields: []state.FieldEvent{{Field: spec.Title, After: spec.Text("a\u202eb")}}})
	}
	l := page(t, src)
	type shown struct {
		More        bool
		Limit, Most int
		Events      []pageEvent
	}
	for path, want := range map[string]int{"/api/history": 50, "/api/history?limit=1": 1, "/api/history?limit=1000": 1000} {
		got := answer[shown](t, l, path)
		if len(got.Events) != want || !got.More || got.Most != 1000 || got.Events[0].Email != "user0@example.com" {
			t.Errorf("%s: %d events, more %v", path, len(got.Events), got.More)
		}
		if f := got.Events[0].Fields[0]; f.Before != "" || f.After != `"a\u202eb"` {
			t.Errorf("a field: %+v", f)
		}
	}
	src.events = src.events[:50]
	if got := answer[shown](t, l, "/api/history"); got.More || len(got.Events) != 50 {
		t.Errorf("all there is: %d events, more %v", len(got.Events), got.More)
	}
	src.err = errors.New("/var/lib/usersyncd/state.db: damaged")
	if w := get(l, http.MethodGet, "/api/history", "localhost"); w.Code != 500 || strings.Contains(w.Body.String(), "/var/lib") {
		t.Errorf("a history that cannot be read: %d %s", w.Code, w.Body)
	}
}

// The status is the contract as it is; the page's own form of it is bounded and printable, and leaves the original alone.
func TestStatusOfThePage(t *testing.T) {
	s := control.Status{Schema: control.StatusSchema, Status: usersync.Status{Users: 3, Paused: &state.Pause{By: "\u202ebob"}},
		Holds: []plan.Hold{{ID: "p-1", Guard: "max-removals", Reason: "a\x1bb"}}, Error: "x\u2066y"}
	for i := range 100 {
		s.Holds[0].Users = append(s.Holds[0].Users, fmt.Sprintf("u%d\n@example.com", i))
		s.Failures = append(s.Failures, usersync.Failure{Email: "a\tb", Message: string(rune('ä'+i)) + strings.Repeat("ü", 1500)})
		s.Specs = append(s.Specs, spec.Problem{Pos: spec.Pos{File: "a\nb.yaml", Line: 1, Column: 2}, Message: "m"})
	}
	l := page(t, &script{status: s})
	if got := answer[control.Status](t, l, "/api/status"); got.Error != s.Error || len(got.Holds[0].Users) != 100 || got.Schema != "usersyncd.status/v1" {
		t.Errorf("%+v", got)
	}
	if body := get(l, http.MethodGet, "/api/status", "localhost").Body.String(); strings.ContainsAny(body, "\u202e\u2066") || !strings.Contains(body, `x\u2066y`) {
		t.Errorf("not printable: %q", body[:200])
	}
	p := newPageStatus(s)
	if len(p.Failures) != shownList || len(p.Specs) != shownList || len(p.Holds[0].Users) != shownOfHold || p.Holds[0].Count != 100 {
		t.Errorf("not bounded: %d failures, %d problems, %d users", len(p.Failures), len(p.Specs), len(p.Holds[0].Users))
	}
	data, err := marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var shown pageStatus
	if err := json.Unmarshal(data, &shown); err != nil || !strings.HasSuffix(shown.Failures[0].Message, "ü...") || s.Failures[0].Email != "a\tb" {
		t.Errorf("%v: %.20q, %q", err, shown.Failures[0].Message, s.Failures[0].Email)
	}
	var texts any
	if err := json.Unmarshal(data, &texts); err != nil {
		t.Fatal(err)
	}
	if bad := regexp.MustCompile(`[\p{Cc}\p{Cf}\x{2028}\x{2029}]`).FindString(fmt.Sprint(texts)); bad != "" {
		t.Errorf("%q reaches the page", bad)
	}
}

func TestAssets(t *testing.T) {
	l := page(t, &script{})
	index := get(l, http.MethodGet, "/", "localhost").Body.String()
	links := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(index, -1)
	if len(links) < 6 || !strings.Contains(index, `data-build="`+l.assets.build+`"`) {
		t.Fatalf("%d files on the page", len(links))
	}
	for _, link := range links {
		w := get(l, http.MethodGet, link[1], "localhost")
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" || w.Body.Len() == 0 {
			t.Errorf("%s: %d, %v", link[1], w.Code, w.Header())
		}
		bare, _, _ := strings.Cut(link[1], "?")
		if w := get(l, http.MethodGet, bare+"?v=old", "localhost"); w.Header().Get("Cache-Control") != "no-cache" || w.Header().Get("ETag") == "" {
			t.Errorf("%s of an older build: %v", bare, w.Header())
		}
	}
	if w := get(l, http.MethodGet, "/assets/uplot/LICENSE", "localhost"); !strings.Contains(w.Body.String(), "MIT License") {
		t.Errorf("the license of uPlot: %d", w.Code)
	}
	for _, path := range []string{"/assets/index.html", "/assets/uplot/", "/assets/../page.go", "/index.html"} {
		if w := get(l, http.MethodGet, path, "localhost"); w.Code == 200 {
			t.Errorf("%s is served", path)
		}
	}
}

// A text that is made fit to be read stays the same when it is made so again.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"plain", "C:\\x", "a\"b", "\u202e", "\x00\xff", "é\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := escape(s).(string)
		if len([]rune(s)) < longestText/10 && escape(once) != once {
			t.Errorf("%q, then %q", once, escape(once))
		}
		if len([]rune(once)) > longestText+30 {
			t.Errorf("%d characters", len([]rune(once)))
		}
	})
}
