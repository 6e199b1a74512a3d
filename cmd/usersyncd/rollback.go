package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/plan"
)

func newRollback(c *config.Config, p process) *cobra.Command {
	var revision, since, confirmed string
	cmd := command(c, config.Query|config.Org|config.Guards|config.Read|config.Rate, p.reporting(c, &cobra.Command{
		Use:   "rollback [flags] (--revision COMMIT | --since TIME)",
		Short: "Write back the values from before a commit",
		Long: `rollback writes back the values that fields had before the writes of one commit,
or before a time, as the history has them. Fields that were changed again since
stay as they are, and are listed. Users who were created or restored stay; users
who were deleted are restored by the next pass once the commit is reverted in
the checkout.

Without --confirm it prints a plan and changes nothing. With --confirm and the
id of that plan it carries out that plan and no other. It ends a pass that is
running. (A plan waits for the pass; usersyncd pause ends it at once.) Before it
writes, it pauses passes, as the specs still ask for the changes: take them back
there, too, with git revert or by hand; then run usersyncd resume.

The running daemon does the rollback; when none runs, the command does it.`,
		Example: `  usersyncd rollback --revision 3f0c1d2e
  usersyncd rollback --revision 3f0c1d2e --confirm p-5b1a77c0
  usersyncd rollback --since 2h`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target := plan.Rollback{Revision: revision}
			switch {
			case revision == "" && since == "":
				return usage("nothing to roll back: give --revision COMMIT or --since TIME")
			case revision != "" && since != "":
				return usage("give either --revision or --since, not both")
			case since != "":
				at, err := parseSince(since, time.Now())
				if err != nil {
					return err
				}
				target.Since = at.Truncate(time.Second) // as printed with the plan, so that its id is that of the same time
			}
			if err := checkRevision(revision); err != nil {
				return err
			}
			res, err := rollback(cmd, c, p, target, confirmed)
			if errors.Is(err, plan.ErrAmbiguous) || errors.Is(err, usersync.ErrNothingToRollBack) {
				return usage("%w", err)
			}
			if errors.Is(err, usersync.ErrNoNetChange) {
				nothing := &usersync.Result{Schema: "usersyncd.result/v1", Mode: "rollback", DryRun: confirmed == "", Notes: []string{err.Error()},
					Holds: []plan.Hold{}, Changes: []*plan.Change{}, Failures: []usersync.Failure{}}
				return p.end.pass(nothing, nil, func(_ report.Text, w io.Writer, _ *usersync.Result) { fmt.Fprintln(w, text.Escape(err.Error())) })
			}
			if errors.Is(err, usersync.ErrPlanChanged) {
				return fmt.Errorf("%w; nothing was written. Plan it again: usersyncd rollback%s %s", err, c.SameRollback(), argument(target))
			}
			return p.end.pass(res, err, func(t report.Text, w io.Writer, res *usersync.Result) {
				printRollback(w, t, res, target, c)
			})
		},
	}))
	f := cmd.Flags()
	f.StringVar(&revision, "revision", "", "roll back the writes for this `COMMIT`, or for COMMIT-dirty (uncommitted edits); an abbreviation is enough")
	f.StringVar(&since, "since", "", "roll back all writes since then: 90m, 2d, a day or a `TIME`")
	f.StringVar(&confirmed, "confirm", "", "carry out the plan with this `PLAN-ID`")
	return cmd
}

// rollback has the daemon do it or, when none runs, does it itself.
func rollback(cmd *cobra.Command, c *config.Config, p process, target plan.Rollback, confirmed string) (*usersync.Result, error) {
	client, err := dial(cmd.Context(), c)
	if err == nil {
		defer client.Close()
		defer p.noteWait().Stop()
		res, err := client.Rollback(cmd.Context(), target, confirmed)
		if confirmed != "" && errors.Is(err, context.Canceled) {
			err = errors.New("interrupted; the daemon continues the rollback, which usersyncd pause would end")
		}
		return res, err
	}
	if !errors.Is(err, rpc.ErrNoDaemon) {
		return nil, err
	}
	c.Create, c.Adopt = true, true
	if err := c.ReadEnvFile(); err != nil { // c.Dir may be "": the state file is enough
		return nil, err
	}
	a, err := newApp(c, confirmed == "", &progress.Screen{W: p.stderr}, nil)
	if err != nil {
		return nil, err
	}
	a.FailuresShown = c.PrintsText()
	meta, err := a.Store.Meta()
	if err != nil {
		return nil, a.close(err)
	}
	target.Paused = meta.Pause
	stop := a.screen.Show(a.Status, a.limiter, a.log)
	res, err := a.Rollback(cmd.Context(), target, confirmed, whoami())
	stop()
	if res != nil {
		res.Calls.Add(a.calls(), usersync.Calls{})
		res.ReleaseWith = func(id string) string {
			return "usersyncd release" + c.Same("config", "state", "socket") + " --force " + id
		}
	}
	return res, a.close(err)
}

// printRollback writes what a rollback would do, or has done.
func printRollback(w io.Writer, t report.Text, res *usersync.Result, target plan.Rollback, c *config.Config) {
	if res.DryRun {
		t.Plan(w, res)
		if res.Pending > 0 {
			fmt.Fprintf(w, "To carry it out: usersyncd rollback%s %s --confirm %s\n", c.SameRollback(), argument(target), res.Plan)
		}
		return
	}
	t.Result(w, res)
	if res.Applied+res.Failed+res.Pending == 0 { // nothing is paused
		return
	}
	fmt.Fprintf(w, "Paused. Take the change back in the specs, too, with git revert or by hand; then: usersyncd resume%s\n", c.Same("config", "state", "socket"))
	if res.Skipped > 0 {
		fmt.Fprintf(w, "%s left unchanged: after resume the specs apply again, so declare there what is to stay.\n", text.Plural(res.Skipped, "user"))
	}
}

// argument is the flag that asks for a rollback.
func argument(target plan.Rollback) string {
	if target.Revision == "" {
		return "--since " + text.Time(target.Since.UTC())
	}
	return "--revision " + spec.ShortRevision(target.Revision)
}

// checkRevision refuses what is no beginning of a revision: git knows further names of commits, and the history does not.
func checkRevision(revision string) error {
	commit, _ := spec.CutDirty(revision)
	if strings.Trim(strings.ToLower(commit), "0123456789abcdef") == "" {
		return nil
	}
	return usage("--revision %s: give the hash of the commit: git rev-parse %s", text.Escape(revision), text.ShellWord(commit))
}
