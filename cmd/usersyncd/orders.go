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

// agreedWait is how often it is looked whether a rollback that was agreed to still is to come.
const agreedWait = 100 * time.Millisecond

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
	answer, to := make(chan reply, 1), d.orders
	if o.agreed != "" {
		to = d.agreed
	}
	o.gone, o.reply = ctx.Done(), answer
	select {
	case to <- o:
	case <-ctx.Done():
		err := errors.Join(ctx.Err(), d.unpause(o))
		if o.agreed != "" {
			d.undoing.Store(false) // after its pause has gone: the next one would take that for somebody's
		}
		return nil, err
	}
	select {
	case r := <-answer:
		return r.result, r.err
	case <-ctx.Done():
		return nil, ctx.Err() // it is done all the same, and the log says what came of it
	}
}

// unpause puts the pause back that was there before a rollback which has written nothing.
func (d *daemon) unpause(o order) error {
	if o.agreed == "" {
		return nil
	}
	meta, err := d.Store.Meta()
	if err != nil {
		return err
	}
	if p := meta.Pause; p == nil || p.Reason != o.reason() || p.By != o.by {
		return nil // somebody has ended it, or has paused for a reason of their own
	}
	before := o.undo.Paused
	if before == nil {
		before = &state.Pause{}
	}
	defer d.look()
	return d.Store.Commit(state.Commit{Pause: before})
}

// reason is why passes are paused before a rollback has begun.
func (o order) reason() string { return fmt.Sprintf("rollback of %s is about to begin", *o.undo) }

// interrupt ends the pass under way, once what is in flight has come back.
func (d *daemon) interrupt() {
	if cancel := d.passing.Load(); cancel != nil {
		(*cancel)()
	}
}

// look makes the loop look again soon.
func (d *daemon) look() {
	select {
	case d.kick <- struct{}{}:
	default: // it is about to
	}
}

// Explain implements control.Daemon.
func (s source) Explain(ctx context.Context, email string) (*usersync.Explanation, error) {
	return s.Reconciler.Explain(ctx, email)
}

// Sync implements control.Daemon.
func (s source) Sync(ctx context.Context, refresh bool) (*usersync.Result, error) {
	return s.ask(ctx, order{reread: refresh})
}

// Pause implements control.Daemon. A pass that begins from now on finds the pause; the one that may be under
// way is ended.
func (s source) Pause(by, reason string) error {
	meta, err := s.Store.Meta()
	if err != nil {
		return err
	}
	return s.pause(pausedToo(meta.Pause, by, reason), by, reason)
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

func (s source) pause(p state.Pause, by, reason string) error {
	if err := s.Store.Commit(state.Commit{Pause: &p}); err != nil {
		return err
	}
	s.log.Warn("paused: passes look, and change nothing until somebody resumes", "by", by, "reason", reason)
	s.interrupt()
	s.look()
	return nil
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
	s.look()
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
		if err := state.Release(s.state, id); err != nil {
			return h, err
		}
		s.log.Warn("released: the next pass lets it through", "id", id, "guard", h.Guard, "users", len(h.Users), "by", by)
		s.look()
		return h, nil
	}
	return plan.Hold{}, fmt.Errorf("%w %s; usersyncd status shows what is held", control.ErrNotHeld, id)
}

// Rollback implements control.Daemon. What is agreed to is not kept waiting by a pass that goes on writing what
// is to be undone: the pass is ended, and the pause that a rollback begins with begins now.
func (s source) Rollback(ctx context.Context, undo plan.Undo, agreed, by string) (*usersync.Result, error) {
	meta, err := s.Store.Meta()
	if err != nil {
		return nil, err
	}
	undo.Released, undo.Paused = s.undos.freed(), meta.Pause
	o := order{undo: &undo, agreed: agreed, by: by}
	if agreed == "" {
		return s.ask(ctx, o)
	}
	if !s.undoing.CompareAndSwap(false, true) { // their pauses would get into each other's way
		return nil, fmt.Errorf("undo %s: %w", undo, control.ErrUndoing)
	}
	if err := s.pause(state.Pause{At: time.Now(), By: by, Reason: o.reason()}, by, o.reason()); err != nil {
		s.undoing.Store(false)
		return nil, err
	}
	return s.ask(ctx, o)
}

// undoHolds is what guards hold of rollbacks. No pass knows of it, so that a request beside the state file would be
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

// undoFirst carries out the rollback that was agreed to, if one was: a pass before it would read the organization
// for minutes while what is to be undone is in force.
func (d *daemon) undoFirst(ctx context.Context) {
	for d.undoing.Load() {
		timer := time.NewTimer(agreedWait)
		select {
		case o := <-d.agreed:
			d.rollback(ctx, o)
		case <-timer.C: // it is about to come, or who asked for it has gone
		case <-ctx.Done():
			return
		}
		timer.Stop()
	}
}

// rollback carries out an order between two passes.
func (d *daemon) rollback(all context.Context, o order) {
	ctx, cancel := context.WithCancel(all)
	defer cancel()
	if o.agreed != "" {
		d.passing.Store(&cancel) // a pause ends it, as it ends a pass
		defer d.passing.Store(nil)
	} else { // a plan that nobody waits for any more is of no use; what writes goes on
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
	if res != nil {
		res.Calls.Add(d.calls(), before)
		d.log.Warn("rollback", "undo", o.undo.String(), "plan", res.Plan, "dryRun", res.DryRun, "by", o.by, "users", res.Changed,
			"applied", res.Applied, "failed", res.Failed, "left", res.Skipped, "held", res.Held)
		d.undos.held(res)
	}
	if o.agreed != "" && errors.Is(err, context.Canceled) && all.Err() == nil {
		if err = fmt.Errorf("%w: nothing was written", control.ErrPaused); res != nil {
			err = fmt.Errorf("%w: what was sent is recorded, %s left", control.ErrPaused, plural(res.Pending, "user"))
		}
	}
	if res == nil || err == nil && res.Applied+res.Failed == 0 { // nothing was written
		err = errors.Join(err, d.unpause(o))
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, usersync.ErrNothingToUndo), errors.Is(err, usersync.ErrCancelled), errors.Is(err, plan.ErrAmbiguous), errors.Is(err, usersync.ErrPlanMoved):
		d.log.Info("nothing was undone", "undo", o.undo.String(), "reason", err)
	case err != nil:
		d.log.Error("a rollback was not carried out, or not to its end", "undo", o.undo.String(), "error", err)
	}
	if o.agreed != "" {
		d.undoing.Store(false) // before the answer: whoever has it may resume at once
	}
	o.reply <- reply{res, err}
}
