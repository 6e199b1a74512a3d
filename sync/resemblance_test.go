package sync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// What looks like a rename is asked about: there is no second account, and nobody is removed.
func TestWhatLooksLikeARename(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string // files, as "NAME: YAML"
		renamed       bool   // else they are two people
	}{
		"the same file, and the name is another one too": {"ana.yaml: {email: %s, name: Ana Perez}", "ana.yaml: {email: ana.gomez@example.com, name: Ana Gomez}", true},
		"another file, the same name":                    {"ana.yaml: {email: %s, name: Ana Perez}", "gomez.yaml: {email: ana.gomez@example.com, name: Ana Perez}", true},
		"the same position in a list":                    {"all.yaml: {users: [{email: %s, name: Ana Perez}]}", "all.yaml: {users: [{email: ana.gomez@example.com, name: Ana Gomez}]}", true},
		"the same employee id":                           {"ana.yaml: {email: %s, name: Ana Perez, employer: {employeeId: '7'}}", "x.yaml: {email: x@example.com, name: X, employer: {employeeId: '7'}}", true},
		"the same external id":                           {"ana.yaml: {email: %s, name: Ana Perez, externalIds: {hr: W-1}}", "x.yaml: {email: x@example.com, name: X, externalIds: {hr: W-1}}", true},
		"a successor in the leaver's file":               {"ana.yaml: {email: %s, name: Ana Perez, employer: {employeeId: '7'}}", "ana.yaml: {email: bo@example.com, name: Bo, employer: {employeeId: '8'}}", false},
		"a namesake with an employee id of their own":    {"ana.yaml: {email: %s, name: Ana Perez, employer: {employeeId: '7'}}", "bo.yaml: {email: bo@example.com, name: Ana Perez, employer: {employeeId: '8'}}", false},
		"somebody else":                                  {"ana.yaml: {email: %s, name: Ana Perez}", "bo.yaml: {email: bo@example.com, name: Bo}", false},
	} {
		for _, action := range []plan.Action{plan.Unmanage, plan.Deactivate, plan.Delete} {
			inWorld(t, name+", "+string(action), func(w *world) {
				w.Policy.OnRemoval = action
				u := w.sim.Users()[0]
				file := func(text string) string {
					name, yaml, _ := strings.Cut(text, ": ")
					w.write(name, "%s\n", yaml)
					return name
				}
				old := file(fmt.Sprintf(c.before, u.Email))
				w.pass()
				before := w.accounts()
				w.remove(old)
				file(c.after)
				res := w.pass()
				if !c.renamed {
					if res.Held > 0 || res.Applied != 2 {
						w.Errorf("held: %v\n%s", res.Holds, show(res))
					}
					return
				}
				w.sameAccounts(before)
				if len(res.Holds) != 1 || res.Holds[0].Guard != "renames" || res.Held != 2 || !strings.Contains(res.Holds[0].Reason, "previousEmail: "+u.Email) {
					w.Fatalf("held %d: %v\n%s", res.Held, res.Holds, show(res))
				}
				again := w.pass()
				w.sameAccounts(before)
				if len(again.Holds) != 1 || again.Holds[0].ID != res.Holds[0].ID {
					w.Errorf("another hold: %v, was %v", again.Holds, res.Holds)
				}
				if strings.Contains(c.after, "externalIds") {
					return // two people cannot have the same one
				}
				// A person says that they are two people.
				if err := w.Store.Commit(state.Commit{AddReleases: []string{res.Holds[0].ID}}); err != nil {
					w.Fatal(err)
				}
				if res := w.pass(); res.Applied != 2 || len(res.Holds) > 0 {
					w.Errorf("after the release:\n%s", show(res))
				}
				if after := w.accounts(); len(after) != len(before)+1 {
					w.Errorf("%d accounts, were %d", len(after), len(before))
				}
				w.settled()
			})
		}
	}
}

// A new user who looks like an account that nobody declares is created, with a note: what it says makes it a rename.
func TestANamesakeWhomNobodyDeclares(t *testing.T) {
	for name, c := range map[string]struct {
		spec  string
		noted bool
	}{
		"the same name": {"name: '%s'", true},
		"another name":  {"name: Somebody Else", false},
		"a namesake with an employee id of their own": {"name: '%s'\nemployer: {employeeId: '8'}", false},
	} {
		inWorld(t, name, func(w *world) {
			u := w.sim.Users()[0]
			w.sim.Edit(u.Email, func(u *sim.User) { u.Employer.EmployeeID = "7" })
			w.write("new.yaml", "email: new@example.com\n%s\n", strings.ReplaceAll(c.spec, "%s", u.Name))
			before := w.accounts()
			res := w.planned()
			note := "new.yaml:1:1: new@example.com looks like " + u.Email + ", whom no spec declares (the same name): add previousEmail: " + u.Email + " if it is the same person"
			if slices.Contains(res.Notes, note) != c.noted || len(res.Holds) > 0 || len(res.Changes) != 1 || res.Changes[0].Action != plan.Create {
				w.Fatalf("%v\n%s", res.Notes, show(res))
			}
			if !c.noted {
				return
			}
			w.write("new.yaml", "email: new@example.com\npreviousEmail: %s\n%s\n", u.Email, strings.ReplaceAll(c.spec, "%s", u.Name))
			if res := w.pass(); res.Applied != 1 || len(res.Notes) > 0 {
				w.Errorf("%v\n%s", res.Notes, show(res))
			}
			w.sameAccounts(before)
			w.settled()
		})
	}
}

// Whose removal was released, or is done, is somebody else: that was asked before.
func TestANamesakeOfWhoWasRemoved(t *testing.T) {
	inWorld(t, "removed", func(w *world) {
		u := w.sim.Users()[0]
		w.write("other.yaml", "email: %s\n", w.sim.Users()[1].Email)
		w.write("u.yaml", "email: %s\nname: %q\n", u.Email, u.Name)
		w.pass()
		w.remove("u.yaml")
		hire := func() { w.write("new.yaml", "email: new@example.com\nname: %q\n", u.Name) }
		hire()
		held := w.planned()
		if len(held.Holds) != 1 {
			w.Fatal(show(held))
		}
		released, err := w.Reconcile(w.Context(), usersync.Mode{Strict: true, DryRun: true, Release: []string{held.Holds[0].ID}})
		if err != nil || len(released.Holds) > 0 || len(released.Notes) > 0 {
			w.Errorf("%v, %v\n%s", err, released.Notes, show(released))
		}
		w.remove("new.yaml")
		w.pass()
		hire()
		if res := w.planned(); len(res.Notes) > 0 || len(res.Changes) != 1 || res.Changes[0].Action != plan.Create {
			w.Errorf("%v\n%s", res.Notes, show(res))
		}
	})
}

// The domain of sixty specs is replaced: one hold, and what it says ends it.
func TestAnotherDomainForEverybody(t *testing.T) {
	inWorld(t, "sixty", func(w *world) {
		for i := range 60 {
			w.write(fmt.Sprintf("u%02d.yaml", i), "email: u%02d@old.example\nname: User %02d\n", i, i)
		}
		w.pass()
		before := w.accounts()
		for i := range 60 {
			w.write(fmt.Sprintf("u%02d.yaml", i), "email: u%02d@new.example\nname: User %02d\n", i, i)
		}
		w.sim.ResetLedger()
		res := w.pass()
		w.sameAccounts(before)
		if len(res.Holds) != 1 || res.Held != 120 {
			w.Errorf("held %d: %v", res.Held, res.Holds)
		}
		if calls := w.sim.Ledger().Calls; len(calls["POST /api/v2/users"]) > 0 {
			w.Errorf("%v", calls)
		}
		for i := range 60 {
			w.write(fmt.Sprintf("u%02d.yaml", i), "email: u%02d@new.example\nname: User %02d\npreviousEmail: u%02d@old.example\n", i, i, i)
		}
		if res := w.pass(); res.Applied != 60 || len(res.Holds) > 0 {
			w.Errorf("applied %d: %v", res.Applied, res.Holds)
		}
		w.sameAccounts(before)
		w.settled()
	})
}

// Nobody is removed without a reading of the same pass, nor under another address than the one last applied.
func TestRemovingNeedsAFreshView(t *testing.T) {
	for _, action := range []plan.Action{plan.Deactivate, plan.Delete} {
		inWorld(t, "the address was changed by hand, "+string(action), func(w *world) {
			w.Policy.OnRemoval = action
			us := w.sim.Users()
			w.declareAll("title: T")
			w.pass()
			w.sim.Edit(us[0].Email, func(u *sim.User) { u.Email, u.Name = "hire@example.com", "Hire" })
			w.remove(us[0].Email + ".yaml")
			w.remove(us[1].Email + ".yaml")
			w.sim.ResetLedger()
			res, err := w.Reconcile(w.Context(), usersync.Mode{Strict: true, NoRefresh: true})
			if err != nil || res.Held != 1 || res.Applied != 1 || len(res.Holds) != 1 || res.Holds[0].Guard != "max-removals" {
				w.Errorf("%v: held %d, applied %d: %v\n%s", err, res.Held, res.Applied, res.Holds, show(res))
			}
			if got := w.byID(us[0].ID).State; got != "active" {
				w.Errorf("whose address is another one by now is %s", got)
			}
			if got := w.byID(us[1].ID).State; got == "active" {
				w.Error("who is not declared is active")
			}
			if n := w.sim.Ledger().Count("GET /api/v2/users"); n != 1 {
				w.Errorf("%d readings, want one of both", n)
			}
		})
		inWorld(t, "deleted already, "+string(action), func(w *world) {
			w.Policy.OnRemoval = action
			u := w.sim.Users()[0]
			w.declareAll("title: T")
			w.pass()
			w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
			w.remove(u.Email + ".yaml")
			res, err := w.Reconcile(w.Context(), usersync.Mode{Strict: true, NoRefresh: true})
			if err != nil || res.Applied != 1 {
				w.Errorf("%v\n%s", err, show(res))
			}
			if got := w.byID(u.ID).State; got != "deleted" {
				w.Errorf("the user is %s", got)
			}
		})
	}
}

// What git reverts is reverted: who was removed, and is declared again, is active again.
func TestARemovalIsReverted(t *testing.T) {
	for _, action := range []plan.Action{plan.Deactivate, plan.Delete} {
		for _, later := range []time.Duration{time.Minute, 200 * 24 * time.Hour} {
			inWorld(t, fmt.Sprintf("%s, %s later", action, later), func(w *world) {
				w.Policy.OnRemoval = action
				us := w.sim.Users()
				w.declareAll("title: T")
				w.pass()
				w.remove(us[0].Email + ".yaml")
				w.pass()
				if got := w.byID(us[0].ID).State; got == "active" {
					w.Fatal("not removed")
				}
				w.pass()
				time.Sleep(later)
				w.pass()
				before := len(w.accounts())
				w.write(us[0].Email+".yaml", "email: %s\ntitle: T\nmanager: %s\n", us[0].Email, us[1].Email)
				dry, err := w.Reconcile(w.Context(), usersync.Mode{Strict: true, ForceRefresh: true, DryRun: true})
				if err != nil || !strings.Contains(show(dry), "state: ") || !strings.Contains(show(dry), "manager: ") {
					w.Errorf("%v\n%s", err, show(dry))
				}
				w.pass()
				if got := w.byID(us[0].ID); got.State != "active" || got.Manager != us[1].ID || len(w.accounts()) != before {
					w.Errorf("%+v, and %d accounts instead of %d", got, len(w.accounts()), before)
				}
				w.settled()
			})
		}
	}
	inWorld(t, "the user had roles that specs may not give", func(w *world) {
		w.Policy.OnRemoval, w.Policy.Guard.Roles = plan.Deactivate, nil
		u := w.sim.Users()[0]
		agent := sim.Grant{Role: w.sim.IDOf(sim.Role, "Agent"), Division: u.Division}
		w.sim.Edit(u.Email, func(u *sim.User) { u.Grants = []sim.Grant{agent} })
		time.Sleep(time.Minute)
		w.declareAll("title: T")
		declared := fmt.Sprintf("email: %s\ntitle: T\nroles: [Agent]\n", u.Email)
		w.write(u.Email+".yaml", "%s", declared)
		w.pass()
		w.remove(u.Email + ".yaml")
		w.pass()
		w.write(u.Email+".yaml", "%s", declared)
		res, err := w.Reconcile(w.Context(), usersync.Mode{Strict: true, ForceRefresh: true})
		if got := w.byID(u.ID); got.State != "active" || len(got.Grants) > 0 || !slices.ContainsFunc(res.Notes, func(n string) bool { return strings.Contains(n, "1 user becomes active without a role") }) {
			w.Errorf("%v: %s, with roles %v\n%s", err, got.State, got.Grants, show(res))
		}
	})
	inWorld(t, "the spec says otherwise", func(w *world) {
		w.Policy.OnRemoval = plan.Deactivate
		u := w.sim.Users()[0]
		w.declareAll("title: T")
		w.pass()
		w.remove(u.Email + ".yaml")
		w.pass()
		w.write(u.Email+".yaml", "email: %s\ntitle: T\nstate: inactive\n", u.Email)
		w.pass()
		if got := w.byID(u.ID).State; got != "inactive" {
			w.Errorf("the user is %s", got)
		}
		w.settled()
	})
}

// The command plan says who will be restored, and asks for many in one request.
func TestPlanTellsWhoIsRestored(t *testing.T) {
	inWorld(t, "three of four", func(w *world) {
		us := w.sim.Users()
		for _, u := range us[:3] {
			w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
			w.write(u.Email+".yaml", "email: %s\nname: %q\ntitle: Other\n", u.Email, u.Name)
		}
		w.write("new.yaml", "email: new@example.com\nname: New\n")
		time.Sleep(time.Hour)
		res, err := w.Reconcile(w.Context(), usersync.Mode{Strict: true, ForceRefresh: true, DryRun: true})
		if err != nil {
			w.Fatal(err)
		}
		if text := show(res); strings.Count(text, "+ restore") != 3 || strings.Count(text, "+ create") != 1 {
			w.Error(text)
		}
		if n := w.sim.Ledger().Count("POST /api/v2/users/search"); n != 1 {
			w.Errorf("%d searches", n)
		}
	})
}
