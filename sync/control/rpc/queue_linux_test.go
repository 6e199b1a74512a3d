package rpc_test

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"time"

	"usersyncd/sync/control/rpc"
)

// fullQueue makes a socket that nobody accepts on, and whose queue has no room left.
func fullQueue(t *testing.T, path string) (done func()) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	var waiting []net.Conn
	for {
		c, err := net.DialTimeout("unix", path, 100*time.Millisecond)
		if err != nil {
			break
		}
		waiting = append(waiting, c)
	}
	return func() {
		for _, c := range waiting {
			_ = c.Close()
		}
		_ = syscall.Close(fd)
	}
}

// A daemon that has no time to accept is one: its socket is not taken over.
func TestAFullQueueIsSomebody(t *testing.T) {
	path := socketPath(t)
	done := fullQueue(t, path)
	defer done()
	_, err := rpc.ListenSocket(t.Context(), path, slog.New(slog.DiscardHandler))
	if !errors.Is(err, rpc.ErrRunning) {
		t.Errorf("%v", err)
	}
}
