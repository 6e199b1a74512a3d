package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	"usersyncd/sync/control/notify"
)

func newNotify(c *config.Config, p process) *cobra.Command {
	parent := &cobra.Command{
		Use:   "notify",
		Short: "Test the notifications of the daemon",
		Long: `The daemon notifies a webhook when somebody has to act: changes are held, users
fail, the API rejects the credentials, no pass succeeds, the specs have
problems, or a pause was forgotten; and again when it is resolved.

The URL of the webhook is a secret. It is read from the file of
--notify-url-file, from systemd's credential notify_url, or from the variable
USERSYNCD_NOTIFY_URL.`,
		Example: `  usersyncd notify test
  usersyncd notify test --config /etc/usersyncd/config.yaml`,
	}
	requireSubcommand(parent, "notify needs a command: usersyncd notify test sends a test message")
	test := command(c, config.Webhook|config.Common, &cobra.Command{
		Use:   "test",
		Short: "Send a test message to the webhook",
		Long: `test sends one message, marked as a test, and shows the response of the webhook.
Give it the same --config as the daemon.

A URL that is a credential of systemd can be read only by the service. As root,
give its file with --notify-url-file.`,
		Example: `  usersyncd notify test --config /etc/usersyncd/config.yaml
  usersyncd notify test --notify-url-file /etc/usersyncd/credentials/notify_url`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return testWebhook(cmd.Context(), c, p)
		},
	})
	parent.AddCommand(test)
	return parent
}

func testWebhook(ctx context.Context, c *config.Config, p process) error {
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
	err = p.show(c, r, func(w io.Writer) {
		fmt.Fprintf(w, "sent to %s as %s: %q\n", r.Host, r.Format, r.Title)
		if failed != nil {
			return
		}
		fmt.Fprintf(w, "answered %d%s after %.1f s\n", r.Status, text.Enclose(" (", r.Code, ")"), r.Seconds)
		if r.Format == notify.Teams {
			fmt.Fprintln(w, "If nothing appears in Teams, check the runs of the workflow: it answers before it posts.")
		}
	})
	if failed != nil {
		return fmt.Errorf("not delivered: %w%s", failed, text.Enclose(": ", r.Fix, ""))
	}
	return err
}
