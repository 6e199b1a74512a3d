package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/doctor"
	"usersyncd/cmd/usersyncd/internal/progress"
)

func newDoctor(c *config.Config, p process) *cobra.Command {
	return command(c, config.Full, &cobra.Command{
		Use:   "doctor [flags] DIR",
		Short: "Check everything a pass needs, and how to fix what is wrong",
		Long: `doctor checks the checkout, the configuration, the state file, the credentials,
the permissions that the fields in use need, the API quota, the clock and the
limits of inotify. For each problem it prints a fix. It takes the flags and the
configuration of the service, can run beside it, and writes nothing. It makes
about three API calls, or a dozen if the client may not read its own roles.

It exits with 1 if there is a problem. Warnings do not count.`,
		Example: `  usersyncd doctor ./users
  usersyncd doctor --output json ./users | jq '.checks[].fix'
  sudo CREDENTIALS_DIRECTORY=/etc/usersyncd/credentials usersyncd doctor \
    --config /etc/usersyncd/config.yaml --state /var/lib/usersyncd/usersyncd.db`,
		Args: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(c.Only) > 0 || c.Select != "" {
				return usage("--only and --select are for plan, --once and export: doctor checks everything that is in use")
			}
			if err := specDir(cmd, args, c); err != nil {
				return err
			}
			if _, err := c.Policy(); err != nil {
				return err
			}
			if !c.Given("log-level") {
				c.LogLevel = "error" // failures are in the findings
			}
			log, _, err := newLogger(c, &progress.Screen{W: p.stderr})
			if err != nil {
				return err
			}
			r := doctor.Examine(cmd.Context(), c, version(), log)
			err = p.show(c, r, func(w io.Writer) { fmt.Fprint(w, r) })
			if err == nil && r.Problems > 0 {
				return &exitError{code: exitFatal}
			}
			return cmp.Or(err, cmd.Context().Err()) // the findings of an interrupted examination are incomplete
		},
	})
}
