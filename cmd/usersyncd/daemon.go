package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/watch"
)

const (
	firstPause   = 5 * time.Second // after a pass that ended early; doubles
	longestPause = 5 * time.Minute
)

// A daemon makes passes for ever: when the tree may have changed, when it is time to look anyway, when
// a user leaves quarantine, and when somebody asks with SIGHUP.
type daemon struct {
	*app
	c       *config
	watcher *watch.Watcher
	supervisor
	said   string // of the last pass that was worth a line
	ailing string // why the last pass ended early
}

func newDaemon(a *app, c *config, dir string) *daemon {
	return &daemon{app: a, c: c, watcher: watch.New(dir, watch.Options{Resync: c.resyncInterval, Log: a.log})}
}

// run returns when ctx ends, after what is in flight has come back.
func (d *daemon) run(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.watcher.Run(ctx) })
	group.Go(func() error { return d.supervise(ctx, d.app) })
	group.Go(func() error { return d.loop(ctx, hup) })
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		d.log.Info("stopped; everything that was sent is recorded")
		return nil
	}
	return err
}

func (d *daemon) loop(ctx context.Context, hup <-chan os.Signal) error {
	var pause time.Duration
	for {
		res, err := d.Reconcile(ctx, usersync.Mode{NoRefresh: d.c.noRefresh})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.sayHow(res, err)
		d.memory.keep(d.limiter, time.Now()) // before anything can kill it, if the API asks for a long pause
		var next time.Time                   // the watcher hints every --resync-interval; this is for what comes before
		switch {
		case err != nil:
			pause = min(max(2*pause, firstPause), longestPause)
			next = time.Now().Add(pause)
			if until, ok := throttledUntil(err, time.Now()); ok && until.After(next) {
				pause, next = 0, until
			}
		case !res.Retry.IsZero():
			pause, next = 0, res.Retry
		default:
			pause = 0
		}
		if err := d.idle(ctx, next, hup); err != nil {
			return err
		}
	}
}

// idle waits for the next reason to make a pass, and shows meanwhile that it is alive.
func (d *daemon) idle(ctx context.Context, next time.Time, hup <-chan os.Signal) error {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for next.IsZero() || time.Now().Before(next) {
		d.beat.Store(time.Now().UnixNano())
		select {
		case <-beat.C:
		case <-d.watcher.Changes():
			return nil
		case <-hup:
			d.log.Info("asked to look again (SIGHUP)")
			d.reloading()
			d.notify("READY=1")
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// sayHow writes what a pass did, or could not do. What is as it was after the pass before is not said
// again: a problem in the specs may stand for days.
func (d *daemon) sayHow(res *usersync.Result, err error) {
	ailing, attrs := "", []any{"error", err}
	if parked := (*aimd.ParkedError)(nil); errors.As(err, &parked) {
		ailing = parked.Error() // whichever call it was that met the pause
		attrs = append(attrs, "note", "nothing is lost; it goes on by itself then")
	} else if err != nil {
		ailing = err.Error()
	}
	switch {
	case err != nil && ailing != d.ailing:
		d.ailing = ailing
		d.log.Error("the pass ended early", attrs...)
	case err == nil && d.ailing != "":
		d.ailing = ""
		d.log.Info("the passes work again")
	}
	if res == nil {
		return
	}
	waits, opens := res.Waits()
	said := fmt.Sprint(res.Problems, res.Failures, res.Holds, res.Notes, res.Held, res.Skipped, res.Kept, waits, opens)
	first := d.said == ""
	news := said != d.said || res.Applied > 0
	if d.said = said; !news {
		return
	}
	if res.Kept > 0 {
		d.log.Warn("users that are not declared any more, or whose specs have problems, are kept as last applied until the specs are in order", "users", res.Kept)
	}
	for _, note := range res.Notes {
		d.log.Warn("worth a look", "note", note)
	}
	for _, h := range res.Holds {
		d.log.Warn("held: a person must release it", "guard", h.Guard, "users", len(h.Users), "first", h.Users[:min(len(h.Users), 10)], "reason", h.Reason, "release", "usersyncd release "+h.ID)
	}
	if waits > 0 {
		d.log.Info("waiting for the change window", "users", waits, "until", usersync.WindowTime(opens))
	}
	for _, p := range res.Problems {
		d.log.Warn("a problem in the specs", "problem", p.String())
	}
	if first || res.Changed > 0 || len(res.Problems) > 0 {
		c := d.calls()
		d.log.Info("pass done", "plan", res.Plan, "revision", res.Revision, "users", res.Users, "changed", res.Changed,
			"applied", res.Applied, "failed", res.Failed, "quarantined", res.Quarantined, "skipped", res.Skipped, "held", res.Held, "deferred", res.Deferred,
			"pending", res.Pending, "unchanged", res.Unchanged, "seconds", fmt.Sprintf("%.1f", res.Seconds),
			"calls_total", c.Total, "throttled_total", c.Throttled)
	}
}
