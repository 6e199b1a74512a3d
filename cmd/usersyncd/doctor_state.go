package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"usersyncd/cmd/usersyncd/internal/limiterstore"
	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
)

const (
	smallestSpace = 10 << 20  // bytes: less, and the next commit may fail
	littleSpace   = 100 << 20 // bytes: less, and it is time to look
)

// checkState reads the state file, if nobody has it, and looks at its surroundings. It changes nothing there.
func (d *doctor) checkState() {
	const name = "state file"
	path, err := d.c.StatePath()
	if err != nil {
		d.problem(name, "--state /var/lib/usersyncd/usersyncd.db", "%v", err)
		return
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.newState(name, path)
	case err != nil:
		d.problem(name, "run it as the service's user, or with sudo", "%v", err)
		return
	default:
		d.readState(name, path, info)
	}
	d.besideState(path)
}

// newState is about a file that the first pass makes.
func (d *doctor) newState(name, path string) {
	dir := filepath.Dir(path)
	for { // the nearest that is there
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	if !mayWrite(dir) {
		d.problem(name, fmt.Sprintf("sudo install -d -m 700 -o $(id -un) %s, or --state elsewhere", text.ShellWord(filepath.Dir(path))), "%s is not there, and %s may not be written", path, dir)
		return
	}
	d.fine(name, "%s is not there yet: the first pass makes it, and reads the whole organization", path)
}

func (d *doctor) readState(name, path string, info fs.FileInfo) {
	store, err := state.OpenReadOnly(path, state.Options{Timeout: time.Second})
	switch {
	case errors.Is(err, state.ErrLocked):
		who, _, _ := strings.Cut(err.Error(), " uses ") // the rest asks for something
		d.fine(name, "%s, %s, in use by %s: it runs, so nobody else looks into the file", path, size(info.Size()), who)
		return
	case errors.Is(err, state.ErrNewer), errors.Is(err, state.ErrForeign):
		d.problem(name, "--state ANOTHER.db, or the usersyncd that wrote it", "%v", err)
		return
	case errors.Is(err, fs.ErrPermission):
		d.problem(name, "run doctor as the service's user, or with sudo", "%v", err)
		return
	case err != nil:
		d.problem(name, "see what the message says of "+text.ShellWord(path), "%v", err)
		return
	}
	snapshot, meta, err := d.take(store)
	void := store.Empty()
	if err = errors.Join(err, store.Close()); err != nil {
		d.problem(name, "usersyncd --once sets it aside and reads everything again; or restore it", "%v", err)
		return
	}
	if void {
		d.doubt(name, "nothing to do: the next pass sets it aside and reads the organization; removals, creations and changes of addresses are held for 24 hours", "%s is damaged", path)
		return
	}
	d.snapshot, d.org = snapshot, meta.Org
	d.tellState(name, path, info, meta, time.Now())
}

// take reads all that is wanted of the file, and lets the limiter know what was learned: a pause that the API
// has asked for holds for doctor, too.
func (d *doctor) take(store *state.Store) (*state.Snapshot, state.Meta, error) {
	snapshot, err := store.Snapshot()
	if err != nil {
		return nil, state.Meta{}, err
	}
	meta, err := store.Meta()
	if err == nil && !store.Empty() && !d.blocked["credentials"] && !d.blocked["region"] {
		limiterstore.New(store, d.found.ID, d.genesys.API(), true, d.log).Restore(d.listener.Dispatcher)
	}
	return snapshot, meta, err
}

// tellState says what a sound file holds.
func (d *doctor) tellState(name, path string, info fs.FileInfo, meta state.Meta, now time.Time) {
	read := "the organization was never read"
	if !meta.Refresh.At.IsZero() {
		read = "the organization was read " + text.Duration(now.Sub(meta.Refresh.At)) + " ago"
	}
	managed := 0
	for _, u := range d.snapshot.Users {
		if u.Applied != nil {
			managed++
		}
	}
	d.fine(name, "%s, %s: %s, %d managed; %s", path, size(info.Size()), text.Plural(len(d.snapshot.Users), "user"), managed, read)
	if meta.Damaged > 0 || meta.Rebuilt {
		d.doubt("state records", "nothing to do: the next pass reads the organization; removals, creations and changes of addresses are held for 24 hours", "the file is damaged, or was and is set aside: %s lost", text.Plural(meta.Damaged, "record"))
	}
	if keys := slices.Sorted(maps.Keys(d.snapshot.Failures)); len(keys) > 0 {
		d.doubt("quarantine", "usersyncd --once "+text.ShellWord(d.dir)+" tries them now, and says why", "the API refused %s, such as %s; tried again by itself from %s",
			text.Plural(len(keys), "user"), spec.Text(keys[0]).Display(), meta.NextTry.Local().Format("15:04 on 2 Jan"))
	}
	if n := meta.Intents; n > 0 {
		d.fine("creations", "%s whose outcome is not known yet; the next pass looks first, and creates nobody twice", text.Plural(n, "creation"))
	}
	if n := meta.Writes; n > 0 {
		d.fine("interrupted calls", "%s that a call may have changed, and no answer was recorded; the next pass reads them before it compares", text.Plural(n, "field"))
	}
	if info.Mode().Perm()&0o077 != 0 {
		d.doubt("state file mode", "chmod 600 "+text.ShellWord(path), "others can read %s, which holds names and telephone numbers", path)
	}
}

// besideState looks at the directory of the file.
func (d *doctor) besideState(path string) {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		d.doubt("state directory", "chmod o-w "+text.ShellWord(dir), "everybody can replace files in %s", dir)
	}
	if bad, _ := filepath.Glob(globbed(path) + ".bad-*"); len(bad) > 0 {
		d.doubt("set aside", "rm "+text.ShellWord(bad[0])+", when nobody wants to look into it any more", "%s set aside as damaged beside the state file", text.Plural(len(bad), "file"))
	}
	kind, elsewhere, free, ok := fileSystem(dir)
	if elsewhere {
		d.doubt("state file system", "--state on a local file system", "%s is on %s, where the lock may not keep a second usersyncd out", path, kind)
	}
	switch {
	case !ok:
	case free < smallestSpace:
		d.problem("disk", "make room: df -h "+text.ShellWord(dir), "%s free in %s: the next commit may fail", size(int64(free)), dir)
	case free < littleSpace:
		d.doubt("disk", "make room: df -h "+text.ShellWord(dir), "%s free in %s", size(int64(free)), dir)
	}
}

// globbed is a path as a pattern that matches it alone.
func globbed(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return text.Plural(int(n), "byte")
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
