package watch_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usersyncd/sync/watch"
)

// patience is how long a test waits for what must come; it is never waited for when all is well.
const patience = 30 * time.Second

// start watches dir with events alone: no look without one comes within the test.
func start(t *testing.T, dir string, quiet time.Duration) *watch.Watcher {
	t.Helper()
	w := watch.New(dir, watch.Options{
		Quiet: quiet, MaxDelay: time.Second, Resync: time.Hour, Poll: time.Hour,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	await(t, w, "the first hint", func() bool { return true })
	if s := w.State(); s.Mode != watch.Watching {
		t.Fatalf("state %+v, want watching", s)
	}
	return w
}

// await takes hints until one finds the condition true.
func await(t *testing.T, w *watch.Watcher, what string, found func() bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case <-w.Changes():
			if found() {
				return
			}
		case <-late.C:
			t.Fatalf("no hint that finds %s; state %+v", what, w.State())
		}
	}
}

// must stops the test on an error of its own file operations.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func put(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644))
}

func holds(name, text string) func() bool {
	return func() bool {
		got, err := os.ReadFile(name)
		return err == nil && string(got) == text
	}
}

// Each case changes base while base/users is watched. Afterwards the watcher must still see writes to
// every file of probes: most of these changes leave a naive watcher blind from then on.
func TestWatcherStaysAwake(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, base string) // nil: base/users/eu/ana.yaml
		act     func(t *testing.T, base string)
		probes  []string
	}{
		{
			name:   "write",
			act:    func(t *testing.T, base string) { put(t, base+"/users/eu/ana.yaml", "title: b") },
			probes: []string{"users/eu/ana.yaml", "users/new.yaml"},
		},
		{
			name: "atomic replace",
			act: func(t *testing.T, base string) {
				put(t, base+"/users/eu/.ana.tmp", "title: b")
				must(t, os.Rename(base+"/users/eu/.ana.tmp", base+"/users/eu/ana.yaml"))
			},
			probes: []string{"users/eu/ana.yaml"},
		},
		{
			name:   "new nested directories with a file, at once",
			act:    func(t *testing.T, base string) { put(t, base+"/users/a/b/c/d/ana.yaml", "title: b") },
			probes: []string{"users/a/b/c/d/ana.yaml", "users/a/b/x.yaml"},
		},
		{
			name: "root removed and made again",
			act: func(t *testing.T, base string) {
				must(t, os.RemoveAll(base+"/users"))
				put(t, base+"/users/us/bo.yaml", "title: b")
			},
			probes: []string{"users/us/bo.yaml", "users/x.yaml"},
		},
		{
			name: "root renamed away and replaced",
			act: func(t *testing.T, base string) {
				put(t, base+"/next/eu/ana.yaml", "title: b")
				must(t, os.Rename(base+"/users", base+"/old"), os.Rename(base+"/next", base+"/users"))
			},
			probes: []string{"users/eu/ana.yaml", "users/x.yaml"},
		},
		{
			name: "directory inside renamed, and its old name taken by another",
			act: func(t *testing.T, base string) {
				put(t, base+"/users/eu/deep/cy.yaml", "title: a")
				must(t, os.Rename(base+"/users/eu", base+"/users/emea"))
				put(t, base+"/users/eu/deep/di.yaml", "title: a")
			},
			probes: []string{"users/emea/deep/cy.yaml", "users/eu/deep/di.yaml"},
		},
		{
			name: "directory renamed away and removed",
			act: func(t *testing.T, base string) {
				must(t, os.Rename(base+"/users/eu", base+"/trash"), os.RemoveAll(base+"/trash"))
			},
			probes: []string{"users/x.yaml", "users/eu/ana.yaml"},
		},
		{
			name: "swap of a link as root",
			prepare: func(t *testing.T, base string) {
				put(t, base+"/v1/ana.yaml", "title: a")
				must(t, os.Symlink("v1", base+"/users"))
			},
			act: func(t *testing.T, base string) {
				put(t, base+"/v2/ana.yaml", "title: b")
				must(t, os.Symlink("v2", base+"/tmp"), os.Rename(base+"/tmp", base+"/users"))
			},
			probes: []string{"users/ana.yaml", "v2/x.yaml"},
		},
		{
			name: "swap of a link above the root",
			prepare: func(t *testing.T, base string) {
				put(t, base+"/v1/users/ana.yaml", "title: a")
				must(t, os.Symlink("v1/users", base+"/users"), os.Rename(base+"/v1", base+"/real"), os.Symlink("real", base+"/v1"))
			},
			act: func(t *testing.T, base string) {
				put(t, base+"/v2/users/ana.yaml", "title: b")
				must(t, os.Symlink("v2", base+"/tmp"), os.Rename(base+"/tmp", base+"/v1"))
			},
			probes: []string{"users/ana.yaml", "v2/users/x.yaml"},
		},
		{
			name:    "root that comes later",
			prepare: func(*testing.T, string) {},
			act:     func(t *testing.T, base string) { put(t, base+"/users/eu/ana.yaml", "title: b") },
			probes:  []string{"users/eu/ana.yaml"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			if tt.prepare == nil {
				put(t, base+"/users/eu/ana.yaml", "title: a")
			} else {
				tt.prepare(t, base)
			}
			w := start(t, base+"/users", 20*time.Millisecond)
			tt.act(t, base)
			await(t, w, "the change", func() bool { return true })
			// The change may have left up to two hints; only a watcher that is awake gives one for every round.
			for round := range 4 {
				for _, name := range tt.probes {
					text := fmt.Sprintf("title: round %d", round)
					put(t, filepath.Join(base, name), text)
					await(t, w, name, holds(filepath.Join(base, name), text))
				}
			}
		})
	}
}

func TestEndOfCheckoutWakes(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	put(t, base+"/repo/users/ana.yaml", "title: a")
	lock := base + "/repo/.git/index.lock"
	put(t, lock, "")
	w := start(t, base+"/repo/users", 20*time.Millisecond)
	must(t, os.Remove(lock))
	await(t, w, "the end of the checkout", func() bool {
		_, err := os.Stat(lock)
		return os.IsNotExist(err)
	})
}

func TestBurstOfFiles(t *testing.T) {
	t.Parallel()
	const files, dirs = 5000, 20
	const quiet = 200 * time.Millisecond
	dir := t.TempDir()
	w := start(t, dir, quiet)

	begin := time.Now()
	written := make(chan error, 1)
	go func() {
		for i := range files {
			name := filepath.Join(dir, fmt.Sprintf("team%02d", i%dirs), fmt.Sprintf("user%04d.yaml", i))
			err := os.MkdirAll(filepath.Dir(name), 0o755)
			if err == nil {
				err = os.WriteFile(name, []byte("title: a"), 0o644)
			}
			if err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	hints := 0
	await(t, w, "all files", func() bool {
		hints++
		return strings.Count(read(dir), "\n") == files
	})
	must(t, <-written)

	// Two hints are at least the pause apart, so a machine that stalls may cause some, but never many.
	if most := 1 + int(time.Since(begin)/quiet); hints > most {
		t.Errorf("%d hints for %d files, want at most %d", hints, files, most)
	}
	t.Logf("%d hints for %d files in %v", hints, files, time.Since(begin))
	if s := w.State(); s.Dirs != dirs+1 {
		t.Errorf("%d directories watched, want %d", s.Dirs, dirs+1)
	}
}

// read is a tree's files and contents, as a receiver of a hint reads them: one line a file, hidden ones left out.
func read(dir string) string {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "missing"
	}
	var b strings.Builder
	tree := os.DirFS(root)
	// What cannot be read has just gone: its going is an event of its own.
	_ = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.IsDir():
			text, _ := fs.ReadFile(tree, name)
			fmt.Fprintf(&b, "%s %s\n", name, text)
		}
		return nil
	})
	return b.String()
}

func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	const dirs, files = 500, 10
	for i := range dirs {
		for j := range files {
			name := filepath.Join(dir, fmt.Sprint(i), fmt.Sprintf("%d.yaml", j))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		w := watch.New(dir, watch.Options{})
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		<-w.Changes()
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}
