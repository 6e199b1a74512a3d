package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// role is why a directory is watched, and so which of its events matter.
type role int

const (
	way    role = iota + 1 // on the path to the tree: only the next step matters
	inside                 // in the tree: everything matters
	git                    // the checkout's .git: everything directly in it matters
)

// tree is a complete set of watches. It is never changed: when a directory is added or removed, a new set replaces it,
// as a watch follows a directory that is moved, and keeps reporting the old path.
type tree struct {
	n     *notifier
	roles map[string]role     // watched directories, by absolute path without symbolic links
	steps map[string]struct{} // every path on the way to the root, including the root
	dirs  int                 // watched directories inside the tree
	err   error               // the first reason why something is not watched
}

func newTree(open func() (*notifier, error)) *tree {
	t := &tree{roles: map[string]role{}, steps: map[string]struct{}{}}
	n, err := open()
	if err != nil {
		t.fail(fmt.Errorf("start watching: %w", explain(err)))
		n = &notifier{add: func(string) error { return err }, close: func() {}} // without events
	}
	t.n = n
	return t
}

// watchAll watches the tree at dir, an absolute path, the path to it, and its .git.
func (t *tree) watchAll(dir string) {
	root, ok := t.follow(dir)
	if !ok {
		return
	}
	if dir := gitDir(root); dir != "" {
		t.add(dir, git)
	}
	t.walk(root)
	if name := SilentFileSystem(root); name != "" {
		t.fail(fmt.Errorf("%s is on a file system (%s) that does not report every change", root, name))
	}
}

// follow resolves dir step by step, as the kernel does, and watches each directory before it reads the next name in it. It
// returns the resolved path; false if it does not exist.
func (t *tree) follow(dir string) (string, bool) {
	const maxLinks = 40 // the limit of Linux, path_resolution(7)
	sep := string(filepath.Separator)
	at := filepath.VolumeName(dir) + sep
	todo := strings.Split(filepath.Clean(dir)[len(at)-1:], sep)
	for links := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		t.add(at, way)
		next := filepath.Join(at, name)
		t.steps[next] = struct{}{}
		info, err := os.Lstat(next)
		if err != nil {
			t.missing(err)
			return "", false
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if links++; links > maxLinks {
			err = fmt.Errorf("follow %s: %w", dir, syscall.ELOOP)
		}
		if err != nil {
			t.missing(err)
			return "", false
		}
		if filepath.IsAbs(target) {
			at = filepath.VolumeName(target) + sep
			target = target[len(at)-1:]
		}
		todo = append(strings.Split(target, sep), todo...)
	}
	return at, true
}

// walk watches dir and every directory below that is not hidden. A directory is listed after it is watched, so that one
// that is made meanwhile is either listed or reported.
func (t *tree) walk(dir string) {
	if !t.add(dir, inside) {
		return
	}
	t.dirs++
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.missing(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			t.walk(filepath.Join(dir, e.Name()))
		}
	}
}

// add watches one directory, and reports whether that worked.
func (t *tree) add(dir string, r role) bool {
	if t.roles[dir] >= r {
		return true
	}
	if err := t.n.add(dir); err != nil {
		// A directory that was just removed was reported by its parent. One on the path that must not be listed is
		// common, and no reason to poll: the one below it reports when it is moved.
		expected := errors.Is(err, fs.ErrNotExist) || r != inside && errors.Is(err, fs.ErrPermission)
		if !expected {
			t.fail(fmt.Errorf("watch %s: %w", dir, explain(err)))
		}
		return false
	}
	t.roles[dir] = r
	return true
}

// explain names the limit of inotify: the kernel's errors are about disks and files.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: this user has no more inotify watches; raise fs.inotify.max_user_watches with sysctl", err)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%w: this user has no more inotify instances; raise fs.inotify.max_user_instances with sysctl", err)
	}
	return err
}

// missing records why a directory could not be read. That it does not exist is no failure: its creation will be reported.
func (t *tree) missing(err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		t.fail(err)
	}
}

func (t *tree) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// judge reports whether an event may be a change of the tree, and whether the watches must be set again. It is called for
// every event, so it must be cheap.
func (t *tree) judge(ev fsnotify.Event) (relevant, outdated bool) {
	name := filepath.Clean(ev.Name)
	gone := ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename)
	if _, step := t.steps[name]; step && (gone || ev.Has(fsnotify.Create)) {
		return true, true
	}
	if t.roles[name] != 0 && gone {
		return true, true
	}
	switch t.roles[filepath.Dir(name)] {
	case inside:
		return true, ev.Has(fsnotify.Create) && isDir(name)
	case git:
		return true, false
	default:
		return false, false
	}
}

func isDir(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.IsDir()
}

// gitDir is the .git directory of the checkout that root is in, or "". In a worktree or a submodule .git is a small file
// that names it (gitrepository-layout(5)).
func gitDir(root string) string {
	for dir := root; ; dir = filepath.Dir(dir) {
		name := filepath.Join(dir, ".git")
		switch info, err := os.Lstat(name); {
		case err != nil:
			if dir == filepath.Dir(dir) {
				return ""
			}
		case info.IsDir():
			return name
		case info.Mode().IsRegular() && info.Size() < 4096:
			return gitLink(name)
		default:
			return ""
		}
	}
}

// gitLink reads a .git file: one line, "gitdir: PATH".
func gitLink(name string) string {
	text, err := os.ReadFile(name)
	target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
	if err != nil || !ok {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(name), target)
	}
	return filepath.Clean(target)
}
