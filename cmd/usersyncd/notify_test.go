package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

// A manager is systemd's side of sd_notify.
type manager struct {
	mu   sync.Mutex
	said []string
}

// listen serves NOTIFY_SOCKET until the test ends.
func (m *manager) listen(t *testing.T) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		for buffer := make([]byte, 1<<16); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.said = append(m.said, string(buffer[:n]))
			m.mu.Unlock()
		}
	}()
	return socket
}

// when returns the position of the first message at or after from that matches, or -1.
func (m *manager) when(from int, pattern string) int {
	re := regexp.MustCompile(`(?m)` + pattern)
	m.mu.Lock()
	defer m.mu.Unlock()
	if from < 0 || from > len(m.said) {
		return -1
	}
	if i := slices.IndexFunc(m.said[from:], re.MatchString); i >= 0 {
		return from + i
	}
	return -1
}

func TestNotify(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	m := &manager{}
	r.env = append(r.env, "NOTIFY_SOCKET="+m.listen(t), "WATCHDOG_USEC=3000000")
	// The first listing hangs, so that what is said before it is known can be seen.
	r.sim.AddFault(sim.Fault{Method: "GET", Path: "/api/v2/users", Times: 1, Effect: sim.Slow, Delay: 2 * time.Second})
	r.declare(mei, "Captain")
	r.start()

	heard := func(from int, pattern string) int {
		r.Helper()
		r.waitFor(pattern, func() bool { return m.when(from, pattern) >= 0 })
		return m.when(from, pattern)
	}
	ready := heard(0, `^READY=1$`)
	if r.title(mei) == "Captain" {
		t.Error("READY only after the specs were applied, which may take an hour")
	}
	heard(0, `^STATUS=Starting: .*\(refresh\); revision [0-9a-f]{12}; [0-9.]+ calls/s`)
	synced := heard(0, `^STATUS=All 6 users are in sync; revision [0-9a-f]{12}$`)
	heard(synced, `^WATCHDOG=1$`)

	r.signal(syscall.SIGHUP)
	reloading := heard(ready+1, `^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*$`)
	heard(reloading+1, `^READY=1$`)

	r.signal(syscall.SIGTERM)
	stopping := heard(reloading, `^STOPPING=1`)
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if at := m.when(stopping, `^(READY|WATCHDOG)`); at >= 0 {
		t.Errorf("message %d says that it works, after %d said that it stops", at, stopping)
	}
}

// STOPPING is said when the end begins, not when it is over.
func TestNotifyStoppingComesFirst(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	m := &manager{}
	r.env = append(r.env, "NOTIFY_SOCKET="+m.listen(t))
	r.sim.AddFault(sim.Fault{Method: "PATCH", Effect: sim.Slow, Delay: 3 * time.Second})
	r.declare(mei, "Captain")
	r.start()
	r.waitFor("the update is in flight", func() bool { return r.title(mei) == "Captain" })
	r.signal(syscall.SIGTERM)
	r.waitFor("STOPPING", func() bool { return m.when(0, `^STOPPING=1`) >= 0 })
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
