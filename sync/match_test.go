package sync_test

import (
	"context"
	"testing"
	"testing/synctest"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

// A manager whose address passes from one user to another is the one who gets it.
func TestManagerOfMovedAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 4})
		us := w.sim.Users()
		boss, other, r := us[0], us[1], us[2]
		w.write("u.yaml", "users:\n- {email: %s, id: %s}\n- {email: %s, id: %s}\n- {email: %s, manager: %s, title: A}\n", boss.Email, boss.ID, other.Email, other.ID, r.Email, boss.Email)
		w.pass()
		w.write("u.yaml", "users:\n- {email: %s, id: %s}\n- {email: zz@example.com, id: %s}\n- {email: %s, manager: %s, title: A}\n", other.Email, boss.ID, other.ID, r.Email, other.Email)
		res := w.pass()
		if got := w.user(r.Email).Manager; got != boss.ID {
			t.Errorf("applied %d failed %d, manager is %s; boss %s other %s", res.Applied, res.Failed, got, boss.ID, other.ID)
		}
		w.settled()
	})
}

// The same where the address goes to a new user.
func TestManagerIsNewOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 4})
		us := w.sim.Users()
		other, r := us[1], us[2]
		w.write("u.yaml", "users:\n- {email: %s, id: %s}\n- {email: %s, manager: %s}\n", other.Email, other.ID, r.Email, other.Email)
		w.pass()
		w.write("u.yaml", "users:\n- {email: %s, name: New}\n- {email: zz@example.com, id: %s}\n- {email: %s, manager: %s}\n", other.Email, other.ID, r.Email, other.Email)
		res := w.pass()
		m, _ := w.Store.Meta()
		if got, want := w.user(r.Email).Manager, w.user(other.Email).ID; got != want {
			t.Errorf("manager is still the former owner; converged %v:\n%s", m.Converged, show(res))
		}
	})
}

// A problem that only the organization shows does not make an undeclared user declared.
func TestLastGoodWritesRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.declareAll("department: Moved")
		w.pass()
		us := w.sim.Users()
		w.remove(us[0].Email + ".yaml")
		w.write(us[1].Email+".yaml", "email: %s\nmanager: nobody@example.com\n", us[1].Email)
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.Department = "By hand" })
		w.pass()
		if d := w.user(us[0].Email).Department; d != "By hand" {
			t.Errorf("--once wrote a user whom no spec declares: %s", d)
		}
	})
}

// A user kept as last applied waits in quarantine as others do.
func TestLastGoodQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.Policy.IgnoreQuarantine = false
		w.declareAll("department: Moved")
		w.pass()
		u := w.sim.Users()[0]
		w.write(u.Email+".yaml", "email: %s\ndepartmnt: Typo\n", u.Email)
		w.sim.Edit(u.Email, func(u *sim.User) { u.Department = "Drift" })
		w.fault("PATCH user=" + u.Email + " 400")
		w.sim.ResetLedger()
		for i := range 4 {
			if _, err := w.Reconcile(context.Background(), usersync.Mode{ForceRefresh: i == 0}); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.sim.Ledger().Count(patch); n > 1 {
			t.Errorf("sent %d times at once", n)
		}
	})
}
