package main

import (
	"context"
	"os"
	"time"

	usersync "usersyncd/sync"
)

// A pass hears of nothing by itself. Whatever would make it another one if it began now interrupts it, and the next
// one begins: there is no other way to influence a pass under way.

// interruptEvery is how often it is tried to interrupt a pass that is about to begin.
const interruptEvery = 10 * time.Millisecond

// requests are what came in while a pass was under way, and is dealt with before the next one.
type requests struct {
	reload   bool // the settings are to be read again
	commands []command
}

// watchTree interrupts the pass under way when the checkout has changed.
func (d *daemon) watchTree(ctx context.Context) {
	for {
		select {
		case <-d.watcher.Changes():
			if !d.Recheck(ctx) {
				d.look()
			}
		case <-ctx.Done():
			return
		}
	}
}

// watchRequests interrupts the pass under way when somebody wants something. Only the loop, which waits for its end,
// looks at what was requested.
func (d *daemon) watchRequests(ctx context.Context, hup <-chan os.Signal) {
	for {
		why := ""
		select {
		case c := <-d.commands:
			d.requests.commands, why = append(d.requests.commands, c), c.why
		case <-hup:
			d.requests.reload, why = true, "reload requested"
		case <-ctx.Done():
			return
		}
		for !d.Interrupt(why) { // it is about to begin, or has ended
			select {
			case <-time.After(interruptEvery):
			case <-ctx.Done():
				return
			}
		}
	}
}

// serveRequests deals with what was requested, and reports whether a pass is to follow.
func (d *daemon) serveRequests(ctx context.Context) bool {
	was := d.requests
	d.requests = requests{}
	if was.reload {
		d.log.Info("reload requested (SIGHUP)")
		d.reloading()
		d.reload()
		d.notify("READY=1")
	}
	for _, c := range was.commands {
		if c.run == nil {
			d.asked = append(d.asked, c)
			continue
		}
		res, err := c.run(ctx)
		c.reply <- reply{res, err}
	}
	return was.reload || len(was.commands) > 0
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
