package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/cmd/usersyncd/internal/report/reporttest"
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/digest"
)

// A comment has at most 60,000 bytes, whatever there is, and its counts are those of all. What matters most is kept longest.
func TestMarkdownFits(t *testing.T) {
	res := many()
	for i := range 600 { // each differs from all others
		text := strings.Repeat(fmt.Sprintf("%d `x` ", i), 40)
		res.Changes = append(res.Changes, change(plan.Update, fmt.Sprintf("long%d@example.com", i), "a.yaml", textField(spec.Title, text, text+"!"), textField(spec.Department, text, text+"!")),
			change(plan.Update, fmt.Sprintf("role%d@example.com", i), "a.yaml", roles(nil, []spec.Role{{Name: text}})))
		res.Failures = append(res.Failures, usersync.Failure{Email: fmt.Sprintf("fails%d@example.com", i), Message: text, Status: 400})
	}
	res.Failed, res.Wrong = 600, 600
	r := Report{Command: "plan", Name: "users", Result: res}
	for i := range 200 {
		r.Problems.Problems = append(r.Problems.Problems, problemAt("a.yaml", i, "title", strings.Repeat("wrong ", 100)))
	}
	r.Problems.ProblemsLeftOut = 77
	data := r.Markdown()
	totals, fenced, err := reporttest.Markdown(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	want := map[string]int{"removals and deactivations": 9, "access": 602, "renames": 2, "creations": 15, "updates": 1163, "left out because of problems": 600}
	if diff := cmp.Diff(want, totals); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"\nProblems in the specs: 277", "<summary>Removals and deactivations: 9 users<", "Access (roles): 602 users", "Updates: 1163 users"} {
		if !strings.Contains(strings.ReplaceAll(string(data), "<summary>Problems", "\nProblems"), want) {
			t.Errorf("%q is missing in\n%s", want, data)
		}
	}
	if len(data) < 20_000 || !strings.Contains(fenced, "agent4@example.com, agent5@example.com") { // not even one of six who are removed is behind a number
		t.Errorf("too much was left out: %d bytes are left\n%s", len(data), data)
	}
}

// A plan that does nothing has no id: nobody could tell it from another one. One that only ends the management of users has.
func TestPlanOfNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		changes                  []*plan.Change
		line, notice, head, foot string
	}{
		"nothing": {nil, "Plan: nothing to do, 9 unchanged\n", "usersyncd plan", "0 users would change (9 declared)", "Takes no write. Plan of `4711`\n"},
		"no longer managed": {[]*plan.Change{change(plan.Unmanage, "a@example.com", "a.yaml")}, "Plan p-", "usersyncd plan p-",
			"0 users would change, 1 no longer managed (9 declared)", "Takes no write. Plan `p-"},
	} {
		res := planned(9, tt.changes...)
		res.Digest, res.Revision, res.Estimate = digest.Sum(plan.Effects(tt.changes, nil)), "4711", &usersync.Estimate{}
		res.Plan = digest.Short(res.Digest)
		r := &Report{Command: "plan", Result: res}
		if got := string(show(Text{}, res)); !strings.Contains(got, tt.line) {
			t.Errorf("%s: %s", name, got)
		}
		if title, _ := r.totalsText(); !strings.HasPrefix(title, tt.notice) || tt.notice == "usersyncd plan" && title != tt.notice {
			t.Errorf("%s: %s", name, title)
		}
		if got := string(r.Markdown()); r.headline() != tt.head || !strings.Contains(got, tt.foot) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Sections that have no room even as a count are left out, and counted.
func TestMarkdownLeavesOut(t *testing.T) {
	r := Report{Command: "plan", Name: "users", Error: strings.Repeat("x", 100_000), Result: planned(1)}
	blocks := []block{{title: "A: 1", texts: [Counts]string{"a"}}, {title: "B: 1", texts: [Counts]string{"b"}}}
	out := assemble(r.head(), blocks, []Detail{leftOut, Counts}, "")
	if _, _, err := reporttest.Markdown(out); err != nil || !strings.Contains(string(out), "\nB: 1; see the job's log\n") || !strings.Contains(string(out), "\nLeft out: 1 section, see the job's log\n") || len(out) > 3000 {
		t.Errorf("%v\n%s", err, out)
	}
}

// A fence is longer than every run of backticks in it.
func TestFence(t *testing.T) {
	if got, want := fenced([]Line{{"~", "a"}, {"", "b ```` c"}}), "`````diff\n! a\n    b ```` c\n`````\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Without a state file nobody counts as removed. A plan in which everything is equal says so where nobody overlooks it: in the
// headline, the notice and the totals.
func TestNoStateFileIsSaid(t *testing.T) {
	const said = "removals are not shown, as there is no state file (103 active users of the organization without a spec)"
	res := planned(397)
	res.NoState, res.WithoutSpec, res.AdoptedUnchanged, res.Notes = true, 103, 397, []string{"no earlier run has left a state file"}
	r := &Report{Command: "plan", Result: res}
	md := string(r.Markdown())
	for what, got := range map[string]string{"headline": r.headline(), "notice": strings.Join(r.GitHub(), "\n"), "totals": strings.Join(r.Summary(nil), "\n")} {
		if !strings.HasSuffix(got, said) {
			t.Errorf("%s: %s", what, got)
		}
	}
	if !strings.Contains(md, "<details open><summary>Notes: 1<") || strings.Contains(md, "managed once") {
		t.Error(md)
	}
	res.NoState = false
	if md = string(r.Markdown()); strings.Contains(md, "state file (") || strings.Contains(md, "<details open>") || !strings.Contains(md, "397 users are managed once this is applied") {
		t.Error(md)
	}
}

// What is all there is to a report is not behind a click.
func TestOnlyContentIsOpen(t *testing.T) {
	problems := spec.ProblemList{Problems: []spec.Problem{problemAt("a.yaml", 2, "titel", "unknown field")}}
	for _, command := range []string{"validate", "plan", "once"} {
		r := &Report{Command: command, Problems: problems, ExitCode: 3}
		if got := string(r.Markdown()); !strings.Contains(got, "<details open><summary>Problems in the specs: 1<") {
			t.Errorf("%s: %s", command, got)
		}
	}
	r := &Report{Command: "plan", Problems: problems, Result: planned(9, change(plan.Delete, "a@example.com", "a.yaml"))}
	if got := string(r.Markdown()); !strings.Contains(got, "<details><summary>Problems") {
		t.Error(got)
	}
}

// What is approved is the whole plan, so all of it is shown for as long as there is room: every value and every address, also of
// those who are held. Without room it is folded, the last section first.
func TestMarkdownShowsWhatItDoes(t *testing.T) {
	titles := func(n int) (all []*plan.Change) {
		for i := range n {
			all = append(all, change(plan.Update, fmt.Sprintf("agent%d@example.com", i), "a.yaml", textField(spec.Title, fmt.Sprintf("Before %d", i), fmt.Sprintf("After %d", i))))
		}
		return all
	}
	equal := titles(40)
	for i, c := range equal {
		c.Key, c.Fields = fmt.Sprintf("same%d@example.com", i), []plan.FieldChange{textField(spec.Department, "Sales", "Support")}
	}
	res := planned(500, slices.Concat(titles(30), equal)...)
	guarded := held()
	res.Changes, res.Holds = append(res.Changes, guarded.Changes...), guarded.Holds
	got := string((&Report{Command: "plan", Result: res}).Markdown())
	for _, c := range res.Changes {
		if !strings.Contains(got, c.Key) {
			t.Fatalf("%s is not named in\n%s", c.Key, got)
		}
	}
	if !strings.Contains(got, `title: "Before 29" -> "After 29"`) || !strings.Contains(got, `! 40 users: department: "Sales" -> "Support"`) || strings.Contains(got, " more") {
		t.Error(got)
	}
	res.Changes = slices.Concat(res.Changes[:0:0], titles(3000), guarded.Changes)
	got = string((&Report{Command: "plan", Result: res}).Markdown())
	if !strings.Contains(got, "! 3000 users: title: 3000 different changes") || !strings.Contains(got, "agent106@example.com") || len(got) > mostMarkdown {
		t.Error(got)
	}
}

// A text on a terminal says what shows those whom it has no room for.
func TestTextSaysWhatShowsEveryUser(t *testing.T) {
	var all []*plan.Change
	for i := range 30 {
		all = append(all, change(plan.Update, fmt.Sprintf("agent%d@example.com", i), "a.yaml", textField(spec.Title, "a", fmt.Sprint(i))))
	}
	with := Text{DetailsCommand: "usersyncd plan --details users", Columns: 80}
	if got := string(show(with, planned(500, all...))); !strings.Contains(got, "and 27 more\n\nTo see every user: usersyncd plan --details users\n\n") {
		t.Error(got)
	}
	piped := with
	piped.Columns = 0
	if got := string(show(piped, planned(500, all...))); strings.Contains(got, "To see every user") {
		t.Error(got)
	}
	if got := string(show(with, planned(500, all[:2]...))); strings.Contains(got, "To see every user") {
		t.Error(got)
	}
}
