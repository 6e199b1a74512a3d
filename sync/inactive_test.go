package sync_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/genesys/sim"
)

// Users who are inactive have no roles of their own, and do not get them back with the state.

func grantsOf(w *world, id string) string { return w.under(w.byID(id))["roles"] }

// Whoever is activated by usersyncd has the declared roles when the pass is over, whatever the API keeps of them.
func TestRolesAfterAnActivation(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3, KeepRights: keeps})
			ana := w.sim.Users()[0]
			const file = "email: %s\nstate: %s\nroles: [Supervisor]\n"
			w.write(ana.ID+".yaml", file, ana.Email, "active")
			w.pass()
			for range 2 {
				time.Sleep(time.Hour)
				w.write(ana.ID+".yaml", file, ana.Email, "inactive")
				w.pass()
				w.settled()
				time.Sleep(time.Hour)
				w.write(ana.ID+".yaml", file, ana.Email, "active")
				if res := w.pass(); res.Failed > 0 || grantsOf(w, ana.ID) != `["Supervisor in Home"]` || w.byID(ana.ID).State != "active" {
					t.Errorf("keeps %t: roles are %s; %+v", keeps, grantsOf(w, ana.ID), res)
				}
			}
		})
	}
}

// Somebody who deactivates and activates a user by hand takes the roles: the pass that sees the user active again reads them,
// and any other detail, before it calls the user unchanged.
func TestActivatedByHand(t *testing.T) {
	for name, state := range map[string]string{"inactive": "state: inactive\n", "unmanaged": ""} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3})
			if name == "unmanaged" {
				w.Policy.Unmanaged = []spec.Field{spec.State}
			}
			ana := w.sim.Users()[0]
			w.write(ana.ID+".yaml", "email: %s\nroles: [Supervisor]\n", ana.Email)
			w.pass()
			time.Sleep(time.Hour)
			w.write(ana.ID+".yaml", "email: %s\n%sroles: [Supervisor]\n", ana.Email, state)
			w.sim.Edit(ana.Email, func(u *sim.User) { u.State, u.Grants = "inactive", nil })
			w.pass()
			w.write(ana.ID+".yaml", "email: %s\nroles: [Supervisor]\n", ana.Email)
			w.sim.Edit(ana.Email, func(u *sim.User) { u.State = "active" })
			time.Sleep(time.Hour)
			if res := w.pass(); grantsOf(w, ana.ID) != `["Supervisor in Home"]` {
				t.Errorf("%s: roles are %s; %+v", name, grantsOf(w, ana.ID), res)
			}
		})
	}
}

// An inactive user has no roles: they wait with the activation for the change window.
func TestRolesWaitWithTheActivation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		ana := w.sim.Users()[0]
		const file = "email: %s\nstate: %s\nroles: [Supervisor]\n"
		w.write("ana.yaml", file, ana.Email, "inactive")
		w.pass()
		w.Policy.Schedule = hours(t, "Sat 06:00-08:00 UTC")
		w.write("ana.yaml", file, ana.Email, "active")
		w.sim.ResetLedger()
		if res := w.pass(); res.Failed > 0 || res.Deferred != 1 || len(w.writes()) > 0 {
			t.Errorf("sent %v: %+v", w.writes(), res)
		}
		time.Sleep(6 * time.Hour)
		if w.pass(); grantsOf(w, ana.ID) != `["Supervisor in Home"]` || w.byID(ana.ID).State != "active" {
			t.Errorf("then %s, %s", w.byID(ana.ID).State, grantsOf(w, ana.ID))
		}
	})
}

// The role of every new user is removed if the spec does not name it. If it comes back, it is removed once more; if it comes
// back again, that is told and left.
func TestTheRoleOfEveryUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.write("eve.yaml", "email: eve@example.com\nname: Eve\nroles: [Supervisor]\n")
		if w.pass(); w.under(w.user("eve@example.com"))["roles"] != `["Supervisor in Home"]` {
			t.Error("it is not removed")
		}
		w.settled()
		time.Sleep(time.Hour)
		eve, employee := w.user("eve@example.com"), w.sim.IDOf(sim.Role, "Employee")
		w.sim.Edit(eve.Email, func(u *sim.User) { u.Grants = append(u.Grants, sim.Grant{Role: employee, Division: eve.Division}) })
		time.Sleep(25 * time.Hour)
		if res := w.pass(); res.Applied != 1 || w.under(w.user(eve.Email))["roles"] != `["Supervisor in Home"]` {
			t.Errorf("the first time: %+v", res)
		}
		w.sim.Edit(eve.Email, func(u *sim.User) { u.Grants = append(u.Grants, sim.Grant{Role: employee, Division: eve.Division}) })
		time.Sleep(25 * time.Hour)
		res := w.pass()
		if res.Applied+res.Failed > 0 || !strings.Contains(strings.Join(res.Notes, "\n"), "employee") {
			t.Errorf("%+v", res)
		}
	})
}

// The roles of an inactive user are neither exported nor read for it.
func TestExportOfAnInactiveUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3, Full: true, KeepRights: true})
		ana := w.sim.Users()[0]
		w.sim.Edit(ana.Email, func(u *sim.User) { u.State = "inactive" })
		w.write("ana.yaml", "email: %s\nname: A\n", ana.Email)
		w.export(spec.Roles, spec.State)
		if text := w.text("ana.yaml"); strings.Contains(text, "roles") || !strings.Contains(text, "inactive") {
			t.Error(text)
		}
	})
}
