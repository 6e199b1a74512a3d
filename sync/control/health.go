package control

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	usersync "usersyncd/sync"

	"usersyncd/spec/text"
)

// DefaultReadyMax is how many users may be held, and in quarantine, unless a flag says otherwise: more than a
// person looks through one by one. Fewer are for an alert, and no reason to call the daemon broken.
const DefaultReadyMax = 100

const (
	// overdueAfter intervals without a pass that ended well are too many.
	overdueAfter = 3
	// quietAfter and quietReadAfter are for how long nobody may show a sign of life, while applying and
	// idling, and while reading. Whoever fills in [Status.Stuck] knows more and judges sooner; these are for
	// when that is what hangs.
	quietAfter     = 2 * time.Minute
	quietReadAfter = 20 * time.Minute
	// stillAfter is for how long a pass may bring nobody through, however short the interval: a call may
	// wait for the end of a window of a minute, and then be one of several.
	stillAfter = 3 * time.Minute
	// longestGate is the longest pause that a pass waits for; a longer one ends it. See package aimd.
	longestGate = 10 * time.Minute
)

// Limits say when the daemon still counts as ready. The zero value is the strictest: nobody may be held or in
// quarantine, and a pass must end well every three minutes.
type Limits struct {
	Interval       time.Duration // how often a pass is made when nothing happens: --resync-interval; 0 is a minute
	MaxHeld        int           // users held; negative: it is not looked at
	MaxQuarantined int           // users in quarantine; negative: it is not looked at
}

func (l Limits) overdue() time.Duration {
	if l.Interval <= 0 {
		return overdueAfter * time.Minute
	}
	return overdueAfter * l.Interval
}

// A check is one question that /readyz asks. Its texts are read by whoever may reach the listener: they name
// no user and quote no error, which may.
type check struct {
	name  string
	wrong string // "" is well
	note  string // what is worth saying although all is well
}

// Ready says why the daemon does not do what it is there for; nothing if it does. It is ready as long as
// passes end well, or one is under way that gets somewhere, however long the API's quota makes it take.
func Ready(s Status, l Limits, now time.Time) []string {
	var reasons []string
	for _, c := range checks(s, l, now) {
		if c.wrong != "" {
			reasons = append(reasons, c.wrong)
		}
	}
	return reasons
}

// Live says why the process must be restarted; "" if it need not. That the API is down, or refuses, is no
// reason: a restart does not help.
func Live(s Status, now time.Time) string {
	if s.Stuck != "" {
		return "stuck: " + text.OneLine(s.Stuck)
	}
	limit := quietReadAfter
	if s.Phase == usersync.PhaseApply || s.Phase == usersync.PhaseIdle {
		limit = quietAfter
	}
	if quiet := now.Sub(s.Beat); !s.Beat.IsZero() && quiet > limit {
		return fmt.Sprintf("stuck: no sign of life for %s, %s", quiet.Round(time.Second), doing(s))
	}
	return ""
}

func checks(s Status, l Limits, now time.Time) []check {
	when := func(is bool, text string) string {
		if is {
			return text
		}
		return ""
	}
	paused := ""
	if s.Paused != nil { // a person's wish, and no fault
		paused = fmt.Sprintf("paused since %s: nothing is changed until usersyncd resume", s.Paused.At.UTC().Format(time.RFC3339))
	}
	wrong, note := passes(s, l, now)
	return []check{
		{name: "loop", wrong: Live(s, now)},
		{name: "pass", wrong: wrong, note: note},
		{name: "credentials", wrong: when(s.CredentialsDead, "the credentials are refused: fix or renew the OAuth client, see usersyncd doctor")},
		{name: "state-file", wrong: when(s.StateError != "", "the state file cannot be read or written: usersyncd status says why")},
		{name: "held", wrong: tooMany(s.Held, l.MaxHeld, "held", "a guard stopped them: usersyncd status, then release them or fix the specs")},
		{name: "quarantined", wrong: tooMany(s.Quarantined, l.MaxQuarantined, "in quarantine", "the API refused them: usersyncd status lists why")},
		{name: "paused", note: paused},
		{name: "settings", note: when(s.Settings != "", "the configuration on disk is broken, and the one before it is in force: usersyncd status says why")},
	}
}

func tooMany(n, most int, what, why string) string {
	if most < 0 || n <= most {
		return ""
	}
	return fmt.Sprintf("%d users are %s, more than %d: %s", n, what, most, why)
}

// passes judges whether passes end well, or the one under way will.
func passes(s Status, l Limits, now time.Time) (wrong, note string) {
	never := s.Success.IsZero()
	if !never && now.Sub(s.Success) <= l.overdue() {
		return "", ""
	}
	underWay, works := s.underWay(), s.Works()
	switch {
	case never && s.Error == "" && !works:
		return "starting: no pass has ended yet, " + doing(s), ""
	case never && !works:
		return "starting: no pass has ended well yet, " + failing(s), ""
	case !underWay, s.Error != "" && !works:
		return fmt.Sprintf("no pass has ended well for %s, %s", now.Sub(s.Success).Round(time.Second), failing(s)), ""
	}
	patience := quietReadAfter // while a listing is read, nobody is counted
	if s.Phase == usersync.PhaseApply || s.Phase == usersync.PhaseRead {
		patience = max(stillAfter, l.overdue())
	}
	if waits(s) {
		patience += longestGate
	}
	if still := now.Sub(s.Moved); still > patience {
		return fmt.Sprintf("the pass has come no further for %s, %s", still.Round(time.Second), doing(s)), ""
	}
	return "", doing(s)
}

func (s *Status) underWay() bool { return s.Phase != usersync.PhaseIdle && s.Phase != "" }

// Works reports whether a pass is under way that gets somewhere: that somebody came through it, or was read, is
// what sets it apart from those that failed before.
func (s *Status) Works() bool {
	// Failed is of the pass before, until it applies.
	return s.underWay() && s.Read > 0 || s.Phase == usersync.PhaseApply && s.Done > s.Failed
}

// waits reports whether nothing is sent because the API asked for a pause, or one call finds out whether it is
// over. That the next one would be such a call is also said of a limiter that nobody asks.
func waits(s Status) bool {
	return s.Limiter.Gate > 0 || s.Limiter.Reason == "probe" && s.Limiter.InFlight > 0
}

// doing says in which phase the pass is.
func doing(s Status) string {
	text := "between two passes"
	switch s.Phase {
	case usersync.PhaseScan:
		text = "reading the specs"
	case usersync.PhaseRefresh:
		text = "reading the organization"
	case usersync.PhaseRead:
		text = fmt.Sprintf("reading users, %d of %d", s.Read, s.Reading)
	case usersync.PhaseApply:
		text = fmt.Sprintf("applying, %d users done and %d pending", s.Done, s.Pending)
	}
	if s.Limiter.Gate > 0 {
		text += fmt.Sprintf(", waiting %s as the API asked", (time.Duration(s.Limiter.Gate * float64(time.Second))).Round(time.Second))
	}
	return text
}

// failing says why the last pass ended early, as far as it can be said without quoting.
func failing(s Status) string {
	switch {
	case s.CredentialsDead:
		return "the credentials are refused"
	case s.Limiter.Reason == "parked":
		return fmt.Sprintf("the API asks for a pause of %s, and it goes on by itself then", (time.Duration(s.Limiter.Gate * float64(time.Second))).Round(time.Second))
	case s.Error != "":
		return "the last one ended early: usersyncd status says why"
	}
	return "and none is under way"
}

// HealthHandlers returns what answers /livez and /readyz, by path: 200, or 503 with a reason a line. With
// ?verbose /readyz lists every check, as Kubernetes does.
func HealthHandlers(src Source, limits func() Limits) map[string]http.Handler {
	return map[string]http.Handler{
		"/livez": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if why := Live(src.Status(), time.Now()); why != "" {
				answerText(w, http.StatusServiceUnavailable, why+"\n")
				return
			}
			answerText(w, http.StatusOK, "ok\n")
		}),
		"/readyz": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, body := readiness(checks(src.Status(), limits(), time.Now()), r.URL.Query().Has("verbose"))
			answerText(w, status, body)
		}),
	}
}

func readiness(all []check, verbose bool) (status int, body string) {
	var listed, wrong, notes strings.Builder
	for _, c := range all {
		switch {
		case c.wrong != "":
			fmt.Fprintf(&listed, "[-]%s not ok: %s\n", c.name, c.wrong)
			fmt.Fprintln(&wrong, c.wrong)
		case c.note != "":
			fmt.Fprintf(&listed, "[+]%s ok: %s\n", c.name, c.note)
			fmt.Fprintln(&notes, c.note)
		default:
			fmt.Fprintf(&listed, "[+]%s ok\n", c.name)
		}
	}
	status, body = http.StatusOK, "ok\n"+notes.String()
	end := "readyz check passed\n"
	if wrong.Len() > 0 {
		status, body, end = http.StatusServiceUnavailable, wrong.String(), "readyz check failed\n"
	}
	if verbose {
		body = listed.String() + end
	}
	return status, body
}

func answerText(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // who has hung up does not read it
}
