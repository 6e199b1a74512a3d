package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/daemon"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/control/rpc"
)

// waitNote is after what time somebody who waits for the daemon is told why.
const waitNote = 2 * time.Second

func newSync(c *config.Config, p process) *cobra.Command {
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
		RunE: withSettings(c, func(cmd *cobra.Command, _ []string) error {
			client, err := dial(cmd.Context(), c)
			if errors.Is(err, rpc.ErrNoDaemon) {
				return fmt.Errorf("%w; start one, or make a pass with usersyncd --once DIR", err)
			}
			if err != nil {
				return err
			}
			defer client.Close()
			defer p.noteWait()()
			res, err := client.Sync(cmd.Context(), refresh)
			if res != nil {
				if err := printResult(p.stdout, c.Output, res); err != nil {
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
		}),
	}
	cmd.Flags().BoolVar(&refresh, "refresh", false, "read the organization first")
	c.Declare(cmd, config.Query)
	return cmd
}

func newPause(c *config.Config, p process) *cobra.Command {
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
			const said = "Paused. usersyncd resume ends it."
			return tell(cmd, c, p, func(ctx context.Context, client *rpc.Client) (string, error) {
				return said, client.Pause(ctx, reason)
			}, func(store *state.Store) (string, error) {
				meta, err := store.Meta()
				if err != nil {
					return "", err
				}
				p := daemon.MergePause(meta.Pause, whoami(), reason)
				return said, store.Commit(state.Commit{Pause: &p})
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever sees it: a `TEXT`")
	c.Declare(cmd, config.Query)
	return cmd
}

func newResume(c *config.Config, p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume [flags]",
		Short: "End a pause, or that of a rollback",
		Long: `resume lets passes change things again, beginning with one now. After a
rollback, see that the checkout does not ask any more for what was undone.`,
		Example: `  usersyncd resume
  sudo usersyncd resume`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			const resumed, nothing = "Resumed.", "Nothing was paused."
			return tell(cmd, c, p, func(ctx context.Context, client *rpc.Client) (string, error) {
				if paused, err := client.Resume(ctx); err != nil || !paused {
					return nothing, err
				}
				return resumed, nil
			}, func(store *state.Store) (string, error) {
				if meta, err := store.Meta(); err != nil || meta.Pause == nil {
					return nothing, err
				}
				return resumed, store.Commit(state.Commit{Pause: &state.Pause{}})
			})
		},
	}
	c.Declare(cmd, config.Query)
	return cmd
}

func newRelease(c *config.Config, p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release [flags] PLAN-ID",
		Short: "Let through what a guard holds",
		Long: `release lets the next pass do what a guard holds under a plan's id, and nothing
else: if other users are held by then, they stay held. plan, --once and the
service print the id, with the reason. A running service takes it up at once. A
run without a state file, in CI for one, takes the id itself: --once --release.

What a configuration forbids (--protect, --allow-roles and so on) cannot be
released: change the configuration.`,
		Example: `  usersyncd release p-1f3ac24e
  sudo usersyncd release --state /var/lib/usersyncd/usersyncd.db p-1f3ac24e`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("which plan? Give the id that is printed with what is held, such as p-1f3ac24e")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			id := args[0]
			if err := state.CheckPlanID(id); err != nil {
				return usage("%w", err)
			}
			return tell(cmd, c, p, func(ctx context.Context, client *rpc.Client) (string, error) {
				return releaseNow(ctx, client, id)
			}, func(store *state.Store) (string, error) {
				return fmt.Sprintf("The next pass lets through what is held under %s; if nothing is by then, its log says what is.", id),
					store.Commit(state.Commit{AddReleases: []string{id}})
			})
		},
	}
	c.Declare(cmd, config.Query)
	return cmd
}

// releaseNow has the daemon do it, which knows what is held, and returns what is to be said.
func releaseNow(ctx context.Context, client *rpc.Client, id string) (string, error) {
	h, err := client.Release(ctx, id)
	if errors.Is(err, rpc.ErrNotHeld) {
		return "", usage("%w", err)
	}
	if err != nil {
		return "", err
	}
	next := "The daemon makes a pass now."
	if h.Rollback {
		next = "Plan the rollback again."
	} else if st, err := client.Status(ctx); err == nil && st.Paused != nil {
		next = "Nothing is done before usersyncd resume: it is paused."
	}
	return fmt.Sprintf("Released: %s, held by --%s. %s", text.Plural(len(h.Users), "user"), h.Guard, next), nil
}

// tell tells the daemon or, when none runs, writes to the state file what the next one will find there. Either returns
// what is printed then.
func tell(cmd *cobra.Command, c *config.Config, p process, daemon func(context.Context, *rpc.Client) (string, error), file func(*state.Store) (string, error)) error {
	if err := c.Load(cmd); err != nil {
		return err
	}
	said := ""
	client, err := dial(cmd.Context(), c)
	switch {
	case err == nil:
		defer client.Close()
		said, err = daemon(cmd.Context(), client)
	case errors.Is(err, rpc.ErrNoDaemon):
		said, err = tellFile(c, file)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, said)
	return err
}

// tellFile changes an existing state file.
func tellFile(c *config.Config, change func(*state.Store) (string, error)) (said string, err error) {
	path, err := c.StatePath()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no daemon runs, and there is no state file: %w; say with --state or --socket where they are", err)
	}
	store, err := state.Open(path, state.Options{})
	if err != nil {
		return "", err
	}
	said, err = change(store)
	return said, errors.Join(err, store.Close())
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
