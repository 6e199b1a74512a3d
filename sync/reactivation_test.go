package sync_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// Whom somebody switches off in Genesys stays off, pass after pass and over a restart, while the other fields go on; an
// edit of the own spec lets the user through, and so does a release, once.
func TestSwitchedOffByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 10})
		w.Policy.Guard.Reactivations = true
		users := w.sim.Users()
		for _, u := range users {
			w.sim.Edit(u.Email, func(u *sim.User) { u.State = "active" })
			w.write(u.Email+".yaml", "email: %s\ntitle: T\n", u.Email)
		}
		w.write("_defaults.yaml", "state: active\n")
		w.pass()
		is := func(want ...string) {
			t.Helper()
			for i, state := range want {
				if got := w.user(users[i].Email).State; got != state {
					t.Errorf("user %d is %s, not %s", i, got, state)
				}
			}
		}
		off := func(i int, state string) { w.sim.Edit(users[i].Email, func(u *sim.User) { u.State = state }) }
		off(0, "inactive")
		off(1, "inactive")
		off(2, "deleted")
		w.write("_defaults.yaml", "state: active\ndepartment: D\n") // is nobody's own spec
		var id string
		for range 3 {
			res := w.pass()
			if heldUsers(res) != 3 || len(res.Holds) != 1 || res.Held+res.HeldInPart != 3 || id != "" && res.Holds[0].ID != id {
				t.Fatalf("%v, held %d, in part %d, was %s\n%s", res.Holds, res.Held, res.HeldInPart, id, show(res))
			}
			id = res.Holds[0].ID
			is("inactive", "inactive", "deleted", "active")
			if d := w.user(users[0].Email).Department; d != "D" {
				t.Errorf("the department is %s", d)
			}
			w.close()
			w.open()
			w.Policy.Guard.Reactivations = true
		}
		w.write(users[0].Email+".yaml", "email: %s\ntitle: New\n", users[0].Email)
		id = w.pass().Holds[0].ID
		is("active", "inactive", "deleted")
		if err := w.Store.Commit(state.Commit{AddReleases: []string{id}}); err != nil {
			t.Fatal(err)
		}
		w.pass()
		is("active", "active", "active")
		off(1, "inactive") // once more: that was not released
		off(2, "deleted")
		if res := w.pass(); heldUsers(res) != 2 {
			t.Errorf("%v", res.Holds)
		}
		is("active", "inactive", "deleted")
	})
}

// It is noticed in the middle of a pass, too: who is found switched off is left so, and looked at with the next pass.
func TestSwitchedOffDuringAPass(t *testing.T) {
	for _, off := range []string{"inactive", "deleted"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3})
			w.Policy.Guard.Reactivations = true
			u := w.sim.Users()[0]
			w.write("u.yaml", "email: %s\nstate: active\n", u.Email)
			w.write("_defaults.yaml", "title: T\n")
			w.pass()
			w.sim.Edit(u.Email, func(u *sim.User) { u.State = off })
			w.write("_defaults.yaml", "title: New\n")
			res, err := w.Reconcile(t.Context(), usersync.Mode{NoRefresh: true}) // which does not know
			if got := w.user(u.Email).State; err != nil || got != off || res.Failed != 1 {
				t.Errorf("%s: is %s, failed %d, %v\n%s", off, got, res.Failed, err, show(res))
			}
			res = w.pass()
			if got := w.user(u.Email).State; got != off || heldUsers(res) != 1 {
				t.Errorf("%s: with the next pass it is %s, %v", off, got, res.Holds)
			}
		})
	}
}

// A first import is never held, nor what goes on of it in later passes; then it is over, and none of it counts.
func TestAFirstImportThatIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 1})
		w.sim.SetLimit(100_000)
		hire := func(from, to int) {
			for i := from; i < to; i++ {
				w.write(fmt.Sprintf("n%d.yaml", i), "email: n%d@example.com\nname: N%d\n", i, i)
			}
		}
		limit := func() { w.Policy.Guard.Creations = &plan.Limit{Percent: 10, Floor: 100} }
		limit()
		hire(0, 300)
		w.fault("POST /api/v2/users after=120 403")
		if _, err := w.once(); err == nil {
			t.Fatal("the pass did not end early")
		}
		w.sim.ClearFaults()
		w.close()
		w.open()
		limit()
		if res := w.pass(); len(res.Holds) > 0 || res.Failed > 0 || len(w.sim.Users()) != 301 {
			t.Fatalf("goes on: %v, %d users", res.Holds, len(w.sim.Users()))
		}
		snap, err := w.Store.Snapshot()
		if err != nil || !snap.Guards.FirstImport.IsZero() || len(snap.Guards.Tallies) > 0 {
			t.Errorf("after it: %+v, %v", snap.Guards, err)
		}
		hire(300, 401)
		if res := w.pass(); heldUsers(res) != 101 {
			t.Errorf("101 more at once: %v", res.Holds)
		}
	})
}

// An address that somebody changes in the middle of a pass is changed back with the next one, which the guards look at.
func TestAnAddressChangedDuringAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ntitle: T\n", u.Email)
		w.pass()
		w.Policy.Guard.Addresses = &plan.Limit{}
		w.sim.Edit(u.Email, func(u *sim.User) { u.Email = "other@example.com" })
		w.write("u.yaml", "email: %s\ntitle: New\n", u.Email)
		res, err := w.Reconcile(t.Context(), usersync.Mode{NoRefresh: true}) // which does not know
		if _, changed := w.sim.User(u.Email); err != nil || changed || res.Failed != 1 {
			t.Errorf("changed back %v, failed %d, %v\n%s", changed, res.Failed, err, show(res))
		}
		res = w.pass()
		if _, changed := w.sim.User(u.Email); changed || heldUsers(res) != 1 || w.user("other@example.com").Title != "New" {
			t.Errorf("with the next pass: changed back %v, %v\n%s", changed, res.Holds, show(res))
		}
	})
}
