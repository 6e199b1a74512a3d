package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
)

func newStatus(c *config.Config, p process) *cobra.Command {
	return command(c, config.Query, &cobra.Command{
		Use:   "status [flags]",
		Short: "Show how many users are in sync, pending or held, and why",
		Long: `status asks the running daemon or, when none runs, the state file. It answers
at once, also during a pass.`,
		Example: `  usersyncd status
  sudo usersyncd status --output json | jq .held`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := openBackend(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer b.Close()
			s, err := b.Status(cmd.Context())
			if err != nil {
				return err
			}
			return p.show(c, s, func(w io.Writer) { printStatus(sheet{w, logging.Width(p.stdout)}, s) })
		},
	})
}

// printStatus writes some fifteen lines, the most important first.
func printStatus(w sheet, s control.Status) {
	line := func(name, format string, args ...any) { w.fact("", name, format, args...) }
	never := "never"
	if s.PassUnderWay() && s.Totals.Passes == 0 {
		never = "not yet; the first pass is under way"
	}
	ago := func(t time.Time) string {
		if t.IsZero() {
			return never
		}
		return text.ShortDuration(s.Now.Sub(t)) + " ago"
	}
	for _, sentence := range s.Lines() {
		fmt.Fprintln(w, sentence.Text+".")
	}
	if s.PID != 0 {
		line("daemon", "pid %d, version %s, up %s, directory %s", s.PID, s.Version, text.ShortDuration(s.Now.Sub(s.Started)), s.Dir)
	}
	if s.Users > 0 || s.PID != 0 {
		line("users", "%d declared: %s", s.Users, usersText(s))
	} else if s.Quarantined > 0 {
		line("users", "%d quarantined", s.Quarantined)
	}
	if s.Revision != "" {
		line("checkout", "at %s, %s", spec.ShortRevision(s.Revision), appliedText(s))
	} else if s.Applied != nil {
		line("applied", "%s, %s", spec.ShortRevision(s.Applied.Revision), ago(s.Applied.At))
	}
	if s.Phase != "" && s.Phase != usersync.PhaseIdle {
		done := ""
		if s.Changing > 0 {
			done = fmt.Sprintf(": %d of %d users%s", s.Done, s.Changing, text.Enclose(", ", s.Left(), ""))
		}
		line("pass", "%s for %s%s", s.Phase, text.ShortDuration(s.Now.Sub(s.Began)), done)
	}
	line("refresh", "organization last read: %s", ago(s.Refresh))
	if s.PID != 0 {
		line("success", "last successful sync: %s", ago(s.Success))
		line("rate", "%s", rateText(s.Limiter))
	}
	printEach(w, s.Holds)
	const most = 5
	rejected := s.Rejected()
	for _, f := range rejected[:min(len(rejected), most)] {
		line("failed", "%s (%s:%d): %s", f.Email, f.File, f.Line, f.Message)
	}
	for _, note := range s.Notes[:min(len(s.Notes), most)] {
		line("note", "%s", note)
	}
	for _, p := range s.Specs[:min(len(s.Specs), most)] {
		line("problem", "%s", p)
	}
	if n := len(rejected) + s.Problems - min(len(rejected), most) - min(len(s.Specs), most); n > 0 {
		line("", "and %d more: usersyncd status --output json", n)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// usersText counts the users by what they wait for.
func usersText(s control.Status) string {
	parts := append([]string{fmt.Sprintf("%d in sync", s.InSync)}, text.NonZero(
		text.Of(s.Pending, "pending"), text.Of(s.Failed, "failed"), text.Of(s.Held, "held"), text.Of(s.Quarantined, "quarantined"),
		text.Of(s.Skipped, "skipped"), text.Of(s.Deferred, "waiting for a change window"))...)
	if s.Problems > 0 {
		parts = append(parts, text.Plural(s.Problems, "problem")+" in the specs")
	}
	return strings.Join(parts, ", ")
}

func appliedText(s control.Status) string {
	a := s.Applied
	if a == nil {
		return "not fully applied yet"
	}
	revision, ago := spec.ShortRevision(a.Revision), text.ShortDuration(s.Now.Sub(a.At))+" ago"
	switch {
	case a.RolledBack:
		return revision + " was fully applied " + ago + ", and partly rolled back since"
	case a.Revision == s.Revision && s.Dirty:
		return "applied " + ago + " with uncommitted edits"
	case a.Revision == s.Revision:
		return "fully applied " + ago
	}
	return "last fully applied: " + revision + ", " + ago
}

// rateText is the rate of calls, and what limits it.
func rateText(l control.Limiter) string {
	quota, wait := "no quota reported", ""
	if l.Windowed {
		quota = fmt.Sprintf("%d of %d requests left for %.0fs", l.Left, l.Allowed, l.Reset)
	}
	if l.Gate > 0 {
		wait = "waiting " + text.ShortDuration(seconds(l.Gate)) + ", as the API asks; "
	}
	return fmt.Sprintf("%s%.1f/s%s, %s, %d throttled", wait, l.Rate, text.Enclose(", limited by ", l.LimitedBy(), ""), quota, l.Throttled)
}
