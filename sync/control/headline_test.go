package control

import (
	"testing"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

func TestTheMostImportantSentence(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	well := Status{PID: 1, Now: now, Started: now.Add(-3 * time.Hour),
		Status: usersync.Status{Success: now.Add(-20 * time.Minute), Phase: usersync.PhaseIdle, Users: 500, InSync: 500}}
	three := []plan.Hold{{ID: "p-1", Guard: "max-removals", Reason: "3 removals are too many", Users: []string{"a", "b", "c"}}}
	held := well
	held.Held, held.Undeclared, held.Holds = 3, 3, three
	if lines := held.Lines(); lines[len(lines)-1].Text != "All 500 declared users are in sync" {
		t.Errorf("beside users who are held: %+v", lines)
	}
	for _, c := range []struct {
		change      func(*Status)
		level, want string
		others      int
	}{
		{func(*Status) {}, "ok", "All 500 users are in sync", 0},
		{func(s *Status) { s.Users, s.InSync = 1, 1 }, "ok", "The one user is in sync", 0},
		{func(s *Status) { s.Users, s.InSync = 0, 0 }, "ok", "No users are declared", 0},
		{func(s *Status) { s.Success, s.Phase = time.Time{}, "refresh" }, "busy", "Starting: the first pass is under way (refresh)", 0},
		{func(s *Status) { s.Error, s.CredentialsDead = "401", true }, "bad", "Nothing was applied for 20 minutes: the API rejects the credentials (401)", 1},
		{func(s *Status) { s.Error, s.Success = "no route to host", time.Time{} }, "bad", "Nothing was applied since the start, 3 hours ago: no route to host", 0},
		{func(s *Status) { s.Stuck, s.Error = "no step for 2 minutes", "x" }, "bad", "The daemon is stuck: no step for 2 minutes", 2},
		{func(s *Status) {
			s.Paused = &state.Pause{At: now.Add(-time.Minute), By: "ana", Reason: "rollback of 1f3a", Rollback: true}
		}, "warn",
			"Paused by ana 60 seconds ago (rollback of 1f3a): take that change back in the specs, too, then: usersyncd resume", 1},
		{func(s *Status) { s.Paused = &state.Pause{At: now.Add(-time.Minute), By: "ana", Reason: "migration"} }, "warn", "Paused by ana 60 seconds ago (migration): passes plan, and change nothing until usersyncd resume", 1},
		{func(s *Status) { s.Held, s.InSync, s.Holds = 3, 497, three }, "warn", "3 users are held by --max-removals until a person releases them", 1},
		{func(s *Status) { s.Held, s.InSync, s.Holds = 4, 496, three }, "warn", "4 users are held by --max-removals until a person releases them", 1},
		{func(s *Status) { // who are not declared any more
			s.Held, s.Holds = 4, append(three, plan.Hold{Guard: "renames"}, plan.Hold{Guard: "renames"})
		}, "warn", "4 users are held by --max-removals, the guard renames until a person releases them", 1},
		{func(s *Status) { s.Held, s.InSync = 1, 499 }, "warn", "1 user is held: the configuration protects them, and they are never changed", 1},
		{func(s *Status) { s.Problems, s.InSync = 1, 499 }, "warn", "1 problem in the specs: what they concern stays as last applied", 1},
		{func(s *Status) { s.Dirty, s.Revision = true, "3f0c1a2b4d5e6f708192a3b4c5d6e7f801234567-dirty" }, "warn",
			"The checkout has uncommitted edits: its revision is 3f0c1a2b4d5e-dirty", 1},
		{func(s *Status) { s.Failed, s.Quarantined, s.InSync = 1, 1, 498 }, "bad", "2 users are not in sync because the API rejected the change; each is retried", 1},
		{func(s *Status) { // the worst is first
			s.Problems, s.Held, s.Holds, s.Quarantined, s.InSync = 1, 3, three, 1, 490
		}, "bad", "1 user is not in sync because the API rejected the change; each is retried", 3},
		{func(s *Status) { // what is wrong in a spec was not rejected by the API
			s.Problems, s.Failed, s.FailedSpecs, s.InSync = 2, 2, 2, 498
		}, "warn", "2 problems in the specs: what they concern stays as last applied", 1},
		{func(s *Status) { s.Problems, s.InSync, s.Retained = 1, 499, 1 }, "warn", "1 problem in the specs: what they concern stays as last applied; no users are removed until they are solved", 1},
		{func(s *Status) { s.Contested = 2 }, "warn", "Somebody else keeps changing 2 fields back: see the notes", 1},
		{func(s *Status) { s.Settings = "config.yaml:3: unknown key" }, "warn", "The new configuration is invalid, and the previous one is in use; fix it, then reload (SIGHUP): config.yaml:3: unknown key", 1},
		{func(s *Status) { s.Watch = Watch{Mode: "polling", Reason: "no watches left"} }, "warn", "The checkout is polled for changes: no watches left", 1},
		{func(s *Status) {
			s.Phase, s.Changing, s.Done, s.Pending, s.InSync, s.Limiter.Estimate = "apply", 120, 40, 80, 380, 150
		}, "busy", "Changing 120 users: 40 done, 80 to go, about 3 minutes left", 1},
		{func(s *Status) {
			s.Phase, s.Changing, s.Done, s.Pending, s.InSync, s.Unanswered = "apply", 120, 118, 2, 498, 2
		}, "busy", "Changing 120 users: 118 done, 2 to go, looking up 2 calls without a response", 1},
		{func(s *Status) { s.Pending, s.InSync = 2, 498 }, "busy", "2 users are to be changed", 1},
		{func(s *Status) { s.Deferred, s.InSync = 1, 499 }, "ok", "1 user waits for a change window", 1},
		{func(s *Status) {
			s.Deferred, s.InSync, s.Opens = 2, 498, time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)
		}, "ok", "2 users wait for a change window, until Wed 2026-11-25 20:00 UTC", 1},
		{func(s *Status) {
			s.Phase, s.RollbackOf, s.Changing, s.Done, s.Pending, s.InSync = "apply", "3f0c1d2e", 3, 1, 2, 500
		}, "busy", "Rolling back 3 users: 1 done, 2 to go", 1},
		{func(s *Status) { s.Skipped, s.InSync = 3, 497 }, "busy", "497 of 500 users are in sync; 3 users are skipped: see the plan", 0},
		{func(s *Status) { // a pass is under way, and does better than the one before
			s.Error, s.Phase, s.Changing, s.Done, s.Pending, s.InSync = "no route to host", "apply", 3, 1, 2, 498
		}, "busy", "Changing 3 users: 1 done, 2 to go", 2},
		{func(s *Status) { // that everybody is as declared was hours ago
			s.Error, s.Phase, s.Reading, s.Read = "no route to host", "read", 500, 1
		}, "busy", "A pass is under way; the previous one failed: no route to host", 0},
		{func(s *Status) { // and so far this one does not
			s.Error, s.Phase, s.Changing, s.Pending, s.InSync = "no route to host", "apply", 3, 3, 497
		}, "bad", "Nothing was applied for 20 minutes: no route to host", 2},
		{func(s *Status) { s.Error = "a\nb\u202e" }, "bad", `Nothing was applied for 20 minutes: a\nb\u202e`, 1},
	} {
		s := well
		c.change(&s)
		got := s.Lines()
		if got[0].Level != c.level || got[0].Text != c.want || len(got) != 1+c.others {
			t.Errorf("want %s %q and %d more, got %+v", c.level, c.want, c.others, got)
		}
		for _, line := range got {
			if line.Topic == "" {
				t.Errorf("no topic: %+v", line)
			}
		}
	}
}
