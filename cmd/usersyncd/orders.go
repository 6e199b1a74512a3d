package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// An order is what somebody asks the loop to do between two passes. The loop is the only one who makes passes.
type order struct {
	gone   <-chan struct{} // closed when nobody waits for the answer any more
	undo   *plan.Undo      // a rollback; nil: a pass
	reread bool            // the pass is to read the organization
	agreed string          // the plan of a rollback
	by     string
	reply  chan<- reply // has room for one
}

type reply struct {
	result *usersync.Result
	err    error
}

// ask gives the loop an order and waits for what comes of it.
func (d *daemon) ask(ctx context.Context, o order) (*usersync.Result, error) {
	answer := make(chan reply, 1)
	o.gone, o.reply = ctx.Done(), answer
	select {
	case d.orders <- o:
	case <-ctx.Done():
		d.undone(o)
		return nil, ctx.Err()
	}
	select {
	case r := <-answer:
		return r.result, r.err
	case <-ctx.Done():
		return nil, ctx.Err() // it is done all the same, and the log says what came of it
	}
}

// interrupt makes a pass begin at once: the one under way ends as soon as what is in flight has come back. A rollback
// goes on.
func (d *daemon) interrupt(why string) {
	if !d.undoing.Load() && d.Status().Undoes == "" {
		d.Interrupt(why)
	}
	d.look()
}

// look makes the loop look again soon.
func (d *daemon) look() {
	select {
	case d.kick <- struct{}{}:
	default: // it is about to
	}
}

// Sync implements control.Daemon.
func (s source) Sync(ctx context.Context, refresh bool) (*usersync.Result, error) {
	return s.ask(ctx, order{reread: refresh})
}

// Pause implements control.Daemon. A pass that begins from now on finds the pause; the one that may be under
// way is ended, and so is a rollback.
func (s source) Pause(by, reason string) error {
	meta, err := s.Store.Meta()
	if err != nil {
		return err
	}
	p := pausedToo(meta.Pause, by, reason)
	if err := s.Store.Commit(state.Commit{Pause: &p}); err != nil {
		return err
	}
	s.log.Warn("paused: passes look, and change nothing until somebody resumes", "by", by, "reason", reason)
	s.Interrupt("somebody has paused it")
	s.look()
	return nil
}

// pausedToo is a pause that somebody makes over another one: since then, and for both reasons.
func pausedToo(before *state.Pause, by, reason string) state.Pause {
	p := state.Pause{At: time.Now(), By: by, Reason: reason}
	if before == nil {
		return p
	}
	p.At = before.At
	switch {
	case reason == "":
		p.By, p.Reason = before.By, before.Reason
	case before.Reason != "" && before.Reason != reason:
		p.Reason = before.Reason + "; " + reason
	}
	return p
}

// Resume implements control.Daemon.
func (s source) Resume(by string) (bool, error) {
	if s.undoing.Load() { // a pass would write again what it takes back
		return false, control.ErrUndoing
	}
	meta, err := s.Store.Meta()
	if err != nil || meta.Pause == nil {
		return false, err
	}
	if err := s.Store.Commit(state.Commit{Pause: &state.Pause{}}); err != nil {
		return true, err
	}
	s.log.Info("resumed", "by", by)
	s.interrupt("somebody has resumed it")
	return true, nil
}

// Release implements control.Daemon.
func (s source) Release(by, id string) (plan.Hold, error) {
	if h, ok := s.undos.release(id); ok {
		s.log.Warn("released: the next rollback lets it through", "id", id, "guard", h.Guard, "users", len(h.Users), "by", by)
		return h, nil
	}
	for _, h := range s.Status().Holds {
		if h.ID != id {
			continue
		}
		if err := s.Store.Commit(state.Commit{Release: []string{id}}); err != nil {
			return h, err
		}
		s.log.Warn("released: the next pass lets it through", "id", id, "guard", h.Guard, "users", len(h.Users), "by", by)
		s.interrupt("somebody has released what was held")
		return h, nil
	}
	return plan.Hold{}, fmt.Errorf("%w %s; usersyncd status shows what is held", control.ErrNotHeld, id)
}

// Rollback implements control.Daemon. It ends the pass under way, which may go on writing what is to be undone, and no
// pass comes before it.
func (s source) Rollback(ctx context.Context, undo plan.Undo, agreed, by string) (*usersync.Result, error) {
	if agreed != "" && !s.undoing.CompareAndSwap(false, true) { // their pauses would get into each other's way
		return nil, fmt.Errorf("undo %s: %w", undo, control.ErrUndoing)
	}
	o := order{undo: &undo, agreed: agreed, by: by}
	meta, err := s.Store.Meta()
	if err != nil {
		s.undone(o)
		return nil, err
	}
	undo.Released, undo.Paused = s.undos.freed(), meta.Pause
	return s.ask(ctx, o)
}

// undoHolds is what guards hold of rollbacks. No pass knows of it, so that a request in the state file would be
// answered with "nothing is held".
type undoHolds struct {
	mu       sync.Mutex
	holds    []plan.Hold // of the last one that had a plan
	released []string    // since the last one that was carried out
}

// held takes in what came of a rollback.
func (u *undoHolds) held(res *usersync.Result) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.holds = res.Holds; res.Applied > 0 {
		u.released = nil
	}
}

func (u *undoHolds) release(id string) (plan.Hold, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.IndexFunc(u.holds, func(h plan.Hold) bool { return h.ID == id })
	if i < 0 {
		return plan.Hold{}, false
	}
	u.released = append(u.released, id)
	return u.holds[i], true
}

func (u *undoHolds) freed() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.released)
}

// undone is the end of a rollback that was agreed to.
func (d *daemon) undone(o order) {
	if o.agreed != "" {
		d.undoing.Store(false)
	}
}

// rollback carries out an order between two passes.
func (d *daemon) rollback(ctx context.Context, o order) {
	if o.agreed == "" { // a plan that nobody waits for any more is of no use; what writes goes on
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-o.gone:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	before := d.calls()
	res, err := d.Rollback(ctx, *o.undo, o.agreed, o.by)
	d.undone(o) // before the answer: whoever has it may resume at once
	if res != nil {
		res.Calls.Add(d.calls(), before)
		d.log.Warn("rollback", "undo", o.undo.String(), "plan", res.Plan, "dryRun", res.DryRun, "by", o.by, "users", res.Changed,
			"applied", res.Applied, "failed", res.Failed, "left", res.Skipped, "held", res.Held)
		d.undos.held(res)
	}
	if errors.Is(err, usersync.ErrInterrupted) {
		if err = fmt.Errorf("%w: nothing was written", control.ErrPaused); res != nil {
			err = fmt.Errorf("%w: what was sent is recorded, %s left", control.ErrPaused, plural(res.Pending, "user"))
		}
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, usersync.ErrNothingToUndo), errors.Is(err, usersync.ErrCancelled), errors.Is(err, plan.ErrAmbiguous), errors.Is(err, usersync.ErrPlanMoved):
		d.log.Info("nothing was undone", "undo", o.undo.String(), "reason", err)
	case err != nil:
		d.log.Error("a rollback was not carried out, or not to its end", "undo", o.undo.String(), "error", err)
	}
	o.reply <- reply{res, err}
}
