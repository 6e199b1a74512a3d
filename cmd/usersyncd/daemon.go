package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/control/health"
	"usersyncd/sync/plan"
	"usersyncd/sync/watch"
)

const (
	firstPause   = 5 * time.Second // after a pass that ended early; doubles
	longestPause = 5 * time.Minute
)

// A daemon makes passes for ever: when the tree may have changed, when it is time to look anyway, when
// a user leaves quarantine, and when somebody asks with SIGHUP, which also reads the settings again.
type daemon struct {
	*app
	watcher  watcher
	settings *settings
	reread   func() (*settings, error) // what was told at the start, as it is now
	at       func(step string)         // where a test stops it; nil in production

	supervisor

	commands  chan command
	kick      chan struct{} // a reason to look again; holds one
	rollbacks rollbacks
	requests  requests
	asked     []command    // who wants to know what the next pass does
	next      atomic.Int64 // when the next pass is due, in Unix seconds; 0: when something happens

	checkoutBusy
	lastLogged string   // of the last pass that was worth a line
	notes      []string // of that pass
	ailing     string   // why the last pass ended early
}

// A watcher hints that the tree may have changed. *watch.Watcher is the one in production.
type watcher interface {
	Run(ctx context.Context) error
	Changes() <-chan struct{}
	State() watch.State
	SetResync(d time.Duration)
}

// runDaemon is the root command without --once.
func runDaemon(cmd *cobra.Command, c *config.Config, p process) error {
	s, err := newSettings(c)
	if err != nil {
		return err
	}
	a, err := newApp(c, false, &progress.Screen{W: p.stderr})
	if err != nil {
		return err
	}
	d := newDaemon(a, s, watch.New(c.Dir, watch.Options{Resync: s.resync, Log: a.log}))
	d.reread = func() (*settings, error) { return rereadSettings(p) }
	return a.close(d.run(cmd.Context()))
}

func newDaemon(a *app, s *settings, w watcher) *daemon {
	return &daemon{app: a, settings: s, watcher: w, supervisor: supervisor{judge: health.Judge{RetryMaxWait: a.Retry.MaxWait}}, commands: make(chan command), kick: make(chan struct{}, 1)}
}

// step is a place where a test can stop the loop.
func (d *daemon) step(name string) {
	if d.at != nil {
		d.at(name)
	}
}

// run returns when ctx ends, after what is in flight has come back.
func (d *daemon) run(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	group, ctx := errgroup.WithContext(ctx)
	if err := cmp.Or(d.startNotifier(ctx, group), d.listen(ctx, group)); err != nil { // whoever asks for them relies on them
		group.Go(func() error { return err })
		return group.Wait()
	}
	group.Go(func() error { return d.watcher.Run(ctx) })
	group.Go(func() error { return d.supervise(ctx) })
	group.Go(func() error { return d.loop(ctx, hup) })
	if err := d.serve(ctx, group); err != nil {
		d.log.Error("the commands that ask the daemon do not work", "error", err)
	}
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
		d.step("pass")
		res, err := d.pass(ctx, hup)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.learned.Save(d.limiter, time.Now()) // before anything can kill it, if the API asks for a long pause
		if errors.Is(err, usersync.ErrInterrupted) {
			d.tellInterrupted(res, err)
			d.serveRequests(ctx)
			continue // who has asked hears what the next one does, which knows why
		}
		for _, c := range d.asked {
			c.reply <- reply{res, err}
		}
		d.asked = nil
		d.logResult(res, err)
		var next time.Time // the watcher hints by itself; this is for what has a time of its own
		switch {
		case err != nil:
			pause = min(max(2*pause, firstPause), longestPause)
			if errors.Is(err, spec.ErrTreeChanged) {
				pause = min(pause, longestUnstill)
			}
			next = time.Now().Add(pause)
			if until, ok := throttledUntil(err, time.Now()); ok && until.After(next) {
				pause, next = 0, until
			}
		default:
			pause, next = 0, plan.Earliest(res.Retry, d.refreshDue())
		}
		if err := d.idle(ctx, next, hup); err != nil {
			return err
		}
	}
}

// pass makes one, and listens meanwhile.
func (d *daemon) pass(ctx context.Context, hup <-chan os.Signal) (*usersync.Result, error) {
	listening, stop := context.WithCancel(ctx)
	var listeners sync.WaitGroup
	listeners.Go(func() { d.watchTree(listening) })
	listeners.Go(func() { d.watchRequests(listening, hup) })
	began, before := time.Now(), d.calls()
	mode := usersync.Mode{NoRefresh: d.tuned.Load().noRefresh, ForceRefresh: slices.ContainsFunc(d.asked, func(c command) bool { return c.reread })}
	res, err := d.Reconcile(ctx, mode)
	stop()
	listeners.Wait()
	if res != nil {
		res.Mode = "daemon"
		if len(d.asked) > 0 {
			res.Calls.Add(d.calls(), before)
		}
	}
	if d.Status().Refresh.After(began) {
		for i := range d.asked {
			d.asked[i].reread = false // it was read, if the next pass has to go on with it
		}
	}
	return res, err
}

// refreshDue is when the organization is to be read again; zero if nobody knows.
func (d *daemon) refreshDue() time.Time {
	meta, err := d.Store.Meta()
	if err != nil || meta.Refresh.At.IsZero() || d.tuned.Load().noRefresh {
		return time.Time{} // the next pass will meet the error, too
	}
	return meta.Refresh.At.Add(d.Refresh)
}

// idle waits for the next reason to make a pass, and shows meanwhile that it is alive.
func (d *daemon) idle(ctx context.Context, next time.Time, hup <-chan os.Signal) error {
	if d.next.Store(0); !next.IsZero() {
		d.next.Store(next.Unix())
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for !d.serveRequests(ctx) && (next.IsZero() || time.Now().Before(next)) {
		d.step("idle")
		d.Beat()
		select {
		case <-beat.C:
		case <-d.watcher.Changes():
			return nil
		case <-d.kick:
			return nil
		case c := <-d.commands:
			d.requests.commands = append(d.requests.commands, c)
		case <-hup:
			d.requests.reload = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}
