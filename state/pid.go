package state

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// The holder of the lock leaves its process id in PATH.pid. It is a courtesy to whoever finds the file
// in use, and nothing relies on it: a stale or missing one makes the message vaguer.
const pidSuffix = ".pid"

// writePID is best effort: a full disk must not keep a daemon from starting.
func writePID(path string) {
	removePID(path) // also a link that somebody left there
	f, err := os.OpenFile(path+pidSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintln(f, os.Getpid())
	_ = f.Close()
}

func removePID(path string) { _ = os.Remove(path + pidSuffix) }

// holder returns the process id that holds path, or 0 if that is not known.
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

// lockedError names the process that has the file.
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
