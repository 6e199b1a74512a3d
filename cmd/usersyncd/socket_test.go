package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/genesys/sim"
)

// An answer is what a command that asks the daemon has printed, and how it has ended.
type answer struct {
	out, err string
	code     int
}

// begin starts a command beside the daemon; the answer comes when it has ended.
func (r *running) begin(args ...string) <-chan answer {
	r.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("usersyncd", args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = r.env, r.TempDir(), &out, &errs
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	ended := make(chan answer, 1)
	go func() {
		_ = cmd.Wait() // the exit code is looked at
		ended <- answer{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	}()
	return ended
}

// told runs a command, which must exit with a code, and returns what it printed.
func (r *running) told(code int, args ...string) answer {
	r.Helper()
	a := <-r.begin(args...)
	if a.code != code {
		r.Fatalf("%v: exit code %d, not %d\n%s%s", args, a.code, code, a.out, a.err)
	}
	return a
}

// status asks the daemon; ok is false while none answers.
func (r *running) status() (s control.Status, ok bool) {
	a := <-r.begin("status", "--output", "json")
	return s, a.code == 0 && json.Unmarshal([]byte(a.out), &s) == nil && s.PID != 0
}

// settled waits until a pass has ended well that began after the call.
func (r *running) settled() control.Status {
	r.Helper()
	var s control.Status
	r.waitFor("a pass that ends well", func() (ok bool) {
		s, ok = r.status()
		return ok && s.Phase == usersync.PhaseIdle && !s.Success.IsZero()
	})
	return s
}

func (r *running) patches(status ...int) int {
	return r.sim.Ledger().Count("PATCH /api/v2/users/{id}", status...)
}

// slowly makes each write take a second from now on: a pass of many is still under way when a command comes, on a
// slow machine too. What is written is no later for it.
func (r *running) slowly() {
	r.sim.AddFault(sim.Fault{Method: http.MethodPatch, Effect: sim.Slow, Delay: time.Second})
}

// moveAll declares another title for everybody.
func (r *running) moveAll(title string) {
	r.Helper()
	for _, u := range r.sim.Users() {
		r.declare(u.Email, title)
	}
}

// startsToMove starts the daemon, and returns in the middle of a pass that moves everybody, two at a time and each in a
// second.
func (r *running) startsToMove() {
	r.Helper()
	r.start("--log-format=json", "--resync-interval=1h", "--max-in-flight=2")
	r.settled()
	r.slowly()
	r.moveAll("Moved")
	r.waitFor("the pass is on its way", func() bool { return r.patches(200) >= 3 })
}

// quiet fails if the daemon has logged an error.
func (r *running) quiet() {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.log {
		if line["level"] == "ERROR" || strings.HasPrefix(line["msg"].(string), "time=") && strings.Contains(line["msg"].(string), "level=ERROR") {
			r.Errorf("logged: %v", line)
		}
	}
}

// A pause in the middle of a long pass ends it: nothing more is written, and nothing is said to be wrong. Whoever
// waits for a pass hears of the pause. It outlasts a restart and counts for --once. Once it is over the rest is
// done, and nobody is written twice.
func TestPauseDuringAPass(t *testing.T) {
	const users = 60
	r := newRunning(t, sim.Options{Users: users})
	r.startsToMove()
	waits := r.begin("sync")
	r.told(0, "pause", "--reason", "incident 4711")
	r.waitFor("the pass has ended", func() bool { s, _ := r.status(); return s.Phase == usersync.PhaseIdle && s.Pending > 0 })
	written := r.patches()
	if written == users {
		t.Fatal("it was over before it could be paused; the test says nothing")
	}
	if a := <-waits; a.code != exitHeld || !strings.Contains(a.err, "incident 4711") {
		t.Errorf("who waits for a pass: exit code %d, %s%s", a.code, a.out, a.err)
	}
	s, _ := r.status()
	if s.Paused == nil || s.Paused.Reason != "incident 4711" || s.Paused.By == "" || s.Error != "" || s.Pending+s.InSync != users {
		t.Errorf("while paused: %+v", s)
	}
	if text := r.told(0, "status").out; !strings.Contains(text, "Paused by ") || !strings.Contains(text, "(incident 4711): passes plan") {
		t.Errorf("while paused status says\n%s", text)
	}
	r.told(exitHeld, "sync")
	r.quiet()

	r.signal(syscall.SIGTERM)
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if a := r.told(exitHeld, "--once", r.specs); !strings.Contains(a.err, "incident 4711") {
		t.Errorf("--once: %s", a.err)
	}
	if text := r.told(0, "status").out; !strings.Contains(text, "incident 4711") {
		t.Errorf("without a daemon status says\n%s", text)
	}
	r.sim.ClearFaults()
	r.start("--log-format=json", "--resync-interval=1h")
	r.settled()
	if n := r.patches(); n != written {
		t.Errorf("%d writes during the pause", n-written)
	}
	if a := r.told(0, "resume"); a.out != "Resumed.\n" {
		t.Error(a.out)
	}
	r.told(0, "sync")
	if a := r.told(0, "resume"); a.out != "Nothing was paused.\n" {
		t.Error(a.out)
	}
	r.quiet()
	for _, u := range r.sim.Users() {
		if u.Title != "Moved" || u.Writes != 1 {
			t.Errorf("%s has the title %q after %d writes", u.Email, u.Title, u.Writes)
		}
	}
}

// Who waits for a pass of a daemon that is stopped hears that, soon.
func TestStopWhileSomebodyWaits(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 30})
	r.start("--log-format=json", "--resync-interval=1h", "--max-in-flight=2")
	r.settled()
	r.slowly()
	r.moveAll("Moved")
	r.waitFor("the pass is on its way", func() bool { return r.patches(200) >= 2 })
	waits := r.begin("sync")
	r.waitFor("it waits", func() bool { _, ok := r.status(); return ok })
	r.signal(syscall.SIGTERM)
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	a := <-waits // it may have come when the daemon was going, or had gone
	heard := slices.ContainsFunc([]error{rpc.ErrStopping, rpc.ErrEnded, rpc.ErrNoDaemon}, func(err error) bool {
		return strings.Contains(a.err, err.Error())
	})
	if a.code != exitFatal || !heard {
		t.Errorf("exit code %d: %s%s", a.code, a.out, a.err)
	}
	r.quiet()
}

// A daemon whose socket cannot be made says so and does its work; so does one whose socket another has.
func TestDaemonWithoutASocket(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "file")
	write(t, file, "mine")
	const refused = "commands cannot reach the daemon"
	for i, socket := range []string{file, filepath.Join(file, "s"), filepath.Join(dir, strings.Repeat("x", 120))} {
		title := "Captain " + string(rune('A'+i))
		r.declare(mei, title)
		r.start("--log-format=json", "--socket", socket)
		r.waitFor("the edit is applied", func() bool { return r.title(mei) == title })
		if n := r.lines(refused); n != i+1 {
			t.Errorf("%s: said %d times", socket, n)
		}
		r.signal(syscall.SIGTERM)
		if code := r.ends(); code != 0 {
			t.Errorf("%s: exit code %d", socket, code)
		}
	}

	// With none there is nothing to be found, and nothing to complain about.
	before := r.lines("pass done")
	r.start("--log-format=json", "--socket", "none")
	r.waitFor("a pass", func() bool { return r.lines("pass done") > before })
	if a := r.told(exitFatal, "status"); !strings.Contains(a.err, "give its socket with --socket") {
		t.Errorf("status: %s", a.err)
	}
	r.told(exitFatal, "sync", "--socket", "none")
	if n := r.lines(refused); n != 3 {
		t.Error("none is not what could not be made")
	}
	r.signal(syscall.SIGTERM)
	r.ends()

	// Two on one socket.
	socket := filepath.Join(dir, "s")
	r.start("--log-format=json", "--socket", socket)
	r.waitFor("the socket", func() bool { _, err := os.Stat(socket); return err == nil })
	other := &running{T: t, sim: r.sim, specs: r.specs, env: append(r.env, "USERSYNCD_STATE="+filepath.Join(dir, "other.db"))}
	other.start("--log-format=json", "--socket", socket)
	other.waitFor("a pass of the second", func() bool { return other.lines("pass done") == 1 })
	if other.lines(refused) != 1 {
		t.Error("the second does not say that the socket is taken")
	}
	other.signal(syscall.SIGTERM)
	other.ends()
	if a := r.told(0, "status", "--socket", socket, "--output", "json"); !strings.Contains(a.out, `"pid": `+itoa(r.cmd.Process.Pid)) {
		t.Errorf("the first does not answer any more: %s", a.out)
	}
}

func itoa(n int) string {
	text, _ := json.Marshal(n) // a number always is
	return string(text)
}

// What a guard holds is released through the daemon, which goes on at once; what it does not hold is no such thing.
func TestReleaseThroughTheDaemon(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 12})
	r.start("--log-format=json", "--resync-interval=1h", "--max-deactivations=0%,0")
	r.settled()
	u, _ := r.sim.User(ana)
	write(t, specPath(r.specs, u), "email: "+ana+"\nstate: inactive\n")
	var s control.Status
	r.waitFor("it is held", func() bool { s, _ = r.status(); return s.Held == 1 && len(s.Holds) == 1 })
	id := s.Holds[0].ID
	if a := r.told(0, "explain", ana); !strings.Contains(a.out, ": held") || !strings.Contains(a.out, "usersyncd release "+id) {
		t.Errorf("explain says\n%s", a.out)
	}
	if a := r.told(exitUsage, "release", "p-0123abcd"); !strings.Contains(a.err, "nothing is held under the id p-0123abcd") {
		t.Errorf("what is not held: %s", a.err)
	}
	r.told(exitHeld, "sync")
	if a := r.told(0, "release", id); !strings.Contains(a.out, "Released: 1 user, held by --max-deactivations") {
		t.Errorf("release says %s", a.out)
	}
	r.waitFor("it is let through", func() bool { u, _ := r.sim.User(ana); return u.State == "inactive" })
	r.quiet()
}

// A pause is in the state file when the command has ended, whatever the loop is doing then.
func TestStatusKnowsAPauseAtOnce(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	r.start("--resync-interval=1h")
	r.settled()
	client := r.client()
	defer client.Close()
	for range 20 {
		if err := client.Pause(context.Background(), "now"); err != nil {
			t.Fatal(err)
		}
		if err := client.Pause(context.Background(), "and this"); err != nil {
			t.Fatal(err)
		}
		if s, err := client.Status(context.Background()); err != nil || s.Paused == nil || s.Paused.Reason != "now; and this" {
			t.Fatalf("%v; the pause is %+v", err, s.Paused)
		}
		if e, err := client.Explain(context.Background(), ana); err != nil || e.Paused == nil {
			t.Fatalf("%v; explain does not know the pause", err)
		}
		if was, err := client.Resume(context.Background()); err != nil || !was {
			t.Fatalf("%v, was paused: %v", err, was)
		}
		if s, err := client.Status(context.Background()); err != nil || s.Paused != nil {
			t.Fatalf("%v; the pause is still %+v", err, s.Paused)
		}
	}
	if events, err := client.History(context.Background(), state.Query{}); err != nil || len(events) != 0 {
		t.Errorf("%v; a pause writes nothing: %v", err, events)
	}
}

// client speaks to the daemon without a command in between.
func (r *running) client() *rpc.Client {
	r.Helper()
	for _, v := range r.env {
		if path, ok := strings.CutPrefix(v, "USERSYNCD_STATE="); ok {
			c, err := rpc.Dial(r.Context(), path+".sock")
			if err != nil {
				r.Fatal(err)
			}
			return c
		}
	}
	r.Fatal(errors.New("no state file"))
	return nil
}

// sync says when the organization was last read, unless it was for this pass.
func TestSyncSaysWhatItHasNotRead(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	r.start("--log-format=json", "--resync-interval=1h")
	r.settled()
	hint := regexp.MustCompile(`(?m)^The organization was last read \S+ ago\. To read it now: usersyncd sync( .*)? --refresh$`)
	if a := r.told(0, "sync"); !hint.MatchString(a.err) || strings.Contains(a.out, "last read") {
		t.Errorf("%s%s", a.out, a.err)
	}
	if a := r.told(0, "sync", "--refresh"); hint.MatchString(a.err) {
		t.Errorf("%s", a.err)
	}
}
