// Package health judges whether the daemon makes progress and does its job, for service managers and for Prometheus: /livez,
// /readyz and /metrics.
package health

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
)

const (
	// overdueAfter intervals without a completed pass are too many.
	overdueAfter = 3
	// A pass may make no visible progress for so long: while it lists users, which are not counted; and while it changes
	// them, however short the interval, as a call may wait for the end of a quota window of a minute and then be one of several.
	listTimeout  = 20 * time.Minute
	applyTimeout = 3 * time.Minute
	// longestGate is the longest pause that a pass waits for; a longer one ends it. See package aimd.
	longestGate = 10 * time.Minute
)

// Limits say when the daemon still counts as ready. The zero value is the strictest: no user may be held or in
// quarantine, and a pass must succeed every three minutes.
type Limits struct {
	Interval       time.Duration // how often a pass is made when nothing happens: --resync-interval; 0 is a minute
	MaxHeld        int           // users held; negative: no limit
	MaxQuarantined int           // users in quarantine; negative: no limit
}

func (l Limits) overdue() time.Duration {
	return overdueAfter * cmp.Or(max(l.Interval, 0), time.Minute)
}

// A check is one line of /readyz?verbose. Its texts are read by whoever can reach the listener: they name no user and quote
// no error, which may.
type check struct {
	name string
	err  string // "" if the check passes
	note string // worth saying although it passes
}

// checks judges whether the daemon does its job: passes succeed, or one is under way that makes progress, however long the
// API's quota makes it take.
func checks(s control.Status, l Limits, now time.Time) []check {
	when := func(is bool, text string) string {
		if is {
			return text
		}
		return ""
	}
	paused := ""
	if s.Paused != nil { // a person's wish, and no fault
		paused = fmt.Sprintf("paused since %s: no changes are made until usersyncd resume", text.Time(s.Paused.At.UTC()))
	}
	err, note := checkPasses(s, l, now)
	return []check{
		{name: "loop", err: when(s.Stuck != "", "stuck: "+text.OneLine(s.Stuck))},
		{name: "pass", err: err, note: note},
		{name: "credentials", err: when(s.CredentialsDead, "the API rejects the credentials: fix or renew the OAuth client; see usersyncd doctor")},
		{name: "state-file", err: when(s.StateError != "", "the state file cannot be read or written: see usersyncd status")},
		{name: "held", err: tooMany(s.Held, l.MaxHeld, "held", "a guard stopped them: see usersyncd status, then release them or fix the specs")},
		{name: "quarantined", err: tooMany(s.Quarantined, l.MaxQuarantined, "in quarantine", "the API rejected their changes: see usersyncd status")},
		{name: "paused", note: paused},
		{name: "settings", note: when(s.Settings != "", "the new configuration is invalid, and the previous one is in use: see usersyncd status")},
	}
}

func tooMany(n, most int, what, why string) string {
	if most < 0 || n <= most {
		return ""
	}
	return fmt.Sprintf("%d users are %s, more than %d: %s", n, what, most, why)
}

// checkPasses judges whether passes succeed, or the one under way will.
func checkPasses(s control.Status, l Limits, now time.Time) (err, note string) {
	never, progresses := s.Success.IsZero(), s.Progresses()
	switch {
	case !never && now.Sub(s.Success) <= l.overdue():
		return "", ""
	case never && s.Error == "" && !progresses:
		return "starting: no pass has ended yet, " + activity(s), ""
	case never && !progresses:
		return "starting: no pass has completed yet, " + failure(s), ""
	case !s.PassUnderWay(), s.Error != "" && !progresses:
		return fmt.Sprintf("no pass has completed for %s, %s", now.Sub(s.Success).Round(time.Second), failure(s)), ""
	}
	timeout := listTimeout
	if s.Phase == usersync.PhaseApply || s.Phase == usersync.PhaseRead {
		timeout = max(applyTimeout, l.overdue())
	}
	// An idle limiter has the reason probe, too.
	if s.Limiter.Gate > 0 || s.Limiter.Reason == "probe" && s.Limiter.InFlight > 0 {
		timeout += longestGate
	}
	if idle := now.Sub(s.Moved); idle > timeout {
		return fmt.Sprintf("the pass has made no progress for %s, %s", idle.Round(time.Second), activity(s)), ""
	}
	return "", activity(s)
}

// activity describes what the loop is doing.
func activity(s control.Status) string {
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
		text += ", waiting " + gate(s) + " as the API asked"
	}
	return text
}

// failure explains why the last pass failed, without quoting its error.
func failure(s control.Status) string {
	switch {
	case s.CredentialsDead:
		return "the API rejects the credentials"
	case s.Limiter.Reason == "parked":
		return "the API asks for a pause of " + gate(s) + "; usersyncd resumes by itself"
	case s.Error != "":
		return "the last one failed: see usersyncd status"
	}
	return "and none is under way"
}

func gate(s control.Status) string {
	return (time.Duration(s.Limiter.Gate * float64(time.Second))).Round(time.Second).String()
}

// Handlers returns the handlers of /livez, /readyz and /metrics, by path.
//
// /livez and /readyz respond 200, or 503 with one reason per line; with ?verbose /readyz lists every check, as Kubernetes
// does; whoever mounts them sets the headers that forbid caching. /livez fails if the process must be
// restarted: not because the API is down, or rejects something, as a restart
// does not help then.
func Handlers(src control.Source, limits func() Limits) map[string]http.Handler {
	probe := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all, verbose := checks(src.Status(), limits(), time.Now()), r.URL.Query().Has("verbose")
		if r.URL.Path == "/livez" {
			all, verbose = all[:1], false
		}
		ok, body := report(all, verbose)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, body) // the client may be gone
	})
	metrics := promhttp.HandlerFor(newRegistry(src, limits), promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
	return map[string]http.Handler{"/livez": probe, "/readyz": probe, "/metrics": metrics}
}

// report returns whether all checks pass, and the body of the response.
func report(all []check, verbose bool) (ok bool, body string) {
	var listed, errs, notes strings.Builder
	for _, c := range all {
		switch {
		case c.err != "":
			fmt.Fprintf(&listed, "[-]%s not ok: %s\n", c.name, c.err)
			fmt.Fprintln(&errs, c.err)
		case c.note != "":
			fmt.Fprintf(&listed, "[+]%s ok: %s\n", c.name, c.note)
			fmt.Fprintln(&notes, c.note)
		default:
			fmt.Fprintf(&listed, "[+]%s ok\n", c.name)
		}
	}
	ok = errs.Len() == 0
	switch {
	case verbose && ok:
		body = listed.String() + "readyz check passed\n"
	case verbose:
		body = listed.String() + "readyz check failed\n"
	case ok:
		body = "ok\n" + notes.String()
	default:
		body = errs.String()
	}
	return ok, body
}
