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
	left := printHistory(report.Text{Columns: 100}, &out, byPass(events), 100)
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
	if left := printHistory(report.Text{}, &out, byPass(events), 2); left != 4 || strings.Count(out.String(), "\n2026-") != 1 {
		t.Errorf("two passes, and %d left out:\n%s", left, out.String())
	}
}

// A time within a pass cuts it in two, and the title says so; one between two passes does not.
func TestHistorySinceCutsAPass(t *testing.T) {
	start := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	var events []state.Event // the newest first
	for i := range 6 {
		e := state.Event{At: start.Add(-time.Duration(i) * time.Minute), Plan: "p-2", Revision: "r2", ID: fmt.Sprint(i), Email: fmt.Sprintf("u%d@example.com", i), Action: "update",
			Fields: []state.FieldEvent{{Field: spec.Title, After: spec.Text("Boss")}}, CorrelationID: "id"}
		if i >= 4 {
			e.Plan, e.Revision = "p-1", "r1"
		}
		events = append(events, e)
	}
	for minutes, want := range map[int]string{
		0: "revision r2, without its writes before --since\n  ~ u0@example.com\n",
		2: "revision r2, without its writes before --since\n  ~ 3 users:",
		3: "revision r2\n  ~ 4 users:",
		4: "revision r1, without its writes before --since\n  ~ u4@example.com\n",
		5: "revision r1\n  ~ 2 users:",
	} {
		var out strings.Builder
		printHistory(report.Text{Columns: 100}, &out, since(start.Add(-time.Duration(minutes)*time.Minute), byPass(events)), 100)
		if !strings.Contains(out.String(), want) || strings.Count(out.String(), "--since") != strings.Count(want, "--since") {
			t.Errorf("%d minutes ago: %s\nwant %s", minutes, out.String(), want)
		}
	}
}

// What one pass has done to one user in two ways is always in the order in which it was written.
func TestHistoryOrderOfOneUser(t *testing.T) {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	write := func(action string, f spec.Field, v spec.Value) state.Event {
		return state.Event{At: at, Plan: "p-1", Revision: "r1", ID: "a", Email: "a@example.com", Action: action, Fields: []state.FieldEvent{{Field: f, After: v}}}
	}
	events := []state.Event{write("update", spec.Department, spec.Text("Sales")), write("adopt", spec.Title, spec.Text("Boss"))}
	for range 50 {
		var out strings.Builder
		printHistory(report.Text{Columns: 100}, &out, byPass(events), 100)
		if title, department := strings.Index(out.String(), "title"), strings.Index(out.String(), "department"); title < 0 || title > department {
			t.Fatal(out.String())
		}
	}
}
