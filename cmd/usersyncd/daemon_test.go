package main

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
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
	r.waitFor("SIGHUP is heard", func() bool { return r.lines("reload requested (SIGHUP)") == 1 })
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
	write(t, broken, "email: "+ana+"\ntitle: Fixed\n")
	r.waitFor("the fixed spec is applied", func() bool { return r.title(ana) == "Fixed" })
	if n := r.lines("problem in the specs"); n < 1 || n > 2 {
		t.Errorf("the problem was told %d times; it is news at the start, and at most once more with the applied edit", n)
	}
}

// While the API is down the daemon lives; when it is back, so is everything.
func TestDaemonOutlivesTheAPI(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	r.sim.AddFault(sim.Fault{Effect: sim.Status, Code: 503})
	r.declare(mei, "Captain")
	r.start("--retry-max=0")
	r.waitFor("the outage is noticed", func() bool { return r.lines("pass failed") > 0 })
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
	r.waitFor("it misses the checkout", func() bool { return r.lines("pass failed") > 0 })
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
	r.waitFor("the pause", func() bool { return r.lines("pass failed") == 1 })
	r.declare(users[1].Email, "Moved")
	r.signal(syscall.SIGHUP)
	r.waitFor("SIGHUP", func() bool { return r.lines("reload requested (SIGHUP)") == 1 })
	r.signal(syscall.SIGKILL)
	r.ends()

	r.sim.ClearFaults()
	r.start("--log-format", "json")
	r.waitFor("the pause, once more", func() bool { return r.lines("pass failed") == 2 })
	r.signal(syscall.SIGHUP)
	r.waitFor("SIGHUP", func() bool { return r.lines("reload requested (SIGHUP)") == 2 })
	r.signal(syscall.SIGTERM)
	if code := r.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := r.sim.Ledger().Count("PATCH /api/v2/users/{id}"); n != 1 {
		t.Errorf("%d writes, want the one that was refused", n)
	}
	if n := r.lines("pass failed"); n != 2 {
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
