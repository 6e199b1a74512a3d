package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
)

// waitNote is after what time somebody who waits for the daemon is told why.
const waitNote = 2 * time.Second

func newSync(c *config, p process) *cobra.Command {
	refresh := false
	cmd := &cobra.Command{
		Use:   "sync [flags]",
		Short: "Have the daemon make a pass now, and wait for what it does",
		Long: `sync has the running daemon make a pass as soon as the one under way has ended,
and prints what it did. With --refresh the daemon reads the organization first,
so that edits made by hand are seen. The exit code is that of --once.`,
		Example: `  usersyncd sync
  sudo usersyncd sync --refresh`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.daemon(cmd, p, "start one, or make a pass with usersyncd --once DIR")
			if err != nil {
				return err
			}
			defer client.Close()
			defer p.noteWait()()
			res, err := client.Sync(cmd.Context(), refresh)
			if res != nil {
				if err := printResult(p.stdout, c.output, res); err != nil {
					return err
				}
			}
			if err != nil {
				return refused(p, res, err)
			}
			if err := outcome(res); err != nil || len(res.Problems) == 0 {
				return err
			}
			return &exitError{code: exitInvalid} // they are printed, and the others were looked after
		},
	}
	cmd.Flags().BoolVar(&refresh, "refresh", false, "read the organization first")
	c.askFlags(cmd)
	return cmd
}

func newPause(c *config, p process) *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use:   "pause [flags]",
		Short: "Change nothing until resume: passes only look",
		Long: `pause ends the pass under way, once what is in flight has come back, and from
then on passes change nothing: not in the organization. They go on looking, so
that status shows what would be done. It outlasts a restart, and counts for
--once with the same state file, too. A --once that is under way has that file
to itself: end it with Ctrl-C.`,
		Example: `  usersyncd pause --reason "incident 4711"
  sudo usersyncd pause`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.tell(cmd, p, func(ctx context.Context, client *control.Client) error { return client.Pause(ctx, reason) },
				func(store *state.Store) error {
					meta, err := store.Meta()
					if err != nil {
						return err
					}
					p := pausedToo(meta.Pause, whoami(), reason)
					return store.Commit(state.Commit{Pause: &p})
				}, "Paused. usersyncd resume ends it.")
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever sees it: a `TEXT`")
	c.askFlags(cmd)
	return cmd
}

func newResume(c *config, p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume [flags]",
		Short: "End a pause, or that of a rollback",
		Long: `resume lets passes change things again, beginning with one now. After a
rollback, see that the checkout does not ask any more for what was undone.`,
		Example: `  usersyncd resume
  sudo usersyncd resume`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			was := true
			err := c.tell(cmd, p, func(ctx context.Context, client *control.Client) (err error) {
				was, err = client.Resume(ctx)
				return err
			}, func(store *state.Store) error {
				meta, err := store.Meta()
				if was = meta.Pause != nil; err != nil || !was {
					return err
				}
				return store.Commit(state.Commit{Pause: &state.Pause{}})
			}, "")
			if err != nil {
				return err
			}
			said := "Resumed."
			if !was {
				said = "Nothing was paused."
			}
			_, err = fmt.Fprintln(p.stdout, said)
			return err
		},
	}
	c.askFlags(cmd)
	return cmd
}

// daemon is the client of a command that only a daemon can carry out.
func (c *config) daemon(cmd *cobra.Command, p process, otherwise string) (*control.Client, error) {
	env, err := setup(cmd, c, p)
	if err != nil {
		return nil, err
	}
	client, err := c.dial(cmd.Context(), env)
	if errors.Is(err, control.ErrNoDaemon) {
		return nil, fmt.Errorf("%w; %s", err, otherwise)
	}
	return client, err
}

// tell tells the daemon or, when none runs, writes to the state file what the next one will find there.
func (c *config) tell(cmd *cobra.Command, p process, daemon func(context.Context, *control.Client) error, file func(*state.Store) error, done string) error {
	env, err := setup(cmd, c, p)
	if err != nil {
		return err
	}
	client, err := c.dial(cmd.Context(), env)
	switch {
	case err == nil:
		defer client.Close()
		err = daemon(cmd.Context(), client)
	case errors.Is(err, control.ErrNoDaemon):
		err = c.tellFile(env, file)
	}
	if err != nil || done == "" {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, done)
	return err
}

// tellFile changes an existing state file.
func (c *config) tellFile(env environment, change func(*state.Store) error) error {
	path, err := c.statePath(env)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no daemon runs, and there is no state file: %w; say with --state or --socket where they are", err)
	}
	store, err := state.Open(path, state.Options{})
	if err != nil {
		return err
	}
	return errors.Join(change(store), store.Close())
}

// noteWait says why nothing happens for a while.
func (p process) noteWait() (stop func()) {
	t := time.AfterFunc(waitNote, func() {
		fmt.Fprintln(p.stderr, "waiting for the daemon; usersyncd status shows what it is doing")
	})
	return func() { t.Stop() }
}

// whoami is who runs the program.
func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// pausedOutcome is how a pass ends that a pause kept from changing anything.
func pausedOutcome(res *usersync.Result) error {
	return &exitError{exitHeld, fmt.Errorf("paused: %s; %s would be changed", pausedText(res.Paused, time.Now()), text.Plural(res.Pending, "user"))}
}
