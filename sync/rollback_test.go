package sync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// rollback plans a rollback, agrees to the plan and carries it out.
func (w *world) rollback(rb plan.Rollback) *usersync.Result {
	w.Helper()
	dry, err := w.Rollback(context.Background(), rb, "", "")
	if err != nil {
		w.Fatal(err)
	}
	res, err := w.Rollback(context.Background(), rb, dry.Plan, "the test")
	if err != nil {
		w.Fatal(err)
	}
	return res
}

// A bad commit changed 300 users, and people have edited five of them since: 295 are restored, five reported.
func TestRollbackOfABadCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 500})
		us := w.sim.Users()
		for i, u := range us {
			w.write(u.Email+".yaml", "email: %s\ndepartment: Support\ntitle: Agent %d\n", u.Email, i)
		}
		w.pass()
		for i, u := range us[:300] {
			w.write(u.Email+".yaml", "email: %s\ndepartment: Moved\ntitle: Agent %d\n", u.Email, i)
		}
		bad := w.pass()
		if bad.Applied != 300 {
			t.Fatalf("the bad commit changed %d users", bad.Applied)
		}
		for _, u := range us[:5] {
			w.sim.Edit(u.Email, func(u *sim.User) { u.Department = "By hand" })
		}
		w.sim.Edit(us[5].Email, func(u *sim.User) { u.Title = "Another field" })

		rb := plan.Rollback{Revision: bad.Revision[:12]}
		w.sim.ResetLedger()
		dry, err := w.Rollback(context.Background(), rb, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if n := w.writes(); len(n) > 0 || !dry.DryRun || dry.Pending != 295 || dry.Skipped != 5 {
			t.Errorf("the plan wrote %v; pending %d, skipped %d:\n%s", n, dry.Pending, dry.Skipped, show(dry))
		}
		res, err := w.Rollback(context.Background(), rb, dry.Plan, "the test")
		if err != nil || res.Applied != 295 || res.Skipped != 5 {
			t.Fatalf("%v; applied %d, skipped %d:\n%s", err, res.Applied, res.Skipped, show(res))
		}
		if n := w.writes()["PATCH /users/{id}"]; n != 295 {
			t.Errorf("%d users written", n)
		}
		for i, u := range w.sim.Users() {
			want := "Support"
			if i < 5 {
				want = "By hand"
			}
			if u.Department != want {
				t.Errorf("%s has department %q", u.Email, u.Department)
			}
		}
		if u := w.user(us[5].Email); u.Title != "Another field" {
			t.Errorf("a field that the commit had nothing to do with became %q", u.Title)
		}

		// The checkout still asks for it: nothing is applied until a person says so.
		res = w.pass()
		if res.Paused == nil || res.Applied != 0 || w.user(us[10].Email).Department != "Support" {
			t.Errorf("after the rollback a pass applied %d; paused %+v", res.Applied, res.Paused)
		}
		for i, u := range us[:300] {
			w.write(u.Email+".yaml", "email: %s\ndepartment: Support\ntitle: Agent %d\n", u.Email, i)
		}
		if err := w.Store.Commit(state.Commit{Pause: &state.Pause{}}); err != nil {
			t.Fatal(err)
		}
		res = w.pass() // the drift: five departments and a title
		if res.Applied != 6 {
			t.Errorf("reverted and resumed, a pass applied %d:\n%s", res.Applied, show(res))
		}
		w.settled()
		if again, err := w.Rollback(context.Background(), rb, "", ""); err != nil || again.Pending > 0 {
			t.Errorf("rolled back twice: %v\n%s", err, show(again))
		}
	})
}

// Everything since a time, over all kinds of fields, and who was created or removed.
func TestRollbackSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 4})
		us := w.sim.Users()
		for _, k := range []string{"Billing", "Refunds"} {
			w.sim.Define(sim.Skill, k)
		}
		w.sim.Define(sim.Queue, "Q1")
		w.sim.Define(sim.Division, "EMEA")
		w.sim.Define(sim.Role, "Supervisor")
		w.write("a.yaml", "email: %s\ntitle: One\nskills: {Billing: 2}\nqueues: []\nroles: []\nmanager: %s\n", us[0].Email, us[3].Email)
		w.write("b.yaml", "email: %s\ntitle: One\n", us[1].Email)
		w.write("c.yaml", "email: %s\ntitle: One\n", us[2].Email)
		w.pass()
		before := map[string]string{}
		for _, u := range us {
			before[u.ID] = fmt.Sprint(w.sim.Snapshot(u.ID))
		}
		w.Policy.OnRemoval = plan.Deactivate
		time.Sleep(2 * time.Minute)
		since := time.Now()
		w.write("a.yaml", "email: %s\ntitle: Two\nskills: {Refunds: 5}\nqueues: [Q1]\nroles: [Supervisor]\ndivision: EMEA\nmanager: %s\nstate: inactive\n", us[0].Email, us[2].Email)
		w.remove("b.yaml")
		w.write("n.yaml", "email: new@example.com\nname: New\n")
		if res := w.pass(); res.Applied != 3 {
			t.Fatal(show(res))
		}
		time.Sleep(2 * time.Minute)
		res := w.rollback(plan.Rollback{Since: since})
		if res.Applied != 2 || res.Skipped != 1 {
			t.Errorf("applied %d, skipped %d:\n%s", res.Applied, res.Skipped, show(res))
		}
		for id, was := range before {
			if now := fmt.Sprint(w.sim.Snapshot(id)); now != was {
				t.Errorf("%s is not as it was:\n%v\n%v", id, was, now)
			}
		}
		if w.user("new@example.com").State != "active" {
			t.Error("who was created is gone")
		}
	})
}

// What is to be rolled back is agreed to as a plan. Another one is not carried out.
func TestRollbackAgreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("title: One")
		w.pass()
		w.declareAll("title: Two")
		bad := w.pass()
		rb := plan.Rollback{Revision: bad.Revision}
		dry, err := w.Rollback(context.Background(), rb, "", "")
		if err != nil {
			t.Fatal(err)
		}
		w.sim.Edit(w.sim.Users()[0].Email, func(u *sim.User) { u.Title = "By hand" })
		w.sim.ResetLedger()
		if _, err := w.Rollback(context.Background(), rb, dry.Plan, ""); !errors.Is(err, usersync.ErrPlanChanged) {
			t.Errorf("it was carried out with another plan: %v", err)
		}
		if n := w.writes(); len(n) > 0 {
			t.Error(n)
		}
		for _, revision := range []string{"ab", "ffffffffff"} {
			if _, err := w.Rollback(context.Background(), plan.Rollback{Revision: revision}, "", ""); err == nil {
				t.Errorf("revision %q was rolled back", revision)
			}
		}
	})
}

// Who had been deleted and was restored is left: a rollback never deletes. Of one revision it takes back what the
// commit asked for, and not what somebody had changed by hand in the same call.
func TestRollbackIsOfTheCommitAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("title: One\ndepartment: One\nstate: active")
		w.pass()
		began := time.Now()
		us := w.sim.Users()
		w.sim.Edit(us[0].Email, func(u *sim.User) { u.State = "deleted" })
		w.sim.Edit(us[1].Email, func(u *sim.User) { u.Department = "By hand" })
		w.declareAll("title: Two\ndepartment: One\nstate: active")
		bad := w.pass()
		if bad.Applied != 3 {
			t.Fatal(show(bad))
		}
		for _, rb := range []plan.Rollback{{Revision: bad.Revision}, {Since: began}} {
			dry, err := w.Rollback(context.Background(), rb, "", "")
			if err != nil || dry.Pending != 2 || dry.Skipped != 1 || strings.Contains(show(dry), "deleted\"") {
				t.Errorf("%v\n%s", err, show(dry))
			}
		}
		if res := w.rollback(plan.Rollback{Revision: bad.Revision}); res.Applied != 2 {
			t.Error(show(res))
		}
		if u := w.user(us[0].Email); u.State != "active" || u.Title != "Two" {
			t.Errorf("who was restored: %+v", u)
		}
		if u := w.user(us[1].Email); u.Department != "One" || u.Title != "One" {
			t.Errorf("what was changed by hand before: %+v", u)
		}
	})
}

// A rollback that is not carried out leaves no reading behind, by which the next pass would change back at once
// what the rollback leaves as it is.
func TestRollbackThatIsRefusedChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		w.declareAll("title: One")
		w.pass()
		w.declareAll("title: Two")
		rb := plan.Rollback{Revision: w.pass().Revision}
		first := w.sim.Users()[0].Email
		w.sim.Edit(first, func(u *sim.User) { u.Title = "By hand" })
		if _, err := w.Rollback(context.Background(), rb, "p-0123", "me"); !errors.Is(err, usersync.ErrPlanChanged) {
			t.Fatal(err)
		}
		if _, err := w.Reconcile(context.Background(), usersync.Mode{}); err != nil {
			t.Fatal(err)
		}
		if u := w.user(first); u.Title != "By hand" {
			t.Errorf("the title is %s", u.Title)
		}
	})
}

// What asks for nothing, or for what is rolled back already, is told so.
func TestRollbackOfNothingAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		w.declareAll("title: One")
		w.pass()
		time.Sleep(time.Minute)
		began := time.Now()
		for _, title := range []string{"Two", "One"} {
			w.declareAll("title: " + title)
			w.pass()
		}
		if _, err := w.Rollback(context.Background(), plan.Rollback{Since: began}, "", ""); !errors.Is(err, usersync.ErrNoNetChange) {
			t.Error(err)
		}
		for _, rb := range []plan.Rollback{{}, {Revision: "abcd", Since: began}} {
			if _, err := w.Rollback(context.Background(), rb, "", ""); !errors.Is(err, plan.ErrAmbiguous) {
				t.Error(err)
			}
		}
	})
}

// What belongs to somebody else by now is not rolled back.
func TestRollbackLeavesWhatOthersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		w.declareAll("title: One\ndepartment: One")
		w.pass()
		w.declareAll("title: Two\ndepartment: Two")
		bad := w.pass()
		w.Policy.Unmanaged = []spec.Field{spec.Title}
		if res := w.rollback(plan.Rollback{Revision: bad.Revision}); res.Applied != 2 {
			t.Error(show(res))
		}
		for _, u := range w.sim.Users() {
			if u.Title != "Two" || u.Department != "One" {
				t.Errorf("%s has title %s and department %s", u.Email, u.Title, u.Department)
			}
		}
	})
}

// A history that is cut off says so: with a plan that is not all, and where nothing is left.
func TestRollbackBeyondTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		began := time.Now()
		w.declareAll("title: One")
		first := w.pass().Revision
		w.declareAll("title: Two")
		second := w.pass().Revision
		if dry, err := w.Rollback(context.Background(), plan.Rollback{Revision: second}, "", ""); err != nil || len(dry.Notes) > 0 {
			t.Errorf("the history is whole: %v, %+v", err, dry)
		}
		if err := w.Store.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if w.Store, err = state.Open(w.state, state.Options{MaxEvents: 2}); err != nil {
			t.Fatal(err)
		}
		w.declareAll("title: Two\ndepartment: Three")
		w.remove(w.sim.Users()[0].Email + ".yaml") // two events, where there is room for two
		w.pass()
		for _, rb := range []plan.Rollback{{Revision: first}, {Revision: second}} {
			_, err := w.Rollback(context.Background(), rb, "", "")
			if !errors.Is(err, usersync.ErrNothingToRollBack) || !strings.Contains(err.Error(), "the history goes back to 20") {
				t.Error(err)
			}
		}
		dry, err := w.Rollback(context.Background(), plan.Rollback{Since: began}, "", "")
		if err != nil || len(dry.Notes) != 1 || !strings.Contains(dry.Notes[0], "the history goes back to 20") || dry.Pending != 2 {
			t.Errorf("%v, %+v", err, dry)
		}
	})
}

// A protected user is protected from a rollback, too.
func TestRollbackIsGuarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("title: One")
		w.pass()
		w.declareAll("title: Two")
		bad := w.pass()
		w.Policy.Guard.Protected = []string{w.sim.Users()[0].Email}
		res := w.rollback(plan.Rollback{Revision: bad.Revision})
		if res.Applied != 2 || res.Held != 1 || w.user(w.sim.Users()[0].Email).Title != "Two" {
			t.Errorf("applied %d, held %d:\n%s", res.Applied, res.Held, show(res))
		}
	})
}

// A rollback that goes on with what an earlier one left is paused since that one, and says so once. What it was
// paused for before is said on.
func TestRollbackThatGoesOnKeepsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		w.declareAll("title: One")
		w.pass()
		w.declareAll("title: Two")
		rb := plan.Rollback{Revision: w.pass().Revision}
		first := state.Pause{At: time.Now(), By: "ana", Reason: "incident 4711"}
		w.fault("PATCH user=" + w.sim.Users()[0].Email + " 400")
		rb.Paused = &first
		for range 3 {
			time.Sleep(time.Hour)
			w.rollback(rb)
			meta, err := w.Store.Meta()
			if err != nil {
				t.Fatal(err)
			}
			rb.Paused = meta.Pause
		}
		want := "rollback of " + spec.ShortRevision(rb.Revision) + "; it was paused before: incident 4711"
		if p := rb.Paused; p.Reason != want || time.Since(p.At) < 2*time.Hour {
			t.Errorf("paused since %s: %s", p.At, p.Reason)
		}
	})
}
