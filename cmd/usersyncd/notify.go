package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/sync/control/notify"
)

// notifications are the settings of the daemon's webhook. Its URL is a secret, and so no flag's value.
type notifications struct {
	notifyURLFile, notifyFormat, notifyName string
	notifyRepeat                            time.Duration
	notifyDetails                           bool
}

// receiverFlags say who is told.
func (c *notifications) receiverFlags(f *pflag.FlagSet) {
	f.StringVar(&c.notifyURLFile, "notify-url-file", "", "`FILE` with the URL of a webhook that the daemon tells what needs a person, readable by its owner alone")
	f.StringVar(&c.notifyFormat, "notify-format", "auto", "what the webhook takes: generic, slack or teams; auto: what its host takes")
	f.StringVar(&c.notifyName, "notify-name", "", "`NAME` of this installation in notifications")
}

// notifyFlags say who is told, and what.
func (c *notifications) notifyFlags(f *pflag.FlagSet) {
	c.receiverFlags(f)
	f.DurationVar(&c.notifyRepeat, "notify-repeat", 24*time.Hour, "how often a notification is repeated while its cause lasts; 0: never")
	f.BoolVar(&c.notifyDetails, "notify-details", true, "name users, files and errors in notifications; false: counts and commands alone")
}

func notifyFormats() []string {
	all := []string{"auto"}
	for _, f := range notify.Formats() {
		all = append(all, string(f))
	}
	return all
}

// notifyOptions finds the webhook: the file of the flag; systemd's credential; the variable. Without any of
// them the target is zero, and nobody is told.
func (c *notifications) notifyOptions(env environment) (notify.Options, error) {
	o := notify.Options{Name: c.notifyName, RepeatInterval: c.notifyRepeat, Details: c.notifyDetails, Version: version()}
	if c.notifyFormat != "auto" {
		o.Format = notify.Format(c.notifyFormat)
	}
	raw, source, err := "", "--notify-url-file", error(nil)
	if c.notifyURLFile != "" {
		raw, err = readSecret(source, c.notifyURLFile)
	} else if raw, err = env.credential("notify_url"); raw != "" {
		source = "systemd credential notify_url"
	} else if err == nil {
		raw, source = env.get("USERSYNCD_NOTIFY_URL")
	}
	if err != nil || raw == "" {
		return o, err
	}
	if o.Target, err = notify.ParseTarget(raw); err != nil {
		return o, usage("%s: %w", source, err)
	}
	return o, nil
}

func newNotify(c *config, p process) *cobra.Command {
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
		RunE: withSettings(c, p, func(cmd *cobra.Command, _ []string, env environment) error {
			return c.tryNotifying(cmd.Context(), env, p.stdout)
		}),
	}
	c.receiverFlags(test.Flags())
	c.commonFlags(test.Flags())
	parent.AddCommand(test)
	return parent
}

// tryNotifying sends a test message, and writes what came of it.
func (c *config) tryNotifying(ctx context.Context, env environment, stdout io.Writer) error {
	o, err := c.notifyOptions(env)
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
	if c.output == "json" {
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
