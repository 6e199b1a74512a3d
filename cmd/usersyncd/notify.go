package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/sync/control/notify"
)

func newNotify(c *config.Config, p process) *cobra.Command {
	parent := &cobra.Command{
		Use:   "notify",
		Short: "Try the notifications of the daemon",
		Long: `The daemon tells a webhook what it needs a person for: something is held, users
fail, the API refuses the credentials, no pass succeeds, the specs have
problems, a pause was forgotten. And when that is over.

Its URL is a secret. It comes from the file of --notify-url-file, from systemd's
credential notify_url, or from the variable USERSYNCD_NOTIFY_URL.`,
		Example: `  usersyncd notify test`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("notify what? usersyncd notify test sends a test message")
			}
			return knownCommand(cmd, args)
		},
		RunE:                       func(*cobra.Command, []string) error { return nil }, // Args has refused
		SuggestionsMinimumDistance: 2,
	}
	test := &cobra.Command{
		Use:   "test",
		Short: "Send a test message to the webhook",
		Long: `test sends one message, marked as a test, with the settings as they are, and
shows what the webhook answered. Give it the same --config as the daemon.

Where systemd holds the URL as a credential, nobody else can read it: give its
file with --notify-url-file, as root.`,
		Example: `  usersyncd notify test --config /etc/usersyncd/config.yaml
  usersyncd notify test --notify-url-file /etc/usersyncd/credentials/notify_url`,
		Args: noArgs,
		RunE: withSettings(c, func(cmd *cobra.Command, _ []string) error {
			return tryNotifying(cmd.Context(), c, p.stdout)
		}),
	}
	c.Declare(test, config.Webhook|config.Common)
	parent.AddCommand(test)
	return parent
}

// tryNotifying sends a test message, and writes what came of it.
func tryNotifying(ctx context.Context, c *config.Config, stdout io.Writer) error {
	o, err := c.Notifications(version())
	if err != nil {
		return err
	}
	if o.Target.IsZero() {
		return usage("no webhook to notify: write its URL to a file, run chmod 600 on it, and name it with --notify-url-file; or set USERSYNCD_NOTIFY_URL")
	}
	n, err := notify.New(o)
	if err != nil {
		return usage("%w", err)
	}
	r, failed := n.Test(ctx)
	if c.Output == "json" {
		err = printJSON(stdout, r)
	} else {
		_, err = fmt.Fprintf(stdout, "sent to %s as %s: %q\n", r.Host, r.Format, r.Title)
		if failed == nil && err == nil {
			_, err = fmt.Fprintf(stdout, "answered %d%s after %.1f s\n", r.Status, inBrackets(r.Code), r.Seconds)
		}
		if failed == nil && err == nil && r.Format == notify.Teams {
			_, err = fmt.Fprintln(stdout, "If nothing shows in Teams, look at the runs of the workflow: it answers before it posts.")
		}
	}
	switch {
	case failed != nil && r.Fix != "":
		return fmt.Errorf("not delivered: %w: %s", failed, r.Fix)
	case failed != nil:
		return fmt.Errorf("not delivered: %w", failed)
	}
	return err
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
