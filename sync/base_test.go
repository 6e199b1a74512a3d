package sync_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A field is taken out of a spec, changed by hand and put back while another one drifts: that is an edit, and it is
// written, although drift is only reported. A pass that may change nothing counts as well.
func TestAFieldThatComesBackIsAnEdit(t *testing.T) {
	for _, paused := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3})
			w.Policy.ReportDrift = true
			u := w.sim.Users()[0]
			w.write("u.yaml", "email: %s\ntitle: T\ndepartment: D\n", u.Email)
			w.pass()
			w.sim.Edit(u.Email, func(u *sim.User) { u.Department = "By hand" })
			w.write("u.yaml", "email: %s\ndepartment: D\n", u.Email)
			if paused {
				if err := w.Store.Commit(state.Commit{Pause: &state.Pause{At: time.Now()}}); err != nil {
					t.Fatal(err)
				}
			}
			w.pass()
			if err := w.Store.Commit(state.Commit{Pause: &state.Pause{}}); err != nil {
				t.Fatal(err)
			}
			w.sim.Edit(u.Email, func(u *sim.User) { u.Title = "By hand" })
			w.write("u.yaml", "email: %s\ntitle: T\ndepartment: D\n", u.Email)
			res := w.pass()
			if got := w.user(u.Email); got.Title != "T" || got.Department != "By hand" {
				t.Errorf("paused %v: title %q, department %q\n%s", paused, got.Title, got.Department, show(res))
			}
		})
	}
}

// The declared value follows what somebody has set by hand, while another field drifts: from then on it is in force,
// and what comes after it is drift, which is reported and not overwritten as an edit.
func TestDriftIsNotTakenForAnEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.ReportDrift = true
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ntitle: T\ndepartment: D\n", u.Email)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.Department, u.Title = "By hand", "Lead" })
		w.write("u.yaml", "email: %s\ntitle: Lead\ndepartment: D\n", u.Email)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.Title = "By hand" })
		res := w.pass()
		if got := w.user(u.Email); got.Title != "By hand" || res.Applied != 0 || len(res.Changes) != 1 || len(res.Changes[0].Drift) != 2 {
			t.Errorf("title %q\n%s", got.Title, show(res))
		}
	})
}

// A new hire gets the address of an account that was deleted before anybody managed it: that account is restored,
// and given all that is declared, although drift is only reported. So is one that a removal has deleted.
func TestANewHireWithADeletedAddress(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options sim.Options
		before  func(w *world, email string)
	}{
		{name: "never managed", before: func(w *world, email string) {
			w.sim.Edit(email, func(u *sim.User) { u.State = "deleted" })
		}},
		{name: "what it had of before is lost", options: sim.Options{RestoreForgets: true}, before: func(w *world, email string) {
			manager := w.sim.Users()[1]
			w.sim.Edit(email, func(u *sim.User) { u.State, u.Manager, u.Title = "deleted", manager.ID, "Agent" })
		}},
		{name: "an answer is lost", before: func(w *world, email string) {
			w.sim.Edit(email, func(u *sim.User) { u.State = "deleted" })
			w.fault("POST /api/v2/users x1 drop")
		}},
		{name: "removed by us", before: func(w *world, email string) {
			w.write("u.yaml", "email: %s\nname: Before\ntitle: Before\n", email)
			w.pass()
			w.Policy.OnRemoval = plan.Delete
			w.remove("u.yaml")
			w.write("other.yaml", "email: %s\n", w.sim.Users()[1].Email)
			w.pass()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.options.Users = 3
				w := newWorld(t, tt.options)
				w.Policy.ReportDrift = true
				u := w.sim.Users()[0]
				tt.before(w, u.Email)
				time.Sleep(time.Minute) // until the search knows it
				w.write("hire.yaml", "email: %s\nname: New Hire\ntitle: Agent\nmanager: %s\n", u.Email, w.sim.Users()[1].Email)
				res := w.pass()
				time.Sleep(2 * time.Minute)
				w.pass()
				got := w.user(u.Email)
				if got.State != "active" || got.Name != "New Hire" || got.Title != "Agent" || got.Manager != w.sim.Users()[1].ID || got.ID != u.ID {
					t.Errorf("%+v\n%s", got, show(res))
				}
				w.settled()
			})
		})
	}
}

// Who is found under the address of a user who is to be created, and is as declared, is managed from then on.
func TestWhoIsFoundEqualIsManaged(t *testing.T) {
	for _, ours := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3})
			w.write("other.yaml", "email: %s\nname: Other\n", w.sim.Users()[0].Email) // so that no further field is to be read
			w.pass()
			w.write("new.yaml", "email: new@example.com\nname: New\n")
			if ours {
				w.fault("POST /api/v2/users x1 lost") // made, and nobody has heard of it
			} else {
				w.sim.Add(sim.User{Name: "New", Email: "new@example.com", State: "active"})
				time.Sleep(10 * time.Second)
			}
			res, err := w.Reconcile(context.Background(), usersync.Mode{Strict: true, NoRefresh: true})
			if err != nil {
				t.Fatal(err)
			}
			found, err := w.Store.Lookup("new@example.com")
			if err != nil || len(found) != 1 || found[0].LastApplied.Get("name") == "" || res.Applied != 1 {
				t.Fatalf("ours %v: %v %v\n%s", ours, found, err, show(res))
			}
			w.Policy.Adopt = false
			w.settled()
		})
	}
}
