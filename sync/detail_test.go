package sync_test

import (
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// What was read long ago of a field that nobody managed since is not taken for what is there.
func TestANewlyManagedFieldIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		employee := sim.Grant{Role: w.sim.IDOf(sim.Role, "Employee"), Division: u.Division}
		w.sim.Edit(u.Email, func(u *sim.User) { u.Grants = []sim.Grant{employee} })
		time.Sleep(time.Minute)
		w.write("u.yaml", "email: %s\nroles: [Employee]\n", u.Email)
		w.pass()
		w.write("u.yaml", "email: %s\ntitle: T\n", u.Email)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.Grants = nil })
		time.Sleep(25 * time.Hour)
		w.write("u.yaml", "email: %s\nroles: [Employee]\n", u.Email)
		w.pass()
		if got := w.user(u.Email).Grants; len(got) != 1 {
			t.Errorf("grants are %v", got)
		}
	})
}

// What no listing shows is read again in turns: within the interval everybody's, and not all at once.
func TestDetailsAreReadInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 48, Full: true, Latency: 10 * time.Millisecond})
		w.sim.SetLimit(100_000)
		w.declareAll("voicemail: {alertTimeoutSeconds: 30}")
		w.pass()
		const policy = "GET /api/v2/voicemail/userpolicies/{id}"
		if n := w.sim.Ledger().Count(policy); n != 48 {
			t.Errorf("%d reads at first, want one for each user", n)
		}
		time.Sleep(24 * time.Hour)
		u := w.sim.Users()[20]
		w.sim.Edit(u.Email, func(u *sim.User) { u.Voicemail.AlertTimeoutSeconds = 99 })
		w.pass() // a day since the last: all are due
		time.Sleep(24 * time.Hour)
		w.sim.ResetLedger()
		for range 24 {
			time.Sleep(time.Hour)
			before := w.sim.Ledger().Count(policy)
			w.pass()
			if n := w.sim.Ledger().Count(policy) - before; n > 48 {
				t.Errorf("%d reads in a pass", n)
			}
		}
		if got := w.user(u.Email).Voicemail.AlertTimeoutSeconds; got != 30 {
			t.Errorf("an edit by hand stays: %d", got)
		}
		if n := w.sim.Ledger().Count(policy); n < 48 || n > 2*48 {
			t.Errorf("%d reads in a day, want about one for each of 48 users", n)
		}
	})
}

// A restored user has lost roles, which a read just after it does not show yet: the next pass sees it.
func TestWhatARestoreLostIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3, RestoreForgets: true})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nname: A\nroles: [Employee]\n", u.Email)
		w.pass()
		time.Sleep(time.Hour)
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
		time.Sleep(time.Minute)
		w.pass()
		time.Sleep(2 * time.Minute)
		w.pass()
		if got := w.user(u.Email); got.State != "active" || len(got.Grants) != 1 {
			t.Errorf("%s, with grants %v", got.State, got.Grants)
		}
	})
}

// A write says nothing of a reading of another field: what somebody changes by hand just after it is seen.
func TestAReadingOfAFieldBesidesOneJustWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nskills: {Billing: 1}\ngroups: [Madrid]\n", u.Email)
		w.pass()
		time.Sleep(time.Hour)
		w.write("u.yaml", "email: %s\nskills: {Billing: 2}\ngroups: [Madrid]\n", u.Email)
		w.pass()
		time.Sleep(10 * time.Second)
		w.sim.SetMembers(sim.Group, w.sim.IDOf(sim.Group, "Madrid"))
		if w.pass(); w.under(w.user(u.Email))["groups"] != `["Madrid"]` {
			t.Error("a write of skills hides that somebody has left a group")
		}
	})
}

// A field that every listing leaves out of a user is read of that user alone once the user has changed, and only then: what
// somebody changed by hand is found all the same.
func TestAFieldThatNoListingShowsOfOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 6, DropExpands: 3})
		users := w.sim.Users()
		for _, u := range users {
			w.write(u.ID+".yaml", "email: %s\nskills: {Billing: 3}\n", u.Email)
		}
		w.pass()
		time.Sleep(25 * time.Hour)
		w.pass() // what was written has changed the users
		w.sim.ResetLedger()
		time.Sleep(25 * time.Hour)
		w.pass()
		if n := w.sim.Ledger().Count("GET /api/v2/users/{id}", 200); n > 0 {
			t.Errorf("nobody has changed, and %d were read", n)
		}
		hidden := users[2]
		refunds := w.sim.IDOf(sim.Skill, "Refunds")
		w.sim.Edit(hidden.Email, func(u *sim.User) { u.Skills = map[string]float64{refunds: 1} })
		time.Sleep(25 * time.Hour)
		w.pass()
		if got := w.byID(hidden.ID).Skills; len(got) != 1 || got[w.sim.IDOf(sim.Skill, "Billing")] != 3 {
			t.Errorf("skills are %v", got)
		}
		if n := w.sim.Ledger().Count("GET /api/v2/users/{id}", 200); n != 1 {
			t.Errorf("%d users were read", n)
		}
	})
}
