package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/plan"
)

// rollbacks is the state that rollbacks leave behind. Passes do not know what guards hold of a rollback, so that a release
// of it cannot go through the state file.
type rollbacks struct {
	confirmed atomic.Bool // one that was confirmed is under way, or about to be
	planning  atomic.Bool // one is being planned

	mu       sync.Mutex
	holds    []plan.Hold // of the last one that had a plan
	released []string    // since the last one that was carried out
}

// running reports whether the loop makes one, so that no pass is to be interrupted.
func (r *rollbacks) running() bool { return r.confirmed.Load() || r.planning.Load() }

// ended records what guards hold of one.
func (r *rollbacks) ended(res *usersync.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holds = res.Holds; res.Applied > 0 {
		r.released = nil
	}
}

// release lets the next one carry out what was held, if anything is held under the id.
func (r *rollbacks) release(id string) (plan.Hold, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.holds, func(h plan.Hold) bool { return h.ID == id })
	if i < 0 {
		return plan.Hold{}, false
	}
	r.released = append(r.released, id)
	return r.holds[i], true
}

// Rollback implements rpc.Daemon. It ends the pass under way, which may still write what is to be rolled back, and comes
// before the next one.
func (d *Daemon) Rollback(ctx context.Context, rollback plan.Rollback, planID, by string) (*usersync.Result, error) {
	r, confirmed := &d.rollbacks, planID != ""
	if confirmed && !r.confirmed.CompareAndSwap(false, true) { // each would restore the pause that it has found
		return nil, fmt.Errorf("roll back %s: %w", rollback, rpc.ErrRollbackUnderWay)
	}
	var res *usersync.Result
	taken := false
	meta, err := d.Reconciler.Store.Meta()
	if err == nil {
		rollback.Paused = meta.Pause
		r.mu.Lock()
		rollback.Releases = slices.Clone(r.released)
		r.mu.Unlock()
		res, taken, err = d.submit(ctx, command{reason: "rollback requested", run: func(loop context.Context) (*usersync.Result, error) {
			if confirmed {
				defer r.confirmed.Store(false) // before the reply: whoever has it may resume at once
				return d.runRollback(loop, rollback, planID, by)
			}
			r.planning.Store(true)
			defer r.planning.Store(false)
			// A plan that nobody waits for is of no use; a rollback that was confirmed goes on.
			loop, cancel := context.WithCancel(loop)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			return d.runRollback(loop, rollback, planID, by)
		}})
	}
	if confirmed && !taken {
		r.confirmed.Store(false)
	}
	return res, err
}

// runRollback makes one between two passes, and logs the result.
func (d *Daemon) runRollback(ctx context.Context, rollback plan.Rollback, planID, by string) (*usersync.Result, error) {
	before := d.Calls()
	res, err := d.Reconciler.Rollback(ctx, rollback, planID, by)
	if res != nil {
		res.Calls.Add(d.Calls(), before)
		d.Log.Warn("rollback", "of", rollback.String(), "plan", res.Plan, "dryRun", res.DryRun, "by", by, "users", res.Changed,
			"applied", res.Applied, "failed", res.Failed, "skipped", res.Skipped, "held", res.Held)
		d.rollbacks.ended(res)
	}
	if errors.Is(err, usersync.ErrInterrupted) {
		if err = fmt.Errorf("%w: nothing was written", rpc.ErrPaused); res != nil {
			err = fmt.Errorf("%w: requests that were sent are recorded, %s left", rpc.ErrPaused, text.Plural(res.Pending, "user"))
		}
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, usersync.ErrNothingToRollBack), errors.Is(err, usersync.ErrNoNetChange), errors.Is(err, plan.ErrAmbiguous), errors.Is(err, usersync.ErrPlanChanged):
		d.Log.Info("nothing was rolled back", "of", rollback.String(), "reason", err)
	case err != nil:
		d.Log.Error("rollback failed, or was stopped", "of", rollback.String(), "error", err)
	}
	return res, err
}
