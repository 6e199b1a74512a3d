package sync_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// Who is held stays held until a reading shows them, and does not count as in order.
func TestHeldForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 20})
		w.declareAll("department: Moved")
		w.pass()
		w.lose(12)
		w.pass()
		for range 2 {
			res, err := w.Reconcile(context.Background(), usersync.Mode{Strict: true, NoRefresh: true})
			if err != nil || res.Held != 12 {
				t.Errorf("held %d, error %v", res.Held, err)
			}
		}
	})
}

// Users with several problems count once.
func TestProblemCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		us := w.sim.Users()
		w.write("_defaults.yaml", "manager: nobody@example.com\n")
		for i := range 2 {
			w.write(fmt.Sprintf("u%d.yaml", i), "email: %s\nid: 3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5%d\n", us[i].Email, i)
		}
		res := w.pass()
		if res.Failed != 2 || res.Users != 2 {
			t.Errorf("2 declared users: users %d failed %d", res.Users, res.Failed)
		}
	})
}

// A new user of whom a role is wrong is counted once, also if the pass has planned again since it made the user.
func TestAProblemOfANewUserIsCountedOnce(t *testing.T) {
	inWorld(t, "", func(w *world) {
		w.Policy.Guard.Roles = nil
		for i, role := range []string{"Master Admin", "Nosuch"} { // one is not allowed, one does not exist
			w.write(fmt.Sprintf("%d.yaml", i), "email: new%d@example.com\nname: New\nroles: [%s]\n", i, role)
			res := w.pass()
			if res.Users != i+1 || res.Applied != 1 || res.Unchanged != 0 || res.Failed != i+1 || res.Partial != 1 {
				w.Errorf("%d users: %d applied, %d unchanged, %d left out, %d of them in part\n%s", res.Users, res.Applied, res.Unchanged, res.Failed, res.Partial, show(res))
			}
		}
	})
}

// A user that turns out to be deleted is restored, and reported as that.
func TestActionReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ntitle: A\n", u.Email)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
		w.write("u.yaml", "email: %s\ntitle: B\n", u.Email)
		res, err := w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true})
		if err != nil {
			t.Fatal(err)
		}
		if c := res.Changes[0]; c.Action != plan.Restore {
			t.Errorf("a deleted user was restored, and reported: %s %s", c.Outcome, c)
		}
	})
}

// A restored user is reported with the cause that it was planned with.
func TestCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3, RestoreForgets: true})
		us := w.sim.Users()
		w.write("u.yaml", "email: %s\nname: Bo\nmanager: %s\ncertifications: [PCI]\n", us[0].Email, us[1].Email)
		w.pass()
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.State = "deleted" })
		time.Sleep(time.Minute)
		res := w.pass()
		if c := res.Changes[0]; c.Cause != plan.Missing {
			t.Errorf("cause %s:\n%s", c.Cause, c)
		}
	})
}

// What is sent once is not counted as sent again.
func TestRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.write("u.yaml", "email: new@example.com\nname: New\npreferredName: N\n")
		w.fault("POST /api/v2/users x1 lost")
		res := w.pass()
		if res.Calls.Retried != 0 {
			t.Errorf("nothing was sent twice, retried %d", res.Calls.Retried)
		}
	})
}

// A pass that has nothing to record does not write the state file.
func TestMarkWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.Create = false
		w.declareAll("department: Moved")
		w.pass()
		w.write("new.yaml", "email: new@example.com\nname: N\n") // skipped for ever
		for range 3 {
			_, _ = w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true})
		}
		before, _ := os.ReadFile(w.state)
		_, _ = w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true})
		after, _ := os.ReadFile(w.state)
		if !bytes.Equal(before, after) {
			t.Error("a pass that has nothing to record wrote the state file")
		}
	})
}

// A conflict of the restore is not taken for one of the address that follows.
func TestRestoreConflictRename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nid: %s\ntitle: A\n", u.Email, u.ID)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
		time.Sleep(time.Minute)
		w.write("u.yaml", "email: moved@example.com\nid: %s\ntitle: A\n", u.ID)
		w.fault("PATCH x1 conflict409")
		res := w.pass()
		if res.Applied != 1 {
			t.Errorf("one conflict:\n%s", show(res))
		}
	})
}

// A creation that found the user there leaves no intent.
func TestIntentAdopt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.write("u.yaml", "email: new@example.com\nname: New\n")
		w.write("o.yaml", "email: %s\n", w.sim.Users()[0].Email)
		w.remove("u.yaml")
		w.pass() // the organization is known, without the user that comes next
		w.sim.Add(sim.User{Email: "new@example.com", Name: "By hand", State: "active"})
		time.Sleep(time.Minute)
		w.write("u.yaml", "email: new@example.com\nname: New\n")
		res, err := w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true})
		m, _ := w.Store.Meta()
		if err != nil || m.CreateIntents != 0 {
			t.Errorf("applied %d, converged %v, %d intents left", res.Applied, m.Converged, m.CreateIntents)
		}
	})
}

// Looked for, not found, and then refused for certain: that leaves no claim.
func TestIntentAfter503And400(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.Adopt = false
		w.write("u.yaml", "email: new@example.com\nname: New\ntitle: Ours\n")
		w.fault("POST /api/v2/users x1 503")
		w.fault("POST /api/v2/users 400")
		w.pass()
		w.sim.ClearFaults()
		w.sim.Add(sim.User{Email: "new@example.com", Name: "By hand", State: "active", Texts: sim.Texts{Title: "Theirs"}})
		time.Sleep(24 * time.Hour)
		w.pass()
		if u := w.user("new@example.com"); u.Title != "Theirs" {
			t.Errorf("adopting is off, and the user was written: %+v", u)
		}
	})
}
