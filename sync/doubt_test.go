package sync_test

import (
	"context"
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

// interruptedWorld is one in which a pass was killed when the roles that it grants were granted, and not recorded. The
// specs ask for none again.
func interruptedWorld(t *testing.T) (*world, sim.User) {
	t.Helper()
	w := newWorld(t, sim.Options{Users: 3, GrantLag: 50 * time.Second})
	u := w.sim.Users()[0]
	w.write("u.yaml", "email: %s\ntitle: One\nroles: []\n", u.Email)
	w.pass()
	time.Sleep(time.Hour)
	w.pass()
	w.write("u.yaml", "email: %s\ntitle: One\nroles: [Supervisor]\n", u.Email)
	if !w.kill(unrecorded, 1, grants) || len(w.user(u.Email).Grants) != 1 {
		t.Fatal("the role was not granted, and the process not killed")
	}
	time.Sleep(time.Second)
	w.write("u.yaml", "email: %s\ntitle: One\nroles: []\n", u.Email)
	return w, u
}

func grants(line string) bool { return strings.Contains(line, "/bulkreplace") }

// tick makes a pass as the daemon does.
func (w *world) tick() *usersync.Result {
	w.Helper()
	res, err := w.Reconcile(context.Background(), usersync.Mode{})
	if err != nil {
		w.Fatal(err)
	}
	return res
}

// reads counts the requests that read roles.
func (w *world) reads() int { return w.sim.Ledger().Count("GET /api/v2/authorization/subjects/{id}") }

func (w *world) intents() int {
	w.Helper()
	m, err := w.Store.Meta()
	if err != nil {
		w.Fatal(err)
	}
	return m.WriteIntents
}

// The daemon makes nobody wait: it leaves the field out until a reading counts, goes on with the rest, says so, and
// does not call the tree applied. It comes back by itself.
func TestTheDaemonLeavesAFieldInDoubtOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := interruptedWorld(t)
		other := w.sim.Users()[1]
		w.write("o.yaml", "email: %s\ntitle: Two\n", other.Email)
		w.write("u.yaml", "email: %s\ntitle: Two\nroles: []\n", u.Email)
		w.sim.ResetLedger()
		began := time.Now()
		res := w.tick()
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("the pass took %s", took)
		}
		if w.user(other.Email).Title != "Two" || w.user(u.Email).Title != "Two" || len(w.user(u.Email).Grants) != 1 || w.reads() != 0 {
			t.Errorf("titles %q and %q, grants %v, %d readings", w.user(other.Email).Title, w.user(u.Email).Title, w.user(u.Email).Grants, w.reads())
		}
		if n := w.Status().InSync; n != 1 {
			t.Errorf("%d users are said to be in sync", n)
		}
		i := 0
		for i < len(res.Changes) && res.Changes[i].Key != spec.Key(u.Email) {
			i++
		}
		if i == len(res.Changes) || len(res.Changes[i].Withheld) != 1 {
			t.Fatalf("nothing is withheld:\n%s", show(res))
		}
		if h := res.Changes[i].Withheld[0]; h.Field != spec.Roles || h.Reason != plan.ByUncertainty || h.Note == "" || !h.Until.Equal(res.Retry) || time.Until(h.Until) > time.Minute {
			t.Errorf("withheld is %+v, the next pass is due %s", h, res.Retry)
		}
		if !strings.Contains(show(res), "roles: []") || !strings.Contains(show(res), "uncertain: ") {
			t.Errorf("it is not told:\n%s", show(res))
		}
		res = w.tick() // with nothing else to do
		m, _ := w.Store.Meta()
		if res.Unchanged != 1 || res.Skipped != 1 || w.Status().InSync != 1 || m.Converged != nil {
			t.Errorf("unchanged %d, skipped %d, in sync %d, converged %v", res.Unchanged, res.Skipped, w.Status().InSync, m.Converged)
		}
		e, err := w.Explain(t.Context(), u.Email)
		if err != nil || e.Status != string(plan.Skipped) || e.Why == "" || !e.Next.Equal(res.Retry) {
			t.Errorf("explained as %s, %q, next %s, %v", e.Status, e.Why, e.Next, err)
		}
		for _, f := range e.Fields {
			if f.Field == spec.Roles && f.Verdict != string(plan.ByUncertainty) {
				t.Errorf("roles are %s", f.Verdict)
			}
		}
		time.Sleep(time.Until(res.Retry))
		res = w.tick()
		if len(w.user(u.Email).Grants) != 0 || res.Applied != 1 || w.reads() != 1 || w.intents() != 0 {
			t.Errorf("grants %v, applied %d, %d readings, %d intents", w.user(u.Email).Grants, res.Applied, w.reads(), w.intents())
		}
		w.settled()
	})
}

// A reading that is made for another reason proves nothing either, if it is too early.
func TestAFieldInDoubtThatIsReadInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := interruptedWorld(t)
		w.Policy.DetailInterval = time.Second
		res, err := w.Reconcile(t.Context(), usersync.Mode{ForceRefresh: true})
		if err != nil || w.reads() == 0 || len(res.Changes) != 1 {
			t.Fatalf("%d readings, %v", w.reads(), err)
		}
		time.Sleep(time.Until(res.Retry))
		if w.tick(); len(w.user(u.Email).Grants) != 0 {
			t.Errorf("grants are %v", w.user(u.Email).Grants)
		}
	})
}

// plan and --once wait, once and no longer than it takes, and say that they do.
func TestPlanAndOnceWaitForAFieldInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := interruptedWorld(t)
		phases := map[usersync.Phase]bool{}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 60 {
				time.Sleep(time.Second)
				phases[w.Status().Phase] = true
			}
		}()
		began := time.Now()
		res, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, DryRun: true, ForceRefresh: true})
		if err != nil || res.Pending != 1 || len(res.Changes[0].Withheld) != 0 {
			t.Fatalf("%v, planned:\n%s", err, show(res))
		}
		if took := time.Since(began); took < 50*time.Second || took > 70*time.Second {
			t.Errorf("plan took %s", took)
		}
		if <-done; !phases[usersync.PhaseWait] {
			t.Errorf("the phases were %v", phases)
		}
		if w.intents() == 0 {
			t.Error("a plan has written to the state file")
		}
		began = time.Now()
		if res := w.pass(); res.Applied != 1 || len(w.user(u.Email).Grants) != 0 {
			t.Errorf("grants %v:\n%s", w.user(u.Email).Grants, show(res))
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("--once waited %s though a minute had passed", took)
		}
		w.settled()
	})
}

// What the interrupted call did is in the history, under the commit that asked for it.
func TestHistoryOfAnInterruptedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := interruptedWorld(t)
		w.write("u.yaml", "email: %s\ntitle: One\nroles: [Supervisor]\n", u.Email) // it stays
		w.pass()
		events := w.history(state.Query{Email: spec.Key(u.Email), Limit: 1})
		want := state.FieldEvent{Field: spec.Roles, Before: `[]`, After: `["Supervisor"]`}
		if len(events) != 1 || !events[0].Uncertain || len(events[0].Fields) != 1 || events[0].Fields[0] != want {
			t.Fatalf("told is %+v", events)
		}
		w.rollback(plan.Rollback{Revision: events[0].Revision})
		if grants := w.user(u.Email).Grants; len(grants) != 0 {
			t.Errorf("the rollback leaves %v", grants)
		}
	})
}

// An export after a kill, too, has what the call did.
func TestExportAfterAnInterruptedCall(t *testing.T) {
	for _, field := range []struct{ name, before, after, want string }{
		{"roles", "[]", "[Supervisor]", `["Supervisor"]`}, {"groups", "[Madrid]", "[]", `[]`},
	} {
		t.Run(field.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 3, GrantLag: 50 * time.Second, ReadLag: 50 * time.Second})
				u := w.sim.Users()[0]
				w.write("u.yaml", "email: %s\n%s: %s\n", u.Email, field.name, field.before)
				w.pass()
				time.Sleep(time.Hour)
				w.pass()
				w.write("u.yaml", "email: %s\n%s: %s\n", u.Email, field.name, field.after)
				if !w.kill(unrecorded, 1, anyCall) {
					t.Fatal("not killed")
				}
				out, err := w.Export(t.Context(), []spec.Field{spec.Roles, spec.Groups}, spec.Division)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range out.Users {
					if e.Key == spec.Key(u.Email) && string(e.Fields.Get(spec.Field(field.name))) != field.want {
						t.Errorf("exported are %s", e.Fields.Get(spec.Field(field.name)))
					}
				}
				w.pass()
				w.settled()
			})
		})
	}
}

// A rollback says that it does not know what calls did that were interrupted.
func TestRollbackOfAnInterruptedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := interruptedWorld(t)
		res, err := w.Rollback(t.Context(), plan.Rollback{Since: time.Now().Add(-2 * time.Hour)}, "", "")
		if err != nil || !strings.Contains(fmt.Sprint(res.Notes), "interrupted") {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

// What nobody declares any more need not be read: its intent is dropped when a reading would count. If it is declared
// again, it is read.
func TestAFieldInDoubtThatNobodyDeclares(t *testing.T) {
	for name, declared := range map[string]string{"the field": "title: One", "the user": ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, u := interruptedWorld(t)
				w.write("o.yaml", "email: %s\n", w.sim.Users()[1].Email)
				if w.remove("u.yaml"); declared != "" {
					w.write("u.yaml", "email: %s\n%s\n", u.Email, declared)
				}
				w.sim.ResetLedger()
				if res := w.tick(); len(res.Changes) > 0 && len(res.Changes[0].Withheld) > 0 {
					t.Errorf("something is withheld:\n%s", show(res))
				}
				time.Sleep(time.Minute)
				w.tick()
				w.tick()
				if w.reads() != 0 || w.intents() != 0 {
					t.Errorf("%d readings, %d intents are left", w.reads(), w.intents())
				}
				w.write("u.yaml", "email: %s\ntitle: One\nroles: []\n", u.Email)
				if w.tick(); len(w.user(u.Email).Grants) != 0 {
					t.Errorf("grants are %v", w.user(u.Email).Grants)
				}
			})
		})
	}
}

// While the specs have problems, what an interrupted call did is found out all the same, and nothing is forgotten.
func TestAFieldInDoubtWhileTheSpecsHaveProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := interruptedWorld(t)
		w.write("u.yaml", "email: %s\ntitle: One\nroles: []\nskils: {}\n", u.Email)
		w.write("o.yaml", "email: %s\n", w.sim.Users()[1].Email)
		res := w.tick()
		if res.Retry.IsZero() {
			t.Errorf("nothing waits:\n%s", show(res))
		}
		time.Sleep(time.Minute)
		w.tick()
		snap, err := w.Store.Snapshot()
		if err != nil || snap.Users[u.ID].LastApplied.Get(spec.Roles) != `["Supervisor"]` || w.intents() != 0 {
			t.Errorf("%v, applied is %s, %d intents", err, snap.Users[u.ID].LastApplied.Get(spec.Roles), w.intents())
		}
		w.write("u.yaml", "email: %s\ntitle: One\nroles: []\n", u.Email)
		w.tick()
		if grants := w.user(u.Email).Grants; len(grants) != 0 {
			t.Errorf("grants are %v", grants)
		}
		w.settled()
	})
}

// An intent from the future, of before the clock was set back, is waited for no longer than any other.
func TestAnIntentFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := interruptedWorld(t)
		snap, err := w.Store.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		e := snap.WriteIntents[u.ID][spec.Roles]
		e.At = time.Now().Add(24 * time.Hour)
		if err := w.Store.Commit(state.Commit{WriteIntents: []state.Event{e}}); err != nil {
			t.Fatal(err)
		}
		res := w.tick()
		if d := time.Until(res.Retry); d > time.Minute || d < 50*time.Second {
			t.Errorf("the next pass is due in %s", d)
		}
		time.Sleep(time.Until(res.Retry))
		if w.tick(); len(w.user(u.Email).Grants) != 0 || w.intents() != 0 {
			t.Errorf("grants %v, %d intents", w.user(u.Email).Grants, w.intents())
		}
	})
}
