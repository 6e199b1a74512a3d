package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
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
	heard(0, `^STATUS=6 users @[0-9a-f]{12}, refresh: `)
	synced := heard(0, `^STATUS=6 users @[0-9a-f]{12}, all in sync$`)
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

// What stands for days is said once; a user that was applied is always news.
func TestSayHow(t *testing.T) {
	var log strings.Builder
	d := &daemon{app: readOnlyApp(t, "http://127.0.0.1:1", slog.New(slog.NewTextHandler(&log, nil)))}
	count := func(res *usersync.Result, err error) int {
		log.Reset()
		d.logResult(res, err)
		return strings.Count(log.String(), "\n")
	}
	problem := spec.Problem{Pos: spec.Pos{File: "a.yaml", Line: 1, Column: 1}, Message: "is wrong"}
	for i, test := range []struct {
		res  usersync.Result
		err  error
		want int
	}{
		{usersync.Result{}, nil, 1}, // at the start it is said that all is in order
		{usersync.Result{}, nil, 0},
		{usersync.Result{Changed: 1, Applied: 1}, nil, 1},
		{usersync.Result{Changed: 1, Applied: 1}, nil, 1},
		{usersync.Result{Problems: []spec.Problem{problem}}, nil, 2},
		{usersync.Result{Problems: []spec.Problem{problem}}, nil, 0},
		{usersync.Result{Problems: []spec.Problem{problem, problem}}, nil, 3},
		{usersync.Result{Changed: 1, Failed: 1, Failures: []usersync.Failure{{Email: ana, Message: "refused"}}}, nil, 1},
		{usersync.Result{Changed: 1, Quarantined: 1, Failures: []usersync.Failure{{Email: ana, Message: "waits"}}}, nil, 1},
		{usersync.Result{Changed: 1, Quarantined: 1, Failures: []usersync.Failure{{Email: ana, Message: "waits"}}}, nil, 0},
		{usersync.Result{}, errors.New("no network"), 1},
		{usersync.Result{}, context.DeadlineExceeded, 1},
		{usersync.Result{}, context.DeadlineExceeded, 0},
		{usersync.Result{}, nil, 1}, // the passes work again
	} {
		if got := count(&test.res, test.err); got != test.want {
			t.Errorf("%d: %d lines, not %d:\n%s", i, got, test.want, log.String())
		}
	}
}

// The status never says that all is well while something waits for a person, and is one line whatever
// an error holds, since a line of its own would be a message of its own to systemd.
func TestStatusText(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	problem := spec.Problem{Message: "is wrong"}
	for _, test := range []struct {
		st   usersync.Status
		want string
	}{
		{usersync.Status{Phase: "idle", Users: 3, InSync: 3, Revision: "abc", Result: &usersync.Result{}}, "3 users @abc, all in sync"},
		{usersync.Status{Phase: "idle", Users: 3, InSync: 2, Revision: commit, Result: &usersync.Result{Pending: 1}}, "3 users @0123456789ab, 2 in sync, 1 pending"},
		{usersync.Status{Phase: "idle", Users: 3, InSync: 3, Result: &usersync.Result{Held: 2}}, "3 users @, 3 in sync, 0 pending, 2 held"}, // nobody declares them
		{usersync.Status{Phase: "idle", Users: 9, InSync: 4, Progress: apply.Progress{Failed: 1}, Result: &usersync.Result{
			Failed: 1, Quarantined: 2, Held: 1, Skipped: 1, Retained: 4, Problems: []spec.Problem{problem},
		}}, "9 users @, 4 in sync, 5 pending, 1 failed, 2 in quarantine, 1 held, 1 skipped, 1 problem in the specs, 4 kept as last applied"},
		{usersync.Status{Phase: "idle", Users: 3, Revision: "abc", LastError: errors.New("a\nMAINPID=1")}, `3 users @abc, the last pass ended early: a MAINPID=1`},
		{usersync.Status{Phase: "apply", Users: 5000, InSync: 4998, Progress: apply.Progress{Changed: 3, Applied: 1, Failed: 1}, Revision: "abc123"},
			"5000 users @abc123, 4998 in sync, 2 pending, 1 failed, 4.2/s, quota 212/300, 0 throttled, 1.5s left"},
		{usersync.Status{Phase: "refresh", Users: 3, Revision: "abc"}, "3 users @abc, refresh: 4.2/s, quota 212/300, 0 throttled"},
		{usersync.Status{Phase: "scan"}, "reading the specs, and comparing"},
	} {
		l := aimd.Stats{Effective: 4.2, Windowed: true, Allowed: 300, Left: 212}
		if got := statusText(test.st, l, 1500*time.Millisecond); got != test.want {
			t.Errorf("%q, not %q", got, test.want)
		}
	}
}
