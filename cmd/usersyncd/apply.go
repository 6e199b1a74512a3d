package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

func newApply(c *config.Config, p process) *cobra.Command {
	yes := false
	cmd := command(c, config.Full|config.Saved, p.reporting(c, &cobra.Command{
		Use:   "apply [flags] [PLAN] DIR",
		Short: "Show what would change, ask, and change it",
		Long: `apply shows the plan, asks, and carries out that plan and no other. Other runs
may use the state file while it waits. After the answer it plans again: if the
plan is another one by then, it shows that, and asks again. Ten or more removals
and deactivations are confirmed by their number. If all that differs is held, it
ends with the plan.

While the specs have problems, it does no more than deactivate the users with
state: inactive, and exits with 3.

With a PLAN, a file of plan --out, it does what the file has and nothing else.
What is different now is held, and listed. The directory may be left out: the
file has it.

The answer is read from a terminal. Without one, add --yes, which answers both
questions; if the plan is another one then, nothing is applied.`,
		Example: `  usersyncd apply ./users
  usersyncd apply plan.json
  usersyncd apply --yes --release p-1f3ac24e ./users`,
		Args: atMost(2, "a plan and a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f, ok := p.stdin.(*os.File); !yes && (!ok || !logging.IsTerminal(f)) {
				return usage("there is no terminal to ask on: add --yes, or use --once")
			}
			file := ""
			if len(args) > 0 {
				info, err := os.Stat(args[0])
				if err != nil {
					return usage("%w: give a file of plan --out, or the directory that holds the specs", err)
				}
				if len(args) == 2 || !info.IsDir() {
					file, args = args[0], args[1:]
				}
			}
			if err := dirOfPlan(args, c, file); err != nil {
				return err
			}
			if err := locate(cmd, args, c); err != nil {
				return err
			}
			if err := existing(c.Dir); err != nil {
				return err
			}
			return p.run(c, false, &besideDaemon{}, func(a *app) error {
				a.FailuresShown = c.PrintsText()
				return a.apply(cmd.Context(), c, p, file, yes)
			})
		},
	}, reportFormats()...))
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// apply shows the plan until a person agrees to it as it is, and carries it out.
func (a *app) apply(ctx context.Context, c *config.Config, p process, file string, yes bool) error {
	approved, _, err := a.approved(ctx, c, file)
	if err != nil {
		return err
	}
	answers := bufio.NewReader(p.stdin)
	for {
		shown, err := a.onePass(ctx, c, p, usersync.Mode{DryRun: true, Record: true, Approved: approved})
		if shown == nil {
			return refused(nil, err)
		}
		a.complete(shown)
		p.showPlan(c, shown)
		p.end.planShown(shown)
		n, removals := size(shown)
		var invalid *usersync.ProblemsError
		switch {
		case errors.As(err, &invalid) && n > 0:
			fmt.Fprintln(p.stderr, "The specs have problems, listed at the end: only users with state: inactive can be deactivated until they are correct.")
		case err != nil:
			return refused(shown, err)
		case endsHere(shown):
			res := *shown
			res.Mode, res.DryRun, res.Estimate = "apply", false, nil
			p.end.Result = &res
			return outcome(&res)
		}
		if n > 0 && shown.Paused == nil && !yes {
			err := a.withoutState(c, func() error { return p.ask(ctx, answers, n, removals, a.orgText()) })
			switch {
			case err != nil && invalid != nil:
				return &exitError{code: exitCode(err), err: err, problems: invalid.ProblemList}
			case err != nil:
				return err
			}
		}
		res, err := a.onePass(ctx, c, p, usersync.Mode{Approved: approved, Plan: shown.Digest})
		if errors.As(err, new(*usersync.PlanChangedError)) {
			if err = (&usersync.PlanChangedError{Now: res.Plan, Want: shown.Plan}); !yes {
				fmt.Fprintf(p.stderr, "The plan is %s now, not %s. It is shown again; nothing was applied.\n", cmp.Or(report.PlanID(res), "empty"), shown.Plan)
				continue
			}
		}
		if res != nil {
			res.Mode = "apply"
		}
		return p.end.pass(res, err, report.Text.Result)
	}
}

// endsHere reports whether all that differs is held, or left out: a pass would do nothing. That is recorded.
func endsHere(shown *usersync.Result) bool {
	n, _ := size(shown)
	return n == 0 && len(shown.Changes)+len(shown.Problems) > 0 && shown.AdoptedUnchanged == 0
}

// showPlan writes a plan for a person: to stdout, unless something else is written there.
func (p process) showPlan(c *config.Config, res *usersync.Result) {
	w := p.stderr
	if c.PrintsText() {
		w = p.stdout
	}
	report.Text{Columns: logging.Width(w), Color: colored(c, w), Now: time.Now()}.Plan(w, res)
}

// size counts the users that a plan changes, or who are no longer managed, and those of them who lose their access.
func size(res *usersync.Result) (n, removals int) {
	for _, c := range res.Changes {
		if c.Outcome != plan.Planned {
			continue
		}
		if n++; c.Group() == plan.Removals {
			removals++
		}
	}
	return n, removals
}

// orgText names the organization in the question.
func (a *app) orgText() string {
	if org := a.org(); org.Name != "" {
		return text.Quote(org.Name)
	}
	return "the organization at " + text.Escape(a.API)
}

// manyRemovals is from how many removals on a person must type their number: yes is typed too easily.
const manyRemovals = 10

// ask asks a person whether to apply a plan. An error says that the answer was another one.
func (p process) ask(ctx context.Context, answers *bufio.Reader, n, removals int, org string) error {
	what := "this change"
	if n > 1 {
		what = fmt.Sprintf("these %d changes", n)
	}
	question, want := fmt.Sprintf("Apply %s to %s?", what, org), "yes"
	if removals >= manyRemovals {
		want = strconv.Itoa(removals)
		question += fmt.Sprintf(" %s of them end a user's access. Type %s to confirm: ", want, want)
	} else {
		question += ` Only "yes" is taken: `
	}
	fmt.Fprint(p.stderr, question)
	read := make(chan string, 1)
	go func() { // a read of a terminal cannot be ended: the process ends with it
		line, err := answers.ReadString('\n')
		if err != nil {
			fmt.Fprintln(p.stderr)
		}
		read <- strings.TrimSpace(line)
	}()
	select {
	case answer := <-read:
		if answer == want {
			return nil
		}
		return errors.New("not confirmed: nothing was applied")
	case <-ctx.Done():
		fmt.Fprintln(p.stderr)
		return errors.New("interrupted: nothing was applied")
	}
}
