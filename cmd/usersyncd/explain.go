package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
)

func newExplain(c *config.Config, p process) *cobra.Command {
	return command(c, config.Query|config.Plan|config.Guards|config.Read, &cobra.Command{
		Use:   "explain [flags] EMAIL [DIR]",
		Short: "Show everything known about one user, and what is pending",
		Long: `explain shows where a user is declared and which _defaults.yaml files apply;
for each field the desired, the last applied and the live value; what is to be
done, or why it is held, quarantined or waiting, and when the next attempt is;
and the last writes. It asks the running daemon or, when none runs, the state
file and the specs in DIR.`,
		Example: `  usersyncd explain ana.perez@example.com
  usersyncd explain ana.perez@example.com ./users --output json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usage("no user: usersyncd explain EMAIL [DIR]")
			}
			if !strings.Contains(args[0], "@") {
				return usage("%q is not an email address: usersyncd explain EMAIL [DIR]", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				c.Dir = args[1]
			}
			b, err := openBackend(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer b.Close()
			e, err := b.Explain(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			out := explained{e, shownEvents(e.History)}
			return p.show(c.Output, out, func(w io.Writer) { printExplanation(w, e, time.Now()) })
		},
	})
}

// explained is an explanation as usersyncd.explain/v1.
type explained struct {
	*usersync.Explanation
	History []shownEvent `json:"history"`
}

// longestValue is how many characters of a value the table has; --output json has all of it.
const longestValue = 37

func printExplanation(w io.Writer, e *usersync.Explanation, now time.Time) {
	fmt.Fprintf(w, "%s: %s", text.Escape(e.Email), e.Status)
	if e.Action != "" && e.Status != "in sync" {
		fmt.Fprintf(w, " (%s, %s)", e.Action, e.Cause)
	}
	fmt.Fprintln(w)
	line := func(name, format string, args ...any) { printFact(w, "  ", name, format, args...) }
	line("why", "%s", e.Why)
	if e.Release != "" {
		line("release", "usersyncd release %s", e.Release)
	}
	switch in := text.ShortDuration(e.Next.Sub(now)); {
	case e.Next.IsZero():
	case e.WaitsForWindow:
		line("window", "opens at %s (in %s)", text.Time(e.Next.Local()), in)
	default:
		line("retry", "at %s (in %s), or as soon as the spec changes", text.Time(e.Next.Local()), in)
	}
	if e.Paused != nil {
		line("paused", "%s", pausedText(e.Paused, now))
	}
	if e.File != "" {
		line("declared", "%s:%d", e.File, e.Line)
	}
	line("defaults", "%s", strings.Join(e.Defaults, ", "))
	managed := map[bool]string{true: "managed", false: "not managed"}[e.Managed]
	switch {
	case e.ID != "":
		line("genesys", "%s, version %d, %s", e.ID, e.Version, managed)
	case e.Listed.IsZero():
		line("genesys", "not read yet")
	default:
		line("genesys", "no user with that address")
	}
	if e.ID != "" && !e.Listed.IsZero() {
		line("live as of", "%s", text.Time(e.Listed.Local()))
	}
	if !e.Read.IsZero() {
		line("", "%s for roles, queues, utilization, voicemail and external ids", text.Time(e.Read.Local()))
	}
	for _, p := range e.Problems {
		line("problem", "%s", p)
	}
	if len(e.Fields) > 0 {
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
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
				verdict += " until " + text.Time(f.Until.Local())
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", f.Field, verdict, text.Cut(desired, longestValue), text.Cut(applied, longestValue), text.Cut(live, longestValue), at)
		}
		_ = t.Flush() // to memory
	}
	if len(e.History) > 0 {
		fmt.Fprint(w, "\nlast writes\n")
		for _, ev := range e.History {
			printEvent(w, ev)
		}
	}
}
