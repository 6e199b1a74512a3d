package daemon

import (
	"errors"
	"testing"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
)

// The status never says that all is well while something waits for a person, and is one line whatever
// an error holds, since a line of its own would be a message of its own to systemd.
func TestStatusText(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	problem := spec.Problem{Message: "is wrong"}
	for _, test := range []struct {
		st   usersync.Status
		want string
	}{
		{usersync.Status{Phase: "idle", Users: 3, InSync: 3, Revision: "abc", Result: &usersync.Result{}}, "3 users @abc, all in sync"},
		{usersync.Status{Phase: "idle", Users: 3, InSync: 2, Revision: commit, Result: &usersync.Result{Pending: 1}}, "3 users @0123456789ab, 2 in sync, 1 pending"},
		{usersync.Status{Phase: "idle", Users: 3, InSync: 3, Result: &usersync.Result{Held: 2}}, "3 users @, 3 in sync, 0 pending, 2 held"}, // nobody declares them
		{usersync.Status{Phase: "idle", Users: 9, InSync: 4, Progress: apply.Progress{Failed: 1}, Result: &usersync.Result{
			Failed: 1, Quarantined: 2, Held: 1, Skipped: 1, Retained: 4, Problems: []spec.Problem{problem},
		}}, "9 users @, 4 in sync, 5 pending, 1 failed, 2 in quarantine, 1 held, 1 skipped, 1 problem in the specs, 4 kept as last applied"},
		{usersync.Status{Phase: "idle", Users: 3, Revision: "abc", LastError: errors.New("a\nMAINPID=1")}, `3 users @abc, the last pass failed: a MAINPID=1`},
		{usersync.Status{Phase: "apply", Users: 5000, InSync: 4998, Progress: apply.Progress{Changed: 3, Applied: 1, Failed: 1}, Revision: "abc123"},
			"5000 users @abc123, 4998 in sync, 2 pending, 1 failed, 4.2/s, quota 212/300, 0 throttled, 1.5s left"},
		{usersync.Status{Phase: "refresh", Users: 3, Revision: "abc"}, "3 users @abc, refresh: 4.2/s, quota 212/300, 0 throttled"},
		{usersync.Status{Phase: "scan"}, "reading the specs, and planning"},
		{usersync.Status{Phase: "idle", Revision: commit + "-dirty", Users: 5, InSync: 5}, "5 users @0123456789ab-dirty, all in sync"},
	} {
		l := aimd.Stats{Effective: 4.2, Windowed: true, Allowed: 300, Left: 212}
		if got := statusText(test.st, l, 1500*time.Millisecond); got != test.want {
			t.Errorf("%q, not %q", got, test.want)
		}
	}
}
