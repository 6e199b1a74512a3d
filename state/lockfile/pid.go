package lockfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// The holder of the lock writes its process id and what it is to PATH.pid, a line each, for the error message of others.
// Nothing relies on it.
const pidSuffix = ".pid"

// WritePID records that this process, such as "usersyncd --once", holds path. It ignores errors: a full disk must not keep a
// daemon from starting.
func WritePID(path, process string) {
	RemovePID(path) // also a link that somebody put there
	f, err := os.OpenFile(path+pidSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(f, "%d\n%s\n", os.Getpid(), process)
	_ = f.Close()
}

// RemovePID removes the record of WritePID, if there is one.
func RemovePID(path string) { _ = os.Remove(path + pidSuffix) }

// holder returns the id of the process that holds path, and what it is; 0 and "" if that is not known.
func holder(path string) (pid int, process string) {
	f, err := os.OpenFile(path+pidSuffix, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = f.Close() }() // read only: nothing can be lost
	b, err := io.ReadAll(io.LimitReader(f, 100))
	if err != nil {
		return 0, ""
	}
	line, process, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if pid, err = strconv.Atoi(line); err != nil || pid <= 0 || !alive(pid) {
		return 0, ""
	}
	return pid, process
}

// alive reports whether a process with the id exists, as far as this one can see.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// LockedError is an ErrLocked that names the process.
type LockedError struct {
	Path    string
	PID     int    // 0: not known
	Process string // as its WritePID was told; "": not known
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("%s (pid %d)", cmp.Or(e.Process, "another usersyncd"), e.PID)
	}
	return who + " uses " + e.Path
}

// Unwrap returns ErrLocked.
func (e *LockedError) Unwrap() error { return ErrLocked }
