package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// Nothing that a spec or Genesys holds can forge a line of the text or move the cursor.
func TestTextIsPrintable(t *testing.T) {
	const key, message = "a@example.com\x1b[2J", "refused\n0 users: all good\x07"
	failed := &plan.Change{Key: key, Action: plan.Update, Cause: plan.Edit, Outcome: plan.Failed, Err: errors.New(message),
		Fields: []plan.FieldChange{{Field: spec.Title, Before: `"a\nb\u001b[31m"`, After: `"c"`}}}
	planned := *failed
	planned.Outcome, planned.Pos.File = plan.Planned, "a\nb.yaml"
	waiting := *failed
	waiting.Outcome, waiting.WaitsFor = plan.Skipped, "b\nc"
	for _, dryRun := range []bool{true, false} {
		for _, details := range []bool{true, false} {
			res := &usersync.Result{DryRun: dryRun, Users: 1, Changes: []*plan.Change{failed, &planned, &waiting}, Failures: []usersync.Failure{{Email: key, Message: message}},
				Holds: []plan.Hold{{ID: "p-1", Users: []string{key, key}, Reason: message}}}
			got := string(show(Text{Details: details}, res))
			if strings.ContainsAny(got, "\x1b\x07\r") || strings.Contains(got, "\n0 users: all good") || strings.Contains(got, "\nc") || strings.Contains(got, "\nb.yaml") {
				t.Errorf("%q", got)
			}
		}
	}
}

// A text has the first of a kind; the JSON has all failures, holds and changes.
func TestTextIsBounded(t *testing.T) {
	const many = 5000
	res := &usersync.Result{Users: many, Failed: many, ProblemList: spec.ProblemList{ProblemsLeftOut: 7}}
	for i := range many {
		key := fmt.Sprintf("u%d@example.com", i)
		res.Changes = append(res.Changes, &plan.Change{Key: key, Action: plan.Update, Outcome: plan.Failed, Err: errors.New("refused")})
		res.Failures = append(res.Failures, usersync.Failure{Email: key, Message: "failed " + strings.Repeat("x", i)})
		res.Holds = append(res.Holds, plan.Hold{ID: "p-1", Users: []string{key}})
		res.Notes = append(res.Notes, "note")
	}
	got := string(show(Text{}, res))
	for _, want := range []string{"and 4950 more failures", "and 4950 more holds\n", "Note: and 4950 more notes\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n > 400 {
		t.Errorf("%d lines", n)
	}
	data, err := json.Marshal(res)
	var all struct{ Changes, Failures, Holds []json.RawMessage }
	if err = errors.Join(err, json.Unmarshal(data, &all)); err != nil || len(all.Changes) != many || len(all.Failures) != many || len(all.Holds) != many {
		t.Errorf("%d changes, %d failures, %d holds, %v", len(all.Changes), len(all.Failures), len(all.Holds), err)
	}
}

// What is read before a plan is carried out is one sentence, with the time of all of it.
func TestReads(t *testing.T) {
	got := reads([]usersync.ReadEstimate{{Field: spec.Utilization, Users: 167, Seconds: 2.6}, {Field: spec.Voicemail, Users: 499, Seconds: 133}})
	if want := "666 calls read utilization of 167 users, voicemail of 499 users, about 2m13s"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := reads([]usersync.ReadEstimate{{Field: spec.Voicemail, Users: 1, Seconds: 0.1}}); got != "1 call reads voicemail of 1 user, about 0.1s" {
		t.Error(got)
	}
}
