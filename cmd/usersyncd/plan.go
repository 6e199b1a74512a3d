package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/state"
	usersync "usersyncd/sync"
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
			env, err := setup(cmd, c, p)
			if err != nil {
				return err
			}
			dir, err := c.specDir(cmd, args, env)
			if err != nil {
				return err
			}
			if err := existing(dir); err != nil {
				return err
			}
			if isTerminal(p.stderr) && !cmd.Flags().Changed("log-level") {
				c.logLevel = "warn"
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
	stop := a.showProgress()
	res, err := a.Reconcile(cmd.Context(), usersync.Mode{Strict: true, DryRun: true, NoRefresh: c.noRefresh, Reread: !c.noRefresh})
	stop()
	if err != nil {
		return refused(p, nil, err)
	}
	var todo []*usersync.Change
	for _, ch := range res.Changes {
		if ch.Outcome == usersync.Planned && ch.Action != usersync.Unmanage {
			todo = append(todo, ch)
		}
	}
	needed := len(a.genesys.Compile(todo))
	res.Mode = "plan"
	res.Calls.Add(a.calls(), usersync.Calls{})
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
		fmt.Fprintf(p.stdout, "Plan %s: %s, %d unchanged", res.Plan, counts(res.Changes), res.Unchanged)
		if res.Failed > 0 {
			fmt.Fprintf(p.stdout, ", %d left out because of problems", res.Failed)
		}
		fmt.Fprintf(p.stdout, "; %s", plural(needed, "call"))
		if needed > 0 {
			fmt.Fprintf(p.stdout, ", about %s", seconds(max(a.limiter.Estimate(needed), 100*time.Millisecond)))
		}
		fmt.Fprintln(p.stdout)
	}
	if len(res.Problems) > 0 { // only the organization could show them; --once leaves these users out, too
		printProblems(p.stderr, &usersync.ProblemsError{Problems: res.Problems})
		return &exitError{code: exitFailed}
	}
	if detailed && len(res.Changes) > 0 {
		return &exitError{code: exitChanges}
	}
	return nil
}
