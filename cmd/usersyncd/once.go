package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	usersync "usersyncd/sync"
)

// once makes one full pass and prints what came of it.
func once(ctx context.Context, a *app, c *config, p process) error {
	a.Policy.Retry = true // somebody asks for it now
	stop := a.showProgress()
	res, err := a.Reconcile(ctx, usersync.Mode{Strict: true, NoRefresh: c.noRefresh, Reread: !c.noRefresh})
	stop()
	if res != nil {
		res.Mode = "once"
		res.Calls.Add(a.calls(), usersync.Calls{})
		if perr := printResult(p.stdout, c.output, res); perr != nil {
			return perr
		}
	}
	if err != nil {
		return refused(p, err)
	}
	return outcome(res)
}

// refused prints all that is wrong with a tree, one line a problem, and ends with the count.
func refused(p process, err error) error {
	var problems *usersync.ProblemsError
	switch {
	case errors.As(err, &problems):
		printProblems(p.stderr, problems)
		return &exitError{code: exitInvalid}
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; what was sent is recorded, the rest is for the next run")
	}
	return err
}

// seconds rounds a duration for people.
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}
