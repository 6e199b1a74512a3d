package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	lockTimeout = 2 * time.Second
	lockPoll    = 20 * time.Millisecond
	lockTries   = 100
	newSuffix   = ".new"  // a file being created, until it is complete
	badSuffix   = ".bad-" // then the time at which a damaged file was set aside
)

// lockFile opens the file at path, which must be safe to use, and takes its lock. It returns only
// with the lock of the inode that path still names: flock alone would be content with one that was
// renamed or deleted in the meantime. flag may create the file.
func lockFile(path string, flag int, deadline time.Time) (*os.File, error) {
	for range lockTries {
		if err := checkFile(path, flag); err != nil && (flag&os.O_CREATE == 0 || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
		f, err := os.OpenFile(path, flag|openFlags, 0o600)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				return nil, fmt.Errorf("%w: run usersyncd as the file's owner, or `chmod 600 %s`", err, path)
			}
			return nil, err
		}
		if err := waitLock(f, flag&os.O_RDWR == 0, deadline); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		held, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if named, err := os.Lstat(path); err == nil && os.SameFile(held, named) {
			return f, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("state file %s: replaced each time it was opened: keep it on a local file system", path)
}

// waitLock takes the lock of f, or says who has it once the deadline has passed.
func waitLock(f *os.File, shared bool, deadline time.Time) error {
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		ok, err := tryLock(f, shared)
		if err != nil || ok {
			return err
		}
		if !time.Now().Before(deadline) {
			path := strings.TrimSuffix(f.Name(), newSuffix)
			return &lockedError{path: path, pid: holder(path)}
		}
		<-poll.C
	}
}

// checkFile refuses what another user could have put there or could change behind our back. Root may
// read the files of others, but not write them: what it creates their owner could not open.
func checkFile(path string, flag int) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	refuse := func(why, fix string) error { return fmt.Errorf("state file %s %s: %s", path, why, fix) }
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return refuse("is a symbolic link", "name the file itself")
	case mode.IsDir():
		return refuse("is a directory", "name a file, such as "+filepath.Join(path, "usersyncd.db"))
	case !mode.IsRegular():
		return refuse("is not a regular file", "name another one")
	case mode.Perm()&0o022 != 0:
		return refuse("can be written by other users",
			fmt.Sprintf("if nobody else has changed it, `chmod 600 %[1]s`, else delete it", path))
	}
	uid, links, ok := ownerAndLinks(info)
	switch {
	case !ok:
		return nil
	case uid != os.Geteuid() && (os.Geteuid() != 0 || flag&os.O_RDWR != 0):
		return refuse(fmt.Sprintf("belongs to user id %d, and usersyncd runs as %d", uid, os.Geteuid()),
			"run it as the owner, or use another file")
	case links == 0: // removed while we looked
		return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	case links != 1:
		return refuse(fmt.Sprintf("has %d names (hard links)", links), "remove the others, or copy it and use the copy")
	}
	return nil
}

// makePrivate takes away what others may do with f, which holds names and phone numbers.
func makePrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return f.Chmod(0o600)
}

// setAside renames a damaged file, of which the caller has the lock, and returns its new path.
func setAside(path string, now time.Time) (string, error) {
	stamp := path + badSuffix + now.UTC().Format("20060102T150405Z")
	aside := stamp
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", err
		}
		aside = fmt.Sprintf("%s-%d", stamp, n)
	}
	if err := os.Rename(path, aside); err != nil {
		return "", err
	}
	return aside, syncDir(path)
}

// wasSetAside says whether a file of this name was set aside here once. It makes whoever creates the
// next one remember it, even after a crash between the two.
func wasSetAside(path string) (bool, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(path)+badSuffix) {
			return true, nil
		}
	}
	return false, nil
}

// syncDir makes a change of a file's name durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
