package progress

import (
	"fmt"
	"time"

	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
)

// Line says how far a pass is, with an estimate of the time that is left. What matters most comes first, as a narrow
// terminal cuts the end off.
func Line(st usersync.Status, l aimd.Stats, left time.Duration) string {
	switch st.Phase {
	case usersync.PhaseApply:
	case usersync.PhaseWait:
		return "wait: until the API shows what was written a moment ago"
	case usersync.PhaseRead:
		return fmt.Sprintf("read: %d/%d users, %s left, %s", st.Read, st.Reading, text.ShortDuration(left), Pace(l))
	default:
		return string(st.Phase) + ": " + Pace(l)
	}
	failed := ""
	if st.Progress.Failed > 0 {
		failed = fmt.Sprintf(", %d failed", st.Progress.Failed)
	}
	return fmt.Sprintf("%d/%d users%s, %s left, %s, %s", st.Progress.Done(), st.Progress.Changed, failed, text.ShortDuration(left), Pace(l), text.Plural(l.Expected, "call")+" to go")
}

// Pace says how fast calls are sent, and what limits it.
func Pace(l aimd.Stats) string {
	quota := "quota ?"
	if l.Windowed {
		quota = fmt.Sprintf("quota %d/%d", l.Left, l.Allowed)
	}
	speed := fmt.Sprintf("%.1f/s, %s", l.Effective, quota)
	switch {
	case l.Gate > 0:
		speed = "waiting " + text.ShortDuration(l.Gate)
	case l.Reason == aimd.Exhausted:
		speed = fmt.Sprintf("quota spent, waiting %s", text.ShortDuration(l.Reset))
	case l.Reason == aimd.InFlight:
		speed = fmt.Sprintf("%d calls under way, %s", l.InFlight, quota)
	case l.Reason == aimd.Rate && l.Throttled > 0:
		speed = fmt.Sprintf("%.1f/s after 429s, %s", l.Effective, quota)
	}
	return fmt.Sprintf("%s, %d throttled", speed, l.Throttled)
}
