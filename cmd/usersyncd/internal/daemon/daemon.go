// Package daemon makes passes until it is stopped: when the checkout may have changed, at intervals, when a user leaves
// quarantine, and on request.
//
// One goroutine, the loop, makes the passes and what must not run beside one: rollbacks and reloads. Requests for these, and
// for a pass, reach it through a channel. Pause, resume and release write the state file themselves. Any of them interrupts
// the pass that is running.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/control/health"
	"usersyncd/sync/plan"
	"usersyncd/sync/watch"
)

const (
	minBackoff   = 5 * time.Second // after a pass that failed; doubles
	maxBackoff   = 5 * time.Minute
	beatInterval = time.Second // of the loop while it idles
)

// Options are the parts of a daemon.
type Options struct {
	Config *config.Config
	Reload func() (*config.Config, error) // reads the settings again
	Apply  func(*config.Config) error     // puts settings into effect that may change, or none of them; called between two passes

	Reconciler  *usersync.Reconciler
	Watcher     Watcher
	Limiter     *aimd.Dispatcher
	SaveLimiter func()                // stores what it has learned
	Calls       func() usersync.Calls // made so far
	Log         *slog.Logger
	Version     string

	Step func(name string) // called by the loop before a pass, and while it idles; nil outside of tests
}

// A Watcher hints that the checkout may have changed. *watch.Watcher is the one in production.
type Watcher interface {
	Run(ctx context.Context) error
	Changes() <-chan struct{}
	State() watch.State
	SetResync(d time.Duration)
}

// A Daemon owns the loop. It implements rpc.Daemon.
type Daemon struct {
	Options
	started  time.Time
	settings *settings // as they were at the start, with what reloads have changed
	limits   atomic.Pointer[health.Limits]
	effects  atomic.Pointer[map[string]string] // config.Config.Effects of the settings in use
	invalid  atomic.Pointer[string]            // what is wrong with the new configuration, on one line
	judge    health.Judge
	next     atomic.Int64 // when the next pass is due, in Unix seconds; 0: when something happens

	commands  chan command
	wake      chan struct{} // a reason to make a pass; holds one
	rollbacks rollbacks

	// Owned by the loop; during a pass, the first two by watchRequests.
	reloadRequested bool
	received        []command // and not yet run
	waiting         []command // for the result of the next pass
	passes          passLog
}

// New returns a daemon that does nothing yet. It returns a *config.Error for settings that a daemon cannot have.
func New(o Options) (*Daemon, error) {
	s, err := newSettings(o.Config, o.Version)
	if err != nil {
		return nil, err
	}
	d := &Daemon{Options: o, started: time.Now(), settings: s, commands: make(chan command), wake: make(chan struct{}, 1),
		judge: health.Judge{RetryMaxWait: o.Reconciler.Retry.MaxWait}, passes: passLog{log: o.Log, calls: o.Calls}}
	d.publish(o.Config)
	return d, nil
}

// Run makes passes until ctx ends, and returns when what is in flight has come back. A signal on hup asks for a reload.
func (d *Daemon) Run(ctx context.Context, hup <-chan os.Signal) error {
	group, ctx := errgroup.WithContext(ctx)
	if err := cmp.Or(d.startNotifier(ctx, group), d.serveHTTP(ctx, group)); err != nil { // they are configured, so that users rely on them
		group.Go(func() error { return err })
		return group.Wait()
	}
	group.Go(func() error { return d.Watcher.Run(ctx) })
	group.Go(func() error { return d.supervise(ctx) })
	group.Go(func() error { return d.loop(ctx, hup) })
	if err := d.serveSocket(ctx, group); err != nil {
		d.Log.Error("commands cannot reach the daemon", "error", err)
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		d.Log.Info("stopped; requests without an answer are looked up by the next start")
		return nil
	}
	return err
}

func (d *Daemon) loop(ctx context.Context, hup <-chan os.Signal) error {
	var backoff time.Duration
	for {
		d.step("pass")
		res, err := d.pass(ctx, hup)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.SaveLimiter() // a crash must not lose the pause that the API may have asked for
		if errors.Is(err, usersync.ErrInterrupted) {
			d.passes.interrupted(res, err)
			d.handleRequests(ctx)
			continue // waiting commands get the result of the next pass
		}
		for _, c := range d.waiting {
			c.reply <- reply{res, err}
		}
		d.waiting = nil
		d.passes.ended(res, err)
		var next time.Time
		backoff, next = d.nextPass(res, err, backoff)
		if err := d.waitForWork(ctx, next, hup); err != nil {
			return err
		}
	}
}

// nextPass returns when the next pass is due if nothing happens before, and how long that is after a failure: twice the
// former time, or until the API may be asked again.
func (d *Daemon) nextPass(res *usersync.Result, err error, former time.Duration) (backoff time.Duration, next time.Time) {
	if err == nil {
		return 0, plan.Earliest(res.Retry, d.refreshDue())
	}
	backoff = min(max(2*former, minBackoff), maxBackoff)
	if errors.Is(err, spec.ErrTreeChanged) {
		backoff = min(backoff, maxCheckoutBackoff)
	}
	next = time.Now().Add(backoff)
	if until, ok := ThrottledUntil(err, time.Now()); ok && until.After(next) {
		return 0, until
	}
	return backoff, next
}

// ThrottledUntil returns when the API, or its login service, may be asked again, if err says so.
func ThrottledUntil(err error, now time.Time) (until time.Time, ok bool) {
	if parked, ok := errors.AsType[*aimd.ParkedError](err); ok {
		return parked.Until, true
	}
	if e, ok := errors.AsType[*apply.CallError](err); ok && errors.Is(e.Kind, apply.ErrThrottled) && e.RetryAfter > 0 {
		return now.Add(e.RetryAfter), true
	}
	return time.Time{}, false
}

// refreshDue returns when the organization is to be read again; zero if that is not known.
func (d *Daemon) refreshDue() time.Time {
	meta, err := d.Reconciler.Store.Meta()
	if err != nil || meta.Refresh.At.IsZero() || d.settings.NoRefresh {
		return time.Time{} // the next pass meets the error, too
	}
	return meta.Refresh.At.Add(d.Reconciler.Refresh)
}

// pass makes one pass, and listens meanwhile for what interrupts it.
func (d *Daemon) pass(ctx context.Context, hup <-chan os.Signal) (*usersync.Result, error) {
	listening, stop := context.WithCancel(ctx)
	var listeners sync.WaitGroup
	listeners.Go(func() { d.watchTree(listening) })
	listeners.Go(func() { d.watchRequests(listening, hup) })
	began, before := time.Now(), d.Calls()
	res, err := d.Reconciler.Reconcile(ctx, usersync.Mode{
		NoRefresh: d.settings.NoRefresh, ForceRefresh: slices.ContainsFunc(d.waiting, func(c command) bool { return c.refresh }),
	})
	stop()
	listeners.Wait()
	if res != nil {
		res.Mode = "daemon"
		if len(d.waiting) > 0 {
			res.Calls.Add(d.Calls(), before)
		}
	}
	if d.Reconciler.Status().Refresh.After(began) {
		for i := range d.waiting {
			d.waiting[i].refresh = false // done; the next pass, if this one was interrupted, need not refresh again
		}
	}
	return res, err
}

// waitForWork waits for the next reason to make a pass, handles the requests that need none, and shows meanwhile that the loop is
// alive.
func (d *Daemon) waitForWork(ctx context.Context, next time.Time, hup <-chan os.Signal) error {
	if d.next.Store(0); !next.IsZero() {
		d.next.Store(next.Unix())
	}
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	for !d.handleRequests(ctx) && (next.IsZero() || time.Now().Before(next)) {
		d.step("idle")
		d.Reconciler.Beat()
		select {
		case <-beat.C:
		case <-d.Watcher.Changes():
			return nil
		case <-d.wake:
			return nil
		case c := <-d.commands:
			d.received = append(d.received, c)
		case <-hup:
			d.reloadRequested = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

func (d *Daemon) step(name string) {
	if d.Step != nil {
		d.Step(name)
	}
}
