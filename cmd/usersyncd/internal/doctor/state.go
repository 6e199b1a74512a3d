package doctor

import (
	"context"
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
	"usersyncd/sync/watch"
)

const (
	criticalSpace = 10 << 20  // bytes: with less the next commit may fail
	lowSpace      = 100 << 20 // bytes
)

const rebuildNote = "nothing to do: the next pass reads the organization; removals, creations and changes of email addresses are held for 24 hours"

// stateFile reads the state file, unless a process uses it, and looks at its directory. It changes nothing there.
func (e *examination) stateFile(context.Context) findings {
	path, err := e.StatePath()
	if err != nil {
		return problem("--state /var/lib/usersyncd/usersyncd.db", "%v", err)
	}
	var found findings
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		found = e.newStateFile(path)
	case err != nil:
		return problem("run doctor as the user of the service, or with sudo", "%v", err)
	default:
		found = e.readState(path, info)
	}
	return append(found, besideState(path)...)
}

// newStateFile is about a file that the first pass creates.
func (e *examination) newStateFile(path string) findings {
	dir := filepath.Dir(path)
	there := nearest(dir)
	fix := fmt.Sprintf("sudo install -d -m 700 -o $(id -un) %s", text.ShellWord(dir))
	if mayWrite(there) {
		return ok("%s does not exist yet: the first pass creates it, and reads the whole organization", path)
	}
	own := *e.Config // the default of this user
	own.State = ""
	other, err := own.StatePath()
	useOther := err == nil && other != path && mayWrite(nearest(filepath.Dir(other)))
	switch {
	case there == dir && useOther: // the directory is somebody else's, often root's, who relies on its mode
		fix = "--state " + text.ShellWord(other)
	case there == dir:
		fix = "--state with a file in a directory where this user may write"
	case useOther:
		fix += "; or: --state " + text.ShellWord(other)
	}
	return problem(fix, "%s does not exist, and %s is not writable", path, there)
}

// nearest is the directory, or the nearest above it that is there.
func nearest(dir string) string {
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func (e *examination) readState(path string, info fs.FileInfo) findings {
	store, err := state.OpenReadOnly(path, state.Options{Timeout: time.Second})
	switch {
	case errors.Is(err, state.ErrLocked):
		who, _, _ := strings.Cut(err.Error(), " uses ") // the rest asks for something
		return ok("%s, %s, in use by %s, so its contents are not checked", path, size(info.Size()), who)
	case errors.Is(err, state.ErrNewer), errors.Is(err, state.ErrForeign):
		return problem("--state ANOTHER.db, or the usersyncd that wrote it", "%v", err)
	case errors.Is(err, fs.ErrPermission):
		return problem("run doctor as the user of the service, or with sudo", "%v", err)
	case err != nil:
		return problem("resolve what the message says of "+text.ShellWord(path), "%v", err)
	}
	snapshot, err := store.Snapshot()
	var meta state.Meta
	if err == nil {
		meta, err = store.Meta()
	}
	empty := store.Empty()
	if err == nil && !empty && !e.blocked["credentials"] && !e.blocked["region"] {
		// A pause that the API has asked for holds for doctor, too.
		limiterstore.New(store, e.account.ID, e.genesys.API(), true, e.log).Restore(e.listener.Dispatcher, e.IgnorePause)
	}
	switch err = errors.Join(err, store.Close()); {
	case err != nil:
		return problem("restore a backup, or run usersyncd --once, which sets the file aside and reads everything again", "%v", err)
	case empty:
		return warning(rebuildNote, "%s is damaged, and is set aside by the next pass", path)
	}
	e.snapshot, e.org = snapshot, meta.Org
	found := e.stored(path, info, meta, time.Now())
	if info.Mode().Perm()&0o077 != 0 {
		found = append(found, warning("chmod 600 "+text.ShellWord(path), "others can read %s, which holds names and phone numbers", path).named("state file mode")...)
	}
	return found
}

// stored says what a sound file holds.
func (e *examination) stored(path string, info fs.FileInfo, meta state.Meta, now time.Time) findings {
	read := "the organization was never read"
	if !meta.Refresh.At.IsZero() {
		read = "the organization was read " + text.Duration(now.Sub(meta.Refresh.At)) + " ago"
	}
	managed := 0
	for _, u := range e.snapshot.Users {
		if u.LastApplied != nil {
			managed++
		}
	}
	found := ok("%s, %s: %s, %d managed; %s", path, size(info.Size()), text.Plural(len(e.snapshot.Users), "user"), managed, read)
	if meta.Damaged > 0 || meta.Rebuilt {
		found = append(found, warning(rebuildNote, "the file is damaged, or was damaged and set aside: %s lost", text.Plural(meta.Damaged, "record")).named("state records")...)
	}
	if keys := slices.Sorted(maps.Keys(e.snapshot.Failures)); len(keys) > 0 {
		found = append(found, warning("usersyncd --once "+text.ShellWord(e.Dir)+" tries them now, and prints the errors", "the API refused %s, such as %s; next attempt at %s",
			text.Plural(len(keys), "user"), spec.Text(keys[0]).Display(), text.Time(meta.NextTry.Local())).named("quarantine")...)
	}
	if n := meta.CreateIntents; n > 0 {
		found = append(found, ok("%s with an unknown outcome; the next pass looks for the users before it creates any", text.Plural(n, "creation")).named("creations")...)
	}
	if n := meta.WriteIntents; n > 0 {
		found = append(found, ok("%s that a call without a recorded response may have changed; the next pass reads them first", text.Plural(n, "field")).named("interrupted calls")...)
	}
	return found
}

// besideState looks at the directory of the file.
func besideState(path string) (found findings) {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		found = append(found, warning("chmod o-w "+text.ShellWord(dir), "everybody can replace files in %s", dir).named("state directory")...)
	}
	if bad, _ := filepath.Glob(literal(path) + ".bad-*"); len(bad) > 0 {
		found = append(found, warning("rm "+text.ShellWord(bad[0])+", when it is not needed any more", "%s set aside as damaged beside the state file", text.Plural(len(bad), "file")).named("set aside")...)
	}
	if kind := watch.SilentFileSystem(dir); kind != "" { // the same ones are written to by other machines
		found = append(found, warning("--state on a local file system", "%s is on %s, where its lock may not keep out a second usersyncd", path, kind).named("state file system")...)
	}
	free, known := freeSpace(dir)
	fix := "free space: df -h " + text.ShellWord(dir)
	switch {
	case !known:
	case free < criticalSpace:
		found = append(found, problem(fix, "%s free in %s: the next commit may fail", size(int64(free)), dir).named("disk").blocking(false)...)
	case free < lowSpace:
		found = append(found, warning(fix, "%s free in %s", size(int64(free)), dir).named("disk")...)
	}
	return found
}

// literal is a path as a glob pattern that matches it alone.
func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

func size(n int64) string {
	switch {
	case n < 1<<10:
		return text.Plural(int(n), "byte")
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
