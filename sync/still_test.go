package sync_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// Outside git nothing says when a writer has finished: here every file is removed and written again, one
// after the other. Whoever looks meanwhile acts on nothing of it, and afterwards on all.
func TestHalfWrittenTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 20})
		w.Policy.OnRemoval = plan.Deactivate
		w.declareAll("department: Before")
		w.pass()
		w.sim.ResetLedger()
		users := w.sim.Users()
		for _, u := range users {
			w.remove(u.Email + ".yaml")
		}
		w.write(users[0].Email+".yaml", "email: %s\ndepartment: Half\n", users[0].Email)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, u := range users {
				time.Sleep(confirmDelay / 2)
				w.write(u.Email+".yaml", "email: %s\ndepartment: After\n", u.Email)
			}
		}()
		res, err := w.Reconcile(context.Background(), usersync.Mode{})
		<-done
		if err != nil || res.Applied != 20 || w.sim.Ledger().Count(patch) != 20 {
			t.Errorf("applied %d, error %v, calls %v", res.Applied, err, w.sim.Ledger().Calls)
		}
		for _, u := range users {
			if now := w.user(u.Email); now.State != "active" || now.Department != "After" || now.Version != u.Version+1 {
				t.Errorf("%s is %s in %s, version %d after %d", u.Email, now.State, now.Department, now.Version, u.Version)
			}
		}
	})
}

// confirmDelay is the pause between two scans of a changed tree.
const confirmDelay = 200 * time.Millisecond

// A tree that never rests is an error after some tries, and the next pass finds it at rest.
func TestTreeThatDoesNotRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		w.declareAll("department: Moved")
		users := w.sim.Users()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := 0; ctx.Err() == nil; n++ {
				w.write(users[0].Email+".yaml", "email: %s\ndepartment: Moved # %d\n", users[0].Email, n)
				time.Sleep(70 * time.Millisecond) // never at the moment of a look
			}
		}()
		_, err := w.Reconcile(context.Background(), usersync.Mode{})
		if !errors.Is(err, spec.ErrTreeChanged) || !strings.Contains(err.Error(), "two scans of it differ") {
			t.Errorf("a tree that does not rest: %v", err)
		}
		if n := len(w.sim.Ledger().Calls); n != 0 {
			t.Errorf("calls: %v", w.sim.Ledger().Calls)
		}
		stop()
		<-done
		if res := w.pass(); res.Applied != 2 {
			t.Errorf("at rest: %s", show(res))
		}
	})
}

// git moves HEAD when the files are in place already. What is applied gets the name of the commit that it is of.
func TestRevisionThatComesLate(t *testing.T) {
	const before, after = "0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		w.write(".git/HEAD", "ref: refs/heads/main\n")
		w.write(".git/refs/heads/main", before)
		w.declareAll("department: Moved")
		time.AfterFunc(confirmDelay/2, func() { w.write(".git/refs/heads/main", after) })
		if res := w.pass(); res.Revision != after || res.Applied != 2 {
			t.Errorf("revision %s:\n%s", res.Revision, show(res))
		}
	})
}
