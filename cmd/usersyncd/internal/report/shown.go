package report

import (
	"slices"
	"strings"

	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// without is a result without what a plan that was shown before has said: changes that were carried out, held or left out as
// planned, holds and notes. Failures stay.
func without(res, shown *usersync.Result) usersync.Result {
	rest, said := *res, map[string]bool{}
	for _, c := range shown.Changes {
		said[asPlanned(c)] = true
	}
	rest.Changes = slices.DeleteFunc(slices.Clone(res.Changes), func(c *plan.Change) bool { return said[asPlanned(c)] })
	rest.Holds = slices.DeleteFunc(slices.Clone(res.Holds), func(h plan.Hold) bool { return saidHold(shown, h) })
	rest.Notes = slices.DeleteFunc(slices.Clone(res.Notes), func(note string) bool { return slices.Contains(shown.Notes, note) })
	if res.Revision == shown.Revision {
		rest.Revision = ""
	}
	if shown.Paused != nil {
		rest.Paused = nil
	}
	if res.Retained == shown.Retained {
		rest.Retained = 0
	}
	if res.WaitingForWindow == shown.WaitingForWindow {
		rest.WaitingForWindow = 0
	}
	return rest
}

// asPlanned is what a plan says of a change that, if it was carried out, was carried out as planned.
func asPlanned(c *plan.Change) string {
	before := *c
	if before.Outcome == plan.Applied {
		before.Outcome = plan.Planned
	}
	symbol, verb := does(&before)
	parts := []string{c.Key, string(before.Outcome), symbol, verb, c.Note, c.WaitsFor}
	for _, line := range fieldLines(&before) {
		parts = append(parts, line.whole)
	}
	return strings.Join(parts, "\x00")
}

func saidHold(shown *usersync.Result, h plan.Hold) bool {
	return slices.ContainsFunc(shown.Holds, func(s plan.Hold) bool {
		return s.ID == h.ID && s.Guard == h.Guard && s.Reason == h.Reason && slices.Equal(s.Users, h.Users)
	})
}

// removes reports whether somebody was deactivated or deleted.
func removes(res *usersync.Result) bool {
	return slices.ContainsFunc(res.Changes, func(c *plan.Change) bool { return c.Outcome == plan.Applied && c.Group() == plan.Removals })
}
