package daemon

import (
	"context"
	"os"
	"time"

	usersync "usersyncd/sync"
)

// interruptInterval is between two attempts to interrupt a pass that is about to begin.
const interruptInterval = 10 * time.Millisecond

// A command is work for the loop.
type command struct {
	reason  string // for the log of the pass that it interrupts
	refresh bool   // the next pass is to read the organization
	// run is called between two passes; nil: the command is answered with the result of the next pass.
	run   func(ctx context.Context) (*usersync.Result, error)
	reply chan<- reply // has room for one
}

type reply struct {
	result *usersync.Result
	err    error
}

// submit gives the loop a command and waits for its reply. taken reports whether the loop has it: then it is carried out,
// also if nobody waits any more.
func (d *Daemon) submit(ctx context.Context, c command) (res *usersync.Result, taken bool, err error) {
	replies := make(chan reply, 1)
	c.reply = replies
	select {
	case d.commands <- c:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	select {
	case r := <-replies:
		return r.result, true, r.err
	case <-ctx.Done():
		return nil, true, ctx.Err()
	}
}

// restart ends the pass under way as soon as what is in flight has come back, and has another one begin. A rollback goes on.
func (d *Daemon) restart(reason string) {
	if !d.rollbacks.running() {
		d.Reconciler.Interrupt(reason)
	}
	d.wakeUp()
}

// wakeUp has the loop make a pass soon.
func (d *Daemon) wakeUp() {
	select {
	case d.wake <- struct{}{}:
	default: // it is about to
	}
}

// watchTree interrupts the pass under way when the checkout has changed.
func (d *Daemon) watchTree(ctx context.Context) {
	for {
		select {
		case <-d.Watcher.Changes():
			if !d.Reconciler.Recheck(ctx) {
				d.wakeUp()
			}
		case <-ctx.Done():
			return
		}
	}
}

// watchRequests interrupts the pass under way when a request comes in. The loop, which waits for the end of this, handles it.
func (d *Daemon) watchRequests(ctx context.Context, hup <-chan os.Signal) {
	for {
		reason := ""
		select {
		case c := <-d.commands:
			d.received, reason = append(d.received, c), c.reason
		case <-hup:
			d.reloadRequested, reason = true, "reload requested"
		case <-ctx.Done():
			return
		}
		for !d.Reconciler.Interrupt(reason) { // it is about to begin, or has ended
			select {
			case <-time.After(interruptInterval):
			case <-ctx.Done():
				return
			}
		}
	}
}

// handleRequests handles what has come in, and reports whether a pass is to follow.
func (d *Daemon) handleRequests(ctx context.Context) bool {
	reload, received := d.reloadRequested, d.received
	d.reloadRequested, d.received = false, nil
	if reload {
		d.Log.Info("reload requested (SIGHUP)")
		notifyReloading()
		d.reload()
		notifySystemd("READY=1")
	}
	for _, c := range received {
		if c.run == nil {
			d.waiting = append(d.waiting, c)
			continue
		}
		res, err := c.run(ctx)
		c.reply <- reply{res, err}
	}
	return reload || len(received) > 0
}
