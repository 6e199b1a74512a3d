package daemon

import (
	"strings"
	"testing"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/control"
)

// The status never says that all is well while something waits for a person, and is one line whatever an error holds, since
// a line of its own would be a message of its own to systemd.
func TestStatusText(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		change func(*control.Status)
		want   string
	}{
		{func(*control.Status) {}, "All 3 users are in sync; revision 0123456789ab"},
		{func(s *control.Status) { s.Revision += "-dirty" }, "All 3 users are in sync; revision 0123456789ab-dirty"},
		{func(s *control.Status) { s.Held = 2 }, "2 users are held: the configuration protects them, and they are never changed; All 3 users are in sync; revision 0123456789ab"}, // no spec declares them
		{func(s *control.Status) { s.InSync, s.Pending = 2, 1 }, "1 user is to be changed; 2 of 3 users are in sync; revision 0123456789ab"},
		{func(s *control.Status) { s.Error = "a\nMAINPID=1" }, `Nothing was applied for 60 seconds: a\nMAINPID=1; All 3 users are in sync; revision 0123456789ab`},
		{func(s *control.Status) { s.Phase = usersync.PhaseScan }, "All 3 users are in sync; revision 0123456789ab"},
		{func(s *control.Status) { s.Phase = usersync.PhaseRefresh }, "All 3 users are in sync; revision 0123456789ab; 4.2 calls/s, 212 of 300 calls left"},
		{func(s *control.Status) { s.Phase, s.Success, s.Revision = usersync.PhaseScan, time.Time{}, "" }, "Starting: the first pass is under way (scan)"},
		{func(s *control.Status) {
			s.Phase, s.InSync, s.Changing, s.Done, s.Pending, s.Failed = usersync.PhaseApply, 1, 3, 2, 1, 1
		}, "1 user is not in sync because the API rejected the change; each is retried; Changing 3 users: 2 done, 1 to go; 1 of 3 users are in sync; revision 0123456789ab; 4.2 calls/s, 212 of 300 calls left"},
	} {
		s := &control.Status{PID: 1, Now: now, Status: usersync.Status{
			Phase: usersync.PhaseIdle, Success: now.Add(-time.Minute), Users: 3, InSync: 3, Revision: "0123456789abcdef0123456789abcdef01234567",
		}}
		test.change(s)
		if got := statusText(s, aimd.Stats{Effective: 4.2, Windowed: true, Allowed: 300, Left: 212}); got != test.want || strings.Contains(got, "\n") {
			t.Errorf("%q, not %q", got, test.want)
		}
	}
}
