package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/control/rpc"
)

func newRelease(c *config.Config, p process) *cobra.Command {
	return command(c, config.Query, &cobra.Command{
		Use:   "release [flags] PLAN-ID",
		Short: "Allow the changes that a guard holds",
		Long: `release lets the next pass make the changes that a guard holds under a plan id,
and no others: users who are held later stay held. plan, --once and the service
print the id with the reason. A running service starts a pass at once. A run
without a state file, such as in CI, takes the id itself: --once --release.

What a setting forbids (--protect, --allow-roles and so on) cannot be released:
change the setting.`,
		Example: `  usersyncd release p-1f3ac24e
  sudo usersyncd release --state /var/lib/usersyncd/usersyncd.db p-1f3ac24e`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("no plan id: give the one that is printed with the held changes, such as p-1f3ac24e")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			id := args[0]
			if err := state.CheckPlanID(id); err != nil {
				return usage("%w", err)
			}
			return p.change(cmd, c, func(ctx context.Context, client *rpc.Client) (change, error) {
				h, err := client.Release(ctx, id)
				if errors.Is(err, rpc.ErrNotHeld) {
					return change{}, usage("%w", err)
				}
				next := "The daemon starts a pass now."
				if h.Rollback {
					next = "Plan the rollback again."
				} else if st, err := client.Status(ctx); err == nil && st.Paused != nil {
					next = "It is paused: nothing is changed before usersyncd resume."
				}
				return change{Changed: true, ID: id, Hold: &h, Message: fmt.Sprintf("Released: %s, held by the guard %s. %s", text.Plural(len(h.Users), "user"), h.Guard, next)}, err
			}, func(store *state.Store) (change, error) {
				return change{Changed: true, ID: id, Message: fmt.Sprintf("The next pass releases what is held under %s; if nothing is held under it by then, its log lists what is.", id)},
					store.Commit(state.Commit{AddReleases: []string{id}})
			})
		},
	})
}
