package state_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
)

func TestOddFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	mustClose(t, open(t, good))
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.Symlink(good, at("link")),
		os.Symlink(at("nowhere"), at("dangling")),
		os.Mkdir(at("folder"), 0o700),
		os.Link(good, at("hard")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, open(t, at("shared")))
	chmod(t, at("shared"), 0o620)
	write(t, at("file"), nil)
	for name, want := range map[string]string{
		"link": "symbolic link", "dangling": "symbolic link", "folder": "is a directory",
		"hard": "hard links", "shared": "chmod 600", "file/x.db": "not a directory",
	} {
		for _, open := range openers() {
			if _, err := open(at(name), state.Options{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", name, err, want)
			}
		}
	}
	if _, err := os.Lstat(at("nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("created the target of a link")
	}
	for _, name := range names(t, dir) {
		if strings.Contains(name, ".bad-") || strings.Contains(name, ".new") {
			t.Errorf("left %s", name)
		}
	}
}

func TestModes(t *testing.T) {
	path := tempFile(t)
	mustClose(t, open(t, path))
	chmod(t, path, 0o644)
	mustClose(t, open(t, path))
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: others can read it", info.Mode(), err)
	}
	chmod(t, path, 0o400)
	st, err := state.Open(path, state.Options{})
	if os.Geteuid() == 0 { // nothing is forbidden to root
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, st)
	} else if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("not writable: %v", err)
	}
	mustSnapshot(t, openReadOnly(t, path))
	chmod(t, path, 0o600) // for the check at the end
}

// Many that open a file which is missing, or damaged, take turns, and none writes to a file that another has replaced.
func TestOpenTogether(t *testing.T) {
	for name, prepare := range map[string]func(path string){
		"missing": func(string) {},
		"damaged": func(path string) { write(t, path, []byte("damage")) },
	} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t)
			prepare(path)
			var wg sync.WaitGroup
			for n := range 12 {
				wg.Go(func() {
					st, err := state.Open(path, state.Options{Timeout: time.Minute})
					if err != nil {
						t.Error(err)
						return
					}
					if err := errors.Join(st.Commit(state.Commit{Users: []*state.User{user(n, 1)}}), st.Close()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := len(mustSnapshot(t, open(t, path)).Users); got != 12 {
				t.Errorf("%d users of 12", got)
			}
			aside, err := filepath.Glob(path + ".bad-*")
			if err != nil || (len(aside) == 1) != (name == "damaged") || len(aside) > 1 {
				t.Errorf("set aside: %v, %v", aside, err)
			}
		})
	}
}

// Whoever waits for a file that its holder replaces meanwhile gets the new one. The lock alone would
// give him the old one, and have him move the new one aside for it.
func TestReplacedWhileWaiting(t *testing.T) {
	path := tempFile(t)
	mustClose(t, open(t, path))
	good := read(t, path)
	synctest.Test(t, func(t *testing.T) {
		write(t, path, []byte("damage"))
		held := lock(t, path)
		opened := make(chan error, 1)
		go func() {
			st, err := state.Open(path, state.Options{})
			if err == nil {
				if st.SetAside() != "" {
					t.Errorf("moved the new file to %s", st.SetAside())
				}
				err = st.Close()
			}
			opened <- err
		}()
		synctest.Wait() // it waits for the lock
		if err := os.Rename(path, path+".bad-x"); err != nil {
			t.Fatal(err)
		}
		write(t, path, good)
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-opened; err != nil {
			t.Error(err)
		}
	})
}

// The lock of another process is waited for as long as was asked, by default 2 s.
func TestLockTimeout(t *testing.T) {
	path := tempFile(t)
	mustClose(t, open(t, path))
	synctest.Test(t, func(t *testing.T) {
		held := lock(t, path)
		for asked, want := range map[time.Duration]time.Duration{0: 2 * time.Second, time.Minute: time.Minute} {
			start := time.Now()
			_, err := state.Open(path, state.Options{Timeout: asked})
			if waited := time.Since(start); !errors.Is(err, state.ErrLocked) || waited < want || waited > want+time.Second {
				t.Errorf("asked for %v: %v after %v", asked, err, waited)
			}
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// lock takes the lock of a file as another process would.
func lock(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return f
}

func chmod(t testing.TB, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
