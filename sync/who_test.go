package sync_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// accounts are the ids and states of the organization's users, as "id state".
func (w *world) accounts() map[string]string {
	all := map[string]string{}
	for _, u := range w.sim.Users() {
		all[u.ID] = u.State
	}
	return all
}

// sameAccounts checks that nobody was made, deleted or deactivated since.
func (w *world) sameAccounts(before map[string]string) {
	w.Helper()
	after := w.accounts()
	for id, state := range before {
		if after[id] != state {
			w.Errorf("account %s was %s and is %q", id, state, after[id])
		}
	}
	for id := range after {
		if _, known := before[id]; !known {
			w.Errorf("account %s was made", id)
		}
	}
}

// byID finds a user of the organization, whatever the address is by now.
func (w *world) byID(id string) sim.User {
	w.Helper()
	for _, u := range w.sim.Users() {
		if u.ID == id {
			return u
		}
	}
	w.Fatalf("no account %s", id)
	return sim.User{}
}

// inWorld runs a test in virtual time, with what looks like a rename held, and whoever is not declared deleted.
func inWorld(t *testing.T, name string, test func(w *world)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 5})
			w.Policy.Guard.Renames, w.Policy.OnRemoval = true, plan.Delete
			test(w)
		})
	})
}

// An account stays the one that a spec was matched to, whatever becomes of its address in Genesys.
func TestWhoIsRecorded(t *testing.T) {
	for _, unmanaged := range [][]spec.Field{{spec.Email}, {spec.Email, spec.Name, spec.State, spec.Title}} {
		for _, action := range []plan.Action{plan.Delete, plan.Deactivate, plan.Unmanage} {
			inWorld(t, fmt.Sprintf("the identity provider changes an address; %s; %s", unmanaged, action), func(w *world) {
				w.Policy.Unmanaged, w.Policy.OnRemoval = unmanaged, action
				u := w.sim.Users()[0]
				w.write("u.yaml", "email: %s\nname: %q\ndepartment: Support\n", u.Email, u.Name)
				w.pass()
				before := w.accounts()
				w.sim.Edit(u.Email, func(u *sim.User) { u.Email = "married@example.com" })
				time.Sleep(time.Hour)
				for range 2 {
					w.pass()
				}
				w.sameAccounts(before)
				w.settled()
				if got := w.byID(u.ID); got.Email != "married@example.com" || got.Department != "Support" {
					w.Errorf("the account is %+v", got)
				}
				w.close()
				w.open()
				w.Policy.Unmanaged, w.Policy.OnRemoval = unmanaged, action
				w.write("u.yaml", "email: %s\nname: %q\ndepartment: Sales\n", u.Email, u.Name)
				w.pass()
				w.sameAccounts(before)
				if got := w.byID(u.ID).Department; got != "Sales" {
					w.Errorf("after a restart an edit goes to somebody else: %q", got)
				}
			})
		}
	}

	inWorld(t, "the address is not managed, and nobody has the declared one", func(w *world) {
		w.Policy.Unmanaged, w.Policy.Create = []spec.Field{spec.Email}, false
		before := w.accounts()
		w.write("u.yaml", "email: nobody@example.com\nname: Nobody\n")
		res := w.pass()
		w.sameAccounts(before)
		if res.Failed > 0 || len(res.Changes) != 1 || !strings.Contains(res.Changes[0].String(), "add the id of the account") {
			w.Errorf("it is not said what to do:\n%s", show(res))
		}
	})

	inWorld(t, "the identity provider deletes a leaver", func(w *world) {
		w.Policy.Unmanaged = []spec.Field{spec.State}
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nname: %q\nstate: active\n", u.Email, u.Name)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
		time.Sleep(time.Minute)
		said := 0
		for range 3 {
			res := w.pass()
			if said += len(res.Notes); res.Failed+res.Held+res.Skipped > 0 {
				w.Errorf("not done:\n%s", show(res))
			}
		}
		if got := w.byID(u.ID).State; got != "deleted" || said != 1 {
			w.Errorf("the leaver is %s, and that was said %d times", got, said)
		}
	})

	inWorld(t, "the same, and a lookup finds it: there is no record", func(w *world) {
		w.Policy.Unmanaged = []spec.Field{spec.State}
		u := w.sim.Users()[0]
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
		time.Sleep(time.Minute)
		w.write("u.yaml", "email: %s\nname: %q\n", u.Email, u.Name)
		for range 2 {
			if res := w.pass(); res.Failed+res.Held > 0 {
				w.Errorf("not done:\n%s", show(res))
			}
		}
		if got := w.byID(u.ID).State; got != "deleted" {
			w.Errorf("the leaver is %s", got)
		}
	})
}

// An address that was changed by hand, and then in the specs, is one user's.
func TestTheSpecFollowsARenameByHand(t *testing.T) {
	for name, mode := range map[string]usersync.Mode{
		"read again":           {Strict: true, ForceRefresh: true},
		"with an old reading":  {Strict: true},
		"without a reading":    {Strict: true, NoRefresh: true},
		"by the daemon, later": {},
	} {
		for _, where := range []string{"u.yaml", "moved.yaml"} {
			inWorld(t, name+" in "+where, func(w *world) {
				u := w.sim.Users()[0]
				w.write("u.yaml", "email: %s\nname: %q\n", u.Email, u.Name)
				w.pass()
				before := w.accounts()
				w.sim.Edit(u.Email, func(u *sim.User) { u.Email = "n@example.com" })
				w.remove("u.yaml")
				w.write(where, "email: n@example.com\nname: %q\n", u.Name)
				res, err := w.Reconcile(w.Context(), mode)
				if err != nil || res.Held+res.Failed+res.Skipped > 0 {
					w.Errorf("%v\n%s", err, show(res))
				}
				w.sameAccounts(before)
				w.settled()
			})
		}
	}
}

// Whose address is given to somebody else by hand keeps the account, and so does that one.
func TestAddressesThatChangeHands(t *testing.T) {
	inWorld(t, "given to somebody else, and a new spec claims the one that came instead", func(w *world) {
		us := w.sim.Users()
		ana, other := us[0], us[1]
		w.write("ana.yaml", "email: %s\nname: %q\n", ana.Email, ana.Name)
		w.pass()
		before := w.accounts()
		w.sim.Edit(ana.Email, func(u *sim.User) { u.Email = "ana.old@example.com" })
		w.sim.Edit(other.Email, func(u *sim.User) { u.Email = ana.Email })
		w.write("hire.yaml", "email: ana.old@example.com\nname: Hire\n")
		for range 2 {
			res := w.pass()
			if len(res.Problems) == 0 || !strings.Contains(res.Problems[0].Message, "the address of another user") {
				w.Errorf("it is not said: %v\n%s", res.Problems, show(res))
			}
		}
		w.sameAccounts(before)
		if got := w.byID(ana.ID).Name; got != ana.Name {
			w.Errorf("the account of %s is that of %s", ana.Name, got)
		}
		if got := w.byID(other.ID).Name; got != other.Name {
			w.Errorf("the account of %s is that of %s", other.Name, got)
		}
	})

	inWorld(t, "exchanged by hand", func(w *world) {
		us := w.sim.Users()
		for i, u := range us[:2] {
			w.write(fmt.Sprintf("u%d.yaml", i), "email: %s\nname: %q\ntitle: T%d\n", u.Email, u.Name, i)
		}
		w.pass()
		before := w.accounts()
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.Email = "third@example.com" })
		w.sim.Edit(us[1].Email, func(u *sim.User) { u.Email = us[0].Email })
		w.sim.Edit("third@example.com", func(u *sim.User) { u.Email = us[1].Email })
		w.write("u0.yaml", "email: %s\nname: %q\ntitle: New\n", us[0].Email, us[0].Name)
		res := w.pass()
		w.sameAccounts(before)
		if got := w.byID(us[0].ID); got.Name != us[0].Name || got.Title != "New" {
			w.Errorf("the account of %s is %+v\n%s", us[0].Name, got, show(res))
		}
		if res.Failed != 2 || res.Applied != 1 {
			w.Errorf("failed %d, applied %d: the rest goes on\n%s", res.Failed, res.Applied, show(res))
		}
	})

	for name, pin := range map[string]func(u, other sim.User) string{
		"by the address alone": func(u, _ sim.User) string { return "" },
		"with ids":             func(u, _ sim.User) string { return "id: " + u.ID + "\n" },
		"with previousEmail":   func(u, _ sim.User) string { return "previousEmail: " + u.Email + "\n" },
	} {
		inWorld(t, "exchanged in the specs, "+name, func(w *world) {
			us := w.sim.Users()
			for i, u := range us[:2] {
				w.write(fmt.Sprintf("u%d.yaml", i), "email: %s\nname: %q\n", u.Email, u.Name)
			}
			w.pass()
			before := w.accounts()
			for i, u := range us[:2] {
				w.write(fmt.Sprintf("u%d.yaml", i), "email: %s\nname: %q\n%s", us[1-i].Email, u.Name, pin(u, us[1-i]))
			}
			for range 2 {
				res := w.pass()
				if res.Failed != 2 || res.Applied > 0 || len(res.Problems) != 2 {
					w.Errorf("failed %d, applied %d: %v\n%s", res.Failed, res.Applied, res.Problems, show(res))
				}
			}
			w.sameAccounts(before)
			for _, u := range us[:2] {
				if got := w.byID(u.ID); got.Name != u.Name || got.Email != u.Email {
					w.Errorf("the account of %s is %+v", u.Name, got)
				}
			}
			// Somebody does it by hand; from then on all is as declared.
			w.sim.Edit(us[0].Email, func(u *sim.User) { u.Email = "third@example.com" })
			w.sim.Edit(us[1].Email, func(u *sim.User) { u.Email = us[0].Email })
			w.sim.Edit("third@example.com", func(u *sim.User) { u.Email = us[1].Email })
			w.settled()
			w.settled()
			w.sameAccounts(before)
		})
	}
}

// A former address is claimed once.
func TestPreviousEmailIsDoneOnce(t *testing.T) {
	inWorld(t, "with a hire at the former address", func(w *world) {
		ana := w.sim.Users()[0]
		w.write("ana.yaml", "email: %s\nname: %q\n", ana.Email, ana.Name)
		w.pass()
		before := w.accounts()
		w.write("ana.yaml", "email: ana.new@example.com\nname: %q\npreviousEmail: %s\n", ana.Name, ana.Email)
		w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
		if res := w.pass(); res.Applied != 2 || res.Changes == nil {
			w.Errorf("applied %d:\n%s", res.Applied, show(res))
		}
		if got := w.byID(ana.ID).Email; got != "ana.new@example.com" {
			w.Errorf("Ana's account has the address %s", got)
		}
		if hire := w.user(ana.Email); before[hire.ID] != "" || hire.Name != "Hire" {
			w.Errorf("the hire is %+v", hire)
		}
		w.settled()
	})

	for _, kept := range []bool{true, false} {
		inWorld(t, fmt.Sprintf("with a hire a year later; the state file is kept: %v", kept), func(w *world) {
			ana := w.sim.Users()[0]
			forget := func() {
				if !kept {
					w.forget()
				}
			}
			w.write("ana.yaml", "email: %s\nname: %q\n", ana.Email, ana.Name)
			w.pass()
			w.write("ana.yaml", "email: ana.new@example.com\nname: %q\npreviousEmail: %s\n", ana.Name, ana.Email)
			w.pass()
			forget()
			time.Sleep(365 * 24 * time.Hour)
			w.write("hire.yaml", "email: %s\nname: Hire\n", ana.Email)
			for range 3 {
				if res := w.pass(); res.Failed+res.Held > 0 {
					w.Errorf("%v\n%s", res.Problems, show(res))
				}
				forget()
			}
			if got := w.byID(ana.ID); got.Email != "ana.new@example.com" || got.Name != ana.Name {
				w.Errorf("Ana's account is %+v", got)
			}
			if hire := w.user(ana.Email); hire.ID == ana.ID || hire.Name != "Hire" {
				w.Errorf("the hire is %+v", hire)
			}
		})
	}

	inWorld(t, "of a deleted account", func(w *world) {
		ana := w.sim.Users()[0]
		w.sim.Edit(ana.Email, func(u *sim.User) { u.State = "deleted" })
		time.Sleep(time.Minute)
		n := len(w.accounts())
		w.write("ana.yaml", "email: ana.new@example.com\nname: %q\npreviousEmail: %s\n", ana.Name, ana.Email)
		res := w.pass()
		if got := w.byID(ana.ID); got.State != "active" || got.Email != "ana.new@example.com" || len(w.accounts()) != n {
			w.Errorf("%d accounts, there were %d; Ana's is %+v\n%s", len(w.accounts()), n, got, show(res))
		}
		w.settled()
	})

	inWorld(t, "a list, of which one was done before", func(w *world) {
		ana := w.sim.Users()[0]
		w.write("ana.yaml", "email: %s\nname: %q\n", ana.Email, ana.Name)
		w.pass()
		before := w.accounts()
		w.write("ana.yaml", "email: two@example.com\nname: %q\npreviousEmail: %s\n", ana.Name, ana.Email)
		w.pass()
		w.write("ana.yaml", "email: three@example.com\nname: %q\npreviousEmail: [%s, two@example.com]\n", ana.Name, ana.Email)
		w.pass()
		w.sameAccounts(before)
		if got := w.byID(ana.ID).Email; got != "three@example.com" {
			w.Errorf("the address is %s", got)
		}
		w.settled()
	})
}
