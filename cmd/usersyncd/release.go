package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"usersyncd/state"
	"usersyncd/sync/control"
)

func newRelease(c *config, p process) *cobra.Command {
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
			env, err := setup(cmd, c, p)
			if err != nil {
				return err
			}
			client, err := c.dial(cmd.Context(), env)
			if err == nil {
				defer client.Close()
				return releaseNow(cmd, p, client, args[0])
			}
			if !errors.Is(err, control.ErrNoDaemon) {
				return err
			}
			path, err := c.statePath(env)
			if err != nil {
				return err
			}
			switch err := state.Release(path, args[0]); {
			case errors.Is(err, state.ErrPlanID):
				return usage("%w", err)
			case errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("%w; say with --state which file the service, or the run that held it, uses", err)
			case err != nil:
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "The next pass lets through what is held under %s; if nothing is by then, its log says what is.\n", args[0])
			return err
		},
	}
	c.askFlags(cmd)
	return cmd
}

// releaseNow has the daemon do it, which knows what is held.
func releaseNow(cmd *cobra.Command, p process, client *control.Client, id string) error {
	h, err := client.Release(cmd.Context(), id)
	if errors.Is(err, control.ErrNotHeld) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	next := "The daemon makes a pass now."
	if h.Undo {
		next = "Plan the rollback again."
	} else if st, err := client.Status(cmd.Context()); err == nil && st.Paused != nil {
		next = "Nothing is done before usersyncd resume: it is paused."
	}
	_, err = fmt.Fprintf(p.stdout, "Released: %s, held by --%s. %s\n", plural(len(h.Users), "user"), h.Guard, next)
	return err
}
