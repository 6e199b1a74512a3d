package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/control/rpc"
)

func newSync(c *config.Config, p process) *cobra.Command {
	refresh := false
	cmd := command(c, config.Query, p.reporting(c, &cobra.Command{
		Use:   "sync [flags]",
		Short: "Have the daemon make a pass now, and print its result",
		Long: `sync has the running daemon make a pass as soon as the current one has ended,
and prints its result. With --refresh the daemon reads the organization first,
so that changes made in Genesys are seen. The exit code is that of --once.`,
		Example: `  usersyncd sync
  sudo usersyncd sync --refresh`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := dial(cmd.Context(), c)
			if errors.Is(err, rpc.ErrNoDaemon) {
				if b, err := openBackend(cmd.Context(), c); err == nil {
					b.Close()
				} else if errors.Is(err, state.ErrLocked) { // it says who has the state file
					return err
				}
				return fmt.Errorf("%w; start one, or make a pass with usersyncd --once DIR", err)
			}
			if err != nil {
				return err
			}
			defer client.Close()
			defer p.noteWait().Stop()
			began := time.Now()
			res, err := client.Sync(cmd.Context(), refresh)
			if st, failed := client.Status(cmd.Context()); failed == nil && res != nil && !st.Refresh.IsZero() && st.Refresh.Before(began) {
				p.end.after = func(w io.Writer) {
					fmt.Fprintf(w, "The organization was last read %s ago. To read it now: usersyncd sync%s --refresh\n",
						text.ShortDuration(st.Now.Sub(st.Refresh)), c.Same("config", "state", "socket"))
				}
			}
			if err := p.end.pass(res, err, report.Text.Result); err != nil || len(res.Problems) == 0 {
				return err
			}
			return &exitError{code: exitInvalid, problems: res.ProblemList} // the other users are applied
		},
	}))
	cmd.Flags().BoolVar(&refresh, "refresh", false, "read the organization first")
	return cmd
}
