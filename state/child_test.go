package state_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// The environment of a child process: what it does, and with which file.
const (
	childRole = "USERSYNCD_STATE_TEST_ROLE"
	childPath = "USERSYNCD_STATE_TEST_PATH"
)

func runChild(role, path string) int {
	st, err := state.Open(path, state.Options{})
	if err == nil {
		switch role {
		case "hold":
			fmt.Println("held")
			_, err = io.Copy(io.Discard, os.Stdin) // until the parent is done
			err = errors.Join(err, st.Close())
		case "count":
			err = count(st)
		case "fill":
			err = errors.Join(fillDisk(st), st.Close())
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// count commits a number to two buckets and says so, for ever.
func count(st *state.Store) error {
	snap, err := st.Snapshot()
	if err != nil {
		return err
	}
	n := 0
	if u := snap.Users["id-00000"]; u != nil {
		n = u.Version
	}
	for {
		n++
		c := state.Commit{
			Users:    []*state.User{user(0, n), user(1+n%50, n)},
			Failures: []state.Failure{{Key: "n", Attempts: n, Message: strings.Repeat("x", n%5000)}},
		}
		if err := st.Commit(c); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// fillDisk commits until the file may not grow further.
func fillDisk(st *state.Store) error {
	const limit = 1 << 20
	signal.Ignore(syscall.SIGXFSZ)
	var former syscall.Rlimit
	if err := errors.Join(st.CheckWritable(), syscall.Getrlimit(syscall.RLIMIT_FSIZE, &former)); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: former.Max}); err != nil {
		return err
	}
	for n := 1; ; n++ {
		big := user(n, 1)
		big.Fields.Set(spec.Title, value("%s", strings.Repeat("x", 64<<10)))
		if err := st.Commit(state.Commit{Users: []*state.User{big}}); err != nil {
			snap, readErr := st.Snapshot()
			if readErr != nil || len(snap.Users) != n-1 {
				return fmt.Errorf("%d commits, %d users, %w", n-1, len(snap.Users), readErr)
			}
			small := st.Commit(state.Commit{Forget: []string{user(1, 1).ID}, Converged: &state.Converged{Users: n - 2}})
			fmt.Println(err)
			return errors.Join(small, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &former), st.CheckWritable())
		}
		if n > 100 {
			return errors.New("the limit does not work")
		}
	}
}

type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

func startChild(t *testing.T, role, path string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childRole+"="+role, childPath+"="+path,
		"GORACE=atexit_sleep_ms=0") // of a race-enabled binary; the default is a second
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &child{cmd, in, bufio.NewScanner(out)}
}

func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("the child said nothing more: %v", c.lines.Err())
	}
	return c.lines.Text()
}

// A commit that was acknowledged survives SIGKILL at any moment; one that was not is there whole or not at all.
func TestKill(t *testing.T) {
	const kills = 30
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	path := tempFile(t)
	mustClose(t, open(t, path))
	acknowledged, unannounced := 0, 0
	for range kills {
		c := startChild(t, "count", path)
		for range 1 + rnd.IntN(20) {
			n, err := strconv.Atoi(c.line(t))
			if err != nil {
				t.Fatal(err)
			}
			acknowledged = n
		}
		<-time.After(time.Duration(rnd.IntN(2000)) * time.Microsecond) // somewhere in the child's work; nothing depends on it
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for c.lines.Scan() {
			n, err := strconv.Atoi(c.lines.Text())
			if err != nil {
				break // a number cut short
			}
			acknowledged = n
		}
		_ = c.cmd.Wait() // killed

		st, err := state.Open(path, state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		snap := mustSnapshot(t, st)
		mustClose(t, st)
		if st.SetAside() != "" || snap.Rebuilt || snap.Damaged != 0 {
			t.Fatalf("after a kill: set aside %q, %d damaged", st.SetAside(), snap.Damaged)
		}
		u := snap.Users["id-00000"]
		if u == nil || u.Version < acknowledged || u.Version > acknowledged+1 {
			t.Fatalf("%d acknowledged, the store has %v", acknowledged, u)
		}
		n := u.Version
		if d := diff(user(0, n), u); d != "" {
			t.Fatal(d)
		}
		if d := diff(user(1+n%50, n), snap.Users[user(1+n%50, n).ID]); d != "" {
			t.Fatalf("half a commit: %s", d)
		}
		if f := snap.Failures["n"]; f.Attempts != n || len(f.Message) != n%5000 {
			t.Fatalf("half a commit: failure of %d, user of %d", f.Attempts, n)
		}
		unannounced += n - acknowledged
		acknowledged = n
	}
	t.Logf("%d kills, %d commits, %d of them committed and not acknowledged", kills, acknowledged, unannounced)
}

func TestAnotherProcessHoldsTheFile(t *testing.T) {
	path := tempFile(t)
	c := startChild(t, "hold", path)
	c.line(t)
	for _, open := range openers() {
		_, err := open(path, state.Options{Timeout: 50 * time.Millisecond})
		want := fmt.Sprintf("another usersyncd (pid %d) uses %s", c.cmd.Process.Pid, path)
		if !errors.Is(err, state.ErrLocked) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %s", err, want)
		}
	}
	for name, pid := range map[string]string{"stale": "1999999999", "garbage": "\x00\xff", "empty": "", "negative": "-1"} {
		if err := os.WriteFile(path+".pid", []byte(pid), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := state.Open(path, state.Options{Timeout: time.Nanosecond})
		if !errors.Is(err, state.ErrLocked) || !strings.Contains(err.Error(), "another process uses "+path) {
			t.Errorf("%s pid file: %v", name, err)
		}
	}

	// It is not moved aside either, however damaged it looks.
	whole := read(t, path)
	if err := os.WriteFile(path, bytes.Repeat([]byte{0}, len(whole)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Open(path, state.Options{Timeout: time.Nanosecond}); !errors.Is(err, state.ErrLocked) {
		t.Errorf("a damaged file in use: %v", err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}

	// Whoever waits gets the file as soon as it is free.
	opened := make(chan error, 1)
	go func() {
		st, err := state.Open(path, state.Options{Timeout: time.Minute})
		if err == nil {
			err = st.Close()
		}
		opened <- err
	}()
	if err := c.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestFullDisk(t *testing.T) {
	path := tempFile(t)
	c := startChild(t, "fill", path)
	if got := c.line(t); !strings.Contains(got, "file too large") || !strings.Contains(got, path) {
		t.Errorf("the error is %q", got)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("no commit after a full disk: %v", err)
	}
	st := open(t, path)
	snap, m := mustSnapshot(t, st), mustMeta(t, st)
	if snap.Damaged != 0 || st.SetAside() != "" || m.Converged == nil || len(snap.Users) != m.Converged.Users || len(snap.Users) < 2 {
		t.Errorf("%d users, %+v", len(snap.Users), m)
	}
}
