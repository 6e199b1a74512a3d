package control

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan/window"
)

// longestLine is how many characters of one are shown: an error of the API may be long.
const longestLine = 300

// How important a line is.
const (
	levelOK   = "ok"
	levelBusy = "busy" // something is being done
	levelWarn = "warn" // a person should review it
	levelBad  = "bad"  // changes fail, of all users or of some
)

// A Line is one sentence about the daemon.
type Line struct {
	Level string `json:"level"` // ok, busy, warn or bad
	Topic string `json:"topic"` // what it is about; stays the same while numbers in the text change
	Text  string `json:"text"`
}

// Lines describes the state of the daemon, the most important line first. There is at least one.
func (s *Status) Lines() []Line {
	var all []Line
	add := func(level, topic, format string, args ...any) {
		all = append(all, Line{level, topic, text.Cut(text.Escape(fmt.Sprintf(format, args...)), longestLine)})
	}
	running := s.PID != 0
	if !running {
		from := "; this is from the state file"
		if !s.AsOf.IsZero() {
			from += ", as the last pass left it " + text.Duration(s.Now.Sub(s.AsOf)) + " ago"
		}
		add(levelBad, "daemon", "No daemon is running, or it has no socket%s", from)
	}
	recovers := s.Error != "" && !s.CredentialsDead && s.Progresses()
	if s.Stuck != "" {
		add(levelBad, "stuck", "The daemon is stuck: %s", s.Stuck)
	}
	switch {
	case s.CredentialsDead:
		add(levelBad, "credentials", "Nothing was applied %s: the API rejects the credentials (%s)", s.sinceSuccess(), cmp.Or(s.Error, "no details"))
	case s.Outdated():
		add(levelBad, "error", "A later pass failed, %s ago: %s", text.Duration(s.Now.Sub(s.ErrorAt)), s.Error)
	case s.Error != "" && !running:
		add(levelBad, "error", "The last pass ended early, %s ago: %s", text.Duration(s.Now.Sub(s.ErrorAt)), s.Error)
	case s.Error != "" && !recovers:
		add(levelBad, "error", "Nothing was applied %s: %s", s.sinceSuccess(), s.Error)
	}
	if p := s.Paused; p != nil {
		end := "passes plan, and change nothing until usersyncd resume"
		if p.Rollback {
			end = "take that change back in the specs, too, then: usersyncd resume"
		}
		add(levelWarn, "paused", "Paused%s %s ago%s: %s", text.Enclose(" by ", p.By, ""), text.Duration(s.Now.Sub(p.At)), text.Enclose(" (", p.Reason, ")"), end)
	}
	if s.Held > 0 {
		switch {
		case len(s.Holds) == 0:
			add(levelWarn, "held", "%s held: the configuration protects them, and they are never changed", areOf(s.Held))
		default:
			var by []string
			for _, h := range s.Holds {
				if !slices.Contains(by, h.By()) {
					by = append(by, h.By())
				}
			}
			add(levelWarn, "held", "%s held by %s until a person releases them", areOf(s.Held), text.List(by, 3, len(by)))
		}
	}
	if s.Problems > 0 {
		removed := ""
		if s.Retained > 0 {
			removed = "; no users are removed until they are solved"
		}
		add(levelWarn, "problems", "%s in the specs: what they concern stays as last applied%s", text.Plural(s.Problems, "problem"), removed)
	}
	if s.Dirty {
		add(levelWarn, "dirty", "The checkout has uncommitted edits: its revision is %s", spec.ShortRevision(s.Revision))
	}
	if n := s.RejectedUsers(); n > 0 {
		add(levelBad, "failed", "%s not in sync because the API rejected the change; each is retried", areOf(n))
	}
	if s.Contested > 0 {
		add(levelWarn, "contested", "Somebody else keeps changing %s back: see the notes", text.Plural(s.Contested, "field"))
	}
	if s.Settings != "" {
		add(levelWarn, "settings", "The new configuration is invalid, and the previous one is in use; fix it, then reload (SIGHUP): %s", strings.TrimSuffix(s.Settings, "."))
	}
	if s.Watch.Mode == "polling" {
		add(levelWarn, "polling", "The checkout is polled for changes: %s", cmp.Or(s.Watch.Reason, "it sends no events"))
	}
	switch {
	case s.Phase == usersync.PhaseApply && s.Pending > 0:
		verb := "Changing"
		if s.RollbackOf != "" {
			verb = "Rolling back"
		}
		add(levelBusy, "apply", verb+" %s: %d done, %d to go%s", text.Plural(s.Changing, "user"), s.Done, s.Pending, text.Enclose(", ", s.Left(), ""))
	case running && s.Success.IsZero() && s.Error == "" && s.Stuck == "":
		add(levelBusy, "starting", "Starting: the first pass is under way (%s)", cmp.Or(s.Phase, usersync.PhaseIdle))
	case s.Pending > 0 && s.Paused == nil && s.Error == "":
		add(levelBusy, "pending", "%s to be changed", areOf(s.Pending))
	}
	if recovers {
		add(levelBusy, "error", "A pass is under way; the previous one failed: %s", s.Error)
	}
	if s.Deferred > 0 {
		opens := "" // not known
		if !s.Opens.IsZero() {
			opens = ", until " + window.Format(s.Opens)
		}
		add(levelOK, "deferred", "%s for a change window%s", text.Count(s.Deferred, "user waits", "users wait"), opens)
	}
	switch rest := s.Users - s.InSync; {
	case !running && (s.Users == 0 || s.AsOf.IsZero() && s.Quarantined > 0): // nothing is known of them
	case s.RolledBack != nil:
		add(levelWarn, "insync", "A rollback has changed %s since, %s ago: before it %d of %d were in sync", text.Plural(s.RolledBack.Users, "user"),
			text.Duration(s.Now.Sub(s.RolledBack.At)), s.InSync, s.Users)
	case s.Outdated():
		add(levelOK, "insync", "How many users are in sync is not known: before that pass %d of %d were", s.InSync, s.Users)
	case !running && rest > 0:
		add(levelOK, "insync", "After the last pass %d of %s in sync", s.InSync, text.Count(s.Users, "user was", "users were"))
	case !running:
		edits := ""
		if s.Applied != nil && spec.IsDirty(s.Applied.Revision) {
			edits = ", with uncommitted edits"
		}
		add(levelOK, "insync", "After the last pass all %d%s users were in sync%s", s.Users, s.declared(), edits)
	case s.Success.IsZero(): // it is not known
	case rest > 0:
		level, skipped := levelOK, ""
		if len(all) == 0 {
			level = levelBusy
		}
		if s.Skipped > 0 {
			skipped = fmt.Sprintf("; %s skipped: see the plan", areOf(s.Skipped))
		}
		add(level, "insync", "%d of %s in sync%s", s.InSync, areOf(s.Users), skipped)
	case s.Problems > 0 || recovers: // not all is known
	case s.Users == 0:
		add(levelOK, "insync", "No users are declared")
	case s.Users == 1:
		add(levelOK, "insync", "The one user is in sync")
	default:
		add(levelOK, "insync", "All %d%s users are in sync", s.Users, s.declared())
	}
	rank := map[string]int{levelBad: 0, levelWarn: 1, levelBusy: 2, levelOK: 3}
	slices.SortStableFunc(all, func(a, b Line) int { return rank[a.Level] - rank[b.Level] })
	return all
}

// declared is said of users who are all in sync beside others who are no longer declared.
func (s *Status) declared() string {
	if s.Undeclared > 0 {
		return " declared"
	}
	return ""
}

// Left says how long the pass under way will send calls, or what it waits for instead; "" if that is not worth a word.
func (s *Status) Left() string {
	switch {
	case s.Limiter.Estimate >= 1:
		return "about " + text.Duration(time.Duration(s.Limiter.Estimate*float64(time.Second))) + " left"
	case s.Limiter.Expected == 0 && s.Unanswered > 0:
		return "looking up " + text.Plural(s.Unanswered, "call") + " without a response"
	}
	return ""
}

// sinceSuccess is for how long no pass has completed.
func (s *Status) sinceSuccess() string {
	switch {
	case !s.Success.IsZero():
		return "for " + text.Duration(s.Now.Sub(s.Success))
	case !s.Started.IsZero():
		return "since the start, " + text.Duration(s.Now.Sub(s.Started)) + " ago"
	}
	return "so far"
}

func areOf(n int) string { return text.Count(n, "user is", "users are") }
