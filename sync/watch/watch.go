package watch

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Options of a [Watcher]. A zero duration stands for its default.
type Options struct {
	Quiet    time.Duration // a burst is over after a pause this long; 500 ms
	MaxDelay time.Duration // and in any case when it is this old; 5 s
	Resync   time.Duration // a hint at least this often while everything is watched; 60 s
	Poll     time.Duration // a hint at least this often while something is not; 15 s, and no longer than Resync
	Log      *slog.Logger  // nil: no log
}

// Mode says how changes are noticed.
type Mode string

// The modes of a watcher.
const (
	Starting Mode = "starting" // Run has not set the watches yet
	Watching Mode = "watching" // every directory is watched
	Polling  Mode = "polling"  // some directory is not, or its changes are not all reported; State.Reason says why
)

// State is how a watcher does at one moment.
type State struct {
	Mode   Mode
	Dirs   int    // watched directories of the tree; 0 while the tree is missing
	Reason string // why it polls; empty otherwise
}

// Watcher watches one directory tree. Make it with [New].
type Watcher struct {
	dir     string
	o       Options
	changes chan struct{}
	state   atomic.Pointer[State]
	resync  atomic.Int64  // Options.Resync, as it is now
	retimed chan struct{} // it was changed
	open    func() (*notifier, error)
}

// New makes a watcher for the tree at dir, which may be a symbolic link and need not exist yet.
// It watches nothing before [Watcher.Run].
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

func orDefault(d, standard time.Duration) time.Duration {
	if d <= 0 {
		return standard
	}
	return d
}

// Changes gives the hints. It holds one at most, and is never closed.
func (w *Watcher) Changes() <-chan struct{} { return w.changes }

// SetResync changes Options.Resync, from now on. It is safe to call at any time.
func (w *Watcher) SetResync(d time.Duration) {
	w.resync.Store(int64(orDefault(d, time.Minute)))
	select {
	case w.retimed <- struct{}{}:
	default:
	}
}

// State tells how the watcher does. It is safe to call at any time.
func (w *Watcher) State() State { return *w.state.Load() }

// Run watches until ctx is done, and then returns nil. It owns everything that it starts, and may be
// called once. It returns an error only if the directory's absolute path cannot be told.
func (w *Watcher) Run(ctx context.Context) error {
	dir, err := filepath.Abs(w.dir)
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.dir, err)
	}

	tree := w.watch(dir)
	defer func() { tree.n.close() }() // whichever is the last
	w.hint()

	b := burst{quiet: w.o.Quiet, max: w.o.MaxDelay}
	look := time.Now().Add(w.interval()) // the next hint if no event comes
	stale := false                       // the watches are no longer the right ones
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
			// First the watches, then the hint: what happens between the two is not lost.
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

// hint leaves a hint, unless the last one has not been taken yet.
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

// watch sets the watches, and publishes and logs how that went.
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
