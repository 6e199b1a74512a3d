package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

func newPlan(c *config, p process) *cobra.Command {
	detailed := false
	cmd := &cobra.Command{
		Use:   "plan [flags] DIR",
		Short: "Show what would change, and what it would cost; write nothing",
		Long: `plan reads the organization and the specs, and prints what --once would do. It
cannot write: the HTTP client refuses every call that would, and neither the
state file nor anything else is changed.`,
		Example: `  usersyncd plan ./users
  usersyncd plan --detailed-exitcode --output json ./users > plan.json`,
		Args: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			env, dir, err := prepare(cmd, args, c, p)
			if err != nil {
				return err
			}
			if err := existing(dir); err != nil {
				return err
			}
			a, err := newApp(c, env, dir, true, &screen{w: p.stderr})
			if errors.Is(err, state.ErrLocked) {
				return fmt.Errorf("%w; or let plan work without: add --state FILE, which need not exist", err)
			}
			if err != nil {
				return err
			}
			return a.close(a.plan(cmd, c, p, detailed))
		},
	}
	f := cmd.Flags()
	f.BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 if there are changes, 0 if there are none")
	c.orgFlags(f)
	c.passFlags(f)
	c.commonFlags(f)
	return cmd
}

func (a *app) plan(cmd *cobra.Command, c *config, p process, detailed bool) error {
	a.Policy.Retry = true // as --once does
	if err := c.checkReleases(); err != nil {
		return err
	}
	note, err := a.stateless()
	if err != nil {
		return err
	}
	stop := a.showProgress()
	a.Policy.LookUpMissing = true
	res, err := a.Reconcile(cmd.Context(), usersync.Mode{Strict: true, DryRun: true, NoRefresh: c.noRefresh, Reread: !c.noRefresh, Release: c.release.list})
	stop()
	if res == nil {
		return refused(p, nil, err)
	}
	var todo []*plan.Change
	for _, ch := range res.Changes {
		if ch.Outcome == plan.Planned && ch.Action != plan.Unmanage {
			todo = append(todo, ch)
		}
	}
	res.Mode, res.Estimate = "plan", a.estimate(a.genesys.Compile(todo))
	res.Calls.Add(a.calls(), usersync.Calls{})
	if err := a.tellStateless(p.stdout, c.output, note); err != nil {
		return err
	}
	if c.output == "json" {
		if err := printResult(p.stdout, c.output, res); err != nil {
			return err
		}
	} else {
		for _, ch := range res.Changes {
			fmt.Fprintln(p.stdout, ch)
		}
		if len(res.Changes) > 0 {
			fmt.Fprintln(p.stdout)
		}
		for _, h := range res.Holds {
			fmt.Fprintln(p.stdout, h)
		}
		if err := printKept(p.stdout, res); err != nil {
			return err
		}
		fmt.Fprint(p.stdout, printWaiting(res))
		fmt.Fprintf(p.stdout, "Plan %s: %s, %d unchanged", res.Plan, counts(res.Changes), res.Unchanged)
		if n := res.Failed - res.Partial; n > 0 {
			fmt.Fprintf(p.stdout, ", %d left out because of problems", n)
		}
		if res.Partial > 0 {
			fmt.Fprintf(p.stdout, ", %d left out in part because of problems", res.Partial)
		}
		fmt.Fprintf(p.stdout, "; %s\n", estimated(res.Estimate))
	}
	if err != nil { // the specs have problems, and this is what is done all the same
		return refused(p, res, err)
	}
	if len(res.Problems) > 0 { // only the organization could show them; --once leaves these users out, too
		printProblems(p.stderr, &usersync.ProblemsError{Problems: res.Problems})
		return &exitError{code: exitFailed}
	}
	if res.Held+len(res.Holds) > 0 {
		return &exitError{code: exitHeld}
	}
	if detailed && len(res.Changes) > 0 {
		return &exitError{code: exitChanges}
	}
	return nil
}

// laneNames say for people what is in a lane.
func laneNames() []string { return []string{"leavers", "access", "the rest"} }

// estimate says how many calls a plan takes, and when each lane is through.
func (a *app) estimate(calls []*apply.Call) *usersync.Estimate {
	var perLane [3]int
	for _, call := range calls {
		perLane[call.Changes[0].Lane-1]++
	}
	e := &usersync.Estimate{Calls: len(calls), Lanes: []usersync.LaneEstimate{}}
	sum := 0
	for i, n := range perLane {
		if n == 0 {
			continue
		}
		sum += n
		e.Seconds = max(a.limiter.Estimate(sum), 100*time.Millisecond).Seconds()
		e.Lanes = append(e.Lanes, usersync.LaneEstimate{Lane: i + 1, Name: laneNames()[i], Calls: n, Seconds: e.Seconds})
	}
	return e
}

// estimated is an estimate in words: the whole, and if there are several lanes, when each is through.
func estimated(e *usersync.Estimate) string {
	words := text.Plural(e.Calls, "call")
	if e.Calls == 0 {
		return words
	}
	about := func(s float64) string { return text.ShortDuration(time.Duration(s * float64(time.Second))) }
	words += ", about " + about(e.Seconds)
	if len(e.Lanes) < 2 {
		return words
	}
	var parts []string
	for _, l := range e.Lanes[:len(e.Lanes)-1] {
		parts = append(parts, fmt.Sprintf("%s after %s", l.Name, about(l.Seconds)))
	}
	return words + " (" + strings.Join(parts, ", ") + ")"
}
