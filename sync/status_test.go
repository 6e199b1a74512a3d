package sync_test

import (
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

// InSync counts the declared users who are as declared: neither those who fail, nor those who are only removed.
func TestStatusCountsWhoIsInSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 6})
		w.declareAll("title: Captain")
		w.pass()
		if st := w.Status(); st.Users != 6 || st.InSync != 6 {
			t.Errorf("%d of %d are in sync, of six that were all applied", st.InSync, st.Users)
		}
		users := w.sim.Users()
		w.remove(users[0].Email + ".yaml") // nobody declares this one any more
		w.write(users[1].Email+".yaml", "email: %s\ntitle: Pilot\n", users[1].Email)
		w.write(users[2].Email+".yaml", "email: %s\ntitle: Pilot\n", users[2].Email)
		w.fault("PATCH x1 400 user=" + users[1].Email) // so that one change alone is left for the next pass
		res := w.pass()
		if st := w.Status(); res.Applied != 2 || res.Failed != 1 || st.Users != 5 || st.InSync != 4 {
			t.Errorf("%d of %d are in sync; %d applied, %d failed", st.InSync, st.Users, res.Applied, res.Failed)
		}
		w.write(users[1].Email+".yaml", "email: %s\ntitle: Major\n", users[1].Email)
		w.fault("PATCH x1 429 retry-after=30")
		done := make(chan struct{})
		go func() { defer close(done); w.pass() }()
		time.Sleep(20 * time.Second) // in the middle of the pause
		if st := w.Status(); st.Phase != usersync.PhaseApply || st.Users != 5 || st.InSync != 4 || st.Progress.Started != 1 {
			t.Errorf("on the way: %+v", st)
		}
		<-done
		if st := w.Status(); st.Users != 5 || st.InSync != 5 {
			t.Errorf("%d of %d are in sync at the end", st.InSync, st.Users)
		}
	})
}
