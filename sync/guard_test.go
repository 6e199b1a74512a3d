package sync_test

import (
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// The whole way: a third of the specs is deleted by mistake. Nobody is removed, every edit is applied, and
// release lets through exactly that, over a restart and a pass that ended early.
func TestAThirdRemovedByMistake(t *testing.T) {
	for _, action := range []plan.Action{plan.Unmanage, plan.Deactivate, plan.Delete} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 100})
			w.sim.SetLimit(10_000)
			w.Policy.Guard.Removals, w.Policy.OnRemoval = &plan.Limit{Percent: 5, Floor: 10}, action
			users := w.sim.Users()
			w.declareAll("title: Agent")
			w.pass()
			for _, u := range users[:31] {
				w.remove(u.Email + ".yaml")
			}
			for _, u := range users[31:] {
				w.write(u.Email+".yaml", "email: %s\ntitle: Boss\n", u.Email)
			}
			res := w.pass()
			if res.Held != 31 || res.Applied != 69 || res.Failed != 0 || len(res.Holds) != 1 || w.removed(users) > 0 {
				t.Errorf("%s: held %d, applied %d, removed %d, holds %v", action, res.Held, res.Applied, w.removed(users), res.Holds)
			}
			again := w.pass()
			if again.Holds[0].ID != res.Holds[0].ID {
				t.Errorf("%s: the hold was %s and is %s", action, res.Holds[0].ID, again.Holds[0].ID)
			}
			if err := w.Store.Commit(state.Commit{AddReleases: []string{res.Holds[0].ID}}); err != nil {
				t.Fatal(err)
			}
			w.fault("PATCH after=7 403")
			w.fault("DELETE after=7 403")
			_, _ = w.once() // ends early
			w.sim.ClearFaults()
			w.close()
			w.open()
			w.Policy.Guard.Removals, w.Policy.OnRemoval = &plan.Limit{Percent: 5, Floor: 10}, action
			time.Sleep(24 * time.Hour) // out of quarantine
			if res := w.pass(); res.Held > 0 || action != plan.Unmanage && w.removed(users) != 31 {
				t.Errorf("%s: after the release: %d held, %d removed\n%s", action, res.Held, w.removed(users), show(res))
			}
			w.write("again.yaml", "email: %s\nname: Back\n", users[0].Email) // there is something to release no more
			for _, u := range users[31:50] {
				w.remove(u.Email + ".yaml")
			}
			if res := w.pass(); res.Held != 19 {
				t.Errorf("%s: nineteen others: %d held", action, res.Held)
			}
		})
	}
}

// removed counts the users who are not active any more.
func (w *world) removed(users []sim.User) int {
	n := 0
	for _, u := range users {
		if w.user(u.Email).State != "active" {
			n++
		}
	}
	return n
}

// What was removed counts for a day, over restarts.
func TestRemovalsCountOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40})
		limit := &plan.Limit{Percent: 5, Floor: 10}
		w.Policy.Guard.Removals, w.Policy.OnRemoval = limit, plan.Deactivate
		users := w.sim.Users()
		w.declareAll("title: Agent")
		w.pass()
		for i, want := range []struct{ removed, held int }{{6, 0}, {6, 6}, {12, 0}} {
			if i < 2 {
				for _, u := range users[i*6 : i*6+6] {
					w.remove(u.Email + ".yaml")
				}
			}
			w.close()
			w.open()
			w.Policy.Guard.Removals, w.Policy.OnRemoval = limit, plan.Deactivate
			if res := w.pass(); w.removed(users) != want.removed || res.Held != want.held {
				t.Errorf("%d: %d removed, %d held, want %+v", i, w.removed(users), res.Held, want)
			}
			if i == 1 {
				time.Sleep(25 * time.Hour)
			}
		}
	})
}
