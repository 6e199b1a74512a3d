package progress

import (
	"fmt"
	"strings"
	"time"

	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
)

// A part of a line is left out where the line is too long; those of the highest rank first.
type part struct {
	rank int
	text string // "": nothing is to be said
}

const maxRank = 5

// Line says how far a pass is, with an estimate of the time that is left, in a number of columns; 0: as many as it takes.
func Line(st usersync.Status, l aimd.Stats, left time.Duration, columns int) string {
	title, parts := st.Phase.Words(), pace(l)
	switch st.Phase {
	case usersync.PhaseScan, usersync.PhaseWait:
		parts = nil // no call is made
	case usersync.PhaseRead:
		parts = append([]part{{0, fmt.Sprintf("%d/%d", st.Read, st.Reading)}, {1, remaining(left)}}, parts...)
	case usersync.PhaseApply:
		title = ""
		parts = append(parts, part{4, text.Plural(l.Expected, "call") + " to go"})
		if l.Expected == 0 {
			parts = []part{{4, awaited(st)}}
		}
		left = max(left, time.Until(st.Progress.Until))
		parts = append([]part{{0, fmt.Sprintf("%d/%d users", st.Progress.Done(), st.Progress.Changed)}, {3, nonZero(st.Progress.Failed, "failed")}, {1, remaining(left)}}, parts...)
	}
	line := ""
	for rank := maxRank; rank >= 0; rank-- {
		line = join(parts, rank)
		if title != "" {
			line = title + text.Enclose(": ", line, "")
		}
		if columns <= 0 || len(line) <= columns {
			return line
		}
	}
	return line[:columns]
}

// Pace says how fast calls are sent, and what limits it.
func Pace(l aimd.Stats) string { return join(pace(l), maxRank) }

func pace(l aimd.Stats) []part {
	speed, quota := fmt.Sprintf("%.1f calls/s", l.Effective), ""
	if l.Windowed {
		quota = fmt.Sprintf("%d of %d calls left", l.Left, l.Allowed)
	}
	switch {
	case l.Gate >= shortestWait:
		speed, quota = fmt.Sprintf("waiting %s, as the API asks", text.ShortDuration(l.Gate)), ""
	case l.Reason == aimd.Exhausted && l.Reset >= shortestWait:
		speed, quota = fmt.Sprintf("waiting %s for the next calls", text.ShortDuration(l.Reset)), ""
	case l.Reason == aimd.InFlight:
		speed = text.Plural(l.InFlight, "call") + " under way"
	case l.Reason == aimd.Rate && l.Throttled > 0:
		speed += ", slower after a 429"
	}
	return []part{{2, speed}, {5, quota}, {5, nonZero(l.Throttled, "answered 429")}}
}

// shortestWait is how long nothing is sent at least for that to be said.
const shortestWait = time.Second

// awaited says what a run waits for that has nothing to send now.
func awaited(st usersync.Status) string {
	switch p := st.Progress; {
	case p.Unanswered > 0:
		return "looking up " + text.Plural(p.Unanswered, "call") + " without a response"
	case p.Started > 0:
		return "waiting for " + text.Plural(p.Started, "response")
	}
	return "waiting to try again"
}

// remaining is the time that is left, if it is worth a word.
func remaining(left time.Duration) string {
	if left < 100*time.Millisecond {
		return ""
	}
	return text.ShortDuration(left) + " left"
}

func nonZero[N int | uint64](n N, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", n, what)
}

// join joins the parts up to a rank.
func join(parts []part, rank int) string {
	var texts []string
	for _, p := range parts {
		if p.rank <= rank && p.text != "" {
			texts = append(texts, p.text)
		}
	}
	return strings.Join(texts, ", ")
}
