package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

func newPlan(c *config.Config, p process) *cobra.Command {
	detailed, details, out, noValues := false, false, "", false
	cmd := command(c, config.Full|config.Socket, p.reporting(c, &cobra.Command{
		Use:   "plan [flags] DIR",
		Short: "Show what would change, and how many calls it takes",
		Long: `plan reads the organization and the specs, and prints what --once would do. It
changes nothing: the HTTP client refuses every call that writes, and the state
file is opened read-only. Beside a running daemon it plans from a copy of the
daemon's state, and its notes say where the daemon would do something else.

--out writes the plan to a file, for apply or --once --plan to do exactly that.
Personal data is in it: keep it private. --no-values leaves out names and values
and keeps hashes of them, which is enough to apply it.`,
		Example: `  usersyncd plan ./users
  usersyncd plan --detailed-exitcode --output json ./users
  usersyncd plan --out plan.json ./users`,
		Args: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := locate(cmd, args, c); err != nil {
				return err
			}
			if err := existing(c.Dir); err != nil {
				return err
			}
			switch {
			case out == "" && noValues:
				return usage("--no-values is of a plan in a file: give --out, too")
			case out != "":
				if err := errors.Join(apart(c, out), replaceable(out)); err != nil {
					return err
				}
			}
			return p.runBeside(cmd.Context(), c, false, func(a *app) error {
				return a.plan(cmd.Context(), c, p, detailed, details, func(res *usersync.Result) error {
					if out == "" {
						return nil
					}
					return a.savePlan(cmd.Context(), c, p, res, out, !noValues)
				})
			})
		},
	}, reportFormats()...))
	cmd.Flags().BoolVar(&details, "details", false, "show each user alone, with file, line and cause")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 if anything differs, also what a setting leaves out, with 0 if nothing does")
	cmd.Flags().StringVar(&out, "out", "", "write the plan to this `FILE`, which its owner alone can read")
	cmd.Flags().BoolVar(&noValues, "no-values", false, "with --out, leave out names and values, and keep hashes of them")
	return cmd
}

func (a *app) plan(ctx context.Context, c *config.Config, p process, detailed, details bool, save func(*usersync.Result) error) error {
	res, err := a.onePass(ctx, c, p, usersync.Mode{DryRun: true})
	if res == nil {
		return refused(nil, err)
	}
	a.complete(res)
	p.end.Result, p.end.text = res, func(t report.Text, w io.Writer) {
		if t.Details = details; !details {
			t.DetailsCommand = "usersyncd plan --details" + c.SamePass() + c.Same("socket") + " " + text.ShellWord(c.Dir)
		}
		t.Plan(w, res)
	}
	if err != nil { // the specs have problems, and this is done in spite of them
		return refused(res, err)
	}
	if err := save(res); err != nil {
		return err
	}
	if err := planOutcome(res); err != nil {
		return err
	}
	if detailed && len(res.Changes) > 0 {
		return &exitError{code: exitChanges}
	}
	return nil
}

// complete adds to a plan what only the program knows.
func (a *app) complete(res *usersync.Result) {
	var todo []*plan.Change
	for _, ch := range res.Changes {
		if ch.Outcome == plan.Planned && ch.Action != plan.Unmanage {
			todo = append(todo, ch)
		}
	}
	reads, n := estimateReads(res.Reads, a.limiter.Estimate)
	res.Mode, res.Estimate = "plan", estimate(a.genesys.Compile(todo), n, a.limiter.Estimate)
	res.Estimate.Reads = reads
}

// planOutcome is the exit code of a plan.
func planOutcome(res *usersync.Result) error {
	if len(res.Problems) > 0 { // only the organization shows them; --once leaves these users out, too
		return &exitError{code: exitFailed, problems: res.ProblemList}
	}
	if res.Held+len(res.Holds) > 0 {
		return &exitError{code: exitHeld}
	}
	return nil
}

// estimate says how many calls a plan takes, and when each lane is complete. The rest waits for so many reads, which are not
// counted, but use up the quota.
func estimate(calls []*apply.Call, reads int, takes func(n int) time.Duration) *usersync.Estimate {
	perLane := map[plan.Lane]int{}
	for _, call := range calls {
		perLane[call.Changes[0].Lane]++
	}
	e := &usersync.Estimate{Calls: len(calls), Lanes: []usersync.LaneEstimate{}}
	sum := 0
	for _, lane := range slices.Sorted(maps.Keys(perLane)) {
		n := perLane[lane]
		sum += n
		took := takes(sum)
		if lane == plan.LaneRest {
			took = takes(reads+sum) - takes(reads)
		}
		e.Seconds = max(e.Seconds, took.Seconds(), 0.1)
		e.Lanes = append(e.Lanes, usersync.LaneEstimate{Lane: int(lane), Name: lane.String(), Calls: n, Seconds: e.Seconds})
	}
	return e
}

// estimateReads says how long it takes to read the fields that take a call for each user, and how many calls they are.
func estimateReads(reads map[spec.Field]int, takes func(n int) time.Duration) (all []usersync.ReadEstimate, calls int) {
	for _, info := range spec.AllFields() {
		if n := reads[info.Field]; n > 0 {
			calls += n
			all = append(all, usersync.ReadEstimate{Field: info.Field, Users: n, Seconds: takes(calls).Seconds()})
		}
	}
	return all, calls
}
