package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

func newExplain(c *config.Config, p process) *cobra.Command {
	return command(c, config.Query|config.Plan|config.Guards|config.Read, &cobra.Command{
		Use:   "explain [flags] EMAIL [DIR]",
		Short: "Show everything known about one user, and what is pending",
		Long: `explain shows where a user is declared and which _defaults.yaml files apply;
for each field the desired, the last applied and the live value; what is to be
done, or why it is held, has failed or waits, and when the next attempt is;
and the last writes. It asks the running daemon or, when none runs, the state
file and the specs in DIR. It exits with 1 if nobody has the address.`,
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
			if e.IsNobody() && c.PrintsText() {
				return fmt.Errorf("%s: %s", e.Email, e.Why)
			}
			out := explained{e, shownEvents(e.History)}
			err = p.show(c, out, func(w io.Writer) {
				_, noDaemon := b.(stateFile)
				printExplanation(sheet{w, logging.Width(p.stdout)}, e, time.Now(), c.Same("config", "state", "socket"), noDaemon)
			})
			if err == nil && e.IsNobody() {
				return &exitError{code: exitFatal}
			}
			return err
		},
	})
}

// explained is an explanation as usersyncd.explain/v1.
type explained struct {
	*usersync.Explanation
	History []shownEvent `json:"history"`
}

// statusWords are the status of a user in the words of a pass and of status.
func statusWords(e *usersync.Explanation) string {
	switch {
	case e.Status == "wrong" && e.Action != "":
		return "left out in part because of problems"
	case e.Status == "wrong":
		return "left out because of problems"
	case e.Status == string(plan.Quarantined):
		return string(plan.Failed)
	}
	return e.Status
}

func printExplanation(w sheet, e *usersync.Explanation, now time.Time, same string, noDaemon bool) {
	todo := ""
	if e.Action != "" && e.Status != "in sync" {
		todo = fmt.Sprintf(" (%s, %s)", e.Action.Words(), e.Cause.Words())
	}
	w.line(4, "%s: %s%s", e.Email, statusWords(e), todo)
	line := func(name, format string, args ...any) { w.fact("  ", name, format, args...) }
	line("why", "%s", e.Why)
	if e.Release != "" {
		w.command("  ", "release", "usersyncd release"+same+" "+e.Release)
	}
	if noDaemon {
		asOf := "now, from the specs and the state file"
		if !e.AsOf.IsZero() {
			asOf = "the last pass, " + text.ShortDuration(now.Sub(e.AsOf)) + " ago"
		}
		line("as of", "%s; no daemon is running, or it has no socket", asOf)
	}
	switch in := text.ShortDuration(e.Next.Sub(now)); {
	case e.Next.IsZero():
	case e.WaitsForWindow:
		line("window", "opens at %s (in %s)", text.Time(e.Next.Local()), in)
	case noDaemon && slices.Contains([]string{string(plan.Failed), string(plan.Quarantined)}, e.Status):
		line("retry", "with the next usersyncd --once or apply; a daemon waits until %s, or until the spec changes", text.Time(e.Next.Local()))
	default:
		line("retry", "at %s (in %s), or as soon as the spec changes", text.Time(e.Next.Local()), in)
	}
	if e.Paused != nil {
		line("paused", "%s", report.Paused(e.Paused, now))
	}
	if e.File != "" {
		line("declared", "%s:%d%s", e.File, e.Line, text.Enclose(", as ", e.DeclaredAs, ""))
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
		printFields(w, e.Fields)
	}
	if len(e.History) > 0 {
		fmt.Fprint(w, "\nlast writes\n")
		for _, ev := range e.History {
			printEvent(w, ev)
		}
	}
}

// longestValue is how many characters of a value a table has that no terminal shows; --output json has all of it.
const longestValue = 37

// printFields writes a table of the fields or, where it does not fit, a paragraph for each with the whole values.
func printFields(w sheet, fields []usersync.FieldStatus) {
	rows := [][]string{{"  field", "", "desired", "applied", "live", "declared at"}}
	for i := range fields {
		f := &fields[i]
		desired, applied, live := f.Values()
		if w.columns == 0 {
			desired, applied, live = text.Cut(desired, longestValue), text.Cut(applied, longestValue), text.Cut(live, longestValue)
		}
		at, verdict := "", f.Verdict
		if f.File != "" {
			at = fmt.Sprintf("%s:%d", text.Escape(f.File), f.Line)
		}
		if !f.Until.IsZero() {
			verdict += " until " + text.Time(f.Until.Local())
		}
		rows = append(rows, []string{"  " + string(f.Field), verdict, desired, applied, live, at})
	}
	if w.table(rows) {
		return
	}
	for _, row := range rows[1:] {
		desired, applied, live := row[2], row[3], row[4]
		only := ""
		switch {
		case desired == applied && desired == live:
			only = ", " + live
		case desired == "-" && applied == "-":
			only = ", live " + live
		}
		w.line(4, "%s: %s%s%s", row[0], row[1], only, text.Enclose(", declared at ", row[5], ""))
		for i := 2; i <= 4 && only == ""; i++ {
			w.line(12, "    %-7s %s", rows[0][i], row[i])
		}
	}
}
