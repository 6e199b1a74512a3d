package watch

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync" // the standard library's
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options of a [Watcher]. Of durations, zero is the default.
type Options struct {
	Quiet    time.Duration // pause that ends a burst; 500 ms
	MaxDelay time.Duration // longest burst; 5 s
	Resync   time.Duration // longest time between hints while everything is watched; 60 s
	Poll     time.Duration // longest time between hints while something is not; 15 s, or Resync if that is shorter
	Log      *slog.Logger  // nil: no log
}

// Mode is how changes are noticed.
type Mode string

// The modes of a watcher.
const (
	Starting Mode = "starting" // the watches are not set yet
	Watching Mode = "watching" // every directory is watched
	Polling  Mode = "polling"  // a directory cannot be watched, or not all of its changes are reported; see State.Reason
)

// State is the state of a watcher.
type State struct {
	Mode   Mode
	Dirs   int    // watched directories of the tree; 0 if it does not exist
	Reason string // why it polls; empty otherwise
}

// Watcher watches one directory tree. Make it with [New].
type Watcher struct {
	dir     string
	o       Options
	changes chan struct{}
	state   atomic.Pointer[State]
	resync  atomic.Int64  // Options.Resync, or what SetResync has set
	retimed chan struct{} // signals a change of resync
	open    func() (*notifier, error)
}

// New makes a watcher for the tree at dir, which may be a symbolic link and need not exist yet. It watches nothing
// before [Watcher.Run].
func New(dir string, o Options) *Watcher {
	o.Quiet = orDefault(o.Quiet, 500*time.Millisecond)
	o.MaxDelay = orDefault(o.MaxDelay, 5*time.Second)
	o.Resync = orDefault(o.Resync, time.Minute)
	o.Poll = min(orDefault(o.Poll, 15*time.Second), o.Resync)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{dir: dir, o: o, changes: make(chan struct{}, 1), retimed: make(chan struct{}, 1), open: openNotifier}
	w.resync.Store(int64(o.Resync))
	w.state.Store(&State{Mode: Starting})
	return w
}

func orDefault(d, standard time.Duration) time.Duration { return cmp.Or(max(d, 0), standard) }

// Changes delivers the hints. It is never closed.
func (w *Watcher) Changes() <-chan struct{} { return w.changes }

// SetResync changes Options.Resync. It is safe for concurrent use.
func (w *Watcher) SetResync(d time.Duration) {
	w.resync.Store(int64(orDefault(d, time.Minute)))
	select {
	case w.retimed <- struct{}{}:
	default:
	}
}

// State returns the current state. It is safe for concurrent use.
func (w *Watcher) State() State { return *w.state.Load() }

// Run watches until ctx is done, and then returns nil. It must be called only once. The error says that the absolute path
// of the directory cannot be determined.
func (w *Watcher) Run(ctx context.Context) error {
	dir, err := filepath.Abs(w.dir)
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.dir, err)
	}

	tree := w.watch(dir)
	defer func() { tree.n.close() }() // of the last tree
	w.hint()

	b := burst{quiet: w.o.Quiet, max: w.o.MaxDelay}
	look := time.Now().Add(w.interval()) // time of the next hint without events
	stale := false                       // the watches must be set again
	timer := time.NewTimer(time.Until(look))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev := <-tree.n.events:
			relevant, outdated := tree.judge(ev)
			if !relevant {
				continue
			}
			b.hit(time.Now())
			stale = stale || outdated
		case err := <-tree.n.errors:
			w.o.Log.Warn("file events were lost; the tree is read again", "dir", w.dir, "err", err)
			b.hit(time.Now())
			stale = true
		case <-w.retimed:
			look = time.Now().Add(w.interval())
		case <-timer.C:
			// The watches are set before the hint is sent, so that no change is lost in between.
			if stale || !time.Now().Before(look) {
				tree.n.close()
				tree, stale = w.watch(dir), false
			}
			w.hint()
			b.reset()
			look = time.Now().Add(w.interval())
		}
		next := look
		if due, ok := b.due(); ok && due.Before(look) {
			next = due
		}
		timer.Reset(time.Until(next))
	}
}

// hint sends a hint, unless one is pending.
func (w *Watcher) hint() {
	select {
	case w.changes <- struct{}{}:
	default:
	}
}

func (w *Watcher) interval() time.Duration {
	if w.State().Mode == Polling {
		return w.o.Poll
	}
	return time.Duration(w.resync.Load())
}

// watch sets the watches, and publishes and logs the result.
func (w *Watcher) watch(dir string) *tree {
	t := newTree(w.open)
	t.watchAll(dir)
	now := State{Mode: Watching, Dirs: t.dirs}
	if t.err != nil {
		now.Mode, now.Reason = Polling, t.err.Error()
	}
	before := w.state.Swap(&now)
	switch {
	case before.Mode == now.Mode && before.Reason == now.Reason:
	case now.Mode == Polling:
		w.o.Log.Warn("cannot watch for changes; polling", "dir", w.dir, "every", w.o.Poll, "reason", now.Reason)
	default:
		w.o.Log.Info("watching for changes", "dir", w.dir, "dirs", now.Dirs)
	}
	return t
}

// burst collects events until they pause or have lasted long enough.
type burst struct {
	quiet, max  time.Duration
	first, last time.Time // events of the burst; zero if there are none
}

func (b *burst) hit(now time.Time) {
	if b.first.IsZero() {
		b.first = now
	}
	b.last = now
}

// due is when the burst ends if no further event comes; ok is false if there is no burst.
func (b *burst) due() (end time.Time, ok bool) {
	if b.first.IsZero() {
		return time.Time{}, false
	}
	end, limit := b.last.Add(b.quiet), b.first.Add(b.max)
	if limit.Before(end) {
		end = limit
	}
	return end, true
}

func (b *burst) reset() { b.first, b.last = time.Time{}, time.Time{} }

// notifier is the part of fsnotify that is used.
type notifier struct {
	events <-chan fsnotify.Event
	errors <-chan error
	add    func(dir string) error
	close  func() // waits until it has stopped
}

// openNotifier starts fsnotify. Its errors are read at once: fsnotify may report one while it holds the lock that its Add
// needs, so an unread error would block Add forever.
func openNotifier() (*notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	latest := make(chan error, 1)
	var drain sync.WaitGroup
	drain.Go(func() {
		for err := range w.Errors {
			select {
			case latest <- err:
			default: // one is enough
			}
		}
	})
	return &notifier{
		events: w.Events,
		errors: latest,
		add:    w.Add,
		close: func() {
			_ = w.Close() // closes Errors
			drain.Wait()
		},
	}, nil
}
