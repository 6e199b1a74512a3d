package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/plan"
)

func newRollback(c *config.Config, p process) *cobra.Command {
	var revision, since, agreed string
	cmd := &cobra.Command{
		Use:   "rollback [flags] (--revision COMMIT | --since TIME)",
		Short: "Write back what a commit changed and nobody since",
		Long: `rollback writes back what fields were before the writes of one commit, or
before a time, from the history. Exactly the fields that nobody has changed
since: what is not as it was left stays as it is, and is told. Users who were
created or restored stay; who was deleted is restored by the next pass once the
commit is taken back in the checkout.

First it shows a plan, and changes nothing. With --confirm and the plan's id it
carries that plan out, and no other; a pass under way is ended. (The plan waits
for that pass; usersyncd pause ends it at once.) Before it
writes it pauses the passes, as the checkout still asks for what is undone:
take it back there, too (git revert), then usersyncd resume.

It has the running daemon do it or, when none runs, does it itself.`,
		Example: `  usersyncd rollback --revision 3f0c1d2e
  usersyncd rollback --revision 3f0c1d2e --confirm p-5b1a77c0
  usersyncd rollback --since 2h`,
		Args: noArgs,
		RunE: withSettings(c, func(cmd *cobra.Command, _ []string) error {
			undo := plan.Rollback{Revision: revision}
			switch {
			case revision == "" && since == "":
				return usage("what is to be undone? Give --revision COMMIT, or --since TIME")
			case revision != "" && since != "":
				return usage("either --revision or --since, not both: a commit is undone, or all since a time")
			case since != "":
				at, err := parseSince(since, time.Now())
				if err != nil {
					return err
				}
				// Said in the plan's own words, so that the id that is agreed to is that of the same time.
				undo.Since = at.Truncate(time.Second)
			}
			res, err := rollback(cmd, c, p, undo, agreed)
			if errors.Is(err, plan.ErrAmbiguous) || errors.Is(err, usersync.ErrNothingToRollBack) {
				return usage("%w", err)
			}
			if errors.Is(err, usersync.ErrNoNetChange) {
				_, err = fmt.Fprintln(p.stdout, text.Escape(err.Error()))
				return err
			}
			if errors.Is(err, usersync.ErrPlanChanged) {
				return fmt.Errorf("%w; nothing was written. Look at that one, and confirm it: usersyncd rollback %s", err, argument(undo))
			}
			if res != nil {
				if err := printRollback(c, p, res, undo); err != nil {
					return err
				}
			}
			if err != nil {
				return refused(p, res, err)
			}
			if res.DryRun {
				return nil
			}
			return outcome(res)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&revision, "revision", "", "undo what one `COMMIT` asked for, or COMMIT-dirty: edits on top of it; its beginning will do")
	f.StringVar(&since, "since", "", "undo everything since then: 90m, 2d, a day or a `TIME`")
	f.StringVar(&agreed, "confirm", "", "carry the plan with this `PLAN-ID` out")
	c.Declare(cmd, config.Query|config.Org|config.Guards|config.Read|config.Rate)
	return cmd
}

// rollback has the daemon do it or, when none runs, puts the program together and does it.
func rollback(cmd *cobra.Command, c *config.Config, p process, undo plan.Rollback, agreed string) (*usersync.Result, error) {
	client, err := dial(cmd.Context(), c)
	if err == nil {
		defer client.Close()
		defer p.noteWait()()
		res, err := client.Rollback(cmd.Context(), undo, agreed)
		if agreed != "" && errors.Is(err, context.Canceled) {
			err = errors.New("nobody waits for it here any more; the daemon goes on with it, until usersyncd pause")
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
	a, err := newApp(c, agreed == "", &progress.Screen{W: p.stderr})
	if err != nil {
		return nil, err
	}
	meta, err := a.Store.Meta()
	if err != nil {
		return nil, a.close(err)
	}
	undo.Paused = meta.Pause
	stop := a.screen.Show(a.Status, a.limiter, a.log)
	res, err := a.Rollback(cmd.Context(), undo, agreed, whoami())
	stop()
	if res != nil {
		res.Calls.Add(a.calls(), usersync.Calls{})
	}
	return res, a.close(err)
}

func printRollback(c *config.Config, p process, res *usersync.Result, undo plan.Rollback) error {
	if c.Output == "json" {
		return printJSON(p.stdout, res)
	}
	if !res.DryRun {
		if err := printResult(p.stdout, c.Output, res); err != nil {
			return err
		}
		if res.Applied+res.Failed+res.Pending == 0 {
			return nil // and so nothing is paused
		}
		_, err := fmt.Fprintln(p.stdout, "Paused. Take it back in the checkout, too (git revert), then: usersyncd resume")
		if err == nil && res.Skipped > 0 {
			_, err = fmt.Fprintf(p.stdout, "%s left as they are; after resume the specs count again, so declare there what is to stay.\n", text.Plural(res.Skipped, "user"))
		}
		return err
	}
	printEach(p.stdout, res.Changes)
	printEach(p.stdout, res.Holds)
	for _, note := range res.Notes {
		fmt.Fprintln(p.stdout, "Note:", note)
	}
	fmt.Fprintf(p.stdout, "\nPlan %s: %s would be restored, %d left as they are", res.Plan, text.Plural(res.Pending, "user"), res.Skipped)
	if res.Held > 0 {
		fmt.Fprintf(p.stdout, ", %d held", res.Held)
	}
	fmt.Fprintln(p.stdout)
	if res.Pending == 0 {
		return nil
	}
	_, err := fmt.Fprintf(p.stdout, "To carry it out: usersyncd rollback %s --confirm %s\n", argument(undo), res.Plan)
	return err
}

// argument is how an undo is asked for.
func argument(undo plan.Rollback) string {
	if undo.Revision == "" {
		return "--since " + undo.Since.UTC().Format(time.RFC3339)
	}
	return "--revision " + undo.Revision
}
