// Package memtemp keeps the temporary files of tests in memory. Only tests import it.
//
// The tests write thousands of small files and flush the state file after each change: on a disk that is a third of
// their time. No test cuts the power, so memory keeps what is written as well as a disk does.
package memtemp

import (
	"os"
	"syscall"
	"testing"
)

// M runs the tests of a package with their temporary directory in memory. It changes nothing where there is no such
// place, or where TMPDIR names another.
type M struct{ *testing.M }

// Run runs the tests, and returns the exit code.
func (m M) Run() int {
	dir := directory()
	if dir != "" && os.Setenv("TMPDIR", dir) == nil {
		defer func() { _ = os.RemoveAll(dir) }()
	}
	return m.M.Run()
}

// directory makes a directory in memory in which a program may run; "" if it cannot.
func directory() string {
	const (
		memory = "/dev/shm"
		enough = 2 << 30 // bytes
		noexec = 8       // ST_NOEXEC of statfs(2)
	)
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &fs) != nil || fs.Flags&noexec != 0 || fs.Bavail*uint64(fs.Bsize) < enough {
		return ""
	}
	dir, err := os.MkdirTemp(memory, "usersyncd-test-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // some tests run a program as another user
	}
	if err != nil {
		return ""
	}
	return dir
}
