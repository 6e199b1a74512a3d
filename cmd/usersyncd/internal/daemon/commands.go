package daemon

import (
	"context"
	"fmt"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/plan"
)

// Sync implements rpc.Daemon.
func (d *Daemon) Sync(ctx context.Context, refresh bool) (*usersync.Result, error) {
	res, _, err := d.submit(ctx, command{reason: "sync requested", refresh: refresh})
	return res, err
}

// Pause implements rpc.Daemon. A pass that begins from now on finds the pause; the pass or rollback under way is ended.
func (d *Daemon) Pause(by, reason string) error {
	meta, err := d.Reconciler.Store.Meta()
	if err != nil {
		return err
	}
	p := MergePause(meta.Pause, by, reason)
	if err := d.Reconciler.Store.Commit(state.Commit{Pause: &p}); err != nil {
		return err
	}
	d.Log.Warn("paused: passes plan, and change nothing until usersyncd resume", "by", by, "reason", reason)
	d.Reconciler.Interrupt("paused")
	d.wakeUp()
	return nil
}

// MergePause returns a pause that begins now or, if there is one, when that began, with both reasons.
func MergePause(before *state.Pause, by, reason string) state.Pause {
	p := state.Pause{At: time.Now(), By: by, Reason: reason}
	if before == nil {
		return p
	}
	p.At, p.Rollback = before.At, before.Rollback
	switch {
	case reason == "":
		p.By, p.Reason = before.By, before.Reason
	case before.Reason != "" && before.Reason != reason:
		p.Reason = before.Reason + "; " + reason
	}
	return p
}

// Resume implements rpc.Daemon.
func (d *Daemon) Resume(by string) (bool, error) {
	if d.rollbacks.confirmed.Load() { // a pass would write again what it takes back
		return false, rpc.ErrRollbackUnderWay
	}
	meta, err := d.Reconciler.Store.Meta()
	if err != nil || meta.Pause == nil {
		return false, err
	}
	if err := d.Reconciler.Store.Commit(state.Commit{Pause: &state.Pause{}}); err != nil {
		return true, err
	}
	d.Log.Info("resumed", "by", by)
	d.restart("resumed")
	return true, nil
}

// Release implements rpc.Daemon.
func (d *Daemon) Release(by, id string) (plan.Hold, error) {
	if h, ok := d.rollbacks.release(id); ok {
		d.Log.Warn("released for the next rollback", "id", id, "guard", h.Guard, "users", len(h.Users), "by", by)
		return h, nil
	}
	for _, h := range d.Status().Holds {
		if h.ID != id {
			continue
		}
		if err := d.Reconciler.Store.Commit(state.Commit{AddReleases: []string{id}}); err != nil {
			return h, err
		}
		d.Log.Warn("released for the next pass", "id", id, "guard", h.Guard, "users", len(h.Users), "by", by)
		d.restart("hold released")
		return h, nil
	}
	return plan.Hold{}, fmt.Errorf("%w %s; usersyncd status lists the holds", rpc.ErrNotHeld, id)
}
