package plan_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// A field that an interrupted call may have written is neither as declared nor different, whatever is known of it. It
// is asked for as soon as a reading counts.
func TestAFieldInDoubt(t *testing.T) {
	young, old := now.Add(-time.Second), now.Add(-plan.ReadLag)
	for _, tt := range []struct {
		name    string
		field   spec.Field
		at      time.Time
		desired []string
		have    string
		failed  bool   // the user is in quarantine
		want    string // of the plan
		asks    bool
		drops   bool
	}{
		{name: "as declared, written without a version", field: spec.Division, at: young, desired: []string{"division", "A"}, have: "A", want: `division: "A" (uncertain`},
		{name: "different, written without a version", field: spec.Division, at: young, desired: []string{"division", "A"}, have: "B", want: `division: "A" (uncertain`},
		{name: "a reading counts", field: spec.Division, at: old, desired: []string{"division", "A"}, have: "A", want: `division: "A" (uncertain`, asks: true},
		{name: "written with a version", field: spec.Title, at: now, desired: []string{"title", "A"}, have: "A", want: `title: "A" (uncertain`, asks: true},
		{name: "in quarantine", field: spec.Title, at: now, desired: []string{"title", "A"}, have: "A", failed: true, want: "quarantined"},
		{name: "not declared, and a reading would not count", field: spec.Division, at: young, have: "A"},
		{name: "not declared", field: spec.Division, at: old, have: "A", drops: true},
		{name: "the state, not declared", field: spec.State, at: now, have: "active", asks: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := declared("a@x.example", tt.desired...)
			cur := known("1", "a@x.example", fields(tt.desired...), string(tt.field), tt.have)
			snap := snapshot(cur)
			e := state.Event{At: tt.at, ID: "1", Fields: []state.FieldEvent{{Field: tt.field, After: spec.Text("B")}}}
			snap.WriteIntents = map[string]map[spec.Field]state.Event{"1": {tt.field: e}}
			if tt.failed {
				snap.Failures[u.Key] = state.Failure{Key: u.Key, Desired: u.Hash(), Attempts: 1, Next: now.Add(time.Minute)}
			}
			policy := policy()
			policy.UnversionedFields = []spec.Field{spec.Division}
			p := plan.New(tree(u), snap, policy, nil, now)
			text := strings.Join(lines(p), "\n")
			if (tt.want == "") != (text == "") || !strings.Contains(text, tt.want) || tt.want != "" && p.Unchanged != 0 {
				t.Errorf("planned is %q, %d unchanged", text, p.Unchanged)
			}
			if tt.want != "" && p.Converged() {
				t.Error("it counts as converged")
			}
			var asked []spec.Field
			if tt.asks {
				asked = []spec.Field{tt.field}
			}
			if d := cmp.Diff(asked, p.Lookups.Fields["1"]); d != "" {
				t.Errorf("asked for: %s", d)
			}
			dropped := len(p.Record.ClearWriteIntents) == 1 && p.Record.ClearWriteIntents[0].ID == "1"
			if dropped != tt.drops {
				t.Errorf("resolved is %v", p.Record.ClearWriteIntents)
			}
			if tt.drops && (len(p.Record.Users) == 0 || p.Record.Users[0].Fields.Get(tt.field) != "" || cur.Fields.Get(tt.field) == "") {
				t.Errorf("what was known of it is not forgotten, or the snapshot is changed: %+v", p.Record.Users)
			}
			if tt.asks && tt.want != "" { // it cannot be read
				p := plan.New(tree(u), snap, policy, &plan.LookupResults{Unread: map[string]error{"1": errors.New("no permission")}}, now)
				if len(p.Problems) != 1 || p.Problems[0].Field != string(tt.field) || len(p.Todo()) != 0 {
					t.Errorf("problems %v, to do %v", p.Problems, p.Todo())
				}
			}
		})
	}
}

// Of whom nobody declares an intent is kept as long as it tells that a removal was ours, and goes with the removal.
func TestAnIntentOfARemoval(t *testing.T) {
	for _, tt := range []struct {
		name, state string
		removed     string
	}{{"done", "inactive", "deactivate"}, {"not done", "active", ""}} {
		t.Run(tt.name, func(t *testing.T) {
			cur := known("1", "a@x.example", fields(), "state", tt.state)
			snap := snapshot(cur)
			e := state.Event{At: now, ID: "1", Action: "deactivate", Fields: []state.FieldEvent{{Field: spec.State, Before: spec.Text("active"), After: spec.Text("inactive")}}}
			snap.WriteIntents = map[string]map[spec.Field]state.Event{"1": {spec.State: e}}
			policy := policy()
			policy.OnRemoval = plan.Deactivate
			p := plan.New(tree(declared("b@x.example", "name", "B")), snap, policy, nil, now)
			removed := ""
			for _, u := range p.Record.Users {
				removed = u.Removed
			}
			if removed != tt.removed || (len(p.Record.ClearWriteIntents) > 0) != (tt.removed != "") {
				t.Errorf("removed by %q, resolved %v:\n%s", removed, p.Record.ClearWriteIntents, strings.Join(lines(p), "\n"))
			}
		})
	}
}
