package daemon

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan/window"
)

const (
	// A pull takes seconds. A checkout that is changing for longer has an open merge, or the lock of a git that was killed,
	// and a person has to end that.
	checkoutBusyAlarm = 5 * time.Minute
	// Lines of one kind that the end of a pass logs.
	mostLogged = 50
	// It is scanned again at least so often.
	maxCheckoutBackoff = time.Minute
)

// A passLog logs what passes do. What was logged after the pass before is not logged again: a problem in the specs may stay
// for days.
type passLog struct {
	log    *slog.Logger
	calls  func() usersync.Calls
	result [sha256.Size]byte // hash of the last pass' result; zero before the first
	notes  map[string]bool   // of that pass
	wrong  string            // its problems
	err    string            // of the last pass; "" if it succeeded
	busy   time.Time         // since when the checkout is changing; zero if it is not
}

// interrupted logs a pass that ends because another one is to begin.
func (p *passLog) interrupted(res *usersync.Result, err error) {
	if res == nil {
		p.log.Info("pass interrupted; the next one begins", "reason", err)
		return
	}
	p.log.Info("pass interrupted; the next one continues", "reason", err, "plan", res.Plan, "revision", res.Revision,
		"applied", res.Applied, "failed", res.Failed, "pending", res.Pending)
}

func (p *passLog) ended(res *usersync.Result, err error) {
	p.failed(err)
	if res == nil {
		return
	}
	before, hash := p.result, sha256.New()
	fmt.Fprint(hash, res.ProblemList, res.Failures, res.Holds, res.Notes, res.Held, res.Skipped, res.Retained, res.WaitingForWindow, res.WindowOpens)
	if hash.Sum(p.result[:0]); p.result == before && res.Applied == 0 {
		return
	}
	if res.Retained > 0 {
		p.log.Warn("users that are no longer declared, or whose specs have problems, are kept as last applied until the specs are fixed", "users", res.Retained)
	}
	logged := p.notes
	p.notes = make(map[string]bool, len(res.Notes))
	var notes []string
	for _, note := range res.Notes {
		if p.notes[note] = true; !logged[note] {
			notes = append(notes, note)
		}
	}
	for _, note := range notes[:min(len(notes), mostLogged)] {
		p.log.Warn("warning", "note", note)
	}
	p.more("notes", len(notes))
	for _, h := range res.Holds[:min(len(res.Holds), mostLogged)] {
		p.log.Warn("held: a person must release it", "guard", h.Guard, "users", len(h.Users), "first", h.Users[:min(len(h.Users), 10)], "reason", h.Reason, "release", "usersyncd release "+h.ID)
	}
	p.more("holds", len(res.Holds))
	if res.WaitingForWindow > 0 {
		p.log.Info("waiting for the change window", "users", res.WaitingForWindow, "until", window.Format(res.WindowOpens))
	}
	if wrong := fmt.Sprint(res.ProblemList); wrong != p.wrong { // all of them, as one that is solved counts as a change, too
		p.wrong = wrong
		for _, problem := range res.Problems[:min(len(res.Problems), mostLogged)] {
			p.log.Warn("problem in the specs", "problem", problem.String())
		}
		p.more("problems", res.ProblemCount())
	}
	if before == [sha256.Size]byte{} || res.Changed > 0 || len(res.Problems) > 0 {
		c := p.calls()
		p.log.Info("pass done", "plan", res.Plan, "revision", res.Revision, "users", res.Users, "changed", res.Changed,
			"applied", res.Applied, "failed", res.Failed, "quarantined", res.Quarantined, "skipped", res.Skipped, "held", res.Held, "deferred", res.Deferred,
			"pending", res.Pending, "unchanged", res.Unchanged, "seconds", fmt.Sprintf("%.1f", res.Seconds),
			"calls_total", c.Total, "throttled_total", c.Throttled)
	}
}

// more says that some of what a pass has are not logged.
func (p *passLog) more(what string, n int) {
	if n > mostLogged {
		p.log.Warn("and more "+what+", which are not logged", "count", n-mostLogged)
	}
}

// failed logs why a pass has failed, or that passes succeed again.
func (p *passLog) failed(err error) {
	text, attrs := "", []any{"error", err}
	if parked, ok := errors.AsType[*aimd.ParkedError](err); ok {
		text = parked.Error() // whichever request met the pause
		attrs = append(attrs, "note", "nothing is lost; usersyncd resumes by itself then")
	} else if err != nil {
		text = err.Error()
		if e, ok := errors.AsType[*apply.CallError](err); ok && e.CorrelationID != "" { // it differs from try to try
			text = strings.ReplaceAll(text, e.CorrelationID, "")
		}
	}
	if !errors.Is(err, spec.ErrTreeChanged) {
		p.busy = time.Time{}
	} else {
		if p.busy.IsZero() {
			p.busy = time.Now()
		}
		text = spec.ErrTreeChanged.Error() // the rest may differ from pass to pass
		lasts := time.Since(p.busy)
		if lasts < checkoutBusyAlarm {
			p.log.Debug(text, "error", err)
			return
		}
		attrs = append(attrs, "lasts", lasts.Round(time.Second).String(), "note", "users stay as last applied; usersyncd resumes by itself when the checkout no longer changes")
	}
	switch {
	case err != nil && text != p.err:
		p.log.Error("pass failed", attrs...)
	case err == nil && p.err != "":
		p.log.Info("sync recovered")
	}
	p.err = text
}
