package doctor

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"usersyncd/spec/checkout"
	"usersyncd/sync/watch"
)

// pollInterval is how often package watch looks for changes by itself where it cannot watch: its default.
const pollInterval = 15 * time.Second

const inotifyLimits = "/proc/sys/fs/inotify/"

// watches compares the watches that a daemon sets with what inotify allows, and looks whether the file system reports
// changes at all. The limits are those of a user. How much of them other programs use is not checked.
func (e *examination) watches(context.Context) findings {
	dir, err := filepath.EvalSymlinks(e.Dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return unchecked("%v", err)
	}
	if kind := watch.SilentFileSystem(dir); kind != "" {
		return warning("keep the checkout on a local file system, or accept the delay",
			"%s is on %s, which may not report changes made on other machines: they are found within --resync-interval", e.Dir, kind)
	}
	need, err := watchesFor(dir)
	if err != nil {
		return unchecked("%v", err)
	}
	return compareWatches(need, inotifyLimit("max_user_watches"), inotifyLimit("max_user_instances"))
}

// compareWatches takes limits of -1 for unknown.
func compareWatches(need, watches, instances int) findings {
	sysctl := func(key string, n int) string {
		line := "fs.inotify." + key + "=" + strconv.Itoa(n)
		return "echo " + line + " | sudo tee /etc/sysctl.d/60-usersyncd-" + strings.ReplaceAll(key, "_", "-") + ".conf && sudo sysctl --system"
	}
	raise := sysctl("max_user_watches", max(2*need, 524_288))
	switch {
	case watches < 0 || instances < 0:
		return unchecked("%d directories to watch; the limits of inotify cannot be read here", need)
	case instances < 1:
		return warning(sysctl("max_user_instances", 128), "a user may have no inotify instance: usersyncd polls every %s", pollInterval)
	case need > watches:
		return warning(raise, "%d directories to watch, and a user may have %d watches: usersyncd polls every %s", need, watches, pollInterval)
	case need > watches/2:
		return warning(raise, "%d directories to watch, more than half of the %d watches that a user may have", need, watches)
	}
	return ok("%d directories to watch, of %d watches that a user may have", need, watches)
}

// watchesFor counts the directories that a daemon watches: those of the tree, those above it, and .git.
func watchesFor(dir string) (n int, err error) {
	if checkout.GitDir(dir) != "" {
		n++
	}
	for at, parent := dir, filepath.Dir(dir); at != parent; at, parent = parent, filepath.Dir(parent) {
		n++
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !e.IsDir():
		case path != dir && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		default:
			n++
		}
		return nil
	})
	return n, err
}

// inotifyLimit reads a limit; -1 if it cannot be read.
func inotifyLimit(name string) int {
	data, _ := os.ReadFile(inotifyLimits + name) // without it there is no number
	if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
		return n
	}
	return -1
}
