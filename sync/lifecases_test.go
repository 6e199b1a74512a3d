package sync_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// adopted declares some accounts, each in a file of its own, and returns the organization's accounts as they are then.
func (w *world) adopted(users ...sim.User) map[string]string {
	w.Helper()
	for _, u := range users {
		w.write(u.ID+".yaml", "email: %s\nname: %q\n", u.Email, u.Name)
	}
	w.pass()
	return w.accounts()
}

// sameNames checks that nobody's account became somebody else's.
func (w *world) sameNames(users ...sim.User) {
	w.Helper()
	for _, u := range users {
		if got := w.byID(u.ID); got.Name != u.Name {
			w.Errorf("the account of %s is %s, %s", u.Name, got.Name, got.Email)
		}
	}
}

// What a random life has shown to go wrong: a rename that is not said, or wrongly, beside something else.
func TestARenameThatIsNotSaid(t *testing.T) {
	inWorld(t, "previousEmail is an address that was never carried out", func(w *world) {
		ana := w.sim.Users()[0]
		before := w.adopted(ana)
		w.remove(ana.ID + ".yaml")
		w.write("moved.yaml", "email: two@example.com\nname: %q\npreviousEmail: one@example.com\n", ana.Name)
		if res := w.pass(); res.Held != 2 {
			w.Errorf("held %d\n%s", res.Held, show(res))
		}
		w.sameAccounts(before)
	})

	for name, create := range map[string]bool{"creating is off": false, "the spec has no name": true} {
		inWorld(t, name, func(w *world) {
			ana := w.sim.Users()[0]
			w.Policy.Create = create
			w.write("ana.yaml", "email: %s\ntitle: T\n", ana.Email)
			w.pass()
			before := w.accounts()
			w.write("ana.yaml", "email: two@example.com\ntitle: T\n")
			if res := w.pass(); len(res.Holds) != 1 {
				w.Errorf("%v\n%s", res.Holds, show(res))
			}
			w.sameAccounts(before)
		})
	}

	inWorld(t, "with somebody else in the former file", func(w *world) {
		ana := w.sim.Users()[0]
		before := w.adopted(ana)
		w.write(ana.ID+".yaml", "email: a.hire@example.com\nname: Hire\n")
		w.write("moved.yaml", "email: two@example.com\nname: %q\n", ana.Name)
		if res := w.pass(); res.Held != 3 {
			w.Errorf("held %d\n%s", res.Held, show(res))
		}
		w.sameAccounts(before)
	})

	inWorld(t, "to the address of somebody who is not declared", func(w *world) {
		us := w.sim.Users()
		before, other := w.adopted(us[0]), w.sim.Snapshot(us[1].ID)
		w.write(us[0].ID+".yaml", "email: %s\nname: %q\n", us[1].Email, us[0].Name)
		for range 2 {
			if res := w.pass(); res.Held != 2 {
				w.Errorf("held %d\n%s", res.Held, show(res))
			}
			w.sameAccounts(before)
		}
		if w.sim.Snapshot(us[1].ID) != other {
			w.Errorf("the other account is %+v", w.byID(us[1].ID))
		}
	})

	inWorld(t, "with a copy of the spec, its id left in", func(w *world) {
		ana := w.sim.Users()[0]
		before := w.adopted(ana)
		w.write(ana.ID+".yaml", "email: two@example.com\nname: %q\n", ana.Name)
		w.write("copy.yaml", "email: bo@example.com\nname: Bo\nid: %s\n", ana.ID)
		if res := w.pass(); res.Held != 2 {
			w.Errorf("held %d\n%s", res.Held, show(res))
		}
		w.sameAccounts(before)
		w.sameNames(ana)
	})
}

// An account that was made a moment ago is not forgotten because the API does not show it yet.
func TestAnAccountMadeAMomentAgo(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"renamed, which is not said": func(w *world) { w.write("hire.yaml", "email: hired@example.com\nname: Hire\n") },
		"renamed by hand": func(w *world) {
			w.sim.Edit("hire@example.com", func(u *sim.User) { u.Email = "hired@example.com" })
			w.write("hire.yaml", "email: hire@example.com\nname: Hire\ntitle: T\n")
		},
		"no longer declared": func(w *world) { w.remove("hire.yaml") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 5, ReadLag: 10 * time.Second})
				w.Policy.Guard.Renames = true
				w.write("other.yaml", "email: other@example.com\nname: Other\n")
				w.write("hire.yaml", "email: hire@example.com\nname: Hire\n")
				w.pass()
				before, hire := w.accounts(), w.user("hire@example.com")
				change(w)
				w.Policy.OnRemoval = plan.Delete
				_, _ = w.once() // however it ends
				if name == "no longer declared" {
					before[hire.ID] = "deleted"
					time.Sleep(time.Minute)
					w.pass()
				}
				w.sameAccounts(before)
			})
		})
	}
}

// Addresses that are exchanged in the specs exchange nobody, also if somebody gets a new name with that.
func TestAnExchangeWithANewName(t *testing.T) {
	for name, said := range map[string]bool{"by the address alone": false, "with previousEmail": true} {
		inWorld(t, name, func(w *world) {
			us := w.sim.Users()
			before := w.adopted(us[:2]...)
			for i, u := range us[:2] {
				text := ""
				if said {
					text = "previousEmail: " + u.Email + "\n"
				}
				w.write(u.ID+".yaml", "email: %s\nname: %q\n%s", us[1-i].Email, []string{u.Name, "New Name"}[i], text)
			}
			if res := w.pass(); res.Failed != 2 || res.Applied > 0 {
				w.Errorf("failed %d, applied %d\n%s", res.Failed, res.Applied, show(res))
			}
			w.sameAccounts(before)
			w.sameNames(us[:2]...)
		})
	}

	inWorld(t, "a previousEmail that is done, and the address was given to the other one by hand", func(w *world) {
		us := w.sim.Users()
		before := w.adopted(us[:2]...)
		w.write(us[0].ID+".yaml", "email: two@example.com\nname: %q\npreviousEmail: %s\n", us[0].Name, us[0].Email)
		w.pass()
		w.sim.Edit(us[1].Email, func(u *sim.User) { u.Email = us[0].Email })
		w.write(us[0].ID+".yaml", "email: %s\nname: %q\npreviousEmail: %s\n", us[1].Email, us[0].Name, us[0].Email)
		w.write(us[1].ID+".yaml", "email: two@example.com\nname: New Name\n")
		w.pass()
		w.sameAccounts(before)
		w.sameNames(us[:2]...)
	})

	inWorld(t, "in another file, and who had the address is gone", func(w *world) {
		us := w.sim.Users()
		before := w.adopted(us[:2]...)
		w.remove(us[0].ID + ".yaml")
		w.remove(us[1].ID + ".yaml")
		w.write("moved.yaml", "email: %s\nname: %q\n", us[0].Email, us[1].Name)
		if res := w.pass(); res.Failed != 1 || res.Applied > 0 {
			w.Errorf("failed %d, applied %d\n%s", res.Failed, res.Applied, show(res))
		}
		w.sameAccounts(before)
		w.sameNames(us[:2]...)
	})

	inWorld(t, "a former address is by now that of the other one", func(w *world) {
		us := w.sim.Users()
		before := w.adopted(us[:2]...)
		w.write(us[1].ID+".yaml", "email: two@example.com\nname: %q\npreviousEmail: %s\n", us[1].Name, us[1].Email)
		w.pass()
		w.write(us[0].ID+".yaml", "email: three@example.com\nname: %q\npreviousEmail: two@example.com\n", us[0].Name)
		w.pass()
		w.sameAccounts(before)
		w.sameNames(us[:2]...)
	})

	inWorld(t, "a previousEmail that is somebody else's, while a third has another one", func(w *world) {
		us := w.sim.Users()
		before := w.adopted(us[:3]...)
		w.write(us[0].ID+".yaml", "email: %s\nname: %q\npreviousEmail: %s\n", us[2].Email, us[0].Name, us[1].Email)
		w.write(us[1].ID+".yaml", "email: %s\nname: %q\n", us[0].Email, us[1].Name)
		w.write(us[2].ID+".yaml", "email: three@example.com\nname: %q\nid: %s\n", us[2].Name, us[2].ID)
		if res := w.pass(); res.Failed != 2 {
			w.Errorf("failed %d: %v\n%s", res.Failed, res.Problems, show(res))
		}
		w.sameAccounts(before)
		w.sameNames(us[:3]...)
	})

	inWorld(t, "a previousEmail that is that of another employee, who is gone", func(w *world) {
		us := w.sim.Users()
		for i, u := range us[:2] {
			w.write(u.ID+".yaml", "email: %s\nname: %q\nemployer: {employeeId: E%d}\n", u.Email, u.Name, i)
		}
		w.pass()
		before := w.accounts()
		w.remove(us[0].ID + ".yaml")
		w.remove(us[1].ID + ".yaml")
		w.write("moved.yaml", "email: two@example.com\nname: New Name\npreviousEmail: %s\nemployer: {employeeId: E1}\n", us[0].Email)
		if res := w.pass(); res.Failed != 1 {
			w.Errorf("failed %d: %v\n%s", res.Failed, res.Problems, show(res))
		}
		w.sameAccounts(before)
		w.sameNames(us[:2]...)
	})

	inWorld(t, "a former address is by hand that of the other one, and another spec has the id", func(w *world) {
		us := w.sim.Users()
		w.adopted(us[:2]...)
		w.write("copy.yaml", "email: copy@example.com\nname: Copy\nid: %s\n", us[1].ID)
		w.write(us[1].ID+".yaml", "email: two@example.com\nname: %q\npreviousEmail: %s\n", us[1].Name, us[1].Email)
		w.sim.Edit(us[1].Email, func(u *sim.User) { u.Email = "old@example.com" })
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.Email = us[1].Email })
		before := w.accounts()
		w.pass()
		w.sameAccounts(before)
		w.sameNames(us[:2]...)
	})
}

// Who was found by an address that is not theirs any more stays as they are.
func TestAnAddressThatIsGivenAwayMeanwhile(t *testing.T) {
	inWorld(t, "to another declared user, and the account is deleted", func(w *world) {
		us := w.sim.Users()
		w.adopted(us[:2]...)
		before := w.accounts()
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.Email, u.State = "elsewhere@example.com", "deleted" })
		w.sim.Edit(us[1].Email, func(u *sim.User) { u.Email = us[0].Email })
		w.pass()
		w.pass()
		w.sameAccounts(before)
		w.settled()
	})
	inWorld(t, "in exchange for that of an account that is deleted", func(w *world) {
		us := w.sim.Users()
		w.adopted(us[:2]...)
		before := w.accounts()
		w.sim.Edit(us[1].Email, func(u *sim.User) { u.Email, u.State = "elsewhere@example.com", "deleted" })
		before[us[1].ID] = "deleted"
		w.write(us[0].ID+".yaml", "email: %s\nname: %q\npreviousEmail: %s\n", us[1].Email, us[0].Name, us[0].Email)
		w.write(us[1].ID+".yaml", "email: %s\nname: %q\npreviousEmail: %s\n", us[0].Email, us[1].Name, us[1].Email)
		for range 2 {
			if res := w.pass(); res.Failed == 0 {
				w.Errorf("not told: %v\n%s", res.Problems, show(res))
			}
		}
		w.sameAccounts(before)
		w.sameNames(us[:2]...)
	})

	inWorld(t, "between the listing and the call", func(w *world) {
		other := w.sim.Users()[0]
		w.write("other.yaml", "email: nobody@example.com\nname: Nobody\n")
		w.pass()
		w.write("hire.yaml", "email: %s\nname: Hire\n", other.Email)
		w.sim.Edit(other.Email, func(u *sim.User) { u.Email = "moved@example.com" })
		if _, err := w.Reconcile(w.Context(), usersync.Mode{Strict: true, NoRefresh: true}); err != nil {
			w.Fatal(err)
		}
		w.sameNames(other)
		time.Sleep(time.Hour)
		w.pass()
		w.sameNames(other)
		if hire := w.user(other.Email); hire.ID == other.ID || hire.Name != "Hire" {
			w.Errorf("the hire is %+v", hire)
		}
	})
}

// Whom we deleted is ours to restore, whoever owns the state.
func TestARemovalIsRevertedWhereTheStateIsNotManaged(t *testing.T) {
	inWorld(t, "delete", func(w *world) {
		w.Policy.Unmanaged = []spec.Field{spec.State}
		w.Policy.OnRemoval = plan.Delete
		us := w.sim.Users()
		w.adopted(us[:2]...)
		w.remove(us[0].ID + ".yaml")
		w.pass()
		if got := w.byID(us[0].ID).State; got != "deleted" {
			w.Fatalf("not removed: %s", got)
		}
		w.write(us[0].ID+".yaml", "email: %s\nname: %q\n", us[0].Email, us[0].Name)
		w.pass()
		if got := w.byID(us[0].ID).State; got != "active" {
			w.Errorf("declared again, and %s", got)
		}
		w.settled()
	})
}

// Whose spec is taken for somebody else's is not removed meanwhile.
func TestNobodyIsRemovedWhoseSpecIsDoubted(t *testing.T) {
	for name, unmanaged := range map[string][]spec.Field{"addresses are managed": nil, "addresses are not managed": {spec.Email}} {
		inWorld(t, name, func(w *world) {
			us := w.sim.Users()
			w.Policy.Unmanaged, w.Policy.OnRemoval = unmanaged, plan.Deactivate
			w.adopted(us[:2]...)
			// The second one gets another address by hand, and is declared no more; the first one's spec says that address.
			w.sim.Edit(us[1].Email, func(u *sim.User) { u.Email = "new@example.com" })
			w.write(us[0].ID+".yaml", "email: new@example.com\nname: New Name\n")
			w.remove(us[1].ID + ".yaml")
			for range 3 {
				w.pass()
			}
			for _, u := range us[:2] {
				if got := w.byID(u.ID); got.State != "active" || got.Name != u.Name {
					w.Errorf("%s is %s, %q", u.Name, got.State, got.Name)
				}
			}
		})
	}
}

// A user who is not declared, in a tree with problems, is kept as last applied, unless somebody has given the account
// another address: it may be somebody else's.
func TestAnAddressByHandOfWhomNoSpecShows(t *testing.T) {
	inWorld(t, "in a tree with problems", func(w *world) {
		us := w.sim.Users()
		w.adopted(us[:2]...)
		w.remove(us[0].ID + ".yaml")
		w.write(us[1].ID+".yaml", "email: %s\nnaem: Typo\n", us[1].Email)
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.Email = "by.hand@example.com" })
		if _, err := w.Reconcile(w.Context(), usersync.Mode{ForceRefresh: true}); err != nil && !errors.Is(err, usersync.ErrProblems) {
			w.Error(err)
		}
		if got := w.byID(us[0].ID).Email; got != "by.hand@example.com" {
			w.Errorf("the address is %s", got)
		}
	})
}

// Whose access is to end is certain, or nobody's ends: two specs are exchanged, and say so wrongly.
func TestALeaverAtAnAddressThatIsPassedOn(t *testing.T) {
	inWorld(t, "in a tree with problems", func(w *world) {
		us := w.sim.Users()
		before := w.adopted(us[:2]...)
		w.write(us[0].ID+".yaml", "email: %s\nname: %q\nstate: inactive\npreviousEmail: %s\n", us[1].Email, us[0].Name, us[0].Email)
		w.write(us[1].ID+".yaml", "email: two@example.com\nname: %q\npreviousEmail: %s\n", us[1].Name, us[0].Email)
		for range 2 {
			if _, err := w.Reconcile(w.Context(), usersync.Mode{Strict: true, ForceRefresh: true}); !errors.Is(err, usersync.ErrProblems) {
				w.Errorf("not refused: %v", err)
			}
			w.sameAccounts(before)
		}
	})
}
