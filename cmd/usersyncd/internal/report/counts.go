package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// counts counts the users of a plan by what is to be done with them.
func counts(res *usersync.Result) []string {
	groups, outcomes, deleted, inPart := map[plan.Group]int{}, map[plan.Outcome]int{}, 0, 0
	for _, c := range res.Changes {
		outcomes[c.Outcome]++
		switch {
		case c.Outcome != plan.Planned:
		case c.Action == plan.Delete:
			deleted++
		default:
			groups[c.Group()]++
		}
		if c.HeldInPart() {
			inPart++
		}
	}
	waiting := len(res.Changes) - outcomes[plan.Planned] - outcomes[plan.Held] - outcomes[plan.Deferred]
	parts := text.NonZero(text.Of(groups[plan.Removals], "to deactivate"), text.Of(deleted, "to delete"), text.Of(groups[plan.Access], "to change access"),
		text.Of(groups[plan.Renames], "to rename"), text.Of(groups[plan.Creations], "to create"), text.Of(groups[plan.Restores], "to restore"),
		text.Of(groups[plan.Updates], "to update"), text.Of(groups[plan.Unmanaged], "no longer managed"), text.Of(outcomes[plan.Held], "held"), text.Of(inPart, "held in part"),
		text.Of(outcomes[plan.Deferred], "deferred"), text.Of(waiting, "waiting or skipped"))
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	if res.Estimate != nil { // a rollback has none, and says nothing of others
		parts = append(parts, fmt.Sprintf("%d unchanged", res.Unchanged))
		parts = append(parts, text.NonZero(text.Of(res.Failed-res.Partial, "left out because of problems"), text.Of(res.Partial, "left out in part because of problems"))...)
	}
	return parts
}

// fieldTotals counts the users of each field, the most first, with what lists and maps gain and lose.
func fieldTotals(res *usersync.Result) []string {
	totals := TotalsOf(res).Fields
	fields := make([]spec.Field, 0, len(totals))
	for f := range totals {
		fields = append(fields, f)
	}
	slices.SortFunc(fields, func(a, b spec.Field) int {
		return cmp.Or(cmp.Compare(totals[b].Users, totals[a].Users), strings.Compare(string(a), string(b)))
	})
	parts := make([]string, len(fields))
	for i, f := range fields {
		t := totals[f]
		parts[i] = fmt.Sprintf("%s %d", f, t.Users)
		var moved []string
		if t.Added > 0 {
			moved = append(moved, fmt.Sprintf("+%d", t.Added))
		}
		if t.Removed > 0 {
			moved = append(moved, fmt.Sprintf("-%d", t.Removed))
		}
		parts[i] += text.Enclose(" (", strings.Join(moved, " "), ")")
	}
	return parts
}

// takes is an estimate as text: the whole and, if there are several lanes, when each is complete.
func takes(e *usersync.Estimate) string {
	if e.Calls == 0 {
		return "no call"
	}
	var lanes []string
	for _, l := range e.Lanes[:max(0, len(e.Lanes)-1)] {
		name := l.Name
		if l.Lane == int(plan.LaneAccess) {
			name = "new users and access"
		}
		lanes = append(lanes, name+" after "+about(l.Seconds))
	}
	return text.Plural(e.Calls, "call") + ", about " + about(e.Seconds) + text.Enclose(": ", strings.Join(lanes, ", "), "")
}

// reads is what must be read as text: "reads voicemail of 50000 users: about 2h46m40s at 300/min".
func reads(all []usersync.ReadEstimate) string {
	parts := make([]string, len(all))
	for i, r := range all {
		parts[i] = fmt.Sprintf("reads %s of %s", r.Field, text.Plural(r.Users, "user"))
		if r.Seconds >= 1 {
			parts[i] += fmt.Sprintf(": about %s at %.0f/min", about(r.Seconds), float64(r.Users)/r.Seconds*60)
		}
	}
	return strings.Join(parts, ", ")
}

func about(seconds float64) string {
	return text.ShortDuration(time.Duration(seconds * float64(time.Second)))
}
