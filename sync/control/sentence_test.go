package control_test

import (
	"testing"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
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
		{"No daemon runs.", control.Status{Status: usersync.Status{Users: 5}, Quarantined: 1}},
		{"No daemon runs. When the last pass ended, all 5 users were as declared.", control.Status{Status: usersync.Status{Users: 5}}},
		{"No daemon runs. When the last pass ended, all 5 users were as declared, with edits that were not committed.",
			control.Status{Status: usersync.Status{Users: 5, Applied: &state.Applied{Revision: "3f0c-dirty"}}}},
		{"No daemon runs, and nothing is to be changed: paused.", control.Status{Status: usersync.Status{Users: 5, Paused: paused}}},
		{"The daemon is stuck: silent.", control.Status{PID: 1, Stuck: "silent", Error: "x"}},
		{"All 5 users are as declared.", control.Status{PID: 1, Status: usersync.Status{Phase: usersync.PhaseIdle, Success: now, Users: 5, InSync: 5}}},
	} {
		if got := tt.s.Sentence(); got != tt.want {
			t.Errorf("%q, not %q", got, tt.want)
		}
	}
}
