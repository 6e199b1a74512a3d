package report

import (
	"strings"
	"testing"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// Text, annotations and Markdown count the same users with the same words: a plan and a result, what failed and what the specs
// have wrong, who is deleted and who is deactivated.
func TestOneWordForOneThing(t *testing.T) {
	outcome := func(c *plan.Change, o plan.Outcome) *plan.Change { c.Outcome = o; return c }
	for _, dryRun := range []bool{true, false} {
		did := map[bool]plan.Outcome{true: plan.Planned, false: plan.Applied}[dryRun]
		title := textField(spec.Title, "a", "b")
		res := planned(20, outcome(change(plan.Delete, "a@example.com", "a.yaml"), did), outcome(change(plan.Deactivate, "b@example.com", "a.yaml"), did),
			outcome(change(plan.Unmanage, "c@example.com", "a.yaml"), did), outcome(change(plan.Update, "d@example.com", "a.yaml", title), plan.Held),
			outcome(change(plan.Update, "e@example.com", "a.yaml", title), plan.Deferred), outcome(change(plan.Update, "f@example.com", "a.yaml", title), plan.Skipped))
		res.DryRun, res.Held, res.Failed, res.Wrong, res.Partial, res.Quarantined, res.Pending = dryRun, 1, 6, 3, 1, 1, 4
		words := []string{"1 no longer managed", "1 held", "1 deferred", "1 skipped", "2 left out because of problems", "1 left out in part because of problems", "4 failed"}
		text := resultLine(res)
		if dryRun {
			text = strings.Join(counts(res), ", ")
		} else {
			words = append(words, "4 not reached")
		}
		r := &Report{Command: "plan", Result: res}
		_, totals := r.totalsText()
		for _, want := range words {
			n, what, _ := strings.Cut(want, " ")
			row := "| " + what + " | " + n + " |\n"
			if strings.Contains(want, "in part") {
				row = strings.Replace(row, "| ", "| of these ", 1)
			}
			if !strings.Contains(text, want) || !strings.Contains(totals, want) || !strings.Contains(strings.Join(r.rows(), ""), row) {
				t.Errorf("%q is missing in one of\n%s\n%s\n%s", want, text, totals, r.rows())
			}
		}
		want := map[bool]string{true: "1 to deactivate, 1 to delete, ", false: "1 deactivated, 1 deleted, "}[dryRun]
		if !strings.HasPrefix(totals, want) || dryRun && !strings.HasPrefix(text, want) {
			t.Errorf("%q is missing in one of\n%s\n%s", want, text, totals)
		}
	}
	if got := (&Report{Result: &usersync.Result{DryRun: true, Failed: 2, Wrong: 2}}).headline(); !strings.Contains(got, "2 left out because of problems") {
		t.Error(got)
	}
}
