package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"usersyncd/state"
	"usersyncd/sync/genesys/sim"
)

// A running is a process of the program over a simulated organization of its own.
type running struct {
	*testing.T
	sim   *sim.Server
	specs string
	api   string
	env   []string

	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended
	mu   sync.Mutex
	log  []map[string]any // its JSON lines
}

// newRunning makes an organization and declares its users as they are. Nothing is started.
func newRunning(t *testing.T, o sim.Options) *running {
	t.Helper()
	t.Parallel()
	o.Seed, o.IndexLag = 5, -1
	r := &running{T: t, sim: sim.New(o), specs: filepath.Join(t.TempDir(), "users")}
	loopback := httptest.NewServer(r.sim)
	t.Cleanup(loopback.Close)
	if err := writeSpecs(r.specs, r.sim.Users()); err != nil {
		t.Fatal(err)
	}
	r.api = loopback.URL
	r.env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+filepath.Join(t.TempDir(), "usersyncd.db"),
		"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo",
		"USERSYNCD_RETRY_MIN_WAIT=10ms", "USERSYNCD_RETRY_MAX_WAIT=50ms", "HOME="+t.TempDir())
	return r
}

// start starts the daemon, which dies with the test if it has not ended by then.
func (r *running) start(args ...string) {
	r.Helper()
	r.launch(exec.Command("usersyncd", append(args, r.specs)...))
}

// launch starts the daemon by a command of the test's own.
func (r *running) launch(cmd *exec.Cmd) {
	r.Helper()
	r.cmd = cmd
	r.cmd.Env, r.cmd.Dir = r.env, r.TempDir()
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		r.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	gone := make(chan struct{})
	r.gone = gone
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			line := map[string]any{}
			if json.Unmarshal(lines.Bytes(), &line) != nil {
				line["msg"] = lines.Text()
			}
			r.mu.Lock()
			r.log = append(r.log, line)
			r.mu.Unlock()
		}
		_ = cmd.Wait() // ends looks at the exit code
		close(gone)
	}()
	r.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, or it hangs
		if r.Failed() {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, line := range r.log {
				r.Log(line)
			}
		}
	})
}

// waitFor waits until something is so.
func (r *running) waitFor(what string, so func() bool) {
	r.Helper()
	if !eventually(so) {
		r.Fatalf("it did not happen: %s", what)
	}
}

func (r *running) title(email string) string {
	u, ok := r.sim.User(email)
	if !ok {
		return "nobody"
	}
	return u.Title
}

// lines counts log lines with that message.
func (r *running) lines(msg string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, line := range r.log {
		if line["msg"] == msg {
			n++
		}
	}
	return n
}

func (r *running) signal(s syscall.Signal) {
	r.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.Fatal(err)
	}
}

// ends waits until the process has ended, and returns its exit code, or -1 if a signal killed it.
func (r *running) ends() int {
	r.Helper()
	select {
	case <-r.gone:
	case <-time.After(20 * time.Second):
		r.Fatal("it has not ended after 20 s")
	}
	return r.cmd.ProcessState.ExitCode()
}

// declare writes a spec as an editor does, under another name first.
func (r *running) declare(email, title string) {
	r.Helper()
	u, _ := r.sim.User(email)
	u.Title = title
	data, err := specOf(u)
	if err != nil {
		r.Fatal(err)
	}
	path := specPath(r.specs, u)
	write(r.T, path+".tmp", string(data))
	if err := os.Rename(path+".tmp", path); err != nil {
		r.Fatal(err)
	}
}

const (
	ana = "ana.perez@example.com"
	mei = "mei.perez@example.com"
)

// What differs at the start is applied, what is edited soon after, and SIGHUP makes it look at once.
func TestDaemonApplies(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	want := r.title(ana)
	r.sim.Edit(ana, func(u *sim.User) { u.Title = "Chief" })
	r.start("--resync-interval=1h")
	r.waitFor("the difference is applied", func() bool { return r.title(ana) == want })

	r.declare(mei, "Captain")
	r.waitFor("the edit is applied", func() bool { return r.title(mei) == "Captain" })

	// Nothing else: a rename alone is no news, and no user is touched twice.
	r.signal(syscall.SIGHUP)
	r.waitFor("SIGHUP is heard", func() bool { return r.lines("asked to look again (SIGHUP)") == 1 })
	r.declare(ana, "Pilot")
	r.signal(syscall.SIGHUP)
	r.waitFor("the second edit is applied", func() bool { return r.title(ana) == "Pilot" })
	r.signal(syscall.SIGTERM)
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	l := r.sim.Ledger()
	if n := l.Count("PATCH /api/v2/users/{id}"); n != 3 || l.Count("GET /api/v2/users") != 2 { // active and inactive users, listed once
		t.Errorf("%d updates for 3 edits; in all %v", n, l.Calls)
	}
}

// A user whose spec is broken is left as it is, which is said once; the others go on.
func TestDaemonHoldsBrokenSpecs(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	u, _ := r.sim.User(ana)
	broken := specPath(r.specs, u)
	write(t, broken, "email: "+ana+"\ntitle: null\n")
	before := r.title(ana)
	r.declare(mei, "Captain")
	r.start("--resync-interval=50ms", "--log-level=debug")
	r.waitFor("the other user is applied", func() bool { return r.title(mei) == "Captain" })
	r.declare(mei, "Major")
	r.waitFor("and again", func() bool { return r.title(mei) == "Major" })
	if r.title(ana) != before {
		t.Errorf("the user with the broken spec has the title %q", r.title(ana))
	}
	write(t, broken, "email: "+ana+"\ntitle: Mended\n")
	r.waitFor("the mended spec is applied", func() bool { return r.title(ana) == "Mended" })
	if n := r.lines("a problem in the specs"); n < 1 || n > 2 {
		t.Errorf("the problem was told %d times; it is news at the start, and at most once more with the applied edit", n)
	}
}

// While the API is down the daemon lives; when it is back, so is everything.
func TestDaemonOutlivesTheAPI(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	r.sim.AddFault(sim.Fault{Effect: sim.Status, Code: 503})
	r.declare(mei, "Captain")
	r.start("--retry-max=0")
	r.waitFor("the outage is noticed", func() bool { return r.lines("the pass ended early") > 0 })
	r.sim.ClearFaults()
	r.waitFor("it goes on by itself", func() bool { return r.title(mei) == "Captain" })
	r.signal(syscall.SIGTERM)
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A checkout that is not there yet is waited for: git may be slower than the boot.
func TestDaemonWaitsForTheCheckout(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	r.declare(mei, "Captain")
	later := r.specs + ".later"
	if err := os.Rename(r.specs, later); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.waitFor("it misses the checkout", func() bool { return r.lines("the pass ended early") > 0 })
	if err := os.Rename(later, r.specs); err != nil {
		t.Fatal(err)
	}
	r.waitFor("it finds the checkout", func() bool { return r.title(mei) == "Captain" })
}

// SIGTERM in the middle of a pass: what is in flight comes back and is recorded, the rest is not sent,
// and the next run sends nothing twice.
func TestStopFinishesWhatIsInFlight(t *testing.T) {
	for _, mode := range [][]string{nil, {"--once"}} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			r := newRunning(t, sim.Options{Users: 30})
			r.slowly()
			for _, u := range r.sim.Users() {
				r.declare(u.Email, "Moved")
			}
			r.start(mode...)
			patches := func(status ...int) int { return r.sim.Ledger().Count("PATCH /api/v2/users/{id}", status...) }
			r.waitFor("the pass is on its way", func() bool { return patches(200) >= 3 })
			r.signal(syscall.SIGTERM)
			code := r.ends()
			if want := len(mode); code != want { // --once has not done what it was asked for
				t.Errorf("exit code %d, not %d", code, want)
			}
			l := r.sim.Ledger()
			sent := patches()
			if sent == 30 {
				t.Fatal("it was over before it could be stopped; the test says nothing")
			}
			if n := l.Count("PATCH /api/v2/users/{id}", 0); n > 0 {
				t.Errorf("%d updates in flight were given up", n)
			}
			r.sim.ClearFaults()
			r.start("--once", "--no-refresh")
			if code := r.ends(); code != 0 {
				t.Errorf("the next run: exit code %d", code)
			}
			for _, u := range r.sim.Users() {
				if u.Title != "Moved" || u.Writes != 1 {
					t.Errorf("%s has the title %q after %d writes", u.Email, u.Title, u.Writes)
				}
			}
			if n := patches(); n != 30 {
				t.Errorf("%d updates for 30 users, %d of them before the stop", n, sent)
			}
		})
	}
}

// A second signal does not wait for anything.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6, Latency: time.Millisecond})
	r.declare(mei, "Captain")
	r.sim.AddFault(sim.Fault{Method: "PATCH", Effect: sim.Slow, Delay: 25 * time.Second})
	r.start()
	r.waitFor("the update is in flight", func() bool { return r.title(mei) == "Captain" })
	r.signal(syscall.SIGTERM)
	r.waitFor("it ends", func() bool {
		_ = r.cmd.Process.Signal(syscall.SIGTERM) // the one before may not have been handled yet
		select {
		case <-r.gone:
			return true
		default:
			return false
		}
	})
	if code := r.ends(); code != -1 {
		t.Errorf("exit code %d", code)
	}
}

// An API that asks for an hour is not asked again before, whatever happens meanwhile; the daemon stays,
// and says so once. A restart, even after a kill, knows it, too.
func TestDaemonParked(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 5})
	r.start("--log-format", "json")
	r.waitFor("the first pass", func() bool { return r.lines("pass done") == 1 })
	f, err := sim.ParseFault("PATCH 429 retry-after=3600")
	if err != nil {
		t.Fatal(err)
	}
	r.sim.AddFault(f)
	users := r.sim.Users()
	r.declare(users[0].Email, "Moved")
	r.waitFor("the pause", func() bool { return r.lines("the pass ended early") == 1 })
	r.declare(users[1].Email, "Moved")
	r.signal(syscall.SIGHUP)
	r.waitFor("SIGHUP", func() bool { return r.lines("asked to look again (SIGHUP)") == 1 })
	r.signal(syscall.SIGKILL)
	r.ends()

	r.sim.ClearFaults()
	r.start("--log-format", "json")
	r.waitFor("the pause, once more", func() bool { return r.lines("the pass ended early") == 2 })
	r.signal(syscall.SIGHUP)
	r.waitFor("SIGHUP", func() bool { return r.lines("asked to look again (SIGHUP)") == 2 })
	r.signal(syscall.SIGTERM)
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := r.sim.Ledger().Count("PATCH /api/v2/users/{id}"); n != 1 {
		t.Errorf("%d writes, want the one that was refused", n)
	}
	if n := r.lines("the pass ended early"); n != 2 {
		t.Errorf("said %d times, want once a process", n)
	}
}

// A pause in the middle of a pass survives a kill, too.
func TestDaemonKilledDuringAPause(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 5})
	r.start("--log-format", "json")
	r.waitFor("the first pass", func() bool { return r.lines("pass done") == 1 })
	f, err := sim.ParseFault("PATCH x1 429 retry-after=60")
	if err != nil {
		t.Fatal(err)
	}
	r.sim.AddFault(f)
	r.declare(r.sim.Users()[0].Email, "Moved")
	r.waitFor("a line that says why it is slow", func() bool { return r.lines("rate limit") == 1 })
	r.waitFor("the pause in the state file", func() bool { return r.waits() })
	r.signal(syscall.SIGKILL)
	r.ends()
	r.start("--log-format", "json")
	r.waitFor("a line that says why it is slow, once more", func() bool { return r.lines("rate limit") == 2 })
	if n := r.sim.Ledger().Count("PATCH /api/v2/users/{id}"); n != 1 {
		t.Errorf("%d writes, want the one that was refused", n)
	}
}

// waits reports whether a copy of the state file knows of a pause: what would be there after a kill.
func (r *running) waits() bool {
	r.Helper()
	for _, v := range r.env {
		path, ok := strings.CutPrefix(v, "USERSYNCD_STATE=")
		if !ok {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			r.Fatal(err)
		}
		copied := filepath.Join(r.TempDir(), "copy.db")
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			r.Fatal(err)
		}
		store, err := state.OpenReadOnly(copied, state.Options{})
		if err != nil {
			return false // copied in the middle of a commit
		}
		learned, err := store.Limiter(newMemory(nil, "demo", r.api, true, nil).client)
		if err != nil {
			r.Fatal(err)
		}
		if err := store.Close(); err != nil {
			r.Fatal(err)
		}
		return bytes.Contains(learned, []byte(`"gate":"2`))
	}
	return false
}
