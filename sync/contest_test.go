package sync_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// titles makes a pass every five minutes for a time, each after another program has set a user's title to its own. It
// returns when we have changed it back, and the last result.
func (w *world) titles(email string, lasts time.Duration, pass func() *usersync.Result) (repaired []time.Duration, last *usersync.Result) {
	w.Helper()
	const every = 5 * time.Minute
	for at := time.Duration(0); at < lasts; at += every {
		next := time.Now().Add(every)
		w.sim.Edit(email, func(u *sim.User) { u.Title = "Theirs" })
		if last = pass(); w.user(email).Title != "Theirs" {
			repaired = append(repaired, at)
		}
		time.Sleep(time.Until(next))
	}
	return repaired, last
}

// gaps are the times between times.
func gaps(times []time.Duration) []time.Duration {
	var all []time.Duration
	for i := 1; i < len(times); i++ {
		all = append(all, times[i]-times[i-1])
	}
	return all
}

// fighting is a world with one user whose title is declared.
func fighting(t *testing.T) (*world, string) {
	w := newWorld(t, sim.Options{Users: 3})
	w.sim.SetLimit(100_000)
	email := w.sim.Users()[0].Email
	w.write("u.yaml", "email: %s\ntitle: Ours\ndepartment: D\n", email)
	w.pass()
	return w, email
}

// Another program sets a title every five minutes: it is changed back three times within the hour, then after pauses
// of 15, 30, 60 minutes and so on to 6 hours. It is told, over restarts.
func TestAnotherProgramSetsATitle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, email := fighting(t)
		passes := 0
		repaired, last := w.titles(email, 30*time.Hour, func() *usersync.Result {
			if passes++; passes%20 == 0 { // a restart
				w.close()
				w.open()
			}
			return w.pass()
		})
		m := time.Minute
		want := []time.Duration{5 * m, 5 * m, 15 * m, 30 * m, 60 * m, 120 * m, 240 * m, 360 * m, 360 * m, 360 * m}
		got := gaps(repaired)
		if len(got) < 9 || len(got) > len(want) {
			t.Fatalf("changed back at %v", repaired)
		}
		for i, gap := range got {
			if gap < want[i] || gap > want[i]+6*m {
				t.Errorf("changed back at %v: gap %d is %s, want %s", repaired, i, gap, want[i])
			}
		}
		if len(last.Notes) != 1 || !strings.Contains(last.Notes[0], "title is contested for "+email) || len(last.Contested) != 1 {
			t.Errorf("told: %v", last.Notes)
		}
		if last.Skipped != 1 || last.Retry.IsZero() || !last.Retry.Equal(last.Contested[0].Until) {
			t.Errorf("looked at again %s, contested until %s\n%s", last.Retry, last.Contested[0].Until, show(last))
		}
		for _, fresh := range []bool{false, true} {
			e := w.told(email, fresh)
			if !strings.Contains(verdicts(e), "title contested") || e.Status != "skipped" || !e.Next.Equal(last.Retry) {
				t.Errorf("explained: %s, %s until %s", verdicts(e), e.Status, e.Next)
			}
		}

		// The other program ends: the contest is forgotten, and what it set is remembered.
		time.Sleep(8 * time.Hour)
		w.pass()
		time.Sleep(8 * time.Hour)
		if res := w.pass(); len(res.Notes)+len(res.Contested) > 0 || w.user(email).Title != "Ours" {
			t.Errorf("still told: %v", res.Notes)
		}
		found, err := w.Store.Lookup(email)
		if r := found[0].Repairs[spec.Title]; err != nil || r.Pause > 0 || len(r.At) != 1 || r.Found != spec.Text("Theirs") {
			t.Errorf("remembered: %v %v", found[0].Repairs, err)
		}
	})
}

// The repair that makes a field contested is told by the pass that makes it; other fields of the user go on, and so
// does the field when its spec changes.
func TestOtherFieldsOfAContestedUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, email := fighting(t)
		for i := range 3 {
			w.sim.Edit(email, func(u *sim.User) { u.Title = "Theirs" })
			if res := w.pass(); len(res.Notes) != i/2 {
				t.Errorf("pass %d tells %v", i, res.Notes)
			}
		}
		if got := w.Status().Totals.Repairs; got != 3 {
			t.Errorf("%d repairs are counted", got)
		}
		w.sim.Edit(email, func(u *sim.User) { u.Title, u.Department = "Theirs", "Theirs" })
		res := w.pass()
		if u := w.user(email); u.Title != "Theirs" || u.Department != "D" || res.Applied != 1 || res.Retry.IsZero() {
			t.Errorf("%+v, looked at again %s\n%s", u, res.Retry, show(res))
		}
		for _, fresh := range []bool{false, true} {
			if e := w.told(email, fresh); e.Status == "in sync" || !e.Next.Equal(res.Retry) || !strings.Contains(verdicts(e), "title contested, department in sync") {
				t.Errorf("explained: %s, %s", verdicts(e), e.Status)
			}
		}
		if st := w.Status(); st.InSync != 0 {
			t.Errorf("%d in sync", st.InSync)
		}
		if m, _ := w.Store.Meta(); m.Converged != nil && m.Converged.Digest != "" {
			t.Error("the tree counts as applied")
		}
		w.write("u.yaml", "email: %s\ntitle: Ours now\ndepartment: D\n", email)
		if res := w.pass(); w.user(email).Title != "Ours now" || len(res.Notes) > 0 {
			t.Errorf("an edit of the spec is not written, or still told: %v\n%s", res.Notes, show(res))
		}
	})
}

// Two usersyncd with a state file and a checkout each want different things: neither writes more than now and then.
func TestTwoInstances(t *testing.T) {
	t.Parallel() // it is one of the longest
	synctest.Test(t, func(t *testing.T) {
		w, email := fighting(t)
		other := &world{TB: t, sim: w.sim, dir: t.TempDir(), state: filepath.Join(t.TempDir(), "other.db")}
		other.open()
		defer other.close()
		other.write("u.yaml", "email: %s\ntitle: Of the other\n", email)
		w.sim.ResetLedger()
		var told, toldOther bool
		for range 24 * 12 {
			told = len(w.pass().Notes) > 0 || told
			toldOther = len(other.pass().Notes) > 0 || toldOther
			time.Sleep(5 * time.Minute)
		}
		if n := w.sim.Ledger().Count(patch); n < 6 || n > 30 {
			t.Errorf("%d writes in a day", n)
		}
		if !told || !toldOther {
			t.Errorf("told by the one: %v, by the other: %v", told, toldOther)
		}
	})
}

// A leaver who is activated by somebody every minute is deactivated every time, within the limit for deactivations,
// and it is told. So it is with a role that comes back.
func TestAccessIsTakenAwayEveryTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.sim.SetLimit(100_000)
		leaver, agent := w.sim.Users()[0].Email, w.sim.Users()[1].Email
		w.write("leaver.yaml", "email: %s\nstate: inactive\n", leaver)
		w.write("agent.yaml", "email: %s\nroles: [Employee]\n", agent)
		w.pass()
		w.Policy.Guard.Deactivations = &plan.Limit{Percent: 10, Floor: 5}
		w.Policy.DetailInterval = time.Minute
		admin := sim.Grant{Role: w.sim.IDOf(sim.Role, "Master Admin"), Division: w.user(agent).Division}
		for i := range 40 {
			time.Sleep(2 * time.Minute)
			w.sim.Edit(leaver, func(u *sim.User) { u.State = "active" })
			w.sim.Edit(agent, func(u *sim.User) { u.Grants = append(u.Grants, admin) })
			time.Sleep(10 * time.Second) // until a read of grants shows it
			res := w.pass()
			if w.user(leaver).State != "inactive" || len(w.user(agent).Grants) != 1 {
				t.Fatalf("after %d times: %s, grants %v\n%s%v", i, w.user(leaver).State, w.user(agent).Grants, show(res), res.Holds)
			}
			notes := strings.Join(res.Notes, "\n")
			for _, field := range []string{"state", "roles"} {
				if told := strings.Contains(notes, field+" is contested"); told != (i >= 2) {
					t.Errorf("pass %d, %s: %q", i, field, notes)
				}
			}
		}
	})
}

// An answer that was lost, and found by reading, counts as one that came.
func TestRepairsWithoutAnAnswerCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, email := fighting(t)
		for i := range 6 {
			w.sim.Edit(email, func(u *sim.User) { u.Title = "Theirs" })
			w.fault("PATCH x1 lost")
			w.pass()
			w.sim.ClearFaults()
			if got, want := w.user(email).Title == "Ours", i < 3; got != want {
				t.Errorf("time %d: the title is %q", i, w.user(email).Title)
			}
		}
		if got := w.Status().Totals.Repairs; got != 3 {
			t.Errorf("%d repairs are counted", got)
		}
	})
}

// A pass in which somebody changes a contested field at the very moment leaves it alone, too.
func TestContestedInTheMiddleOfAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, email := fighting(t)
		for range 3 {
			w.sim.Edit(email, func(u *sim.User) { u.Title = "Theirs" })
			w.pass()
		}
		w.write("u.yaml", "email: %s\ntitle: Ours\ndepartment: Another\n", email)
		w.fault("PATCH x1 edited")
		res := w.pass()
		if u := w.user(email); u.Title == "Ours" || u.Department != "Another" || res.Applied != 1 {
			t.Errorf("title %q, department %q\n%s", u.Title, u.Department, show(res))
		}
		if c := res.Changes[0]; len(c.Fields) != 1 || !c.Withholds(spec.Title) || res.Retry.IsZero() {
			t.Errorf("reported: %v", c)
		}
	})
}

// A rollback is no other program.
func TestARollbackIsNoRepair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, email := fighting(t)
		w.write("u.yaml", "email: %s\ntitle: Wrong\ndepartment: D\n", email)
		done := w.pass()
		if res := w.rollback(plan.Rollback{Revision: done.Revision}); res.Applied != 1 || w.Status().Totals.Repairs != 0 {
			t.Errorf("%d repairs\n%s", w.Status().Totals.Repairs, show(res))
		}
		found, err := w.Store.Lookup(email)
		if err != nil || len(found[0].Repairs) > 0 {
			t.Errorf("remembered: %v, %v", found[0].Repairs, err)
		}
	})
}
