package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/plan/window"
)

const (
	// A pull takes seconds. A checkout that is changing for longer has an open merge, or the lock of a git that was killed,
	// and a person has to end that.
	checkoutBusyAlarm = 5 * time.Minute
	// It is scanned again at least so often.
	maxCheckoutBackoff = time.Minute
)

// A passLog logs what passes do. What was logged after the pass before is not logged again: a problem in the specs may stay
// for days.
type passLog struct {
	log    *slog.Logger
	calls  func() usersync.Calls
	result string    // of the last pass that had one, as text
	notes  []string  // of that pass
	err    string    // of the last pass; "" if it succeeded
	busy   time.Time // since when the checkout is changing; zero if it is not
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
	before := p.result
	p.result = fmt.Sprint(res.Problems, res.Failures, res.Holds, res.Notes, res.Held, res.Skipped, res.Retained, res.WaitingForWindow, res.WindowOpens)
	if p.result == before && res.Applied == 0 {
		return
	}
	if res.Retained > 0 {
		p.log.Warn("users that are no longer declared, or whose specs have problems, are kept as last applied until the specs are fixed", "users", res.Retained)
	}
	for _, note := range res.Notes {
		if !slices.Contains(p.notes, note) {
			p.log.Warn("warning", "note", note)
		}
	}
	p.notes = res.Notes
	for _, h := range res.Holds {
		p.log.Warn("held: a person must release it", "guard", h.Guard, "users", len(h.Users), "first", h.Users[:min(len(h.Users), 10)], "reason", h.Reason, "release", "usersyncd release "+h.ID)
	}
	if res.WaitingForWindow > 0 {
		p.log.Info("waiting for the change window", "users", res.WaitingForWindow, "until", window.Format(res.WindowOpens))
	}
	for _, problem := range res.Problems {
		p.log.Warn("problem in the specs", "problem", problem.String())
	}
	if before == "" || res.Changed > 0 || len(res.Problems) > 0 {
		c := p.calls()
		p.log.Info("pass done", "plan", res.Plan, "revision", res.Revision, "users", res.Users, "changed", res.Changed,
			"applied", res.Applied, "failed", res.Failed, "quarantined", res.Quarantined, "skipped", res.Skipped, "held", res.Held, "deferred", res.Deferred,
			"pending", res.Pending, "unchanged", res.Unchanged, "seconds", fmt.Sprintf("%.1f", res.Seconds),
			"calls_total", c.Total, "throttled_total", c.Throttled)
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
