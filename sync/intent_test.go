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

// Killed between a creation and its commit: the user is ours, and the next pass goes on with it.
func TestIntentAdoptOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.Adopt = false
		w.write("u.yaml", "email: new@example.com\nname: New\npreferredName: N\n")
		// what a kill after the POST leaves: the intent, and the user
		if err := w.Store.Commit(state.Commit{CreateIntents: []state.Intent{{Key: "new@example.com", Started: time.Now()}}}); err != nil {
			t.Fatal(err)
		}
		w.sim.Add(sim.User{Email: "new@example.com", Name: "New", State: "active"})
		time.Sleep(time.Minute)
		res := w.pass()
		if res.Applied != 1 {
			t.Errorf("our own creation is not gone on with: skipped %d", res.Skipped)
		}
		if m, _ := w.Store.Meta(); m.CreateIntents != 0 {
			t.Errorf("%d intents left", m.CreateIntents)
		}
	})
}

// A creation that was refused for certain leaves no claim to a user that somebody makes later.
func TestIntentAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.Adopt = false
		w.write("u.yaml", "email: new@example.com\nname: New\ntitle: Ours\n")
		w.fault("POST /api/v2/users 400")
		w.pass()
		w.sim.ClearFaults()
		if m, _ := w.Store.Meta(); m.CreateIntents != 0 {
			t.Errorf("%d intents left after a definite refusal", m.CreateIntents)
		}
		// somebody makes that user by hand
		w.sim.Add(sim.User{Email: "new@example.com", Name: "By hand", State: "active", Texts: sim.Texts{Title: "Theirs"}})
		time.Sleep(time.Minute)
		res, err := w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true})
		if err != nil || res.Failed != 1 {
			t.Errorf("failed %d, error %v", res.Failed, err)
		}
		if u := w.user("new@example.com"); u.Title != "Theirs" {
			t.Errorf("adopting is off, and the user was written: %+v", u)
		}
		w.remove("u.yaml")
		w.write("other.yaml", "email: %s\n", w.sim.Users()[0].Email)
		w.pass()
	})
}

// The intent of a user that is no longer declared goes.
func TestIntentUndeclared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.write("other.yaml", "email: %s\n", w.sim.Users()[0].Email)
		if err := w.Store.Commit(state.Commit{CreateIntents: []state.Intent{{Key: "new@example.com", Started: time.Now()}}}); err != nil {
			t.Fatal(err)
		}
		w.pass()
		if m, _ := w.Store.Meta(); m.CreateIntents != 0 {
			t.Errorf("%d intents left of nobody declared", m.CreateIntents)
		}
	})
}

// An intent from the future (the clock was set back) does not block a pass.
func TestFutureIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.write("u.yaml", "email: new@example.com\nname: New\n")
		if err := w.Store.Commit(state.Commit{CreateIntents: []state.Intent{{Key: "new@example.com", Started: time.Now().Add(24 * time.Hour)}}}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.pass()
		if d := time.Since(began); d > 5*time.Minute {
			t.Errorf("the pass took %s and %d searches", d, w.sim.Ledger().Count("POST /api/v2/users/search"))
		}
	})
}

// A user that was just made and is not shown yet is not taken for deleted.
func TestCreatedThenLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3, ReadLag: 5 * time.Second})
		w.Policy.Adopt = false
		w.write("u.yaml", "email: new@example.com\nname: New\npreferredName: N\n")
		w.fault("PATCH x1 503")
		res := w.pass()
		if res.Applied != 1 {
			t.Errorf("POSTs %d", w.sim.Ledger().Count("POST /api/v2/users"))
		}
		time.Sleep(time.Hour)
		res = w.pass()
		if w.user("new@example.com").PreferredName != "N" {
			t.Errorf("never finished: failed %d skipped %d", res.Failed, res.Skipped)
		}
	})
}

// A creation without an answer is looked for, ever more rarely, before it is sent again.
func TestCreate503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 1})
		w.write("u.yaml", "email: new@example.com\nname: New\n")
		w.fault("POST /api/v2/users x1 503")
		if res := w.pass(); res.Applied != 1 || res.Changes[0].Action != plan.Create {
			t.Errorf("not created:\n%s", show(res))
		}
		if n := w.sim.Ledger().Count("POST /api/v2/users/search"); n < 2 || n > 7 {
			t.Errorf("%d searches in the minute that a search may be behind", n)
		}
	})
}
