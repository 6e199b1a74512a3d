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
	parts := text.NonZero(slices.Concat(groupCounts(res), keptCounts(res))...)
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	if res.Estimate != nil { // a rollback has none, and says nothing of others
		if !res.LeaversOnly {
			parts = append(parts, fmt.Sprintf("%d unchanged", res.Unchanged))
		}
		parts = append(parts, text.NonZero(slices.Concat(leftOutCounts(res), failedCounts(res))...)...)
	}
	parts[len(parts)-1] += ofThese(res)
	return parts
}

// ofThese says of how many of the users who were counted a part is held or left out.
func ofThese(res *usersync.Result) string {
	return text.Enclose("; of these ", strings.Join(text.NonZero(partCounts(res)...), ", "), "")
}

// groupCounts counts the users with whom something is done or, of a plan, would be.
func groupCounts(res *usersync.Result) []text.Number {
	deleted := 0
	for _, c := range res.Changes {
		if c.Action == plan.Delete && done(res, c) {
			deleted++
		}
	}
	n := TotalsOf(res).Groups
	words := func(n int, planned, past string) text.Number {
		if res.DryRun {
			return text.Of(n, planned)
		}
		return text.Of(n, past)
	}
	return []text.Number{
		words(n[plan.Removals]-deleted, "to deactivate", "deactivated"), words(deleted, "to delete", "deleted"),
		words(n[plan.Access], "to change access", "with other access"), words(n[plan.Renames], "to rename", "renamed"),
		words(n[plan.Creations], "to create", "created"), words(n[plan.Restores], "to restore", "restored"), words(n[plan.Updates], "to update", "updated"),
		text.Of(n[plan.Unmanaged], "no longer managed"),
	}
}

// keptCounts counts the users with whom something is not done now, although nothing is wrong with it.
func keptCounts(res *usersync.Result) []text.Number {
	outcomes := map[plan.Outcome]int{}
	for _, c := range res.Changes {
		outcomes[c.Outcome]++
	}
	return []text.Number{text.Of(outcomes[plan.Held], "held"), text.Of(outcomes[plan.Deferred], "deferred"), text.Of(outcomes[plan.Skipped], "skipped")}
}

// leftOutCounts counts the users of whom nothing is done because of problems in their specs.
func leftOutCounts(res *usersync.Result) []text.Number {
	return []text.Number{text.Of(res.Wrong-res.Partial, "left out because of problems")}
}

// partCounts counts users who are among those of the other counts: something else of them is done, held or skipped.
func partCounts(res *usersync.Result) []text.Number {
	held := 0
	for _, c := range res.Changes {
		if c.HeldInPart() {
			held++
		}
	}
	return []text.Number{text.Of(held, "held in part"), partlyLeftOut(res)}
}

// partlyLeftOut counts the users of whom a part is left out because of problems in their specs.
func partlyLeftOut(res *usersync.Result) text.Number {
	return text.Of(res.Partial, "left out in part because of problems")
}

// failedCounts counts the users whom the API has refused, in this pass or before.
func failedCounts(res *usersync.Result) []text.Number {
	return []text.Number{text.Of(res.Failed-res.Wrong+res.Quarantined, "failed")}
}

// pendingCount counts the users whom a pass has not reached.
func pendingCount(res *usersync.Result) text.Number {
	if res.DryRun {
		return text.Of(0, "")
	}
	return text.Of(res.Pending, "not reached")
}

// unknownRemovals says that a plan cannot show whom it removes; "" if it can.
func unknownRemovals(res *usersync.Result) string {
	if !res.NoState || !res.DryRun {
		return ""
	}
	without := ""
	if n := res.WithoutSpec; n > 0 {
		without = " (" + text.Plural(n, "active user") + " of the organization without a spec)"
	}
	return "removals are not shown, as there is no state file" + without
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
		if t.unknown { // they would be of some users alone
			continue
		}
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
		return "no write"
	}
	var lanes []string
	for _, l := range e.Lanes[:max(0, len(e.Lanes)-1)] {
		name := l.Name
		if l.Lane == int(plan.LaneAccess) {
			name = "new users and access"
		}
		lanes = append(lanes, name+" after "+about(l.Seconds))
	}
	return text.Plural(e.Calls, "write") + ", about " + about(e.Seconds) + text.Enclose(": ", strings.Join(lanes, ", "), "")
}

// reads is what must be read as text: "666 calls read utilization of 167 users, voicemail of 499 users, about 2m13s".
func reads(all []usersync.ReadEstimate) string {
	calls, fields := 0, make([]string, len(all))
	for i, r := range all {
		calls += r.Users
		fields[i] = fmt.Sprintf("%s of %s", r.Field, text.Plural(r.Users, "user"))
	}
	return text.Count(calls, "call reads", "calls read") + " " + strings.Join(fields, ", ") + ", about " + about(all[len(all)-1].Seconds)
}

func about(seconds float64) string {
	return text.ShortDuration(time.Duration(seconds * float64(time.Second)))
}

// Totals count users by what is done with them, and by field.
type Totals struct {
	Groups map[plan.Group]int        `json:"groups"`
	Fields map[spec.Field]FieldTotal `json:"fields"`
}

// FieldTotal counts what changes of a field in the groups access and updates.
type FieldTotal struct {
	Users   int `json:"users"`
	Added   int `json:"added,omitempty"`   // of a list or map: entries that come
	Removed int `json:"removed,omitempty"` // and that go

	unknown bool // of some users it is not known what they had before, and so not what comes and goes
}

// TotalsOf counts the changes that are carried out or, of a plan, would be.
func TotalsOf(res *usersync.Result) Totals {
	t := Totals{Groups: map[plan.Group]int{}, Fields: map[spec.Field]FieldTotal{}}
	for _, g := range plan.Groups() {
		t.Groups[g] = 0
	}
	for _, c := range res.Changes {
		if g := c.Group(); g == plan.Reported || done(res, c) {
			t.Groups[g]++
			if g == plan.Access || g == plan.Updates {
				t.addFields(c.Fields)
			}
		}
	}
	return t
}

func (t Totals) addFields(fields []plan.FieldChange) {
	for _, fc := range fields {
		f := t.Fields[fc.Field]
		f.Users++
		f.unknown = f.unknown || fc.Before == "" && len(entries(fc.Field, fc.After)) > 0
		added, removed, _ := Parts(fc)
		f.Added += len(added)
		f.Removed += len(removed)
		t.Fields[fc.Field] = f
	}
}
