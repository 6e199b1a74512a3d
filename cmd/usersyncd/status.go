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
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
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
			return p.show(c, s, func(w io.Writer) {
				printStatus(sheet{w, logging.Width(p.stdout)}, s, c.Same("config", "state", "socket"))
			})
		},
	})
}

// printStatus writes some fifteen lines, the most important first. same are the flags of a further command that asks the same.
func printStatus(w sheet, s control.Status, same string) {
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
		end := "."
		if strings.HasSuffix(sentence.Text, "?") || strings.HasSuffix(sentence.Text, ".") { // of an error
			end = ""
		}
		w.line(2, "%s%s", sentence.Text, end)
	}
	if s.PID != 0 {
		line("daemon", "pid %d, version %s, up %s, directory %s", s.PID, s.Version, text.ShortDuration(s.Now.Sub(s.Started)), s.Dir)
	}
	if s.Users > 0 || s.PID != 0 {
		line("users", "%d declared: %s", s.Users, usersText(s))
	} else if s.Quarantined > 0 {
		line("users", "%d failed", s.Quarantined)
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
		line("pass", "%s for %s%s", s.Phase.Words(), text.ShortDuration(s.Now.Sub(s.Began)), done)
	}
	line("refresh", "organization last read: %s", ago(s.Refresh))
	if s.PID != 0 || !s.Success.IsZero() {
		line("success", "last completed pass: %s", ago(s.Success))
	}
	if s.PID != 0 {
		line("calls", "%s", callsText(s))
	}
	const most = 5
	for _, h := range s.Holds[:min(len(s.Holds), most)] {
		printHold(w, h, slices.Contains(s.Released, h.ID), same)
	}
	if n := len(s.Holds) - most; n > 0 {
		line("", "and %s: usersyncd status%s --output json", text.Plural(n, "more hold"), same)
	}
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

// printHold writes what a guard holds, why, and what lets it through. No command is broken.
func printHold(w sheet, h plan.Hold, released bool, same string) {
	fields := make([]string, len(h.Fields))
	for i, f := range h.Fields {
		fields[i] = string(f)
	}
	line := func(name, format string, args ...any) { w.fact("", name, format, args...) }
	line("held", "%s%s, by %s: %s", text.Plural(len(h.Users), "user"), text.Enclose(" (", text.List(fields, 3, len(fields)), ")"), h.By(), h.Reason)
	line("", "%s", text.List(h.Users, 2, len(h.Users)))
	switch {
	case released:
		line("", "released: the next pass applies it")
	case h.Releasable():
		line("", "%s:", strings.ToLower(h.ReleasedIf()[:1])+h.ReleasedIf()[1:])
		w.command("", "", "usersyncd release"+same+" "+h.ID)
	default:
		line("", "not in the plan that was to be applied: plan again")
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// usersText counts the users by what they wait for.
func usersText(s control.Status) string {
	others := strings.Join(text.NonZero(
		text.Of(s.Pending, "to be changed"), text.Of(s.FailedSpecs, "left out because of problems"), text.Of(s.RejectedUsers(), "failed"), text.Of(s.Held, "held"),
		text.Of(s.Skipped, "skipped"), text.Of(s.Deferred, "deferred")), ", ")
	undeclared, problems := "", ""
	if s.Undeclared > 0 {
		undeclared = fmt.Sprintf(" (%d of these no longer declared)", s.Undeclared)
	}
	if s.Problems > 0 {
		problems = "; " + text.Plural(s.Problems, "problem") + " in the specs"
	}
	before := ""
	switch {
	case s.RolledBack != nil:
		before = ", before the rollback"
	case s.Outdated():
		before = ", before the pass that failed"
	}
	return fmt.Sprintf("%d in sync%s%s%s%s", s.InSync, text.Enclose(", ", others, ""), undeclared, problems, before)
}

func appliedText(s control.Status) string {
	a := s.Applied
	if a == nil {
		return "not fully applied yet"
	}
	revision, ago := spec.ShortRevision(a.Revision), text.ShortDuration(s.Now.Sub(a.At))+" ago"
	switch {
	case a.RolledBack:
		if a.Revision == s.Revision {
			revision = "it"
		}
		return revision + " was fully applied " + ago + ", and a rollback has changed users since"
	case a.Revision == s.Revision && s.Dirty:
		return "applied " + ago + " with uncommitted edits"
	case a.Revision == s.Revision:
		return "fully applied " + ago
	}
	return "last fully applied: " + revision + ", " + ago
}

// callsText is how fast the API is called and what limits that or, if no call is made, what it says of the next one.
func callsText(s control.Status) string {
	l, quota := s.Limiter, ""
	throttled := fmt.Sprintf("%d made, %d answered 429 (too many)", l.Sent, l.Throttled)
	if l.Throttled == 0 {
		throttled = fmt.Sprintf("%d made, none answered 429 (too many)", l.Sent)
	}
	if l.Windowed {
		quota = fmt.Sprintf("%d of %d calls left for %s; ", l.Left, l.Allowed, text.ShortDuration(seconds(l.Reset)))
	}
	switch {
	case l.Gate > 0:
		return "none for " + text.ShortDuration(seconds(l.Gate)) + ", as the API asks; " + throttled
	case l.InFlight == 0 && l.Expected == 0:
		return "none under way; " + quota + throttled
	}
	return fmt.Sprintf("%.1f a second%s; %s%s", l.Rate, text.Enclose(", limited by ", l.LimitedBy(), ""), quota, throttled)
}
