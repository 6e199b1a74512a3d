package sync_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"usersyncd/spec"
	"usersyncd/spec/checkout/gittest"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// git runs git in the checkout.
func (w *world) git(args ...string) string {
	w.Helper()
	return gittest.Run(w.TB, w.dir, args...)
}

// commit commits all there is, and returns the commit.
func (w *world) commit() string {
	w.Helper()
	w.git("add", "--all")
	w.git("commit", "--quiet", "--allow-empty", "--message", "commit")
	return w.git("rev-parse", "HEAD")
}

// An edit is applied before it is committed, under a revision that says so. That it is committed is recorded and sends
// nothing; and so is that an edit was taken back.
func TestEditIsCommittedAfterItWasApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.git("init", "--quiet")
		w.declareAll("department: First")
		first := w.commit()
		pass := func(what, revision string, applied int) {
			t.Helper()
			w.sim.ResetLedger()
			res, err := w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true})
			if err != nil {
				t.Fatal(err)
			}
			meta, err := w.Store.Meta()
			if err != nil {
				t.Fatal(err)
			}
			if res.Revision != revision || res.Applied != applied || meta.AppliedTree == nil || meta.AppliedTree.Revision != revision || w.Status().Applied.Revision != revision {
				t.Errorf("%s: %d applied at %s, not %d at %s; recorded: %+v", what, res.Applied, res.Revision, applied, revision, meta.AppliedTree)
			}
			if calls := w.sim.Ledger().Calls; applied == 0 && len(calls) > 0 {
				t.Errorf("%s: calls: %v", what, calls)
			}
		}
		pass("the first commit", first, 3)
		email := w.sim.Users()[0].Email
		w.write(email+".yaml", "email: %s\ndepartment: Edited\n", email)
		pass("an edit", first+"-dirty", 1)
		if events, err := w.Store.History(state.Query{Limit: 1}); err != nil || events[0].Revision != first+"-dirty" {
			t.Errorf("history: %+v, %v", events, err)
		}
		pass("nothing more", first+"-dirty", 0)
		second := w.commit()
		pass("its commit", second, 0)
		w.write("README.md", "not a spec\n")
		pass("what is no spec", second, 0)
		w.write(email+".yaml", "email: %s\ndepartment: Edited\n# again\n", email)
		pass("a comment", second+"-dirty", 0)
		w.git("checkout", "--", ".")
		pass("taken back", second, 0)
	})
}

// What a commit asked for is one thing, and what was edited on top of it and not committed another.
func TestRollbackTellsACommitFromEditsOnTopOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 4})
		us := w.sim.Users()
		w.git("init", "--quiet")
		w.declareAll("department: First")
		w.commit()
		w.pass()
		w.write(us[0].Email+".yaml", "email: %s\ndepartment: Committed\n", us[0].Email)
		commit := w.commit()
		w.pass()
		w.write(us[1].Email+".yaml", "email: %s\ndepartment: Edited\n", us[1].Email)
		if res := w.pass(); res.Revision != commit+"-dirty" || res.Applied != 1 {
			t.Fatalf("%s, %s", res.Revision, show(res))
		}
		for revision, want := range map[string]string{
			commit: us[0].Email, commit[:8]: us[0].Email, commit + "-dirty": us[1].Email, commit[:8] + "-dirty": us[1].Email,
		} {
			plan, err := w.Rollback(context.Background(), plan.Rollback{Revision: revision}, "", "")
			if err != nil || len(plan.Changes) != 1 || plan.Changes[0].Key != want || spec.IsDirty(plan.Revision) != spec.IsDirty(revision) {
				t.Errorf("%s: %v, %+v", revision, err, plan)
			}
		}
		for _, revision := range []string{commit[:3], commit[:3] + "-dirty"} {
			if _, err := w.Rollback(context.Background(), plan.Rollback{Revision: revision}, "", ""); !errors.Is(err, plan.ErrAmbiguous) {
				t.Errorf("%s: %v", revision, err)
			}
		}
		if res := w.rollback(plan.Rollback{Revision: commit}); res.Applied != 1 || w.user(us[0].Email).Department != "First" || w.user(us[1].Email).Department != "Edited" {
			t.Errorf("rolled back: %s", show(res))
		}
	})
}

// A checkout on another branch is not applied, and goes on when it is back.
func TestAnotherBranchIsNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		w.git("init", "--quiet", "--initial-branch=main")
		w.declareAll("department: Main")
		w.commit()
		w.Specs.Branch = "main"
		w.pass()
		w.git("checkout", "--quiet", "-b", "other")
		w.declareAll("department: Other")
		w.commit()
		w.sim.ResetLedger()
		for _, step := range [][]string{{"status"}, {"checkout", "--quiet", "--detach"}} {
			w.git(step...)
			_, err := w.Reconcile(context.Background(), usersync.Mode{})
			if !errors.Is(err, spec.ErrBranch) || errors.Is(err, spec.ErrTreeChanged) || !strings.Contains(err.Error(), "--branch is main") || w.Status().LastError == nil {
				t.Errorf("%v", err)
			}
		}
		if calls := w.sim.Ledger().Calls; len(calls) > 0 {
			t.Errorf("calls: %v", calls)
		}
		w.git("checkout", "--quiet", "main")
		if res := w.pass(); res.Applied != 0 || res.Unchanged != 2 {
			t.Error(show(res))
		}
		w.git("checkout", "--quiet", "other")
		w.Specs.Branch = ""
		if res := w.pass(); res.Applied != 2 {
			t.Error(show(res))
		}
	})
}
