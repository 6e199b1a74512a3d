package main

import (
	"context"
	"os"

	usersync "usersyncd/sync"
)

// A pass hears of nothing by itself. Whatever would make it another one if it began now interrupts it, and the next
// one begins: there is no other way to influence a pass under way.

// due is what happened while a pass was under way, and is dealt with before the next one.
type due struct {
	reload bool // the settings are to be read again
	orders []order
}

// heedTree interrupts the pass under way when the checkout has changed.
func (d *daemon) heedTree(ctx context.Context) {
	for {
		select {
		case <-d.watcher.Changes():
			if !d.Recheck(ctx) {
				d.look() // the pass has ended before
			}
		case <-ctx.Done():
			return
		}
	}
}

// heedPeople interrupts the pass under way when somebody wants something. Only the loop, which waits for its end,
// looks at what is due.
func (d *daemon) heedPeople(ctx context.Context, hup <-chan os.Signal) {
	for {
		select {
		case o := <-d.orders:
			d.due.orders = append(d.due.orders, o)
			d.Interrupt("somebody has asked for something else")
		case <-hup:
			d.due.reload = true
			d.Interrupt("the configuration is to be read again")
		case <-ctx.Done():
			return
		}
	}
}

// attend deals with what is due, and reports whether a pass is to follow.
func (d *daemon) attend(ctx context.Context) bool {
	was := d.due
	d.due = due{}
	if was.reload {
		d.log.Info("asked to look again (SIGHUP)")
		d.reloading()
		d.reload()
		d.notify("READY=1")
	}
	for _, o := range was.orders {
		if o.undo != nil {
			d.rollback(ctx, o)
		} else {
			d.asked = append(d.asked, o)
		}
	}
	return was.reload || len(was.orders) > 0
}

// tellInterrupted logs what an interrupted pass has done.
func (d *daemon) tellInterrupted(res *usersync.Result, err error) {
	if res == nil {
		d.log.Info("the pass ends early, and the next one begins", "reason", err)
		return
	}
	d.log.Info("the pass ends early, and the next one goes on", "reason", err, "plan", res.Plan, "revision", res.Revision,
		"applied", res.Applied, "failed", res.Failed, "pending", res.Pending)
}
