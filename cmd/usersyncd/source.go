package main

import (
	"os"
	"path/filepath"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// status puts together how the daemon does now.
func (d *daemon) status(now time.Time) control.Status {
	s := control.New(d.Status())
	s.Version, s.PID, s.Now, s.Started, s.Dir, s.API = version(), os.Getpid(), now.UTC(), d.began.UTC(), d.dir, d.API
	s.Totals.Calls, s.Limiter = d.calls(), d.limiterStatus()
	if dir, err := filepath.Abs(d.dir); err == nil {
		s.Dir = dir
	}
	if next := d.next.Load(); next != 0 && s.Phase == usersync.PhaseIdle {
		s.Next = time.Unix(next, 0).UTC()
	}
	s.Stuck = d.stuck(now)
	if broken := d.misconfigured.Load(); broken != nil {
		s.Settings = *broken
	}
	if meta, err := d.Store.Meta(); err == nil { // a pause that no pass has met yet is one all the same
		s.Paused = meta.Pause
	}
	w := d.watcher.State()
	s.Watch = control.Watch{Mode: string(w.Mode), Dirs: w.Dirs, Reason: w.Reason}
	return s
}

func (a *app) limiterStatus() control.Limiter {
	l := a.limiter.Stats()
	return control.Limiter{
		Rate: l.Effective, AIMD: l.Rate, Reason: string(l.Reason), Windowed: l.Windowed, Allowed: l.Allowed, Left: l.Left, Others: l.Others,
		Reset: l.Reset.Seconds(), Gate: l.Gate.Seconds(), InFlight: l.InFlight, Expected: l.Expected,
		Estimate: a.limiter.Estimate(l.Expected).Seconds(), Throttled: l.Throttled, Decreases: l.Decreases, Sent: l.Sent, Tokens: l.Tokens,
	}
}

// A source is the daemon as the page, the metrics and the socket see it.
type source struct{ *daemon }

// Status implements control.Source.
func (s source) Status() control.Status { return s.status(time.Now()) }

// Plan implements control.Source.
func (s source) Plan() []plan.Change {
	v, st := s.View(), s.Reconciler.Status()
	if v == nil || v.Plan != st.Plan && st.Phase == usersync.PhaseIdle {
		return nil // the last pass had nothing to look at
	}
	return v.Changes
}

// History implements control.Source.
func (s source) History(q state.Query) ([]state.Event, error) { return s.Store.History(q) }

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
