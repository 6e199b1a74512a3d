package sync_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A hire at the former address gets nobody's account.
func TestAHireAtAFormerAddress(t *testing.T) {
	for name, where := range map[string]string{"in the same file": "", "in another file": "moved.yaml"} {
		inWorld(t, "of a rename that is not said, "+name, func(w *world) {
			ana := w.sim.Users()[0]
			before := w.adopted(ana)
			if where == "" {
				where = ana.ID + ".yaml"
			}
			w.remove(ana.ID + ".yaml")
			w.write(where, "email: two@example.com\nname: %q\n", ana.Name)
			w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
			for range 2 {
				if res := w.pass(); res.Failed != 2 || len(res.Problems) != 2 {
					w.Errorf("failed %d: %v\n%s", res.Failed, res.Problems, show(res))
				}
			}
			w.sameAccounts(before)
			w.sameNames(ana)
			w.write(where, "email: two@example.com\nname: %q\npreviousEmail: %s\n", ana.Name, ana.Email) // as it is told
			w.pass()
			w.settled()
			w.sameNames(ana)
		})
	}

	inWorld(t, "of a rename whose spec has a problem", func(w *world) {
		ana := w.sim.Users()[0]
		before := w.adopted(ana)
		w.write(ana.ID+".yaml", "email: two@example.com\nname: %q\nid: %s\ndepartmnt: Typo\n", ana.Name, ana.ID)
		w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
		res, err := w.Reconcile(w.Context(), usersync.Mode{ForceRefresh: true})
		if err != nil || len(res.Problems) != 2 {
			w.Errorf("%v: %v\n%s", err, res.Problems, show(res))
		}
		w.sameAccounts(before)
		w.sameNames(ana)
	})

	inWorld(t, "of a rename by hand that the spec follows", func(w *world) {
		ana := w.sim.Users()[0]
		w.adopted(ana)
		w.sim.Edit(ana.Email, func(u *sim.User) { u.Email = "two@example.com" })
		w.write(ana.ID+".yaml", "email: two@example.com\nname: %q\n", ana.Name)
		w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
		if res := w.pass(); res.Failed+res.Held > 0 {
			w.Errorf("failed %d, held %d\n%s", res.Failed, res.Held, show(res))
		}
		w.sameNames(ana)
		if hire := w.user(ana.Email); hire.ID == ana.ID || hire.Name != "Hire" {
			w.Errorf("the hire is %+v", hire)
		}
	})

	inWorld(t, "of a rename by hand that the spec follows in another file, with a new name", func(w *world) {
		ana := w.sim.Users()[0]
		w.Policy.Unmanaged, w.Policy.Create = []spec.Field{spec.Email, spec.Name, spec.State}, false
		before := w.adopted(ana)
		w.sim.Edit(ana.Email, func(u *sim.User) { u.Email = "two@example.com" })
		w.remove(ana.ID + ".yaml")
		w.write("moved.yaml", "email: two@example.com\nname: New Name\n")
		w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
		for range 2 {
			if res := w.pass(); len(res.Problems) != 2 {
				w.Errorf("%v\n%s", res.Problems, show(res))
			}
		}
		w.sameNames(ana)
		w.write("moved.yaml", "email: two@example.com\nname: New Name\nid: %s\n", ana.ID) // as it is told
		w.pass()
		w.sameNames(ana)
		if got := w.accounts(); len(got) != len(before) {
			w.Errorf("%d accounts became %d", len(before), len(got))
		}
	})

	inWorld(t, "of a rename by hand, with the name that the account has, as names are not managed", func(w *world) {
		ana := w.sim.Users()[0]
		w.Policy.Unmanaged, w.Policy.Create = []spec.Field{spec.Email, spec.Name, spec.State}, false
		w.write("bo.yaml", "email: %s\nname: Bo\ndepartment: Bo\n", ana.Email) // who has taken Ana's account over
		w.pass()
		w.sim.Edit(ana.Email, func(u *sim.User) { u.Email = "bo@example.com" })
		w.write("bo.yaml", "email: bo@example.com\nname: Bo\ndepartment: Bo\n")
		w.write("ana.yaml", "email: %s\nname: %q\ndepartment: Ana\n", ana.Email, ana.Name) // who is back
		for range 2 {
			if res := w.pass(); len(res.Problems) != 2 {
				w.Errorf("%v\n%s", res.Problems, show(res))
			}
		}
		if got := w.byID(ana.ID); got.Department != "Bo" {
			w.Errorf("the account's department is %s", got.Department)
		}
	})

	for _, first := range []int{0, 1} {
		inWorld(t, fmt.Sprint("that somebody else was declared by, too, in vain; ", first), func(w *world) {
			us := w.sim.Users()
			ana, bo := us[first], us[1-first]
			w.adopted(us[:2]...)
			w.write(ana.ID+".yaml", "email: %s\nname: %q\nid: %s\n", bo.Email, ana.Name, ana.ID)
			w.write(bo.ID+".yaml", "email: %s\nname: %q\nid: %s\ntitle: Two\n", ana.Email, bo.Name, bo.ID)
			w.pass()
			w.write(bo.ID+".yaml", "email: bo2@example.com\nname: %q\nid: %s\ntitle: Two\n", bo.Name, bo.ID)
			w.write(ana.ID+".yaml", "email: two@example.com\nname: New Name\n")
			w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
			for range 2 {
				w.pass()
			}
			if got := w.byID(ana.ID); got.Name != ana.Name || got.Email != ana.Email {
				w.Errorf("the account of %s is that of %s, %s", ana.Name, got.Name, got.Email)
			}
		})
	}

	inWorld(t, "of somebody whose spec says the address of a third person", func(w *world) {
		us := w.sim.Users()
		before := w.adopted(us[:2]...)
		w.write(us[0].ID+".yaml", "email: %s\nname: %q\n", us[1].Email, us[0].Name)
		w.write(us[1].ID+".yaml", "email: two@example.com\nname: %q\n", us[1].Name)
		w.write("hire.yaml", "email: %s\nname: Hire\n", us[0].Email)
		w.pass()
		w.sameAccounts(before)
		w.sameNames(us[:2]...)
	})

	inWorld(t, "of somebody whose spec has moved, with a new name", func(w *world) {
		ana := w.sim.Users()[0]
		w.adopted(ana)
		w.remove(ana.ID + ".yaml")
		w.write("moved.yaml", "email: two@example.com\nname: New Name\n")
		w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
		if res := w.pass(); res.Held != 1 {
			w.Errorf("held %d\n%s", res.Held, show(res))
		}
		w.sameNames(ana)
	})

	inWorld(t, "with previousEmail, and a second rename later", func(w *world) {
		ana := w.sim.Users()[0]
		w.adopted(ana)
		w.write(ana.ID+".yaml", "email: two@example.com\nname: %q\npreviousEmail: %s\n", ana.Name, ana.Email)
		w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
		w.pass()
		before := w.accounts()
		hire := w.user(ana.Email)
		w.write(ana.ID+".yaml", "email: three@example.com\nname: %q\npreviousEmail: [%s, two@example.com]\n", ana.Name, ana.Email)
		w.pass()
		w.sameAccounts(before)
		w.sameNames(ana, hire)
		w.settled()
	})
}

// A hire at the address of somebody who was removed, and whose deleted account has another one by now, gets an account of
// its own.
func TestAHireAtTheAddressOfARemovedUser(t *testing.T) {
	inWorld(t, "which somebody has changed", func(w *world) {
		us := w.sim.Users()
		w.adopted(us[:2]...)
		w.remove(us[0].ID + ".yaml")
		w.pass()
		time.Sleep(time.Hour)
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.Email = "elsewhere@example.com" })
		w.write("hire.yaml", "email: %s\nname: Hire\n", us[0].Email)
		res := w.pass()
		if got := w.byID(us[0].ID); got.State != "deleted" || got.Name != us[0].Name || w.user(us[0].Email).Name != "Hire" {
			w.Errorf("who was removed is %s, %q\n%s", got.State, got.Name, show(res))
		}
		w.settled()
	})

	for _, action := range []plan.Action{plan.Unmanage, plan.Deactivate, plan.Delete} {
		t.Run(fmt.Sprintf("which somebody has given to them since the listing, %s", action), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 10, ReadLag: 5 * time.Second})
				defer w.close()
				us := w.sim.Users()
				w.Policy.OnRemoval = action
				w.adopted(us[:2]...)
				w.write(us[1].ID+".yaml", "email: two@example.com\nname: %q\nid: %s\n", us[1].Name, us[1].ID)
				w.write("hire.yaml", "email: %s\nname: Hire\n", us[1].Email)
				w.remove(us[0].ID + ".yaml")
				w.sim.Edit(us[1].Email, func(u *sim.User) { u.Email = "elsewhere@example.com" })
				w.sim.Edit(us[0].Email, func(u *sim.User) { u.Email = us[1].Email })
				if res := w.pass(); w.byID(us[0].ID).Name != us[0].Name {
					w.Errorf("who was removed is %q\n%s", w.byID(us[0].ID).Name, show(res))
				}
			})
		})
	}
}
