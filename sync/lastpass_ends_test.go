package sync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A pass that is interrupted has not failed, and what it has not reached is no reason for a user.
func TestAnInterruptedPassIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 60, Latency: time.Second})
		w.declareAll("title: Agent")
		w.pass()
		w.declareAll("title: Boss")
		time.AfterFunc(5*time.Second, func() { w.Interrupt("of a test") })
		if _, err := w.once(); !errors.Is(err, usersync.ErrInterrupted) {
			t.Fatal(err)
		}
		if l := w.lastPass(); l.Error != "" || !l.At.Equal(time.Now()) || l.Pending == 0 || l.Pending+l.InSync != 60 || len(l.Left) > 0 {
			t.Errorf("%+v", l)
		}
	})
}

// While the API is down the daemon fails every minute: that is recorded at first, and then once in a while.
func TestFailuresInARowRecordLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("title: Agent")
		w.pass()
		w.fault("GET /api/v2/users 403")
		recorded := w.recordsOfAnHour(func() {
			if _, err := w.Reconcile(context.Background(), usersync.Mode{ForceRefresh: true}); err == nil {
				t.Fatal("no error")
			}
		})
		if recorded < 3 || recorded > 6 {
			t.Errorf("an hour of passes that fail was recorded %d times", recorded)
		}
		if l := w.lastPass(); !strings.Contains(l.Error, "403") || time.Since(l.ErrorAt) > w.Refresh {
			t.Errorf("%+v", l)
		}
	})
}

// A pass that is interrupted while it does what is urgent, and has not compared the other users, says nothing of anybody.
func TestAnInterruptedUrgentPlanIsNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: 120, Full: true, Latency: 50 * time.Millisecond, Quota: sim.Quota{Limit: 600}})
		leaver := w.declareFresh(60)
		w.tap.Hook = func(line string, answered bool) error {
			if !answered && strings.HasPrefix(line, "PATCH ") && strings.Contains(line, leaver.ID) {
				go w.Interrupt("of a test")
			}
			return nil
		}
		if _, err := w.once(); !errors.Is(err, usersync.ErrInterrupted) || w.user(leaver.Email).State != "inactive" {
			t.Fatalf("%v, %s", err, w.user(leaver.Email).State)
		}
		if l, err := usersync.ReadLastPass(w.Store); l != nil || err != nil {
			t.Errorf("%+v, %v", l, err)
		}
	})
}

// With specs that have problems a run deactivates leavers alone: what it counts is not what the last pass has left.
func TestARunOfLeaversAloneIsNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("title: Agent")
		w.pass()
		before := w.lastPass()
		time.Sleep(time.Hour)
		leaver := w.sim.Users()[0].Email
		w.write("broken.yaml", "email: [\n")
		w.write(leaver+".yaml", "email: %s\ntitle: Agent\nstate: inactive\n", leaver)
		if _, err := w.once(); err == nil || w.user(leaver).State != "inactive" {
			t.Fatalf("%v, %s", err, w.user(leaver).State)
		}
		if l := w.lastPass(); !l.At.Equal(before.At) || l.Users != 3 || l.InSync != 3 || l.Plan != before.Plan || !strings.Contains(l.Error, "the specs have problems") {
			t.Errorf("%+v", l)
		}
	})
}

// Whom a setting leaves out is told from the specs; a name that nobody has is known by the pass alone.
func TestTheStateFileHasWhatOnlyAPassKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.Create = false
		w.declareAll("title: Agent")
		wrong := w.sim.Users()[0].Email
		w.write("new.yaml", "email: new@example.com\nname: New\n")
		w.write(wrong+".yaml", "email: %s\nskills: {No such skill: 3}\n", wrong)
		if _, err := w.Reconcile(context.Background(), usersync.Mode{}); err != nil {
			t.Fatal(err)
		}
		if l := w.lastPass(); len(l.Left) != 1 || fmt.Sprint(l.Left[0].Users) != "["+wrong+"]" {
			t.Errorf("%+v", l.Left)
		}
		if e := w.told(wrong, true); e.Status != "wrong" || !strings.Contains(e.Why, "No such skill") || e.AsOf.IsZero() {
			t.Errorf("%+v", e)
		}
	})
}

// However many different reasons there are, the record has some of them, and all users.
func TestTheReasonsInTheRecordAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2500
		w := newWorld(t, sim.Options{Users: n})
		w.sim.SetLimit(100_000)
		w.declareAll("skills: {No such skill: 3}")
		if _, err := w.Reconcile(context.Background(), usersync.Mode{}); err != nil {
			t.Fatal(err)
		}
		l, users, reasons := w.lastPass(), 0, 0
		for _, left := range l.Left {
			users += len(left.Users)
			if left.Why != "" {
				reasons++
			}
		}
		if l.Wrong != n || users != n || reasons != 2000 || len(l.Left) > reasons+5 {
			t.Errorf("%d wrong, %d users recorded in %d groups, with %d reasons", l.Wrong, users, len(l.Left), reasons)
		}
	})
}

// Nothing is written to Genesys for users who are no longer managed: there is nothing to take back.
func TestRollbackOfUsersWhoAreNoLongerManaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 30})
		w.declareAll("title: Agent")
		w.pass()
		time.Sleep(time.Hour)
		began := time.Now()
		w.remove(w.sim.Users()[0].Email + ".yaml")
		if res := w.pass(); res.Applied != 1 {
			t.Fatalf("%+v", res)
		}
		if events, err := w.Store.History(state.Query{Since: began}); err != nil || len(events) != 1 || len(events[0].Fields) != 0 {
			t.Fatalf("%+v, %v", events, err)
		}
		if _, err := w.Rollback(context.Background(), plan.Rollback{Since: began}, "", ""); !errors.Is(err, usersync.ErrNothingToRollBack) {
			t.Error(err)
		}
	})
}
