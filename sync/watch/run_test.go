package watch

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// fakeKernel stands for fsnotify inside a bubble: it gives the events that a test writes.
type fakeKernel struct {
	events chan fsnotify.Event
	errors chan error

	mu     sync.Mutex
	opened int
	openIs error // what opening answers
	addIs  error // what adding a watch answers
}

func (k *fakeKernel) open() (*notifier, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opened++
	if k.openIs != nil {
		return nil, k.openIs
	}
	addIs := k.addIs
	return &notifier{
		events: k.events,
		errors: k.errors,
		add:    func(string) error { return addIs },
		close:  func() {},
	}, nil
}

// times tells how often the watches were set.
func (k *fakeKernel) times() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.opened
}

// liftLimits ends the failures.
func (k *fakeKernel) liftLimits() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.openIs, k.addIs = nil, nil
}

// inBubble runs a test with a watcher whose hints are recorded by the time since its start.
func inBubble(t *testing.T, k *fakeKernel, test func(w *Watcher, dir string, hints func() []time.Duration)) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		k.events, k.errors = make(chan fsnotify.Event), make(chan error)
		w := New(dir, Options{})
		w.open = k.open
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()

		start := time.Now()
		var mu sync.Mutex
		var got []time.Duration
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-w.Changes():
					mu.Lock()
					got = append(got, time.Since(start))
					mu.Unlock()
				case <-ctx.Done():
					return
				}
			}
		}()
		synctest.Wait()
		test(w, dir, func() []time.Duration {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			hints := got
			got = nil
			return hints
		})
		cancel()
		<-stopped
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func wantHints(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("hints at %v, want %v", got, want)
	}
}

func TestRunCoalesces(t *testing.T) {
	k := &fakeKernel{}
	inBubble(t, k, func(_ *Watcher, dir string, hints func() []time.Duration) {
		write := fsnotify.Event{Name: filepath.Join(dir, "ana.yaml"), Op: fsnotify.Write}
		wantHints(t, hints(), 0) // as soon as the watches stand

		time.Sleep(time.Second)
		for range 5000 {
			k.events <- write
			time.Sleep(10 * time.Microsecond)
		}
		time.Sleep(490 * time.Millisecond)
		wantHints(t, hints())
		time.Sleep(time.Second)
		wantHints(t, hints(), 1550*time.Millisecond-10*time.Microsecond)

		// Events without a pause: the limit of 5 s applies.
		begin := 2540 * time.Millisecond
		for range 110 {
			k.events <- write
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		second := begin + 5*time.Second
		third := second + 5*time.Second
		last := begin + 109*100*time.Millisecond + 500*time.Millisecond
		got := hints()
		if len(got) != 3 || got[0] != second || got[1] < third || got[1] > third+100*time.Millisecond || got[2] != last {
			t.Errorf("hints at %v, want %v, %v and %v", got, second, third, last)
		}
		if n := k.times(); n != 1 {
			t.Errorf("watches set %d times for plain writes, want once", n)
		}
	})
}

func TestRunIgnoresWhatHappensBesideTheTree(t *testing.T) {
	k := &fakeKernel{}
	inBubble(t, k, func(_ *Watcher, dir string, hints func() []time.Duration) {
		wantHints(t, hints(), 0)
		k.events <- fsnotify.Event{Name: filepath.Join(filepath.Dir(dir), "neighbour"), Op: fsnotify.Create}
		time.Sleep(59 * time.Second)
		wantHints(t, hints())
	})
}

func TestRunSetsWatchesAnewBeforeTheHint(t *testing.T) {
	tests := map[string]func(k *fakeKernel, dir string){
		"overflow": func(k *fakeKernel, _ string) { k.errors <- fsnotify.ErrEventOverflow },
		"root renamed away": func(k *fakeKernel, dir string) {
			k.events <- fsnotify.Event{Name: dir, Op: fsnotify.Rename}
		},
		"a directory on the way removed": func(k *fakeKernel, dir string) {
			k.events <- fsnotify.Event{Name: filepath.Dir(dir), Op: fsnotify.Remove}
		},
	}
	for name, event := range tests {
		t.Run(name, func(t *testing.T) {
			k := &fakeKernel{}
			inBubble(t, k, func(_ *Watcher, dir string, hints func() []time.Duration) {
				wantHints(t, hints(), 0)
				event(k, dir)
				time.Sleep(500 * time.Millisecond)
				wantHints(t, hints(), 500*time.Millisecond)
				if n := k.times(); n != 2 {
					t.Errorf("watches set %d times, want 2", n)
				}
			})
		})
	}
}

func TestRunLooksEveryMinuteWithoutEvents(t *testing.T) {
	k := &fakeKernel{}
	inBubble(t, k, func(_ *Watcher, _ string, hints func() []time.Duration) {
		time.Sleep(150 * time.Second)
		wantHints(t, hints(), 0, time.Minute, 2*time.Minute)
		if n := k.times(); n != 3 {
			t.Errorf("watches set %d times, want 3: nobody tells of a lost watch, so each look renews them", n)
		}
	})
}

func TestRunLooksAsOftenAsItIsToldMeanwhile(t *testing.T) {
	inBubble(t, &fakeKernel{}, func(w *Watcher, _ string, hints func() []time.Duration) {
		time.Sleep(50 * time.Second)
		w.SetResync(20 * time.Second)
		time.Sleep(45 * time.Second)
		wantHints(t, hints(), 0, 70*time.Second, 90*time.Second)
		w.SetResync(time.Hour)
		time.Sleep(61 * time.Minute)
		wantHints(t, hints(), 95*time.Second+time.Hour)
	})
}

func TestRunPollsWhereItCannotWatch(t *testing.T) {
	tests := map[string]*fakeKernel{
		"this user has no more inotify instances; raise fs.inotify.max_user_instances": {openIs: syscall.EMFILE},
		"this user has no more inotify watches; raise fs.inotify.max_user_watches":     {addIs: syscall.ENOSPC},
	}
	for reason, k := range tests {
		t.Run(reason, func(t *testing.T) {
			inBubble(t, k, func(w *Watcher, _ string, hints func() []time.Duration) {
				time.Sleep(40 * time.Second)
				wantHints(t, hints(), 0, 15*time.Second, 30*time.Second)
				if s := w.State(); s.Mode != Polling || !strings.Contains(s.Reason, reason) {
					t.Errorf("state %+v, want polling because of %q", s, reason)
				}

				k.liftLimits()
				time.Sleep(60 * time.Second)
				wantHints(t, hints(), 45*time.Second)
				if s := w.State(); s.Mode != Watching || s.Reason != "" || s.Dirs != 1 {
					t.Errorf("state %+v, want watching", s)
				}
				time.Sleep(10 * time.Second)
				wantHints(t, hints(), 105*time.Second)
			})
		})
	}
}

// The resync interval holds while the tree is polled, too.
func TestPollsNoLessOftenThanItResyncs(t *testing.T) {
	for resync, want := range map[time.Duration]time.Duration{0: 15 * time.Second, 5 * time.Second: 5 * time.Second, time.Hour: 15 * time.Second} {
		if o := New(t.TempDir(), Options{Resync: resync}).o; o.Poll != want {
			t.Errorf("resync every %v: polls every %v, want %v", resync, o.Poll, want)
		}
	}
}

func TestHintsThatNobodyTakesAreOne(t *testing.T) {
	w := New(t.TempDir(), Options{})
	for range 3 {
		w.hint()
	}
	<-w.Changes()
	select {
	case <-w.Changes():
		t.Error("a second hint, want one")
	default:
	}
}
