package sync_test

import (
	"errors"
	"testing"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A spec that was copied with its id left in takes nobody's account.
func TestACopiedID(t *testing.T) {
	inWorld(t, "in place of the original", func(w *world) {
		ana := w.sim.Users()[0]
		w.write("ana.yaml", "email: %s\nname: %q\nid: %s\n", ana.Email, ana.Name, ana.ID)
		w.pass()
		before := w.accounts()
		w.remove("ana.yaml")
		w.write("bo.yaml", "email: bo@example.com\nname: Bo\nid: %s\ntitle: Boss\n", ana.ID)
		for range 2 {
			res := w.pass()
			if res.Held != 1 || len(res.Holds) != 1 || res.Holds[0].Guard != "renames" {
				w.Errorf("not held: %v\n%s", res.Holds, show(res))
			}
		}
		w.sameAccounts(before)
		if got := w.byID(ana.ID); got.Name != ana.Name || got.Email != ana.Email || got.Title != ana.Title {
			w.Errorf("Ana's account is %+v", got)
		}
		w.write("bo.yaml", "email: bo@example.com\nname: Bo\npreviousEmail: %s\nid: %s\ntitle: Boss\n", ana.Email, ana.ID)
		if res := w.pass(); res.Applied != 1 { // somebody has said that it is the same person
			w.Errorf("applied %d\n%s", res.Applied, show(res))
		}
	})

	inWorld(t, "of an account that has the copy's name from before", func(w *world) {
		w.Policy.Unmanaged = []spec.Field{spec.Name}
		ana := w.sim.Users()[0]
		w.write("bo.yaml", "email: %s\nname: Bo\nemployer: {employeeId: BO}\n", ana.Email)
		w.pass()
		w.write("ana.yaml", "email: two@example.com\nname: %q\nid: %s\nemployer: {employeeId: ANA}\n", ana.Name, ana.ID)
		before := w.sim.Snapshot(ana.ID)
		for range 2 {
			if res := w.pass(); res.Failed != 2 {
				w.Errorf("failed %d: %v\n%s", res.Failed, res.Problems, show(res))
			}
		}
		if after := w.sim.Snapshot(ana.ID); after != before {
			w.Errorf("Bo's account was\n%s\nand is\n%s", before, after)
		}
	})

	for name, original := range map[string]string{
		"by id too": "id: %[3]s\n", "by record": "", "by address": "",
	} {
		inWorld(t, "beside the original, declared "+name, func(w *world) {
			ana := w.sim.Users()[0]
			if name != "by address" {
				w.write("ana.yaml", "email: %[1]s\nname: %[2]q\n"+original, ana.Email, ana.Name, ana.ID)
				w.pass()
			}
			before := w.accounts()
			w.write("ana.yaml", "email: %[1]s\nname: %[2]q\ntitle: A\n"+original, ana.Email, ana.Name, ana.ID)
			w.write("bo.yaml", "email: bo@example.com\nname: Bo\nid: %s\ntitle: Boss\n", ana.ID)
			for range 2 {
				res, err := w.once()
				if errors.Is(err, usersync.ErrProblems) { // the specs alone show it
					res = &usersync.Result{Failed: 2, ProblemList: spec.ProblemList{Problems: make([]spec.Problem, 2)}}
				} else if err != nil {
					w.Fatal(err)
				}
				if res.Failed != 2 || len(res.Problems) != 2 || len(res.Changes) != 0 {
					w.Errorf("failed %d: %v\n%s", res.Failed, res.Problems, show(res))
				}
			}
			w.sameAccounts(before)
			if got := w.byID(ana.ID); got.Name != ana.Name || got.Title != ana.Title {
				w.Errorf("Ana's account is %+v", got)
			}
		})
	}
}

// A hire gets nobody's account, whoever is renamed or leaves meanwhile, said or not.
func TestAHireGetsNobodysAccount(t *testing.T) {
	for name, test := range map[string]func(w *world, ana, other sim.User){
		"at the address of who was renamed by hand, whose spec follows": func(w *world, ana, _ sim.User) {
			w.sim.Edit(ana.Email, func(u *sim.User) { u.Email = "ana2@example.com" })
			w.write("ana.yaml", "email: ana2@example.com\nname: %q\n", ana.Name)
			w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
		},
		"whose account was given the address by hand": func(w *world, ana, other sim.User) {
			w.sim.Edit(ana.Email, func(u *sim.User) { u.Email = "ana2@example.com" })
			w.sim.Edit(other.Email, func(u *sim.User) { u.Email, u.Name = ana.Email, "Hire" })
			w.write("ana.yaml", "email: ana2@example.com\nname: %q\n", ana.Name)
			w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
		},
		"the same, and the spec of who had it is gone": func(w *world, ana, other sim.User) {
			w.sim.Edit(ana.Email, func(u *sim.User) { u.Email = "ana2@example.com" })
			w.sim.Edit(other.Email, func(u *sim.User) { u.Email, u.Name = ana.Email, "Hire" })
			w.remove("ana.yaml")
			w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
		},
		"with another employee id, at a leaver's address": func(w *world, ana, _ sim.User) {
			w.write("ana.yaml", "email: %s\nname: %q\nemployer: {employeeId: '7'}\n", ana.Email, ana.Name)
			w.pass()
			w.remove("ana.yaml")
			w.write("hire.yaml", "email: %s\nname: Hire\nemployer: {employeeId: '8'}\n", ana.Email)
		},
		"by an id that another spec declares": func(w *world, ana, _ sim.User) {
			w.write("hire.yaml", "email: hire@example.com\nid: %s\ntitle: X\n", ana.ID)
		},
		"by a former address that a stranger has": func(w *world, ana, other sim.User) {
			w.sim.Edit(ana.Email, func(u *sim.User) { u.Email = "byhand@example.com" })
			w.write("ana.yaml", "email: %s\nname: %q\npreviousEmail: %s\n", ana.Email, ana.Name, other.Email)
		},
	} {
		inWorld(t, name, func(w *world) {
			us := w.sim.Users()
			ana, other := us[0], us[1]
			w.write("ana.yaml", "email: %s\nname: %q\n", ana.Email, ana.Name)
			w.pass()
			before := w.accounts()
			test(w, ana, w.byID(other.ID))
			stranger := w.byID(other.ID).Name
			for range 3 {
				res := w.pass()
				for id, state := range before {
					if got := w.accounts()[id]; got != state {
						w.Errorf("account %s was %s and is %s:\n%s", id, state, got, show(res))
					}
				}
			}
			if got := w.byID(ana.ID).Name; got != ana.Name {
				w.Errorf("the account of %s is that of %s", ana.Name, got)
			}
			if got := w.byID(other.ID).Name; got != stranger {
				w.Errorf("the account of %s is that of %s", stranger, got)
			}
		})
	}
}

// Who is left behind by a change of the address stays, whatever keeps the new account from being made.
func TestARenameWhoseAccountIsNotMade(t *testing.T) {
	for name, c := range map[string]struct {
		after string
		with  func(w *world)
	}{
		"without a name":            {"email: new@example.com\n", func(*world) {}},
		"creating is off":           {"email: new@example.com\nname: N\n", func(w *world) { w.Policy.Create = false }},
		"the address is unmanaged":  {"email: new@example.com\nname: N\n", func(w *world) { w.Policy.Create, w.Policy.Unmanaged = false, []spec.Field{spec.Email} }},
		"a role that is refused":    {"email: new@example.com\nname: N\nroles: [Master Admin]\n", func(w *world) { w.Policy.Guard.Roles = nil }},
		"an unknown division":       {"email: new@example.com\nname: N\ndivision: Nowhere\n", func(*world) {}},
		"a stale previousEmail":     {"email: new@example.com\nname: N\npreviousEmail: before@example.com\n", func(*world) {}},
		"the creation is refused":   {"email: new@example.com\nname: N\n", func(w *world) { w.fault("POST /api/v2/users 400") }},
		"the organization is short": {"email: new@example.com\nname: N\n", func(w *world) { w.fault("x1 listing=short:1") }},
	} {
		for _, action := range []plan.Action{plan.Deactivate, plan.Delete} {
			inWorld(t, name+", "+string(action), func(w *world) {
				u := w.sim.Users()[0]
				w.write("u.yaml", "email: %s\n", u.Email)
				w.pass()
				before := w.accounts()
				w.Policy.OnRemoval = action
				c.with(w)
				w.write("u.yaml", "%s", c.after)
				for range 3 {
					w.pass()
				}
				if got := w.byID(u.ID).State; got != before[u.ID] {
					w.Errorf("the account is %s", got)
				}
			})
		}
	}
}
