package control_test

import (
	"testing"
	"time"

	"usersyncd/state"
	"usersyncd/sync/control"
)

func TestSentence(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	paused := &state.Pause{At: now}
	for _, tt := range []struct {
		want string
		s    control.Status
	}{
		{"No daemon runs.", control.Status{}},
		{"No daemon runs.", control.Status{Users: 5, Quarantined: 1}},
		{"No daemon runs. When the last pass ended, all 5 users were as declared.", control.Status{Users: 5}},
		{"Paused: nothing is changed.", control.Status{Users: 5, Paused: paused}},
		{"Starting: the first pass is under way.", control.Status{PID: 1, Phase: "scan"}},
		{"Starting: the first pass is under way.", control.Status{PID: 1, Phase: "refresh", Users: 5}},
		{"Applying: 2 of 300 users are through.", control.Status{PID: 1, Phase: "apply", Changing: 300, Done: 2}},
		{"Paused: 3 users would be changed, and nothing is.", control.Status{PID: 1, Phase: "idle", Success: now, Pending: 3, Paused: paused}},
		{"Paused: nothing is to be changed.", control.Status{PID: 1, Phase: "idle", Success: now, Paused: paused}},
		{"Stuck: the loop has been silent for 5m.", control.Status{PID: 1, Stuck: "the loop has been silent for 5m", Error: "x"}},
		{"Nothing is applied: the API refuses the credentials.", control.Status{PID: 1, CredentialsDead: true, Error: "401"}},
		{"The last pass ended early, and none has ended well yet.", control.Status{PID: 1, Error: "down", Now: now}},
		{"The last pass ended early; the last one that ended well was 1m0s ago.", control.Status{PID: 1, Error: "down", Now: now, Success: now.Add(-time.Minute)}},
		{"All 5 users are as declared.", control.Status{PID: 1, Phase: "idle", Success: now, Users: 5, InSync: 5}},
		{"2 of 9 users are as declared: 1 held, 3 refused by the API, 1 skipped, 1 waiting for a change window, 1 pending, 1 problem in the specs.",
			control.Status{PID: 1, Phase: "idle", Success: now, Users: 9, InSync: 2, Held: 1, Failed: 1, Quarantined: 2, Skipped: 1, Deferred: 1, Pending: 1, Problems: 1}},
		{"5 of 5 users are as declared: 2 problems in the specs.", control.Status{PID: 1, Phase: "idle", Success: now, Users: 5, InSync: 5, Problems: 2}},
	} {
		if got := tt.s.Sentence(); got != tt.want {
			t.Errorf("%q, not %q", got, tt.want)
		}
	}
}
