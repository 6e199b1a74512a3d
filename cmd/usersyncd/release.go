package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"usersyncd/spec/text"
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
			id := args[0]
			if err := state.CheckPlanID(id); err != nil {
				return usage("%w", err)
			}
			return c.tell(cmd, p, func(ctx context.Context, client *control.Client) (string, error) {
				return releaseNow(ctx, client, id)
			}, func(store *state.Store) (string, error) {
				return fmt.Sprintf("The next pass lets through what is held under %s; if nothing is by then, its log says what is.", id),
					store.Commit(state.Commit{Release: []string{id}})
			})
		},
	}
	c.askFlags(cmd)
	return cmd
}

// releaseNow has the daemon do it, which knows what is held, and returns what is to be said.
func releaseNow(ctx context.Context, client *control.Client, id string) (string, error) {
	h, err := client.Release(ctx, id)
	if errors.Is(err, control.ErrNotHeld) {
		return "", usage("%w", err)
	}
	if err != nil {
		return "", err
	}
	next := "The daemon makes a pass now."
	if h.Undo {
		next = "Plan the rollback again."
	} else if st, err := client.Status(ctx); err == nil && st.Paused != nil {
		next = "Nothing is done before usersyncd resume: it is paused."
	}
	return fmt.Sprintf("Released: %s, held by --%s. %s", text.Plural(len(h.Users), "user"), h.Guard, next), nil
}
