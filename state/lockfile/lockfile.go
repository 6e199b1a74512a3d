// Package lockfile opens a private file under a lock (flock), so that only one process writes it, and tells who has it.
package lockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrLocked is returned when another process has the file open.
var ErrLocked = errors.New("state file is in use")

// NewSuffix is that of a file that is being created, until it is complete.
const NewSuffix = ".new"

// openFlags prevent an open from following a link and from waiting for the other end of a FIFO.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

const (
	lockPoll  = 20 * time.Millisecond
	lockTries = 100
)

// Open opens the file at path, which must be safe to use, and locks it: exclusively if flag opens it for writing, else
// shared. It waits for the lock until the deadline. The lock is that of the file which path names when Open returns:
// flock alone would also lock one that was renamed or deleted meanwhile. flag may create the file.
func Open(path string, flag int, deadline time.Time) (*os.File, error) {
	for range lockTries {
		if err := check(path, flag); err != nil && (flag&os.O_CREATE == 0 || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
		f, err := os.OpenFile(path, flag|openFlags, 0o600)
		if err != nil {
			return nil, denied(path, err)
		}
		if err := waitLock(f, flag&os.O_RDWR == 0, deadline); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		locked, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if current, err := os.Lstat(path); err == nil && os.SameFile(locked, current) {
			return f, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("state file %s: replaced each time it was opened: keep it on a local file system", path)
}

// denied says what to do about a file that cannot be opened, or created.
func denied(path string, err error) error {
	_, missing := os.Lstat(path)
	switch readOnly := errors.Is(err, syscall.EROFS); {
	case !readOnly && !errors.Is(err, fs.ErrPermission):
		return err
	case missing != nil:
		why := fmt.Errorf("user id %d may not create a file in it (%w)", os.Geteuid(), fs.ErrPermission)
		if readOnly {
			why = syscall.EROFS
		}
		return fmt.Errorf("state file %s: its directory cannot be written: %w; give a file in another directory with --state", strings.TrimSuffix(path, NewSuffix), why)
	case readOnly:
		return fmt.Errorf("%w; give a file elsewhere with --state", err)
	}
	return fmt.Errorf("%w: run usersyncd as the file's owner, or `chmod 600 %s`", err, path)
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
			path := strings.TrimSuffix(f.Name(), NewSuffix)
			pid, process := holder(path)
			return &LockedError{path, pid, process}
		}
		<-poll.C
	}
}

// tryLock takes the lock, which is that of bbolt, and reports whether it was free. bbolt's own attempt on the same open
// file succeeds at once.
func tryLock(f *os.File, shared bool) (bool, error) {
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// Unlock releases the lock at once. Closing the file would not, while it is mapped.
func Unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// check refuses a file that another user could have put there or could change. Root may read the files of others, but not
// write them: their owner could not open what root creates.
func check(path string, flag int) error {
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
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return nil
	case int(stat.Uid) != os.Geteuid() && (os.Geteuid() != 0 || flag&os.O_RDWR != 0):
		return refuse(fmt.Sprintf("belongs to user id %d, and usersyncd runs as %d", stat.Uid, os.Geteuid()),
			"run it as the owner, or use another file")
	case stat.Nlink == 0: // removed since it was opened
		return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	case stat.Nlink != 1:
		return refuse(fmt.Sprintf("has %d names (hard links)", stat.Nlink), "remove the others, or copy it and use the copy")
	}
	return nil
}

// MakePrivate removes the permissions of other users on f.
func MakePrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return f.Chmod(0o600)
}
