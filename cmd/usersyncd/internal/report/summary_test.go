package report

import (
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// A result says nothing that its plan has said, and everything that came out otherwise: another value, a failure, a hold of other
// users or for another reason.
func TestAResultRepeatsNoPlan(t *testing.T) {
	title := func(after string) plan.FieldChange { return textField(spec.Title, "Agent", after) }
	hold := plan.Hold{ID: "p-1", Guard: "max-losses", Reason: "too many losses", Users: []string{"h@example.com"}}
	held := change(plan.Update, "h@example.com", "h.yaml", title("Held"))
	held.Outcome, held.Hold = plan.Held, hold.ID
	shown := planned(10, change(plan.Update, "a@example.com", "a.yaml", title("Boss")), change(plan.Update, "b@example.com", "b.yaml", title("Boss")), held)
	shown.Holds, shown.Notes, shown.Revision = []plan.Hold{hold}, []string{"a note"}, "r1"

	result := func(b string, h plan.Hold) string {
		res := planned(10, change(plan.Update, "a@example.com", "a.yaml", title("Boss")), change(plan.Update, "b@example.com", "b.yaml", title(b)), held)
		res.DryRun, res.Estimate, res.Revision, res.Notes, res.Holds = false, nil, "r1", []string{"a note"}, []plan.Hold{h}
		res.Applied, res.Held = 2, 1
		for _, c := range res.Changes[:2] {
			c.Outcome = plan.Applied
		}
		return string(show(Text{Shown: shown}, res))
	}
	if got := result("Boss", hold); strings.Count(got, "\n") != 1 || !strings.Contains(got, "2 applied") || !strings.Contains(got, "1 held") {
		t.Errorf("as planned:\n%s", got)
	}
	if got := result("Chief", hold); !strings.Contains(got, `b@example.com`) || !strings.Contains(got, "Chief") || strings.Contains(got, "a@example.com") {
		t.Errorf("another value:\n%s", got)
	}
	others, reason := hold, hold
	others.Users, reason.Reason = []string{"h@example.com", "i@example.com"}, "even more losses"
	if got := result("Boss", others); !strings.Contains(got, "Held: 2 users") {
		t.Errorf("other users are held:\n%s", got)
	}
	if got := result("Boss", reason); !strings.Contains(got, "even more losses") {
		t.Errorf("held for another reason:\n%s", got)
	}
}
