package main

import (
	"context"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/daemon"
	"usersyncd/state"
	"usersyncd/sync/control/rpc"
)

func newPause(c *config.Config, p process) *cobra.Command {
	reason := ""
	cmd := command(c, config.Query, &cobra.Command{
		Use:   "pause [flags]",
		Short: "Stop changing the organization until resume",
		Long: `pause ends the current pass once the calls in flight have completed. Later
passes change nothing in the organization; they still compare, so that status
shows what would be done. A pause survives a restart, and also applies to --once
with the same state file. A --once that is running has that file to itself: stop
it with Ctrl-C.`,
		Example: `  usersyncd pause --reason "incident 4711"
  sudo usersyncd pause`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			paused := change{Changed: true, Message: "Paused. usersyncd resume ends it."}
			return p.change(cmd, c, func(ctx context.Context, client *rpc.Client) (change, error) {
				return paused, client.Pause(ctx, reason)
			}, func(store *state.Store) (change, error) {
				meta, err := store.Meta()
				if err != nil {
					return change{}, err
				}
				p := daemon.MergePause(meta.Pause, whoami(), reason)
				return paused, store.Commit(state.Commit{Pause: &p})
			})
		},
	})
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that status shows")
	return cmd
}

func newResume(c *config.Config, p process) *cobra.Command {
	return command(c, config.Query, &cobra.Command{
		Use:   "resume [flags]",
		Short: "End a pause, also that of a rollback",
		Long: `resume lets passes change the organization again, and starts one now. After a
rollback, first revert the commit in the checkout, too: else the next pass
applies it again.`,
		Example: `  usersyncd resume
  sudo usersyncd resume`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			resumed, nothing := change{Changed: true, Message: "Resumed."}, change{Message: "Nothing was paused."}
			return p.change(cmd, c, func(ctx context.Context, client *rpc.Client) (change, error) {
				if paused, err := client.Resume(ctx); err != nil || !paused {
					return nothing, err
				}
				return resumed, nil
			}, func(store *state.Store) (change, error) {
				if meta, err := store.Meta(); err != nil || meta.Pause == nil {
					return nothing, err
				}
				return resumed, store.Commit(state.Commit{Pause: &state.Pause{}})
			})
		},
	})
}
