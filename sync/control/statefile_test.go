package control_test

import (
	"testing"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

func TestLinesOfAStateFile(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	const from = "No daemon is running, or it has no socket; this is from the state file."
	for _, tt := range []struct {
		want string
		s    control.Status
	}{
		{from, control.Status{}},
		{from + " 1 user is not in sync because the API rejected the change; each is retried.", control.Status{Status: usersync.Status{Users: 5}, Quarantined: 1}},
		{from + " After the last pass all 5 users were in sync.", control.Status{Status: usersync.Status{Users: 5, InSync: 5}}},
		{from + " After the last pass all 5 users were in sync, with uncommitted edits.",
			control.Status{Status: usersync.Status{Users: 5, InSync: 5, Applied: &state.AppliedTree{Revision: "3f0c-dirty"}}}},
		{from + " Paused 60 seconds ago: passes plan, and change nothing until usersyncd resume. After the last pass all 5 users were in sync.",
			control.Status{Now: now, Status: usersync.Status{Users: 5, InSync: 5, Paused: &state.Pause{At: now.Add(-time.Minute)}}}},
		{from[:len(from)-1] + ", as the last pass left it 60 seconds ago. A later pass failed, 30 seconds ago: no route to host. How many users are in sync is not known: before that pass 4 of 5 were.",
			control.Status{Now: now, AsOf: now.Add(-time.Minute), ErrorAt: now.Add(-30 * time.Second), Error: "no route to host", Status: usersync.Status{Users: 5, InSync: 4}}},
		{from[:len(from)-1] + ", as the last pass left it 60 seconds ago. 2 users are held by --max-losses until a person releases them. After the last pass all 5 declared users were in sync.",
			control.Status{Now: now, AsOf: now.Add(-time.Minute), Held: 2, Undeclared: 2, Holds: []plan.Hold{{Guard: "max-losses"}}, Status: usersync.Status{Users: 5, InSync: 5}}},
		{from[:len(from)-1] + ", as the last pass left it 60 seconds ago. The last pass ended early, 60 seconds ago: no route to host. After the last pass 4 of 5 users were in sync.",
			control.Status{Now: now, AsOf: now.Add(-time.Minute), ErrorAt: now.Add(-time.Minute), Error: "no route to host", Status: usersync.Status{Users: 5, InSync: 4}}},
		{"All 5 users are in sync.", control.Status{PID: 1, Status: usersync.Status{Phase: usersync.PhaseIdle, Success: now, Users: 5, InSync: 5}}},
	} {
		got := ""
		for i, line := range tt.s.Lines() {
			if i > 0 {
				got += " "
			}
			got += line.Text + "."
		}
		if got != tt.want {
			t.Errorf("%q, not %q", got, tt.want)
		}
	}
}

// Whatever limits the rate, there are words for it.
func TestLimitedBy(t *testing.T) {
	for _, reason := range []aimd.Reason{aimd.Parked, aimd.Gate, aimd.Probe, aimd.InFlight, aimd.Exhausted, aimd.Rush, aimd.Paced, aimd.Rate} {
		if l := (control.Limiter{Reason: string(reason)}); l.LimitedBy() == "" {
			t.Errorf("%s: no words", reason)
		}
	}
}
