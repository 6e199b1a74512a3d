package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// mostShown is how many failures and problems a status lists; it counts all of them.
const mostShown = 50

// status puts together how the daemon does now.
func (d *daemon) status(now time.Time) control.Status {
	st := d.Status()
	s := control.Status{
		Schema: control.StatusSchema, Version: version(), PID: os.Getpid(), Now: now.UTC(), Started: d.began.UTC(), Dir: d.dir, API: d.API,
		Phase: st.Phase, Began: st.Began.UTC(), Beat: st.Beat.UTC(), Moved: st.Moved.UTC(), Success: st.Success.UTC(), Refresh: st.Refresh.UTC(),
		Head: st.Revision, Dirty: spec.IsDirty(st.Revision), Applied: st.LastApplied, Plan: st.Plan, Undoes: st.RollbackOf, Paused: st.Paused,
		Users: st.Users, InSync: st.InSync, Reading: st.Reading, Read: st.Read, Holds: []plan.Hold{}, Failures: []usersync.Failure{}, Specs: []spec.Problem{},
		Limiter: d.limiterStatus(),
	}
	if dir, err := filepath.Abs(d.dir); err == nil {
		s.Dir = dir
	}
	if next := d.next.Load(); next != 0 && st.Phase == usersync.PhaseIdle {
		s.Next = time.Unix(next, 0).UTC()
	}
	if ok, why := d.alive(now); !ok {
		s.Stuck = why
	}
	if st.Trouble != nil {
		s.Error = text.OneLine(st.Trouble.Error())
		s.CredentialsDead = errors.Is(st.Trouble, apply.ErrUnauthorized)
		if isStateError(st.Trouble) {
			s.StateError = s.Error
		}
	}
	if broken := d.misconfigured.Load(); broken != nil {
		s.Settings = *broken
	}
	if meta, err := d.Store.Meta(); err == nil { // a pause that no pass has met yet is one all the same
		s.Paused = meta.Pause
	}
	w := d.watcher.State()
	s.Watch = control.Watch{Mode: string(w.Mode), Dirs: w.Dirs, Reason: w.Reason}
	d.countUsers(&s, st)
	d.total(&s, st)
	return s
}

// isStateError reports whether a pass ended because the state file cannot be read or written.
func isStateError(err error) bool {
	for _, why := range []error{state.ErrDamaged, state.ErrReplaced, syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, syscall.EIO} {
		if errors.Is(err, why) {
			return true
		}
	}
	return false
}

// countUsers says how many users are where. While a pass applies, its plan says who waits for what.
func (d *daemon) countUsers(s *control.Status, st usersync.Status) {
	v, last := d.View(), st.Last
	if st.Phase == usersync.PhaseApply && v != nil && v.Plan == st.Plan {
		s.Changing, s.Done, s.Failed = st.Changed, st.Done(), st.Failed
		s.Pending = max(0, st.Changed-st.Done())
		for i := range v.Changes {
			c := &v.Changes[i]
			s.Count(c.Outcome)
			if until := c.Until; len(c.Deferred) > 0 && (s.Opens.IsZero() || until.Before(s.Opens)) {
				s.Opens = until
			}
		}
		s.Holds, s.Notes = append([]plan.Hold{}, v.Holds...), v.Notes
		s.Show(nil, v.Problems(), v.Contests, mostShown)
		return
	}
	if last == nil {
		return
	}
	s.Pending, s.Failed, s.Held, s.Quarantined, s.Skipped = last.Pending, last.Failed, last.Held, last.Quarantined, last.Skipped
	for _, c := range last.Changes {
		switch c.UserOutcome() {
		case plan.Deferred:
			s.Deferred++
		case plan.Held:
			if c.Outcome != plan.Held { // in part
				s.Held++
			}
		}
	}
	s.Holds, s.Notes = last.Holds, last.Notes
	_, s.Opens = last.WaitingForWindow()
	s.Show(last.Failures, last.Problems, last.Contested, mostShown)
	if st.Phase == usersync.PhaseApply { // a rollback, which is not what the specs ask for
		s.Changing, s.Done, s.Failed, s.Pending = st.Changed, st.Done(), st.Failed, max(0, st.Changed-st.Done())
		s.InSync = max(0, s.InSync-st.Changed) // they are, or are becoming, as the specs do not want them
	}
}

// total counts since the process began, the pass under way included.
func (d *daemon) total(s *control.Status, st usersync.Status) {
	applied, failed := st.Succeeded, st.Failures
	if st.Phase == usersync.PhaseApply {
		applied, failed = applied+uint64(st.Applied), failed+uint64(st.Failed)
	}
	s.Totals = control.Totals{
		Passes: st.Passes, PassErrors: st.Ailing, PassSeconds: time.Duration(d.busy.Load()).Seconds(), Damaged: st.Damaged, Repairs: st.Repairs,
		Changes: map[string]uint64{"applied": applied, "failed": failed}, Calls: d.calls(),
	}
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
	s := control.Status{
		Schema: control.StatusSchema, Version: version(), Now: now.UTC(), Applied: meta.Applied, Paused: meta.Pause, Refresh: meta.Refresh.At.UTC(),
		Quarantined: meta.Failures, Holds: []plan.Hold{}, Failures: []usersync.Failure{}, Specs: []spec.Problem{},
	}
	if meta.Org != nil {
		s.API = meta.Org.API
	}
	if meta.Converged != nil && meta.Converged.Digest != "" {
		s.Users, s.InSync = meta.Converged.Users, meta.Converged.Users
	}
	return s, nil
}
