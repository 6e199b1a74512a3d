package main

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

// rollbacks is what a daemon remembers of rollbacks. No pass knows of what guards hold of them, so that a request for
// its release in the state file would be answered with "nothing is held".
type rollbacks struct {
	writing atomic.Bool // one that was agreed to is under way, or about to be
	planned atomic.Bool // one is being planned

	mu       sync.Mutex
	holds    []plan.Hold // of the last one that had a plan
	released []string    // since the last one that was carried out
}

// running reports whether the loop is at one, so that no pass is to be interrupted.
func (r *rollbacks) running() bool { return r.writing.Load() || r.planned.Load() }

// took takes in what came of one.
func (r *rollbacks) took(res *usersync.Result) {
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

// Rollback implements rpc.Daemon. It ends the pass under way, which may go on writing what is to be undone, and no
// pass comes before it.
func (s source) Rollback(ctx context.Context, undo plan.Rollback, agreed, by string) (*usersync.Result, error) {
	r := &s.rollbacks
	if agreed != "" {
		if !r.writing.CompareAndSwap(false, true) { // their pauses would get into each other's way
			return nil, fmt.Errorf("undo %s: %w", undo, rpc.ErrUndoing)
		}
	}
	meta, err := s.Store.Meta()
	taken, res := false, (*usersync.Result)(nil)
	if err == nil {
		undo.Paused = meta.Pause
		r.mu.Lock()
		undo.Releases = slices.Clone(r.released)
		r.mu.Unlock()
		res, taken, err = s.ask(ctx, command{why: "rollback requested", run: func(running context.Context) (*usersync.Result, error) {
			if agreed != "" {
				defer r.writing.Store(false) // before the answer: whoever has it may resume at once
				return s.rollBack(running, undo, agreed, by)
			}
			r.planned.Store(true)
			defer r.planned.Store(false)
			// A plan that nobody waits for any more is of no use; what writes goes on.
			running, cancel := context.WithCancel(running)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			return s.rollBack(running, undo, agreed, by)
		}})
	}
	if agreed != "" && !taken {
		r.writing.Store(false)
	}
	return res, err
}

// rollBack makes one between two passes.
func (d *daemon) rollBack(ctx context.Context, undo plan.Rollback, agreed, by string) (*usersync.Result, error) {
	before := d.calls()
	res, err := d.Rollback(ctx, undo, agreed, by)
	if res != nil {
		res.Calls.Add(d.calls(), before)
		d.log.Warn("rollback", "undo", undo.String(), "plan", res.Plan, "dryRun", res.DryRun, "by", by, "users", res.Changed,
			"applied", res.Applied, "failed", res.Failed, "left", res.Skipped, "held", res.Held)
		d.rollbacks.took(res)
	}
	if errors.Is(err, usersync.ErrInterrupted) {
		if err = fmt.Errorf("%w: nothing was written", rpc.ErrPaused); res != nil {
			err = fmt.Errorf("%w: what was sent is recorded, %s left", rpc.ErrPaused, text.Plural(res.Pending, "user"))
		}
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, usersync.ErrNothingToRollBack), errors.Is(err, usersync.ErrNoNetChange), errors.Is(err, plan.ErrAmbiguous), errors.Is(err, usersync.ErrPlanChanged):
		d.log.Info("nothing was undone", "undo", undo.String(), "reason", err)
	case err != nil:
		d.log.Error("a rollback was not carried out, or not to its end", "undo", undo.String(), "error", err)
	}
	return res, err
}
