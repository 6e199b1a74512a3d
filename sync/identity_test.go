package sync_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// An address that somebody changed in Genesys is changed back; nobody is made.
func TestEmailDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nname: %q\ntitle: Agent\n", u.Email, u.Name)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.Email = "typo@example.com" })
		w.sim.ResetLedger()
		w.pass()
		if n := len(w.sim.Users()); n != 3 {
			t.Errorf("%d users, was 3: %v", n, w.sim.Ledger().Calls)
		}
	})
}

// The same for a spec that could not create the user.
func TestEmailDriftAdoptOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ntitle: Agent\n", u.Email) // no name
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.Email = "typo@example.com" })
		w.pass()
		if _, ok := w.sim.User(u.Email); !ok {
			t.Error("drift of the email is not repaired")
		}
	})
}

// An address that a live user has whom nobody declares is an error of the API, not a silent wait.
func TestTakenLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		us := w.sim.Users()
		w.write("u.yaml", "email: %s\nid: %s\ntitle: Agent\n", us[1].Email, us[0].ID)
		res := w.pass()
		if res.Failed != 1 {
			t.Errorf("failed %d skipped %d: exit 0", res.Failed, res.Skipped)
		}
	})
}

// Two users that swap addresses are refused in the plan, with the reason: an address is never in two places. Once
// somebody has exchanged them by hand, all is as declared.
func TestSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		us := w.sim.Users()
		w.write("u.yaml", "users:\n- {email: %s, id: %s}\n- {email: %s, id: %s}\n", us[1].Email, us[0].ID, us[0].Email, us[1].ID)
		for range 3 {
			res := w.pass()
			if res.Failed != 2 || len(res.Problems) != 2 || !strings.Contains(res.Problems[0].Message, "exchange addresses") {
				t.Errorf("failed %d: %v\n%s", res.Failed, res.Problems, show(res))
			}
		}
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.Email = "third@example.com" })
		w.sim.Edit(us[1].Email, func(u *sim.User) { u.Email = us[0].Email })
		w.sim.Edit("third@example.com", func(u *sim.User) { u.Email = us[1].Email })
		w.settled()
	})
}

// A new user takes an address that another one gives up in the same pass.
func TestChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		us := w.sim.Users()
		w.write("u.yaml", "users:\n- {email: fresh@example.com, id: %s}\n- {email: %s, name: New}\n", us[0].ID, us[0].Email)
		res := w.pass()
		if res.Applied != 2 {
			t.Errorf("applied %d:\n%s", res.Applied, show(res))
		}
	})
}

// What a restored user has kept is read, and the rest is written.
func TestRestoreForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3, RestoreForgets: true})
		us := w.sim.Users()
		w.write("u.yaml", "email: %s\nname: Bo\nmanager: %s\ncertifications: [PCI]\nphones: [{type: work, number: \"+34600000001\"}]\n", us[0].Email, us[1].Email)
		w.pass()
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.State = "deleted" })
		time.Sleep(time.Minute)
		if res := w.pass(); res.Applied != 1 || res.Changes[0].Action != plan.Restore {
			t.Errorf("not restored:\n%s", show(res))
		}
		u := w.user(us[0].Email)
		if u.Manager == "" || len(u.Certifications) == 0 {
			t.Errorf("after an applied restore: %+v", u)
		}
		w.settled()
	})
}

// With creating switched off a deleted user stays deleted, whenever that is noticed.
func TestRestoreCreateOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.Create = false
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ntitle: A\n", u.Email)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
		w.write("u.yaml", "email: %s\ntitle: B\n", u.Email)
		res, err := w.Reconcile(context.Background(), usersync.Mode{}) // before the next refresh
		if err != nil || res.Failed != 1 {
			t.Errorf("failed %d, error %v", res.Failed, err)
		}
		if got := w.user(u.Email).State; got != "deleted" {
			t.Errorf("creating is off, and the deleted user is %s", got)
		}
	})
}

// With adopting switched off an existing user is not managed because it happens to be equal.
func TestAdoptOffEqual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.Adopt = false
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ntitle: %q\n", u.Email, u.Title)
		w.pass()
		w.write("u.yaml", "email: %s\ntitle: Other\n", u.Email)
		if res := w.pass(); res.Skipped != 1 {
			t.Errorf("not skipped:\n%s", show(res))
		}
		if got := w.user(u.Email).Title; got != u.Title {
			t.Errorf("adopting is off, and an existing user was written: %q", got)
		}
	})
}

// A manager whom somebody deleted is the error of the reports, and of nobody else.
func TestManagerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		us := w.sim.Users()
		w.write("a.yaml", "email: %s\nmanager: %s\n", us[0].Email, us[1].Email)
		w.write("b.yaml", "email: %s\ntitle: A\n", us[2].Email)
		w.pass()
		w.sim.Edit(us[1].Email, func(u *sim.User) { u.State = "deleted" })
		w.write("b.yaml", "email: %s\ntitle: B\n", us[2].Email)
		_, err := w.once()
		if w.user(us[2].Email).Title != "B" {
			t.Errorf("nobody is changed any more: %v", err)
		}
	})
}

// A user whose spec is broken is held at what was last applied.
func TestBrokenDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.declareAll("department: Moved")
		w.pass()
		u := w.sim.Users()[0]
		w.write(u.Email+".yaml", "email: %s\ndepartmnt: Typo\n", u.Email)
		w.sim.Edit(u.Email, func(u *sim.User) { u.Department = "Drift" })
		if _, err := w.Reconcile(context.Background(), usersync.Mode{ForceRefresh: true}); err != nil {
			t.Fatal(err)
		}
		if got := w.user(u.Email).Department; got != "Moved" {
			t.Errorf("department %q", got)
		}
	})
}
