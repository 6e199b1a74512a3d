package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
)

func newExplain(c *config.Config, p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [flags] EMAIL [DIR]",
		Short: "Say all that is known of one user, and what waits for what",
		Long: `explain says where a user is declared and which _defaults.yaml files apply, and
of each field what is desired, what was last applied and what Genesys last
told; what is to be done, or why it is held, in quarantine or waiting, and when
it is tried next; and the last writes. It asks the running daemon or, when none
runs, the state file and the specs in DIR.`,
		Example: `  usersyncd explain ana.perez@example.com
  usersyncd explain ana.perez@example.com ./users --output json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usage("which user? usersyncd explain EMAIL [DIR]")
			}
			if !strings.Contains(args[0], "@") {
				return usage("%q is no address: usersyncd explain EMAIL [DIR]", args[0])
			}
			return nil
		},
		RunE: withSettings(c, func(cmd *cobra.Command, args []string) error {
			r, err := openBackend(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer r.close()
			var e *usersync.Explanation
			if r.client != nil {
				e, err = r.client.Explain(cmd.Context(), args[0])
			} else {
				e, err = explainStored(cmd, args, c, r)
			}
			if err != nil {
				return err
			}
			if c.Output == "json" {
				return printJSON(p.stdout, struct {
					*usersync.Explanation
					History []shownEvent `json:"history"`
				}{e, shownEvents(e.History)})
			}
			return printExplanation(p.stdout, e, time.Now())
		}),
	}
	c.Declare(cmd, config.Query|config.Plan|config.Guards|config.Read)
	return cmd
}

// explainStored explains from the specs and the state file.
func explainStored(cmd *cobra.Command, args []string, c *config.Config, r backend) (*usersync.Explanation, error) {
	if err := specDir(cmd, args[1:], c); err != nil {
		return nil, fmt.Errorf("no daemon runs, so that the specs are read: %w", err)
	}
	t, err := newTuning(c)
	if err != nil {
		return nil, err
	}
	return usersync.Explain(cmd.Context(), spec.NewLoader(c.Dir), r.store, t.policy, args[0])
}

func printExplanation(w io.Writer, e *usersync.Explanation, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", text.Escape(e.Email), e.Status)
	if e.Action != "" && e.Status != "in sync" {
		fmt.Fprintf(&b, " (%s, %s)", e.Action, e.Cause)
	}
	b.WriteString("\n")
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	if e.Why != "" {
		line("why", "%s", text.Escape(e.Why))
	}
	if e.Release != "" {
		line("release", "usersyncd release %s", e.Release)
	}
	switch {
	case e.Next.IsZero():
	case e.WaitsForWindow:
		line("goes at", "%s (in %s), when the window opens", e.Next.Local().Format(time.DateTime), text.ShortDuration(e.Next.Sub(now)))
	default:
		line("next try", "%s (in %s), or at once when the spec changes", e.Next.Local().Format(time.DateTime), text.ShortDuration(e.Next.Sub(now)))
	}
	if e.Paused != nil {
		line("paused", "%s", pausedText(e.Paused, now))
	}
	if e.File != "" {
		line("declared", "%s:%d", text.Escape(e.File), e.Line)
	}
	if len(e.Defaults) > 0 {
		line("defaults", "%s", text.Escape(strings.Join(e.Defaults, ", ")))
	}
	switch {
	case e.ID != "" && e.Managed:
		line("genesys", "%s, version %d, managed", text.Escape(e.ID), e.Version)
	case e.ID != "":
		line("genesys", "%s, version %d, not managed", text.Escape(e.ID), e.Version)
	case e.Listed.IsZero():
		line("genesys", "never read yet")
	default:
		line("genesys", "nobody is known by that address")
	}
	if e.ID != "" && !e.Listed.IsZero() {
		line("live as of", "%s", e.Listed.Local().Format(time.DateTime))
	}
	if !e.Read.IsZero() {
		line("", "%s of what no listing shows (roles, queues, utilization, voicemail, external ids)", e.Read.Local().Format(time.DateTime))
	}
	for _, p := range e.Problems {
		line("problem", "%s", text.Escape(p))
	}
	if len(e.Fields) > 0 {
		b.WriteString("\n")
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  field\t\tdesired\tapplied\tlive\tdeclared at")
		for i := range e.Fields {
			f := &e.Fields[i]
			desired, applied, live := f.Values()
			at := ""
			if f.File != "" {
				at = fmt.Sprintf("%s:%d", text.Escape(f.File), f.Line)
			}
			verdict := f.Verdict
			if !f.Until.IsZero() {
				verdict += " until " + f.Until.Local().Format(time.DateTime)
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", f.Field, verdict, cut(desired), cut(applied), cut(live), at)
		}
		_ = t.Flush() // into memory
	}
	if len(e.History) > 0 {
		b.WriteString("\nlast writes\n")
		for _, ev := range e.History {
			printEvent(&b, ev)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cut keeps a table readable; --output json has all of it.
func cut(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-3]) + "..."
	}
	return text
}
