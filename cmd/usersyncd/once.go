package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/daemon"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan/saved"
)

// runOnce is the root command with --once.
func runOnce(ctx context.Context, c *config.Config, p process) error {
	if err := existing(c.Dir); err != nil {
		return err
	}
	return p.run(c, false, &besideDaemon{}, func(a *app) error {
		a.FailuresShown = c.PrintsText()
		approved, id, err := a.approved(ctx, c, c.SavedPlan)
		if err != nil {
			return err
		}
		res, err := a.onePass(ctx, c, p, usersync.Mode{Approved: approved, Plan: id})
		if res != nil {
			res.Mode = "once"
		}
		return p.end.pass(res, err, report.Text.Result)
	})
}

// onePass makes the pass of --once, apply and plan, and warns of what is not known without a state file.
func (a *app) onePass(ctx context.Context, c *config.Config, p process, mode usersync.Mode) (*usersync.Result, error) {
	a.Policy.IgnoreQuarantine = true // also those in quarantine
	for _, id := range c.Release {
		if err := state.CheckPlanID(id); err != nil {
			return nil, usage("%s: %w", c.Source("release"), err)
		}
	}
	meta, err := a.Store.Meta() // before the pass
	if err != nil {
		return nil, err
	}
	ctx, release := withTimeout(ctx, c)
	defer release()
	mode.Strict, mode.NoRefresh, mode.ForceRefresh, mode.Release = true, c.NoRefresh, !c.NoRefresh, c.Release
	stop := a.screen.Show(a.Status, a.limiter, a.log)
	res, err := a.Reconcile(ctx, mode)
	stop()
	if late := timeoutOf(ctx, err); late != nil && !errors.As(err, new(*usersync.ProblemsError)) {
		err = late
	}
	p.end.Tree, p.end.Org = a.Tree(), a.org()
	if res == nil {
		return nil, err
	}
	res.Calls.Add(a.calls(), usersync.Calls{})
	if approved := mode.Approved; approved != nil && approved.Revision != res.Revision {
		res.Notes = append(res.Notes, fmt.Sprintf("the specs are of revision %s, and were of %s when %s was made; only what it has is done",
			spec.ShortRevision(res.Revision), spec.ShortRevision(approved.Revision), text.Escape(approved.Name)))
	}
	res.Notes = append(res.Notes, a.beside.notes(c, res.Holds)...)
	first := meta.Refresh.At.IsZero() && !meta.Rebuilt && meta.Damaged == 0
	res.ReleaseWith = releaseWith(c, mode, a.keepsRelease(first))
	res.RollbackWith = "usersyncd rollback" + c.SameRollback() + " --revision " + spec.ShortRevision(res.Revision)
	if res.NoState = first; first {
		res.Notes = append(res.Notes, "no earlier run has left a state file ("+a.Store.Path()+"): it is not known which users to remove, what was changed in the last 24 hours, and who was deactivated by somebody else")
	}
	return res, err
}

// releaseWith returns what releases the hold of an id: another run of the pipeline, as those of examples/ci take the id; else the
// command of the run itself, if it asks, is limited to a plan, or leaves no state file that keeps the release.
func releaseWith(c *config.Config, mode usersync.Mode, kept func(id string) bool) func(id string) string {
	same, dir := c.SamePass(), text.ShellWord(c.Dir)
	github, _ := c.Getenv("GITHUB_ACTIONS")
	gitlab, _ := c.Getenv("GITLAB_CI")
	event, _ := c.Getenv("GITHUB_EVENT_NAME")
	source, _ := c.Getenv("CI_PIPELINE_SOURCE")
	return func(id string) string {
		switch command := ", or this command with --release " + id; {
		case event == "pull_request": // of which no run applies anything
			return "after the merge, run the workflow with release = " + id
		case source == "merge_request_event":
			return "after the merge, run the pipeline with RELEASE = " + id
		case github == "true":
			return "run the workflow with release = " + id + command
		case gitlab == "true":
			return "run the pipeline with RELEASE = " + id + command
		}
		unknown := mode.Approved != nil && !slices.ContainsFunc(mode.Approved.Holds, func(h saved.Hold) bool { return h.ID == id })
		switch asks := c.Process == "usersyncd apply"; {
		case unknown, mode.Approved == nil && mode.Plan != "" && !asks: // with the release it is another plan
			return "usersyncd plan" + same + " --release " + id + " " + dir
		case asks && mode.Approved != nil:
			return "usersyncd apply" + same + " --release " + id + " " + text.ShellWord(mode.Approved.Name) + " " + dir
		case asks:
			return "usersyncd apply" + same + " --release " + id + " " + dir
		case mode.Approved != nil:
			return "usersyncd --once" + same + " --plan " + text.ShellWord(mode.Approved.Name) + " --release " + id + " " + dir
		case !kept(id):
			return "usersyncd --once" + same + " --release " + id + " " + dir
		}
		return "usersyncd release" + c.Same("config", "state", "socket") + " " + id
	}
}

// refused explains why a pass ended early. res is nil if the pass had no plan yet.
func refused(res *usersync.Result, err error) error {
	var problems *usersync.ProblemsError
	var late *timeoutError
	switch {
	case errors.As(err, &late):
		return late.left(res)
	case errors.Is(err, apply.ErrThrottled):
		left := "nothing was changed"
		if res != nil {
			left = fmt.Sprintf("%d of %s not reached", res.Pending, text.Plural(res.Changed, "user"))
		}
		if until, ok := daemon.ThrottledUntil(err, time.Now()); ok {
			left += "; run it again after " + text.Time(until)
		}
		return &exitError{code: exitFailed, err: fmt.Errorf("%w\n%s", err, left)}
	case errors.As(err, new(*usersync.PlanChangedError)):
		return &exitError{code: exitHeld, err: err}
	case errors.As(err, &problems):
		return &exitError{code: exitInvalid, problems: problems.ProblemList, notDone: notDone(res)}
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; what was sent is recorded, and the next run does the rest")
	}
	return err
}

// notDone says what is not done while the specs have problems.
func notDone(res *usersync.Result) string {
	if res != nil && res.LeaversOnly {
		return "the specs have problems: only users with state: inactive are deactivated, all others stay as they are until the specs are correct"
	}
	return "the specs have problems: nothing is changed until they are correct"
}
