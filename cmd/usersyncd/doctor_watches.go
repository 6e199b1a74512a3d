package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"usersyncd/spec/checkout"
)

// pollEvery is how often package watch looks by itself where it cannot watch: its default.
const pollEvery = 15 * time.Second

const inotifyLimits = "/proc/sys/fs/inotify/"

// checkWatches compares the watches that a daemon sets with what inotify allows, and looks whether the file
// system tells of changes at all. The limits are those of a user, so other programs of the daemon's user
// count, too; how many they use is not looked at.
func (d *doctor) checkWatches() {
	const name = "watches"
	if !d.ready(name, "checkout") {
		return
	}
	dir, err := filepath.EvalSymlinks(d.dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		d.unchecked(name, "%v", err)
		return
	}
	if kind, silent, _, _ := fileSystem(dir); silent {
		d.doubt(name, "keep the checkout on a local file system, or live with it", "%s is on %s, which may not tell of changes made elsewhere: they are found by looking, within --resync-interval",
			d.dir, kind)
		return
	}
	need, err := watchesFor(dir)
	if err != nil {
		d.unchecked(name, "%v", err)
		return
	}
	d.judgeWatches(need, inotifyLimit("max_user_watches"), inotifyLimit("max_user_instances"))
}

// judgeWatches takes limits of -1 for unknown.
func (d *doctor) judgeWatches(need, watches, instances int) {
	const name = "watches"
	sysctl := func(key string, n int) string {
		line := "fs.inotify." + key + "=" + strconv.Itoa(n)
		return "echo " + line + " | sudo tee /etc/sysctl.d/60-usersyncd-" + strings.ReplaceAll(key, "_", "-") + ".conf && sudo sysctl --system"
	}
	switch {
	case watches < 0 || instances < 0:
		d.unchecked(name, "%d directories take a watch each; the limits of inotify cannot be read here", need)
	case instances < 1:
		d.doubt(name, sysctl("max_user_instances", 128), "a user may have no inotify instance: changes are looked for every %s", pollEvery)
	case need > watches:
		d.doubt(name, sysctl("max_user_watches", max(2*need, 524_288)), "%d directories take a watch each, and a user may have %d: changes are looked for every %s", need, watches, pollEvery)
	case need > watches/2:
		d.doubt(name, sysctl("max_user_watches", max(2*need, 524_288)), "%d directories take a watch each, more than half of the %d that a user may have", need, watches)
	default:
		d.fine(name, "%d directories, of %d watches that a user may have", need, watches)
	}
}

// watchesFor counts the directories that a daemon watches: those of the tree, those on the way there, and .git.
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

// inotifyLimit reads a limit; -1 if there is none to read.
func inotifyLimit(name string) int {
	data, _ := os.ReadFile(inotifyLimits + name) // without it there is no number
	if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
		return n
	}
	return -1
}
