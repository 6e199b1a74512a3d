package daemon

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/plan"
)

// Status implements control.Source.
func (d *Daemon) Status() control.Status {
	now, l := time.Now(), d.Limiter.Stats()
	s := control.New(d.Reconciler.Status())
	s.Version, s.PID, s.Now, s.Started, s.Dir, s.API = d.Version, os.Getpid(), now.UTC(), d.started.UTC(), d.Config.Dir, d.Reconciler.API
	if dir, err := filepath.Abs(s.Dir); err == nil {
		s.Dir = dir
	}
	if next := d.next.Load(); next != 0 && s.Phase == usersync.PhaseIdle {
		s.Next = time.Unix(next, 0).UTC()
	}
	s.Stuck = d.judge.Stuck(s.Status, l, now)
	if reason := d.invalid.Load(); reason != nil {
		s.Settings = *reason
	}
	if meta, err := d.Reconciler.Store.Meta(); err == nil { // what no pass has met yet counts, too
		s.Paused, s.Refresh, s.Applied, s.Released = meta.Pause, meta.Refresh.At.UTC(), meta.AppliedTree, meta.Releases
	}
	w := d.Watcher.State()
	s.Watch = control.Watch{Mode: string(w.Mode), Dirs: w.Dirs, Reason: w.Reason}
	s.Totals.Calls = d.Calls()
	s.Limiter = control.Limiter{
		Rate: l.Effective, AIMD: l.Rate, Reason: string(l.Reason), Windowed: l.Windowed, Allowed: l.Allowed, Left: l.Left, Others: l.Others,
		Reset: l.Reset.Seconds(), Gate: l.Gate.Seconds(), InFlight: l.InFlight, Expected: l.Expected,
		Estimate: d.Limiter.Estimate(l.Expected).Seconds(), Throttled: l.Throttled, Decreases: l.Decreases, Sent: l.Sent, Tokens: l.Tokens,
	}
	return s
}

// Plan implements control.Source.
func (d *Daemon) Plan() []plan.Change {
	v, st := d.Reconciler.View(), d.Reconciler.Status()
	if v == nil || v.Plan != st.Plan && st.Phase == usersync.PhaseIdle {
		return nil // the last pass had nothing to plan
	}
	return v.Changes
}

// History implements control.Source.
func (d *Daemon) History(q state.Query) ([]state.Event, error) {
	return d.Reconciler.Store.History(q)
}

// Explain implements rpc.Daemon.
func (d *Daemon) Explain(ctx context.Context, email string) (*usersync.Explanation, error) {
	return d.Reconciler.Explain(ctx, email)
}

// CopyState implements rpc.Daemon.
func (d *Daemon) CopyState(begin func(rpc.StateFile) (io.Writer, error)) error {
	store, file := d.Reconciler.Store, d.Config.File
	if path, err := filepath.Abs(file); err == nil && file != "" {
		file = path
	}
	return store.WriteCopy(func(size int64) (io.Writer, error) {
		return begin(rpc.StateFile{Path: store.Path(), Size: size, Settings: *d.effects.Load(), Config: file})
	})
}
