package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/cmd/usersyncd/internal/report/reporttest"
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// problemAt is a problem of a user's spec.
func problemAt(file string, line int, field, message string) spec.Problem {
	return spec.Problem{Pos: spec.Pos{File: file, Line: line, Column: 3}, Field: field, Message: message}
}

// declaring returns specs of so many users.
func declaring(n int) *spec.Tree {
	tree := &spec.Tree{Files: n}
	for i := range n {
		tree.Users = append(tree.Users, &spec.User{Key: fmt.Sprintf("u%d@example.com", i), Pos: spec.Pos{File: fmt.Sprintf("sales/u%d.yaml", i), Line: 1}})
	}
	return tree
}

// JSON has the same value as what it shows, and no character that cannot be seen or begins a command.
func TestEncode(t *testing.T) {
	data, err := Encode(map[string]string{"title": "a\u202eb <c> ##[d]"})
	if want := "{\n  \"title\": \"a\\u202eb <c> \\u0023#[d]\"\n}\n"; err != nil || string(data) != want {
		t.Errorf("%q, want %q: %v", data, want, err)
	}
}

// The JSON of changes does not escape what HTML does, and counts what is done, not what is held or failed.
func TestJSONTotals(t *testing.T) {
	held, failed := change(plan.Update, "h@example.com", "a.yaml", textField(spec.Title, "a", "b")), change(plan.Create, "f@example.com", "a.yaml")
	held.Outcome, failed.Outcome, failed.Err = plan.Held, plan.Failed, os.ErrInvalid
	adopted := change(plan.Adopt, "a@example.com", "a.yaml", textField(spec.Title, "<b>", "&"), skills(map[string]float64{"A": 1, "B": 2}, map[string]float64{"B": 3, "C": 1, "D": 2}))
	r := Report{Command: "plan", ExitCode: 4, Org: Org{ID: "o", API: "https://api.example.com"}, Result: planned(9, held, failed, adopted, change(plan.Delete, "d@example.com", "a.yaml"))}
	r.Result.Schema, r.Result.Holds, r.Result.Failures = "usersyncd.result/v1", []plan.Hold{}, []usersync.Failure{}
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := reporttest.ReadResult(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	groups := map[string]int{"removals": 1, "access": 0, "renames": 0, "creations": 0, "restores": 0, "updates": 1, "drift": 0, "unmanaged": 0}
	if diff := cmp.Diff(groups, got.Totals.Groups); diff != "" {
		t.Error(diff)
	}
	if f := got.Totals.Fields["skills"]; len(got.Totals.Fields) != 2 || f.Users != 1 || f.Added != 2 || f.Removed != 1 {
		t.Errorf("fields: %+v", got.Totals.Fields)
	}
	if *got.ExitCode != 4 || got.ManagedFromNow != 1 || got.Org.API != "https://api.example.com" || got.Changes[2].Group != "updates" || !bytes.Contains(data, []byte(`"<b>"`)) {
		t.Errorf("%s", data)
	}
}

// What a pass has not reached is not counted as done, by any format: it timed out, say, or the plan was another one.
func TestNotReached(t *testing.T) {
	res := planned(3, change(plan.Deactivate, "a@example.com", "a.yaml"), change(plan.Create, "b@example.com", "b.yaml"),
		change(plan.Adopt, "c@example.com", "c.yaml", textField(spec.Title, "a", "b")))
	res.Mode, res.DryRun, res.Pending = "once", false, 3
	res.Schema, res.Holds, res.Failures = "usersyncd.result/v1", []plan.Hold{}, []usersync.Failure{}
	r := Report{Command: "once", Name: "users", Result: res, Error: "the plan is another one now", ExitCode: 4}
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := reporttest.ReadResult(data)
	if err != nil {
		t.Fatal(err)
	}
	for group, n := range got.Totals.Groups {
		if n != 0 {
			t.Errorf("%s: %d", group, n)
		}
	}
	if len(got.Totals.Fields) != 0 || got.ManagedFromNow != 0 {
		t.Errorf("%s", data)
	}
	totals, _, err := reporttest.Markdown(r.Markdown())
	if diff := cmp.Diff(map[string]int{"not reached": 3}, totals); diff != "" || err != nil || !bytes.Contains(r.Markdown(), []byte("### usersyncd: 0 users changed (3 declared)\n")) {
		t.Errorf("%v %s\n%s", err, diff, r.Markdown())
	}
	if lines := strings.Join(r.GitHub(), "\n"); strings.Contains(lines, "deactivated") || !strings.Contains(lines, "::3 not reached") {
		t.Error(lines)
	}
	quality, err := r.GitLab()
	if err != nil || string(quality) != "[]\n" {
		t.Errorf("%v\n%s", err, quality)
	}
	numbers, err := r.GitLabPlan()
	if want := "{\n  \"create\": 0,\n  \"update\": 0,\n  \"delete\": 0\n}\n"; err != nil || string(numbers) != want {
		t.Errorf("%v\n%s", err, numbers)
	}
}

// The headline of a plan of wrong specs does not speak of changes.
func TestHeadlineOfProblems(t *testing.T) {
	for command, want := range map[string]string{"plan": "1 problem in the specs, and there is no plan", "once": "1 problem in the specs, and nothing was changed", "validate": "1 problem in the specs"} {
		r := Report{Command: command, Name: "users", Problems: spec.ProblemList{Problems: []spec.Problem{problemAt("a.yaml", 1, "title", "is wrong")}}}
		if got := r.Markdown(); !bytes.Contains(got, []byte("### usersyncd: "+want+"\n")) {
			t.Errorf("%s", got)
		}
	}
}

// What may be two people is asked about as such in every format.
func TestHeldRename(t *testing.T) {
	res := planned(2, change(plan.Update, "a@example.com", "a.yaml"))
	res.Changes[0].Outcome, res.Changes[0].Hold = plan.Held, "p-0000000a"
	res.Holds = []plan.Hold{{ID: "p-0000000a", Guard: "renames", Users: []string{"a@example.com"}, Reason: "a@example.com looks like b@example.com"}}
	r := Report{Command: "plan", Name: "users", Result: res}
	junit, err := r.JUnit()
	quality, err2 := r.GitLab()
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for name, got := range map[string]string{"text": string(show(Text{}, res)), "markdown": string(r.Markdown()), "github": strings.Join(r.GitHub(), "\n"), "junit": string(junit), "gitlab": string(quality)} {
		if !strings.Contains(got, "If they are two people: usersyncd release p-0000000a") || strings.Contains(got, "If this is intended") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// Whatever stands in a text of users, it is no part of a format.
func TestNoTextBreaksAFormat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SampledFrom([]string{"`", "```", "a", "\n", "\r", "-->", "<b>", "&#0;", "]]>", "::x::", "##[y]", "#", "|", "--", " ", "é", "%0A", ",line=1", "\"", "\x00", "\x1b", "\u202e", "\ufffe", "\xff"})
		s := "m" + strings.Join(rapid.SliceOf(parts).Draw(t, "text"), "")
		c := change(plan.Update, "a@example.com"+s, s+".yaml", textField(spec.Title, s, s+"!"))
		r := Report{Command: "plan", Name: s, Error: s + "x", Tree: declaring(2), Result: planned(3, c), Problems: spec.ProblemList{Problems: []spec.Problem{problemAt(s, 1, s, s)}}}
		r.Result.Notes = []string{s}
		r.Result.Failures = []usersync.Failure{{Email: s, Message: s}}
		r.Result.Holds = []plan.Hold{{ID: "p-1", Guard: "max-changes", Users: []string{s}, Reason: s}}
		read := func(data []byte, wrong, err error) {
			if found := reporttest.Commands(string(data)); err != nil || wrong != nil || len(found) > 0 {
				t.Fatalf("%v, %v, %q\n%s", err, wrong, found, data)
			}
			if i := bytes.IndexFunc(data, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("not printable at %d\n%q", i, data)
			}
		}
		data := r.Markdown()
		_, _, err := reporttest.Markdown(data)
		read(data, nil, err)
		data, wrong := r.JUnit()
		_, err = reporttest.JUnit(data)
		read(data, wrong, err)
		data, wrong = r.GitLab()
		_, err = reporttest.GitLab(data)
		read(data, wrong, err)
		output := "::stop-commands::0123456789abcdef0123456789abcdef\n::0123456789abcdef0123456789abcdef::\n" + strings.Join(r.GitHub(), "\n") + "\n"
		if all, err := reporttest.Annotations(output); err != nil || len(all) != 5 {
			t.Fatalf("%d annotations, %v\n%s", len(all), err, output)
		}
	})
}

// GitHub shows ten annotations of a kind: equal ones are one, and the last one counts the others.
func TestGitHubLimits(t *testing.T) {
	r := Report{Command: "plan", Dir: "org/users", Result: planned(30)}
	for i := range 30 {
		r.Problems.Problems = append(r.Problems.Problems, problemAt(fmt.Sprintf("a,%d.yaml", i), i, "phones[1].number", fmt.Sprintf("is %d%% wrong", i)),
			problemAt("b.yaml", i, "title", "is wrong"))
	}
	r.Problems.ProblemsLeftOut = 5
	for i := range 12 {
		r.Result.Holds = append(r.Result.Holds, plan.Hold{ID: fmt.Sprint("p-", i), Guard: "renames", Users: []string{"a", "b"}, Reason: "too many"})
	}
	output := "::stop-commands::0123456789abcdef0123456789abcdef\ntext\n::0123456789abcdef0123456789abcdef::\n" + strings.Join(r.GitHub(), "\n") + "\n"
	got, err := reporttest.Annotations(output)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	kinds := map[string][]reporttest.Command{}
	for _, c := range got {
		kinds[c.Name] = append(kinds[c.Name], c)
	}
	if len(kinds["error"]) != 10 || len(kinds["warning"]) != 10 || len(kinds["notice"]) != 1 {
		t.Fatalf("%d errors, %d warnings, %d notices", len(kinds["error"]), len(kinds["warning"]), len(kinds["notice"]))
	}
	want := map[string]string{"file": "org/users/a,0.yaml", "line": "1", "col": "3", "title": "usersyncd: phones"}
	if diff := cmp.Diff(want, kinds["error"][0].Properties); diff != "" || kinds["error"][0].Message != "phones[1].number: is 0% wrong" {
		t.Errorf("%s%q", diff, kinds["error"][0].Message)
	}
	if m := kinds["error"][1].Message; m != "is wrong (and 29 more like this)" {
		t.Errorf("%q", m)
	}
	if last := kinds["error"][9]; last.Message != "and 23 more: see the log" || last.Properties["file"] != "" { // 31 kinds, and that more is left out
		t.Errorf("%q", last)
	}
	if m := kinds["warning"][0].Message; m != "2 users are held by the guard renames: too many. If they are two people: usersyncd release p-0" {
		t.Errorf("%q", m)
	}
}

// Up to 5,000 declared users each have a case; of more, those of whom there is something to say.
func TestJUnitOfMany(t *testing.T) {
	for n, want := range map[int]int{5000: 5000, 5001: 3} {
		tree := declaring(n)
		r := Report{Command: "once", Tree: tree, Result: planned(n, change(plan.Update, "u1@example.com", "sales/u1.yaml", textField(spec.Title, "a", "b")))}
		r.Result.DryRun = false
		r.Result.Failures = []usersync.Failure{{Email: "u2@example.com", File: "sales/u2.yaml", Line: 1, Message: "refused", Status: 400, Code: "bad.request"}}
		data, err := r.JUnit()
		if err != nil {
			t.Fatal(err)
		}
		got, err := reporttest.JUnit(data)
		if err != nil || len(got.Cases) != want {
			t.Fatalf("%d users: %d cases, %v\n%s", n, len(got.Cases), err, data[:min(len(data), 2000)])
		}
		for name, verdict := range map[string]string{"u1@example.com": "skipped", "u2@example.com": "error"} {
			i := slices.IndexFunc(got.Cases, func(c reporttest.Case) bool { return c.Name == name })
			if i < 0 || got.Cases[i].Verdict != verdict || got.Cases[i].File != "sales/"+name[:2]+".yaml" || got.Cases[i].Class != "sales" {
				t.Errorf("%s: %+v", name, got.Cases[max(i, 0)])
			}
		}
		if last := got.Cases[len(got.Cases)-1]; n > 5000 && last.Name != "4999 other users" {
			t.Errorf("%+v", last)
		}
	}
}

// What GitLab recognizes an issue by is the same wherever the line is, and whatever id an answer has, and differs for each issue.
func TestGitLabFingerprints(t *testing.T) {
	fingerprints := func(line int, id string, more ...spec.Problem) (all []string) {
		r := Report{Command: "plan", Result: planned(1), Problems: spec.ProblemList{Problems: append([]spec.Problem{problemAt("a.yaml", line, "title", "is wrong"), problemAt("a.yaml", line+1, "title", "is wrong")}, more...)}}
		r.Result.Failures = []usersync.Failure{{Email: "a@example.com", File: "a.yaml", Line: line, Message: "refused (correlation id " + id + ")"}}
		data, err := r.GitLab()
		if err != nil {
			t.Fatal(err)
		}
		issues, err := reporttest.GitLab(data) // which refuses two that are the same
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range issues {
			all = append(all, i.Fingerprint)
		}
		slices.Sort(all)
		return all
	}
	first := fingerprints(3, "0a1b2c3d-0000-4000-8000-000000000001")
	if diff := cmp.Diff(first, fingerprints(9, "ffffffff-0000-4000-8000-000000000002")); diff != "" || len(first) != 3 {
		t.Error(diff)
	}
	if other := fingerprints(3, "", problemAt("b.yaml", 3, "title", "is wrong")); len(other) != 4 {
		t.Errorf("%q", other)
	}
}

// Somebody without a file is shown at the defaults of the folder that they were declared in or, if it has none, at that of the specs.
func TestLocationOfTheRemoved(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sales"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sales", "_defaults.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := Report{Command: "plan", Specs: dir, Dir: "users", Result: planned(2, change(plan.Deactivate, "a@example.com", "sales/a.yaml"), change(plan.Deactivate, "b@example.com", "b/b.yaml"))}
	data, err := r.GitLab()
	if err != nil {
		t.Fatal(err)
	}
	issues, err := reporttest.GitLab(data)
	if err != nil || len(issues) != 2 || issues[0].Location.Path != "users/sales/_defaults.yaml" || issues[1].Location.Path != "users" {
		t.Errorf("%+v, %v", issues, err)
	}
}

// If there is no plan, no report says that nothing changes.
func TestNoPlan(t *testing.T) {
	r := Report{Command: "plan", Specs: "users", Dir: "users", Error: "the API says no\nand more", ExitCode: 1}
	gitlab, err := r.GitLab()
	if err != nil || string(gitlab) != "[]\n" {
		t.Errorf("%q, %v", gitlab, err)
	}
	terraform, err := r.GitLabPlan()
	if _, _, _, numbers, wrong := reporttest.GitLabPlan(terraform); err != nil || wrong != nil || numbers {
		t.Errorf("%q, %v, %v", terraform, err, wrong)
	}
	if data, err := r.JSON(); err != nil || len(data) > 0 {
		t.Errorf("%q, %v", data, err)
	}
	xml, _ := r.JUnit()
	suites, err := reporttest.JUnit(xml)
	if err != nil || len(suites.Cases) != 1 || suites.Cases[0].Name != "usersyncd" || suites.Cases[0].Verdict != "error" || suites.Cases[0].Message != "the API says no" {
		t.Errorf("%+v, %v", suites, err)
	}
	if got, want := r.GitHub(), []string{"::error title=usersyncd::the API says no%0Aand more"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if _, fenced, err := reporttest.Markdown(r.Markdown()); err != nil || !strings.Contains(fenced, "! the API says no\n! and more\n") {
		t.Errorf("%q, %v", fenced, err)
	}
	if r.GitHubOutputs() != nil {
		t.Errorf("%q", r.GitHubOutputs())
	}
}

// The verdict of a user is the worst that there is to say.
func TestJUnitVerdicts(t *testing.T) {
	res := once()
	res.Holds = []plan.Hold{{ID: "p-1c2d3e4f", Guard: "max-losses", Users: []string{"partly@example.com", "agent0@example.com"}, Fields: []spec.Field{spec.Roles}, Reason: "too many"}}
	res.Changes = append(res.Changes, change(plan.Update, "late@example.com", "a.yaml", textField(spec.Title, "a", "b")))
	r := Report{Command: "once", Result: res, Problems: spec.ProblemList{ProblemsLeftOut: 3, Problems: []spec.Problem{problemAt("support/agent1.yaml", 2, "title", "is wrong"), problemAt("b.yaml", 1, "", "is empty"), problemAt("b.yaml", 7, "", "is odd")}}}
	res.Failures = append(res.Failures, usersync.Failure{Email: "agent1@example.com", File: "support/agent1.yaml", Line: 2, Column: 3, Message: "title: is wrong", Problem: true})
	data, err := r.JUnit()
	if err != nil {
		t.Fatal(err)
	}
	suites, err := reporttest.JUnit(data)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range suites.Cases {
		got[c.Name] = c.Verdict + " " + c.Type + " " + c.Message[:min(len(c.Message), 40)]
	}
	want := map[string]string{
		"report0@example.com": "skipped  waits for boss@example.com", "report1@example.com": "skipped  waits for boss@example.com", "report2@example.com": "skipped  waits for boss@example.com",
		"window@example.com": "skipped  waits for the change window, Mon 2026-03", "late@example.com": "skipped  not reached",
		"partly@example.com": "failure held held by --max-losses", "luis.gomez@example.com": "error 403 needs routing:skill:assign: add it to a ",
		"b.yaml": "failure specs is empty", "3 more problems": "failure specs 3 more problems",
	}
	for i := range 6 {
		want[fmt.Sprintf("agent%d@example.com", i)] = "error 400 bad.request " + fmt.Sprintf("PATCH /api/v2/users/3b61ed2c-86ec-4f32-bb2c-%012d", i)[:40]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	i := slices.IndexFunc(suites.Cases, func(c reporttest.Case) bool { return c.Name == "agent1@example.com" })
	if text := suites.Cases[i].Text; !strings.Contains(text, "refused: 400") || !strings.HasSuffix(text, "\nsupport/agent1.yaml:2:3: title: is wrong") {
		t.Errorf("%q", text)
	}
	if errors := slices.DeleteFunc(r.GitHub(), func(line string) bool { return !strings.Contains(line, "refused: 400") }); len(errors) != 1 || !strings.HasSuffix(errors[0], " (and 5 more like this)") {
		t.Errorf("%q", errors)
	}
}
