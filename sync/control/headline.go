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

// How much a line matters.
const (
	levelOK   = "ok"
	levelBusy = "busy" // something is being done
	levelWarn = "warn" // somebody should look at it, at some time
	levelBad  = "bad"  // nothing goes on until somebody does
)

// A Line is one sentence about how the daemon does.
type Line struct {
	Level string `json:"level"` // ok, busy, warn or bad
	Topic string `json:"topic"` // what it is about; stays while numbers in the text move
	Text  string `json:"text"`
}

// Lines says in words how the daemon does, the most important first: there is always one.
func (s *Status) Lines() []Line {
	var all []Line
	say := func(level, topic, format string, args ...any) {
		all = append(all, Line{level, topic, text.Cut(text.Escape(fmt.Sprintf(format, args...)), longestLine)})
	}
	recovers := s.Error != "" && !s.CredentialsDead && s.Progresses()
	if s.Stuck != "" {
		say(levelBad, "stuck", "The daemon is stuck: %s", s.Stuck)
	}
	switch {
	case s.CredentialsDead:
		say(levelBad, "credentials", "Nothing was applied %s: the credentials are refused (%s)", s.idleFor(), cmp.Or(s.Error, "no details"))
	case s.Error != "" && !recovers:
		say(levelBad, "error", "Nothing was applied %s: %s", s.idleFor(), s.Error)
	}
	if s.Paused != nil {
		by, why := "", ""
		if s.Paused.By != "" {
			by = " by " + s.Paused.By
		}
		if s.Paused.Reason != "" {
			why = " (" + s.Paused.Reason + ")"
		}
		say(levelWarn, "paused", "Paused%s for %s%s: changes are planned, and none is made", by, text.Duration(s.Now.Sub(s.Paused.At)), why)
	}
	if s.Held > 0 {
		switch {
		case len(s.Holds) == 0:
			say(levelWarn, "held", "%s held: the configuration protects them, and they are never changed", areOf(s.Held))
		case len(s.Holds) == 1 && len(s.Holds[0].Users) == s.Held:
			say(levelWarn, "held", "%s held: %s", areOf(s.Held), s.Holds[0].Reason)
		default:
			say(levelWarn, "held", "%s held; a person has to look at %s", areOf(s.Held), text.Plural(len(s.Holds), "hold"))
		}
	}
	if s.Problems > 0 {
		say(levelWarn, "problems", "%s in the specs: these users stay as last applied, and nobody is removed", text.Plural(s.Problems, "problem"))
	}
	if s.Dirty {
		say(levelWarn, "dirty", "The checkout has edits that are not committed: its revision is %s", spec.ShortRevision(s.Revision))
	}
	if n := s.Failed + s.Quarantined; n > 0 {
		say(levelWarn, "failed", "%s not as declared because the API refused the change; each is tried again", areOf(n))
	}
	if s.Contested > 0 {
		say(levelWarn, "contested", "Somebody else keeps changing %s back; the notes say which", text.Plural(s.Contested, "field"))
	}
	if s.Settings != "" {
		say(levelWarn, "settings", "The configuration on disk is broken and not in force; fix it, and reload (SIGHUP): %s", strings.TrimSuffix(s.Settings, "."))
	}
	if s.Watch.Mode == "polling" {
		say(levelWarn, "polling", "Changes of the checkout are found by polling: %s", cmp.Or(s.Watch.Reason, "it sends no events"))
	}
	switch {
	case s.Phase == usersync.PhaseApply && s.Pending > 0:
		left := ""
		if s.Limiter.Estimate >= 1 {
			left = ", about " + text.Duration(time.Duration(s.Limiter.Estimate*float64(time.Second))) + " left"
		}
		verb := "Changing"
		if s.RollbackOf != "" {
			verb = "Rolling back"
		}
		say(levelBusy, "apply", verb+" %s: %d done, %d to go%s", text.Plural(s.Changing, "user"), s.Done, s.Pending, left)
	case s.Success.IsZero() && s.Error == "" && s.Stuck == "":
		say(levelBusy, "starting", "Starting: the first pass is under way (%s)", cmp.Or(s.Phase, usersync.PhaseIdle))
	case s.Pending > 0 && s.Paused == nil && s.Error == "":
		say(levelBusy, "pending", "%s to be changed", areOf(s.Pending))
	}
	if recovers {
		say(levelBusy, "error", "A pass is under way again; the one before it ended early: %s", s.Error)
	}
	if s.Deferred > 0 {
		opens := "" // not known
		if !s.Opens.IsZero() {
			opens = ", until " + window.Format(s.Opens)
		}
		say(levelOK, "deferred", "%s for a change window%s", text.Count(s.Deferred, "user waits", "users wait"), opens)
	}
	if rest := s.Users - s.InSync; rest <= 0 && s.Problems == 0 && !s.Success.IsZero() && !recovers {
		switch s.Users {
		case 0:
			say(levelOK, "insync", "No user is declared")
		case 1:
			say(levelOK, "insync", "The one user is as declared")
		default:
			say(levelOK, "insync", "All %d users are as declared", s.Users)
		}
	} else if len(all) == 0 {
		skipped := ""
		if s.Skipped > 0 {
			skipped = "; the plan says why " + areOf(s.Skipped) + " skipped"
		}
		say(levelBusy, "some", "%d of %s as declared%s", s.InSync, areOf(s.Users), skipped)
	}
	rank := map[string]int{levelBad: 0, levelWarn: 1, levelBusy: 2, levelOK: 3}
	slices.SortStableFunc(all, func(a, b Line) int { return rank[a.Level] - rank[b.Level] })
	return all
}

// Sentence says how it is in one sentence: what somebody who was woken up reads first.
func (s *Status) Sentence() string {
	switch {
	case s.PID != 0:
		return s.Lines()[0].Text + "."
	case s.Paused != nil:
		return "No daemon runs, and nothing is to be changed: paused."
	case s.Users > 0 && s.Quarantined == 0:
		edits := ""
		if s.Applied != nil && spec.IsDirty(s.Applied.Revision) {
			edits = ", with edits that were not committed"
		}
		return fmt.Sprintf("No daemon runs. When the last pass ended, all %d users were as declared%s.", s.Users, edits)
	}
	return "No daemon runs."
}

// idleFor is for how long no pass has succeeded.
func (s *Status) idleFor() string {
	switch {
	case !s.Success.IsZero():
		return "for " + text.Duration(s.Now.Sub(s.Success))
	case !s.Started.IsZero():
		return "since the start, " + text.Duration(s.Now.Sub(s.Started)) + " ago"
	}
	return "so far"
}

func areOf(n int) string { return text.Count(n, "user is", "users are") }
