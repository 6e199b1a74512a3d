package state_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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

func chmod(t testing.TB, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
