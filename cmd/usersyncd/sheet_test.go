package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

func explanation(now time.Time) *usersync.Explanation {
	value := func(s string) []byte { return spec.Text(s).RawJSON() }
	return &usersync.Explanation{
		Email: "ana.perez@example.com", Status: "quarantined", Action: plan.Update, Cause: plan.Edit, ID: "0b1ad508-0693-42dd-afba-779ce581bc3f", Version: 12, Managed: true,
		Why:  "failed 3 times, next attempt 2026-11-24T03:20:00Z: PATCH /api/v2/users/0b1ad508: 400 bad.request: the phone number is not E.164",
		Next: now.Add(20 * time.Minute), Listed: now.Add(-time.Minute), Read: now.Add(-time.Hour), File: "madrid/support/ana.perez.yaml", Line: 2, Defaults: []string{"_defaults.yaml", "madrid/_defaults.yaml"},
		Fields: []usersync.FieldStatus{
			{Field: spec.Title, Desired: value("Senior agent of the night shift in Madrid"), Applied: value("Agent"), Live: value("主任代理人"), Verdict: "contested", Until: now, File: "madrid/support/ana.perez.yaml", Line: 4},
			{Field: spec.Department, Desired: value("Support"), Applied: value("Support"), Live: value("Support"), Verdict: "in sync", File: "madrid/_defaults.yaml", Line: 1},
			{Field: spec.Manager, Live: value("Oslo"), Verdict: "not managed"},
		},
		History: []state.Event{{At: now, Revision: "77aa0be2d1c94f2e8b6d", Email: "ana.perez@example.com", Action: "update", Cause: "edit", CorrelationID: "8c1e2f30-66aa-4b0d-9d58-64c0f3b1aa01",
			Fields: []state.FieldEvent{{Field: spec.Title, Before: spec.Text("Agent of the first hour"), After: spec.Text("Senior agent of the night shift")}}}},
	}
}

// explain fits the terminal, and shows whole values there. Elsewhere it is a table, a line for each field.
func TestExplanationFits(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for _, columns := range []int{0, 40, 60, 80, 100, 200} {
		var out strings.Builder
		printExplanation(sheet{&out, columns}, explanation(now), now, "", true)
		for line := range strings.Lines(out.String()) {
			line = strings.TrimRight(line, "\n")
			word := text.Columns(strings.TrimSpace(line)) // a line of one word may be too long if the word is
			if columns > 0 && text.Columns(line) > columns && (len(strings.Fields(line)) > 1 || word <= columns-3) {
				t.Errorf("%d columns: %q has %d", columns, line, text.Columns(line))
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("%d columns: %q ends in spaces", columns, line)
			}
		}
		flat := strings.Join(strings.Fields(out.String()), " ")
		table := columns == 0 || columns == 200
		if got := strings.Contains(out.String(), "desired"+strings.Repeat(" ", 5)) && strings.Contains(out.String(), "declared at\n"); got != table {
			t.Errorf("%d columns: a table: %v", columns, got)
		}
		for want, where := range map[string]bool{
			`desired "Senior agent of the night shift in Madrid" applied "Agent" live "主任代理人"`:                      !table,
			`department: in sync, "Support", declared at madrid/_defaults.yaml:1 manager: not managed, live "Oslo"`: !table,
			`department in sync "Support" "Support" "Support" madrid/_defaults.yaml:1`:                              table,
			`"Senior agent of the night shift in M...`:                                                              columns == 0,
			" update ana.perez@example.com (edit, revision 77aa0be2d1c9)":                                           true,
			" correlation id 8c1e2f30": true,
		} {
			if strings.Contains(flat, want) != where {
				t.Errorf("%d columns: %q is shown: %v\n%s", columns, want, !where, out.String())
			}
		}
	}
}

func TestStatusOfTheFirstPass(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	s := control.Status{PID: 1, Now: now, Started: now, Status: usersync.Status{Phase: usersync.PhaseRefresh, Began: now.Add(-3 * time.Second)}}
	for _, first := range []bool{true, false} {
		var out strings.Builder
		if !first {
			s.Totals.Passes, s.Refresh = 1, now.Add(-time.Minute)
		}
		printStatus(sheet{Writer: &out}, s, "")
		for want, where := range map[string]bool{
			"refresh    organization last read: not yet; the first pass is under way\n": first,
			"success    last completed pass: not yet; the first pass is under way\n":    first,
			"organization last read: 1m0s ago\nsuccess    last completed pass: never\n": !first,
		} {
			if strings.Contains(out.String(), want) != where {
				t.Errorf("first pass %v: %q is shown: %v\n%s", first, want, !where, out.String())
			}
		}
	}
}

// From its first moment the daemon's status has what the state file says.
func TestStatusBeforeTheFirstPass(t *testing.T) {
	var seen, want time.Time
	inBubble(t, sim.Options{Users: 1}, "", func(b *bubble) {
		b.at = func(step string) {
			if step == "pass" && want.IsZero() {
				want = time.Now().Add(-time.Minute)
				if err := b.app.Store.Commit(state.Commit{Refresh: &state.Refresh{At: want}}); err != nil {
					b.Error(err)
				}
				seen = b.d.Status().Refresh
			}
		}
	}, func(*bubble) { synctest.Wait() })
	if !seen.Equal(want) || want.IsZero() {
		t.Errorf("read at %v, want %v", seen, want)
	}
}
