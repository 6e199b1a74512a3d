package main

import (
	"syscall"
	"testing"

	"usersyncd/sync/genesys/sim"
)

// In a real process: a leaver who is committed in the middle of a long pass goes next, and a reload does not wait for
// its end. The pass would take half a minute.
func TestARealPassIsInterrupted(t *testing.T) {
	const users = 60
	r := newRunning(t, sim.Options{Users: users})
	r.startsToMove()
	leaver := r.sim.Users()[users-1]
	write(t, specPath(r.specs, leaver), "email: "+leaver.Email+"\ntitle: Moved\nstate: inactive\n")
	r.waitFor("the leaver is out", func() bool { u, _ := r.sim.User(leaver.Email); return u.State == "inactive" })
	if n := r.patches(200); n > users/2 {
		t.Errorf("%d of %d users came before the leaver", n, users)
	}
	r.signal(syscall.SIGHUP)
	r.waitFor("SIGHUP", func() bool { return r.lines("reload requested (SIGHUP)") == 1 })
	if n := r.patches(200); n > users/2 {
		t.Errorf("%d of %d users came before the reload", n, users)
	}
	if n := r.lines("pass interrupted; the next one continues"); n != 2 {
		t.Errorf("%d passes were interrupted", n)
	}
	r.sim.ClearFaults()
	r.settled()
	for _, u := range r.sim.Users() {
		if u.Title != "Moved" {
			t.Errorf("%s has the title %q", u.Email, u.Title)
		}
	}
	r.quiet()
}
