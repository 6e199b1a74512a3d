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
			totals = "Plan" + text.Enclose(" ", planID(res), "") + ": " + strings.Join(counts(res), ", ")
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

// resultLine counts the users of a pass by what has become of them, and its calls.
func resultLine(res *usersync.Result) string {
	unmanaged := 0
	for _, c := range res.Changes {
		if c.Action == plan.Unmanage && c.Outcome == plan.Applied {
			unmanaged++
		}
	}
	users := append([]string{fmt.Sprintf("%d applied", res.Applied-unmanaged), fmt.Sprintf("%d unchanged", res.Unchanged)}, text.NonZero(
		slices.Concat([]text.Number{text.Of(unmanaged, "no longer managed")}, leftOutCounts(res), failedCounts(res), keptCounts(res), []text.Number{pendingCount(res)})...)...)
	calls := append([]string{text.Plural(res.Calls.Reads, "read"), text.Plural(res.Calls.Writes, "write")},
		text.NonZero(text.Of(res.Calls.Throttled, "throttled"), text.Of(res.Calls.Retried, "retried"))...)
	return fmt.Sprintf("%s: %s; %s (%s) in %.1fs", text.Plural(res.Users, "user"), strings.Join(users, ", "),
		text.Plural(res.Calls.Total, "call"), strings.Join(calls, ", "), res.Seconds)
}
