package main

import (
	"context"
	"fmt"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/plan"
)

// A command is what somebody asks of the loop, which alone makes passes and what must not run beside one.
type command struct {
	why    string // for the log
	reread bool   // the next pass is to read the organization
	// run is done between two passes; nil: it is answered with what the next pass does.
	run   func(ctx context.Context) (*usersync.Result, error)
	reply chan<- reply // has room for one
}

type reply struct {
	result *usersync.Result
	err    error
}

// ask gives the loop a command and waits for what comes of it. taken reports whether the loop has it: then it is done, also
// if nobody waits any more, and the log says what came of it.
func (d *daemon) ask(ctx context.Context, c command) (res *usersync.Result, taken bool, err error) {
	answer := make(chan reply, 1)
	c.reply = answer
	select {
	case d.commands <- c:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	select {
	case r := <-answer:
		return r.result, true, r.err
	case <-ctx.Done():
		return nil, true, ctx.Err()
	}
}

// interrupt makes a pass begin at once: the one under way ends as soon as what is in flight has come back. A rollback
// goes on.
func (d *daemon) interrupt(why string) {
	if !d.rollbacks.running() {
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

// Sync implements rpc.Daemon.
func (s source) Sync(ctx context.Context, refresh bool) (*usersync.Result, error) {
	res, _, err := s.ask(ctx, command{why: "sync requested", reread: refresh})
	return res, err
}

// Pause implements rpc.Daemon. A pass that begins from now on finds the pause; the one that may be under
// way is ended, and so is a rollback.
func (s source) Pause(by, reason string) error {
	meta, err := s.Store.Meta()
	if err != nil {
		return err
	}
	p := mergePause(meta.Pause, by, reason)
	if err := s.Store.Commit(state.Commit{Pause: &p}); err != nil {
		return err
	}
	s.log.Warn("paused: passes look, and change nothing until somebody resumes", "by", by, "reason", reason)
	s.Interrupt("somebody has paused it")
	s.look()
	return nil
}

// mergePause is a pause that somebody makes over another one: since then, and for both reasons.
func mergePause(before *state.Pause, by, reason string) state.Pause {
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

// Resume implements rpc.Daemon.
func (s source) Resume(by string) (bool, error) {
	if s.rollbacks.writing.Load() { // a pass would write again what it takes back
		return false, rpc.ErrUndoing
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

// Release implements rpc.Daemon.
func (s source) Release(by, id string) (plan.Hold, error) {
	if h, ok := s.rollbacks.release(id); ok {
		s.log.Warn("released: the next rollback lets it through", "id", id, "guard", h.Guard, "users", len(h.Users), "by", by)
		return h, nil
	}
	for _, h := range s.Status().Holds {
		if h.ID != id {
			continue
		}
		if err := s.Store.Commit(state.Commit{AddReleases: []string{id}}); err != nil {
			return h, err
		}
		s.log.Warn("released: the next pass lets it through", "id", id, "guard", h.Guard, "users", len(h.Users), "by", by)
		s.interrupt("somebody has released what was held")
		return h, nil
	}
	return plan.Hold{}, fmt.Errorf("%w %s; usersyncd status shows what is held", rpc.ErrNotHeld, id)
}
