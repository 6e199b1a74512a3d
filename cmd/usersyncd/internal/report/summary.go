package report

import (
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// Valid says of specs without problems how many there are.
func Valid(t *spec.Tree) string {
	return text.Plural(len(t.Users), "user") + " in " + text.Plural(t.Files, "file") + ", no problems"
}

// Summary is the report in a line of totals, and one for each hold that a plan, nil for none, has not shown before: for a
// terminal if the reports themselves go into files.
func (r *Report) Summary(shown *usersync.Result) (lines []string) {
	switch res := r.Result; {
	case r.Command == "validate":
		if r.Tree != nil && len(r.Tree.Problems) == 0 {
			lines = append(lines, Valid(r.Tree))
		}
	case res != nil:
		totals := resultLine(res)
		if res.DryRun {
			totals = "Plan" + text.Enclose(" ", PlanID(res), "") + ": " + strings.Join(counts(res), ", ") + text.Enclose("; ", unknownRemovals(res), "")
		}
		lines = append(lines, totals)
		holds := res.Holds
		if shown != nil {
			holds = without(res, shown).Holds
		}
		for _, h := range holds[:min(len(holds), mostFailures)] {
			lines = append(lines, heldTitle(res, h)+": "+r.holdText(h))
		}
		if n := len(holds) - mostFailures; n > 0 {
			lines = append(lines, "and "+text.Plural(n, "more hold"))
		}
	}
	return lines
}

// headline says the most important in one line, in our own words.
func (r *Report) headline() string {
	problems := ""
	if n := r.Problems.ProblemCount(); n > 0 {
		problems = text.Plural(n, "problem") + " in the specs"
	}
	switch {
	case r.Result != nil:
	case problems != "" && r.Command == "validate":
		return problems
	case problems != "" && r.Command == "plan":
		return problems + ", and there is no plan"
	case problems != "":
		return problems + ", and nothing was changed"
	case r.Error == "" && r.Tree != nil:
		return Valid(r.Tree)
	default:
		return fmt.Sprintf("%s failed with exit code %d", r.Command, r.ExitCode)
	}
	changed, groups := 0, TotalsOf(r.Result).Groups
	for g, n := range groups {
		if g != plan.Reported && g != plan.Unmanaged {
			changed += n
		}
	}
	verb := map[bool]string{true: "would change", false: "changed"}[r.Result.DryRun]
	parts := append([]string{text.Plural(changed, "user") + " " + verb}, text.NonZero(
		slices.Concat([]text.Number{text.Of(groups[plan.Unmanaged], "no longer managed"), text.Of(r.Result.Held, "held")}, failedCounts(r.Result))...)...)
	if problems != "" {
		parts = append(parts, problems)
	} else {
		parts = append(parts, text.NonZero(append(leftOutCounts(r.Result), partlyLeftOut(r.Result))...)...)
	}
	return strings.Join(parts, ", ") + fmt.Sprintf(" (%d declared)", r.Result.Users) + text.Enclose("; ", unknownRemovals(r.Result), "")
}

// rows are those of the table of totals. A row that is 0 is not there.
func (r *Report) rows() (rows []string) {
	add := func(n int, what string) {
		if n > 0 {
			rows = append(rows, fmt.Sprintf("| %s | %d |\n", what, n))
		}
	}
	res := r.Result
	if res == nil {
		return nil
	}
	n := TotalsOf(res).Groups
	for _, g := range plan.Groups() {
		if g == plan.Removals && n[g] > 0 {
			rows = append(rows, fmt.Sprintf("| **%s** | **%d** |\n", strings.ToLower(titles[g]), n[g]))
			continue
		}
		add(n[g], strings.ToLower(titles[g]))
	}
	for _, n := range slices.Concat(keptCounts(res), leftOutCounts(res), failedCounts(res), []text.Number{pendingCount(res)}) {
		add(n.N, n.What)
	}
	for _, n := range partCounts(res) {
		add(n.N, "of these "+n.What)
	}
	return rows
}

// resultLine counts the users of a pass by what has become of them, and its calls.
func resultLine(res *usersync.Result) string {
	unmanaged, undeclared := 0, 0
	for _, c := range res.Changes {
		if c.Action == plan.Unmanage && c.Outcome == plan.Applied {
			unmanaged++
		}
		if c.Action.Removes() {
			undeclared++
		}
	}
	users, of := []string{fmt.Sprintf("%d applied", res.Applied-unmanaged)}, ""
	if !res.LeaversOnly {
		users, of = append(users, fmt.Sprintf("%d unchanged", res.Unchanged)), text.Plural(res.Users, "user")
		if undeclared > 0 {
			of += fmt.Sprintf(" and %d no longer declared", undeclared)
		}
		of += ": "
	}
	users = append(users, text.NonZero(
		slices.Concat([]text.Number{text.Of(unmanaged, "no longer managed")}, leftOutCounts(res), failedCounts(res), keptCounts(res), []text.Number{pendingCount(res)})...)...)
	calls := append([]string{text.Plural(res.Calls.Reads, "read"), text.Plural(res.Calls.Writes, "write")},
		text.NonZero(text.Of(res.Calls.Throttled, "throttled"), text.Of(res.Calls.Retried, "retried"))...)
	return fmt.Sprintf("%s%s; %s (%s) in %.1fs", of, strings.Join(users, ", ")+ofThese(res),
		text.Plural(res.Calls.Total, "call"), strings.Join(calls, ", "), res.Seconds)
}

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
