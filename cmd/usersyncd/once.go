package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/daemon"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
)

// once makes one full pass and prints what came of it.
func once(ctx context.Context, a *app, c *config.Config, p process) error {
	res, err := a.onePass(ctx, c, p, false)
	if res != nil {
		res.Mode = "once"
		if err := printResult(p.stdout, c.Output, res); err != nil {
			return err
		}
	}
	if err != nil {
		return refused(p, res, err)
	}
	return outcome(res)
}

// onePass makes the pass of --once and plan, and says what such a run does not know. The JSON is of the pass alone.
func (a *app) onePass(ctx context.Context, c *config.Config, p process, dryRun bool) (*usersync.Result, error) {
	a.Policy.Retry = true // somebody asks for it now
	a.Policy.LookUpMissing = dryRun
	if err := checkReleases(c); err != nil {
		return nil, err
	}
	note, err := a.stateless()
	if err != nil {
		return nil, err
	}
	stop := a.screen.Show(a.Status, a.limiter, a.log)
	res, err := a.Reconcile(ctx, usersync.Mode{Strict: true, DryRun: dryRun, NoRefresh: c.NoRefresh, ForceRefresh: !c.NoRefresh, Release: c.Release})
	stop()
	if res == nil {
		return nil, err
	}
	res.Calls.Add(a.calls(), usersync.Calls{})
	switch {
	case note == "":
	case c.Output == "json":
		a.log.Warn(note)
	default:
		fmt.Fprintln(p.stdout, "Note:", note)
	}
	return res, err
}

// checkReleases refuses ids that cannot be any.
func checkReleases(c *config.Config) error {
	for _, id := range c.Release {
		if err := state.CheckPlanID(id); err != nil {
			return usage("%s: %w", c.Source("release"), err)
		}
	}
	return nil
}

// stateless is what a run cannot know that no earlier one has left a state file to; "" if one has. It is to be asked
// before the pass.
func (a *app) stateless() (note string, err error) {
	meta, err := a.Store.Meta()
	if err != nil || !meta.Refresh.At.IsZero() || meta.Rebuilt || meta.Damaged > 0 {
		return "", err
	}
	return "no earlier run has left a state file (" + a.Store.Path() + "): whom to remove, what was done in the last 24 hours, and who was deactivated by somebody else, is not known", nil
}

// refused explains why a pass ended early. All that is wrong with a tree is printed, one line a problem.
// res is nil if the pass had no plan yet.
func refused(p process, res *usersync.Result, err error) error {
	var problems *usersync.ProblemsError
	switch {
	case errors.Is(err, apply.ErrThrottled):
		left := "nothing was changed"
		if res != nil {
			left = fmt.Sprintf("left to do: %d of %s", res.Pending, text.Plural(res.Changed, "user"))
		}
		if until, ok := daemon.ThrottledUntil(err, time.Now()); ok {
			left += "; run it again after " + until.Format(time.RFC3339)
		}
		return &exitError{exitFailed, fmt.Errorf("%w\n%s", err, left)}
	case errors.As(err, &problems):
		printProblems(p.stderr, problems)
		return &exitError{code: exitInvalid}
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; what was sent is recorded, the rest is for the next run")
	}
	return err
}
