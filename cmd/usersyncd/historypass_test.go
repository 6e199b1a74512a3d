package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec"
	"usersyncd/state"
)

// Equal writes are one entry if one pass has made them: neither what is written again by a later one, nor what another revision asks
// for, nor a write whose outcome is not known.
func TestHistoryIsFoldedByPass(t *testing.T) {
	start := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	write := func(after time.Duration, user, revision string, change func(*state.Event)) state.Event {
		e := state.Event{At: start.Add(after), Plan: "p-1", Revision: revision, ID: user, Email: user + "@example.com", Action: "update", Cause: "edit",
			Fields: []state.FieldEvent{{Field: spec.Title, Before: spec.Text("Agent"), After: spec.Text("Boss")}}, CorrelationID: "id-" + user}
		if change != nil {
			change(&e)
		}
		return e
	}
	drift := func(e *state.Event) { e.Cause = "drift" }
	created := func(field spec.Field, value string) func(*state.Event) {
		return func(e *state.Event) {
			e.Action, e.Cause, e.Fields = "create", "missing", []state.FieldEvent{{Field: field, After: spec.Text(value)}}
		}
	}
	events := []state.Event{ // the newest first
		write(3*time.Hour, "a", "r2", func(e *state.Event) { e.RollbackOf, e.Cause = "r1", "undo" }),
		write(2*time.Hour, "a", "r1", func(e *state.Event) { e.Uncertain, e.CorrelationID = true, "" }),
		write(time.Hour+10*time.Minute, "a", "r1", drift), // every five minutes somebody changes it
		write(time.Hour+5*time.Minute, "a", "r1", drift),
		write(time.Hour, "a", "r1", drift),
		write(9*time.Minute, "new1", "r1", created(spec.Title, "Agent")), // a second call
		write(8*time.Minute, "new1", "r1", created(spec.Name, "New One")),
		write(7*time.Minute, "new2", "r1", created(spec.Title, "Agent")),
		write(7*time.Minute, "new2", "r1", created(spec.Name, "New Two")),
		write(2*time.Minute, "c", "r1", nil),
		write(time.Minute, "b", "r1", nil),
		write(0, "a", "r1", nil),
	}
	var out strings.Builder
	left := printHistory(report.Text{Columns: 100}, &out, events, 100)
	utc := func(after time.Duration) string { return start.Add(after).Local().Format(time.RFC3339) }
	want := fmt.Sprintf(`%s, rollback of r1
  ~ a@example.com
      title: "Agent" -> "Boss"
      correlation id id-a
%s, revision r1, uncertain: no response
  ~ a@example.com
      title: "Agent" -> "Boss"
%s, revision r1
  ~ a@example.com
      title: "Agent" -> "Boss" (drift)
      correlation id id-a
%s, revision r1
  ~ a@example.com
      title: "Agent" -> "Boss" (drift)
      correlation id id-a
%s, revision r1
  ~ a@example.com
      title: "Agent" -> "Boss" (drift)
      correlation id id-a
%s to %s, revision r1
  + 2 users: created, title: "Agent"
      new1@example.com, new2@example.com
  ~ 3 users: title: "Agent" -> "Boss"
      a@example.com, b@example.com, c@example.com
`, utc(3*time.Hour), utc(2*time.Hour), utc(time.Hour+10*time.Minute), utc(time.Hour+5*time.Minute), utc(time.Hour), utc(0), utc(9*time.Minute))
	if got := out.String(); got != want || left != 0 {
		t.Errorf("%d left out\n%s\nwant\n%s", left, got, want)
	}
	out.Reset()
	if left := printHistory(report.Text{}, &out, events, 2); left != 4 || strings.Count(out.String(), "\n2026-") != 1 {
		t.Errorf("two passes, and %d left out:\n%s", left, out.String())
	}
}
