package control

import (
	"fmt"

	"usersyncd/spec"
)

// Sentence says how it is in one sentence: what somebody who was woken up reads first.
func (s *Status) Sentence() string {
	switch {
	case s.PID != 0:
		return lines(s)[0].Text + "."
	case s.Paused != nil:
		return "No daemon runs, and nothing is to be changed: paused."
	case s.Users > 0 && s.Quarantined == 0:
		edits := ""
		if s.Applied != nil && spec.IsDirty(s.Applied.Revision) {
			edits = ", with edits that were not committed"
		}
		return fmt.Sprintf("No daemon runs. When the last pass ended, all %d users were as declared%s.", s.Users, edits)
	}
	return "No daemon runs."
}
