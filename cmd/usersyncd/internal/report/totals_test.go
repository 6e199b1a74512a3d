package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// sum adds the numbers of a list such as "1 to update, 3 held; of these 1 held in part".
func sum(t *rapid.T, list string) (all int) {
	list, _, _ = strings.Cut(list, "; ")
	for part := range strings.SplitSeq(strings.TrimPrefix(list, "nothing to do, "), ", ") {
		n, err := strconv.Atoi(strings.Fields(part)[0])
		if err != nil {
			t.Fatalf("%q in %q", part, list)
		}
		all += n
	}
	return all
}

// Every user is counted once: the numbers of a plan, and those of a result, add up to the declared users and those who are no
// longer declared. What is counted twice, as a part of it is held or left out, is told apart.
func TestTotalsAddUp(t *testing.T) {
	counted := regexp.MustCompile(`^(\d+) users?(?: and (\d+) no longer declared)?: (.*); \d+ calls `)
	rapid.Check(t, func(t *rapid.T) {
		dryRun := rapid.Bool().Draw(t, "dry run")
		outcomes := []plan.Outcome{plan.Planned, plan.Held, plan.Deferred, plan.Skipped, plan.Quarantined}
		if !dryRun {
			outcomes = append(outcomes, plan.Applied, plan.Failed)
		}
		actions := []plan.Action{plan.Update, plan.Adopt, plan.Create, plan.Restore, plan.Deactivate, plan.Delete, plan.Unmanage}
		p := &plan.Plan{Unchanged: rapid.IntRange(0, 9).Draw(t, "unchanged")}
		problem := func(key string) {
			for range rapid.IntRange(1, 2).Draw(t, "problems") {
				p.Problems = append(p.Problems, plan.Problem{Key: key, Problem: spec.Problem{Field: "title", Message: "wrong"}})
			}
		}
		declared, removed := p.Unchanged, 0
		for i := range rapid.IntRange(0, 20).Draw(t, "changes") {
			key := fmt.Sprintf("u%d@x.example", i)
			c := change(rapid.SampledFrom(actions).Draw(t, "action"), key, "a.yaml", textField(spec.Title, "a", "b"))
			if c.Outcome = rapid.SampledFrom(outcomes).Draw(t, "outcome"); c.Outcome == plan.Failed {
				c.Err = fmt.Errorf("refused")
			}
			switch wrong := rapid.Bool().Draw(t, "wrong"); {
			case c.Action.Removes():
				removed++
				if wrong { // the address has gone to somebody whose spec has a problem
					declared++
					problem(key)
				}
			default:
				declared++
				if wrong {
					problem(key)
				}
				if rapid.Bool().Draw(t, "held in part") {
					c.Withheld = []plan.Withheld{{FieldChange: textField(spec.Department, "a", "b"), Reason: plan.ByGuard, Hold: "p-1"}}
				}
			}
			p.Changes = append(p.Changes, c)
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "without a change") {
			declared++
			problem(fmt.Sprintf("w%d@x.example", i))
		}
		res := usersync.NewResult(usersync.Mode{DryRun: dryRun}, p, spec.ProblemList{}, nil)
		if res.Users != declared {
			t.Fatalf("%d users, not %d", res.Users, declared)
		}
		if dryRun {
			res.Estimate = &usersync.Estimate{}
			if got := strings.Join(counts(res), ", "); sum(t, got) != declared+removed {
				t.Fatalf("%d and %d users: %s", declared, removed, got)
			}
			return
		}
		line := resultLine(res)
		part := counted.FindStringSubmatch(line)
		if part == nil {
			t.Fatal(line)
		}
		of, _ := strconv.Atoi(part[1])
		gone, _ := strconv.Atoi("0" + part[2])
		if of != declared || gone != removed || sum(t, part[3]) != of+gone {
			t.Fatalf("%d and %d users: %s", declared, removed, line)
		}
	})
}

// What comes and goes of a list is told if it is known of all users: of some alone it looks as if the others got nothing.
func TestFieldTotals(t *testing.T) {
	agent, coach := spec.Role{Name: "Agent"}, spec.Role{Name: "Coach"}
	known := change(plan.Update, "a@example.com", "a.yaml", roles([]spec.Role{agent}, []spec.Role{agent, coach}))
	unknown := change(plan.Adopt, "b@example.com", "a.yaml", plan.FieldChange{Field: spec.Roles, After: spec.RoleList([]spec.Role{agent, coach})})
	if got := fieldTotals(planned(9, known)); len(got) != 1 || got[0] != "roles 1 (+1)" {
		t.Error(got)
	}
	if got := fieldTotals(planned(9, known, unknown)); len(got) != 1 || got[0] != "roles 2" {
		t.Error(got)
	}
}
