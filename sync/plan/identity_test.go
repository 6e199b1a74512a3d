package plan_test

import (
	"testing"
	"time"

	"usersyncd/state"
	"usersyncd/sync/plan"
)

// A former address and a stranger with the new one: nobody is guessed at.
func TestPreviousEmailTaken(t *testing.T) {
	for _, st := range []string{"active", "deleted"} {
		a := declared("new@x.example", "title", "New")
		a.PreviousEmails = []string{"old@x.example"}
		snap := snapshot(known("1", "old@x.example", fields("title", "T"), "title", "T"), known("2", "new@x.example", nil, "title", "Somebody else", "state", st))
		p := plan.New(tree(a), snap, policy(), nil, now)
		for _, c := range p.Changes {
			if c.Current.ID == "2" && c.Outcome == plan.Planned {
				t.Errorf("%s: renaming 1 writes user 2: %v", st, lines(p))
			}
		}
	}
}

// Saying who is meant is an edit, too: it ends the quarantine.
func TestQuarantineIdentity(t *testing.T) {
	a := declared("new@x.example", "title", "New")
	snap := snapshot(known("1", "old@x.example", fields(), "title", "T"))
	snap.Failures["new@x.example"] = state.Failure{Key: "new@x.example", Desired: a.Hash(), Attempts: 9, Next: now.Add(6 * time.Hour), Message: "refused"}
	a.PreviousEmails = []string{"old@x.example"} // the fix
	p := plan.New(tree(a), snap, policy(), nil, now)
	if p.Changes[0].Outcome != plan.Planned {
		t.Errorf("the file was edited, and: %v", lines(p))
	}
}
