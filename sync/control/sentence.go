package control

import (
	"fmt"
	"strings"
	"time"
)

// Sentence says how it is in one sentence: what somebody who was woken up reads first.
func (s *Status) Sentence() string {
	switch {
	case s.PID == 0 && s.Paused != nil:
		return "Paused: nothing is changed."
	case s.PID == 0 && s.Users > 0 && s.Quarantined == 0:
		return fmt.Sprintf("No daemon runs. When the last pass ended, all %s were as declared.", users(s.Users))
	case s.PID == 0:
		return "No daemon runs."
	case s.Stuck != "":
		return "Stuck: " + s.Stuck + "."
	case s.CredentialsDead:
		return "Nothing is applied: the API refuses the credentials."
	case s.Error != "":
		return fmt.Sprintf("The last pass ended early%s.", since(s.Success, s.Now))
	case s.Paused != nil && s.Pending == 0:
		return "Paused: nothing is to be changed."
	case s.Paused != nil:
		return fmt.Sprintf("Paused: %s would be changed, and nothing is.", users(s.Pending))
	case s.Success.IsZero() && s.Phase != "apply":
		return "Starting: the first pass is under way."
	case s.Phase == "apply":
		return fmt.Sprintf("Applying: %d of %s are through.", s.Done, users(s.Changing))
	}
	var waits []string
	for _, n := range []struct {
		count int
		what  string
	}{
		{s.Held, "held"}, {s.Failed + s.Quarantined, "refused by the API"}, {s.Skipped, "skipped"}, {s.Deferred, "waiting for a change window"}, {s.Pending, "pending"},
	} {
		if n.count > 0 {
			waits = append(waits, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	if s.Problems > 0 {
		problem := "problems"
		if s.Problems == 1 {
			problem = "problem"
		}
		waits = append(waits, fmt.Sprintf("%d %s in the specs", s.Problems, problem))
	}
	if len(waits) == 0 {
		return fmt.Sprintf("All %s are as declared.", users(s.Users))
	}
	return fmt.Sprintf("%d of %s are as declared: %s.", s.InSync, users(s.Users), strings.Join(waits, ", "))
}

func users(n int) string {
	if n == 1 {
		return "1 user"
	}
	return fmt.Sprintf("%d users", n)
}

func since(t, now time.Time) string {
	if t.IsZero() {
		return ", and none has ended well yet"
	}
	return fmt.Sprintf("; the last one that ended well was %s ago", now.Sub(t).Round(time.Second))
}
