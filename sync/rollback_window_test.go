package sync_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"
)

// badSkills makes a commit that gives all users another skill, and returns the rollback of it.
func (w *world) badSkills() plan.Rollback {
	w.Helper()
	for _, name := range []string{"Billing", "Refunds"} {
		w.sim.Define(sim.Skill, name)
	}
	w.declareAll("skills: {Billing: 3}")
	w.pass()
	w.declareAll("skills: {Refunds: 1}")
	bad := w.pass()
	if bad.Applied != len(w.sim.Users()) {
		w.Fatal(show(bad))
	}
	time.Sleep(2 * time.Minute) // until a reading of skills is believed again
	return plan.Rollback{Revision: bad.Revision}
}

// A rollback at 3 a.m. does not wait for a change window: no pass would carry it out later.
func TestRollbackOutsideTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		rb := w.badSkills()
		now := time.Now().UTC()
		parsed, err := window.Parse(now.Add(-2*time.Hour).Format("Mon 15:04") + "-" + now.Add(-time.Hour).Format("15:04") + " UTC")
		if err != nil {
			t.Fatal(err)
		}
		w.Policy.Schedule = plan.Schedule{Windows: window.List{parsed}, Fields: []spec.Field{spec.Skills}}
		if res := w.rollback(rb); res.Applied != 3 || res.Deferred != 0 {
			t.Errorf("%d applied, %d deferred:\n%s", res.Applied, res.Deferred, show(res))
		}
	})
}

// While a rollback reads the organization it shows that it lives, and afterwards that it is over.
func TestRollbackShowsItsPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		rb := w.badSkills()
		w.fault("GET /api/v2/users x1 slow=20s")
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := w.Rollback(context.Background(), rb, "", ""); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(10 * time.Second)
		if st := w.Status(); st.Phase != usersync.PhaseRefresh || time.Since(st.Began) > time.Minute {
			t.Errorf("while it reads: phase %s since %s", st.Phase, st.Began)
		}
		<-done
		if st := w.Status(); st.Phase != usersync.PhaseIdle {
			t.Errorf("afterwards: phase %s", st.Phase)
		}
		w.fault("GET /api/v2/users 403")
		if _, err := w.Rollback(context.Background(), rb, "", ""); err == nil {
			t.Error("it cannot read the organization, and does not say so")
		}
		if st := w.Status(); st.Phase != usersync.PhaseIdle {
			t.Errorf("after an error: phase %s", st.Phase)
		}
	})
}

// Where nothing is to be done, nothing is paused either.
func TestRollbackOfNothingPausesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		rb := w.badSkills()
		refunds := w.sim.IDOf(sim.Skill, "Refunds")
		for _, u := range w.sim.Users() {
			w.sim.Edit(u.Email, func(u *sim.User) { u.Skills = map[string]float64{refunds: 5} })
		}
		res := w.rollback(rb)
		meta, err := w.Store.Meta()
		if err != nil || meta.Pause != nil || res.Applied != 0 {
			t.Errorf("%v; paused %+v, applied %d", err, meta.Pause, res.Applied)
		}
	})
}

// A rollback leaves the quarantine of what the specs ask for as it is.
func TestRollbackLeavesQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		w.declareAll("title: One")
		w.pass()
		w.declareAll("title: Two")
		rb := plan.Rollback{Revision: w.pass().Revision}
		u := w.sim.Users()[0]
		before := state.Failure{Key: u.Email, Desired: "what the specs ask for", Attempts: 7, Next: time.Now().Add(time.Hour).UTC(), Message: "no"}
		if err := w.Store.Commit(state.Commit{Failures: []state.Failure{before}}); err != nil {
			t.Fatal(err)
		}
		w.fault("PATCH x1 400 user=" + w.sim.Users()[1].Email)
		if res := w.rollback(rb); res.Applied != 1 || res.Failed != 1 {
			t.Fatal(show(res))
		}
		snap, err := w.Store.Snapshot()
		if err != nil || len(snap.Failures) != 1 || snap.Failures[u.Email] != before {
			t.Errorf("%v; in quarantine are %+v", err, snap.Failures)
		}
	})
}

// Of a rollback whose answer was lost it is remembered what is in force now, as of any other.
func TestRollbackWithLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("title: One")
		w.pass()
		w.declareAll("title: Two")
		rb := plan.Rollback{Revision: w.pass().Revision}
		w.fault("PATCH x1 lost")
		if res := w.rollback(rb); res.Applied != 3 {
			t.Fatal(show(res))
		}
		snap, err := w.Store.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range snap.Users {
			if u.LastApplied.Get(spec.Title) != spec.Text("One") {
				t.Errorf("%s: live %s, remembered as applied %s", u.ID, u.Fields.Get(spec.Title), u.LastApplied.Get(spec.Title))
			}
		}
	})
}
