package lockfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// The holder of the lock writes its process id to PATH.pid, for the error message of others. Nothing relies on it.
const pidSuffix = ".pid"

// WritePID records that this process holds path. It ignores errors: a full disk must not keep a daemon from starting.
func WritePID(path string) {
	RemovePID(path) // also a link that somebody put there
	f, err := os.OpenFile(path+pidSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintln(f, os.Getpid())
	_ = f.Close()
}

// RemovePID removes the record of WritePID, if there is one.
func RemovePID(path string) { _ = os.Remove(path + pidSuffix) }

// holder returns the id of the process that holds path; 0 if it is not known.
func holder(path string) int {
	f, err := os.OpenFile(path+pidSuffix, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // read only: nothing can be lost
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 || !alive(pid) {
		return 0
	}
	return pid
}

// alive reports whether a process with the id exists, as far as this one can see.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// lockedError is an ErrLocked that names the process.
type lockedError struct {
	path string
	pid  int // 0: not known
}

func (e *lockedError) Error() string {
	who := "another process"
	if e.pid != 0 {
		who = fmt.Sprintf("another usersyncd (pid %d)", e.pid)
	}
	return fmt.Sprintf("%s uses %s: stop it, or use another state file", who, e.path)
}

func (e *lockedError) Unwrap() error { return ErrLocked }
