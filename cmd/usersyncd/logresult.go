package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/plan/window"
)

const (
	// A checkout that is being changed is no news: a pull takes seconds. After so long it is an alarm, as by
	// then a person has to end a merge, or clear away what a killed git has left.
	alarmAfter = 5 * time.Minute
	// Until then, and afterwards, it is tried again at least so often.
	longestUnstill = time.Minute
)

// A checkoutBusy remembers since when the checkout is not still.
type checkoutBusy struct{ since time.Time } // zero while it is

// busyFor takes the error of a pass, and reports whether it is one of a checkout that is being changed,
// and for how long there has been no other outcome.
func (s *checkoutBusy) busyFor(err error, now time.Time) (time.Duration, bool) {
	if !errors.Is(err, spec.ErrTreeChanged) {
		s.since = time.Time{}
		return 0, false
	}
	if s.since.IsZero() {
		s.since = now
	}
	return now.Sub(s.since), true
}

// logResult writes what a pass did, or could not do. What is as it was after the pass before is not said
// again: a problem in the specs may stand for days.
func (d *daemon) logResult(res *usersync.Result, err error) {
	ailing, attrs := "", []any{"error", err}
	if parked := (*aimd.ParkedError)(nil); errors.As(err, &parked) {
		ailing = parked.Error() // whichever call it was that met the pause
		attrs = append(attrs, "note", "nothing is lost; it goes on by itself then")
	} else if err != nil {
		ailing = err.Error()
	}
	if lasted, unstill := d.busyFor(err, time.Now()); unstill {
		ailing = "the checkout is not still" // the reason may differ from pass to pass
		if lasted < alarmAfter {
			d.log.Debug(ailing, "error", err)
			return
		}
		attrs = append(attrs, "lasts", lasted.Round(time.Second).String(), "note", "what was applied before stays; it goes on by itself when the checkout is still")
	}
	switch {
	case err != nil && ailing != d.ailing:
		d.ailing = ailing
		d.log.Error("the pass ended early", attrs...)
	case err == nil && d.ailing != "":
		d.ailing = ""
		d.log.Info("the passes work again")
	}
	if res == nil {
		return
	}
	said := fmt.Sprint(res.Problems, res.Failures, res.Holds, res.Notes, res.Held, res.Skipped, res.Retained, res.WaitingForWindow, res.WindowOpens)
	first := d.lastLogged == ""
	news := said != d.lastLogged || res.Applied > 0
	if d.lastLogged = said; !news {
		return
	}
	if res.Retained > 0 {
		d.log.Warn("users that are not declared any more, or whose specs have problems, are kept as last applied until the specs are in order", "users", res.Retained)
	}
	for _, note := range res.Notes {
		if !slices.Contains(d.notes, note) { // it stands as long as what it is about
			d.log.Warn("warning", "note", note)
		}
	}
	d.notes = res.Notes
	for _, h := range res.Holds {
		d.log.Warn("held: a person must release it", "guard", h.Guard, "users", len(h.Users), "first", h.Users[:min(len(h.Users), 10)], "reason", h.Reason, "release", "usersyncd release "+h.ID)
	}
	if res.WaitingForWindow > 0 {
		d.log.Info("waiting for the change window", "users", res.WaitingForWindow, "until", window.Format(res.WindowOpens))
	}
	for _, p := range res.Problems {
		d.log.Warn("a problem in the specs", "problem", p.String())
	}
	if first || res.Changed > 0 || len(res.Problems) > 0 {
		c := d.calls()
		d.log.Info("pass done", "plan", res.Plan, "revision", res.Revision, "users", res.Users, "changed", res.Changed,
			"applied", res.Applied, "failed", res.Failed, "quarantined", res.Quarantined, "skipped", res.Skipped, "held", res.Held, "deferred", res.Deferred,
			"pending", res.Pending, "unchanged", res.Unchanged, "seconds", fmt.Sprintf("%.1f", res.Seconds),
			"calls_total", c.Total, "throttled_total", c.Throttled)
	}
}
