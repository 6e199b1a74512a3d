package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
)

func newStatus(c *config.Config, p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [flags]",
		Short: "Say how the daemon does: in sync, pending, held, and why",
		Long: `status asks the running daemon or, when none runs, the state file. It answers
at once, whatever a pass is doing.`,
		Example: `  usersyncd status
  sudo usersyncd status --output json | jq .held`,
		Args: noArgs,
		RunE: withSettings(c, func(cmd *cobra.Command, _ []string) error {
			r, err := openBackend(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer r.close()
			if r.nothing != nil {
				return r.nothing
			}
			var s control.Status
			if r.client != nil {
				s, err = r.client.Status(cmd.Context())
			} else {
				s, err = storedStatus(r.store, time.Now())
			}
			if err != nil {
				return err
			}
			if c.Output == "json" {
				return printJSON(p.stdout, s)
			}
			return printStatus(p.stdout, s)
		}),
	}
	c.Declare(cmd, config.Query)
	return cmd
}

// storedStatus is what the state file alone says.
func storedStatus(store *state.Store, now time.Time) (control.Status, error) {
	meta, err := store.Meta()
	if err != nil {
		return control.Status{}, err
	}
	s := control.New(usersync.Status{Applied: meta.Applied, Paused: meta.Pause, Refresh: meta.Refresh.At.UTC()})
	s.Version, s.Now, s.Quarantined = version(), now.UTC(), meta.Failures
	if meta.Org != nil {
		s.API = meta.Org.API
	}
	if meta.Converged != nil && meta.Converged.Digest != "" {
		s.Users, s.InSync = meta.Converged.Users, meta.Converged.Users
	}
	return s, nil
}

// printStatus says how it is in some fifteen lines, what matters most first.
func printStatus(w io.Writer, s control.Status) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	ago := func(t time.Time) string {
		if t.IsZero() {
			return "never"
		}
		return text.ShortDuration(s.Now.Sub(t)) + " ago"
	}
	fmt.Fprintln(&b, s.Sentence())
	if s.PID != 0 {
		line("daemon", "pid %d, %s, up %s, looks after %s", s.PID, s.Version, text.ShortDuration(s.Now.Sub(s.Started)), text.Escape(s.Dir))
	} else {
		line("daemon", "none runs, or listens; this is what the state file says")
	}
	if s.Paused != nil {
		line("paused", "%s", pausedText(s.Paused, s.Now))
	}
	if s.Users > 0 || s.PID != 0 {
		line("users", "%d declared: %s", s.Users, usersText(s))
	} else if s.Quarantined > 0 {
		line("users", "%d in quarantine", s.Quarantined)
	}
	if s.Revision != "" {
		line("checkout", "at %s, %s", spec.ShortRevision(s.Revision), appliedText(s))
	} else if s.Applied != nil {
		line("applied", "%s, %s", spec.ShortRevision(s.Applied.Revision), ago(s.Applied.At))
	}
	if s.Phase != "" && s.Phase != usersync.PhaseIdle {
		line("pass", "%s since %s%s", s.Phase, text.ShortDuration(s.Now.Sub(s.Began)), progressText(s))
	}
	line("read", "the organization %s", ago(s.Refresh))
	if s.PID != 0 {
		line("success", "the last successful pass %s", ago(s.Success))
		line("rate", "%s", paceText(s.Limiter))
		if s.Watch.Mode == "polling" {
			line("polling", "instead of watching: %s", text.Escape(s.Watch.Reason))
		}
	}
	for name, why := range map[string]string{"error": s.Error, "stuck": s.Stuck, "settings": s.Settings} {
		if why != "" {
			line(name, "%s", text.Escape(why))
		}
	}
	printEach(&b, s.Holds)
	const most = 5
	for _, f := range s.Failures[:min(len(s.Failures), most)] {
		line("refused", "%s (%s:%d): %s", text.Escape(f.Email), text.Escape(f.File), f.Line, text.Escape(f.Message))
	}
	for _, note := range s.Notes[:min(len(s.Notes), most)] {
		line("note", "%s", text.Escape(note))
	}
	for _, p := range s.Specs[:min(len(s.Specs), most)] {
		line("problem", "%s", text.Escape(p.String()))
	}
	if n := len(s.Failures) + s.Problems - min(len(s.Failures), most) - min(len(s.Specs), most); n > 0 {
		line("", "and %d more: usersyncd status --output json", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// usersText counts the users by what they wait for.
func usersText(s control.Status) string {
	parts := append([]string{fmt.Sprintf("%d in sync", s.InSync)}, text.NonZero(
		text.Of(s.Pending, "pending"), text.Of(s.Failed, "failed"), text.Of(s.Held, "held"), text.Of(s.Quarantined, "in quarantine"),
		text.Of(s.Skipped, "skipped"), text.Of(s.Deferred, "waiting for a change window"))...)
	if s.Problems > 0 {
		parts = append(parts, text.Plural(s.Problems, "problem")+" in the specs")
	}
	return strings.Join(parts, ", ")
}

func appliedText(s control.Status) string {
	switch a := s.Applied; {
	case a == nil:
		return "never fully applied yet"
	case a.RolledBack:
		return spec.ShortRevision(a.Revision) + " was fully applied " + text.ShortDuration(s.Now.Sub(a.At)) + " ago, and a rollback has taken some back since"
	case a.Revision == s.Revision && s.Dirty:
		return "applied " + text.ShortDuration(s.Now.Sub(a.At)) + " ago with edits that are not committed"
	case a.Revision == s.Revision:
		return "fully applied " + text.ShortDuration(s.Now.Sub(a.At)) + " ago"
	default:
		return fmt.Sprintf("while %s is what was last fully applied, %s ago", spec.ShortRevision(a.Revision), text.ShortDuration(s.Now.Sub(a.At)))
	}
}

func progressText(s control.Status) string {
	if s.Changing == 0 {
		return ""
	}
	return fmt.Sprintf(": %d of %d users, %s left", s.Done, s.Changing, text.ShortDuration(time.Duration(s.Limiter.Estimate*float64(time.Second))))
}

func pausedText(p *state.Pause, now time.Time) string {
	said := "nothing is changed"
	if p.By != "" {
		said += ", by " + text.Escape(p.By)
	}
	said += ", since " + text.ShortDuration(now.Sub(p.At))
	if p.Reason != "" {
		said += ": " + text.Escape(p.Reason)
	}
	return said + " (usersyncd resume)"
}

// paceText says how fast it goes.
func paceText(l control.Limiter) string {
	quota := "the API tells no quota"
	if l.Windowed {
		quota = fmt.Sprintf("%d of %d requests left for %.0fs", l.Left, l.Allowed, l.Reset)
	}
	said := fmt.Sprintf("%.1f/s (%s), %s, %d throttled", l.Rate, l.Reason, quota, l.Throttled)
	if l.Gate > 0 {
		said = fmt.Sprintf("waiting %s, as the API asks; ", text.ShortDuration(time.Duration(l.Gate*float64(time.Second)))) + said
	}
	return said
}
