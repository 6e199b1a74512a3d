package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

func newPlan(c *config.Config, p process) *cobra.Command {
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
		RunE: withSettings(c, func(cmd *cobra.Command, args []string) error {
			if err := prepare(cmd, args, c, p); err != nil {
				return err
			}
			if err := existing(c.Dir); err != nil {
				return err
			}
			a, err := newApp(c, true, &progress.Screen{W: p.stderr})
			if errors.Is(err, state.ErrLocked) {
				return fmt.Errorf("%w; or let plan work without: add --state FILE, which need not exist", err)
			}
			if err != nil {
				return err
			}
			return a.close(a.plan(cmd, c, p, detailed))
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 if there are changes, 0 if there are none")
	c.Declare(cmd, config.Full)
	return cmd
}

func (a *app) plan(cmd *cobra.Command, c *config.Config, p process, detailed bool) error {
	res, err := a.onePass(cmd.Context(), c, p, true)
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
	if err := printPlan(p.stdout, c.Output, res); err != nil {
		return err
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

func printPlan(w io.Writer, format string, res *usersync.Result) error {
	if format == "json" {
		return printJSON(w, res)
	}
	var b strings.Builder
	printEach(&b, res.Changes)
	if len(res.Changes) > 0 {
		fmt.Fprintln(&b)
	}
	printEach(&b, res.Holds)
	printNotes(&b, res)
	parts := append([]string{counts(res.Changes), fmt.Sprintf("%d unchanged", res.Unchanged)},
		text.NonZero(text.Of(res.Failed-res.Partial, "left out because of problems"), text.Of(res.Partial, "left out in part because of problems"))...)
	fmt.Fprintf(&b, "Plan %s: %s; %s\n", res.Plan, strings.Join(parts, ", "), estimated(res.Estimate))
	_, err := io.WriteString(w, b.String())
	return err
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
