package sync_test

import (
	"context"
	"fmt"
	"os"
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
	return m.Writes
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
		if h := res.Changes[i].Withheld[0]; h.Field != spec.Roles || h.Reason != plan.ByDoubt || h.Note == "" || !h.Until.Equal(res.Retry) || time.Until(h.Until) > time.Minute {
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
		if err != nil || e.Standing != string(plan.Skipped) || e.Why == "" || !e.Next.Equal(res.Retry) {
			t.Errorf("explained as %s, %q, next %s, %v", e.Standing, e.Why, e.Next, err)
		}
		for _, f := range e.Fields {
			if f.Field == spec.Roles && f.Verdict != string(plan.ByDoubt) {
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

// plan and --once wait, once and no longer than it takes, and say that they do.
func TestPlanAndOnceWaitForAFieldInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := interruptedWorld(t)
		phases := map[string]bool{}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 60 {
				time.Sleep(time.Second)
				phases[w.Status().Phase] = true
			}
		}()
		began := time.Now()
		res, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, DryRun: true, Reread: true})
		if err != nil || res.Pending != 1 || len(res.Changes[0].Withheld) != 0 {
			t.Fatalf("%v, planned:\n%s", err, show(res))
		}
		if took := time.Since(began); took < 50*time.Second || took > 70*time.Second {
			t.Errorf("plan took %s", took)
		}
		if <-done; !phases["wait"] {
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
		w.rollback(plan.Undo{Revision: events[0].Revision})
		if grants := w.user(u.Email).Grants; len(grants) != 0 {
			t.Errorf("the rollback leaves %v", grants)
		}
	})
}

// A rollback says that it does not know what calls did that were interrupted.
func TestRollbackOfAnInterruptedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := interruptedWorld(t)
		res, err := w.Rollback(t.Context(), plan.Undo{Since: time.Now().Add(-2 * time.Hour)}, "", "")
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
		w.write("u.yaml", "email: %s\ntitle: One\nroles: []\n", u.Email)
		w.tick()
		if grants := w.user(u.Email).Grants; len(grants) != 0 {
			t.Errorf("grants are %v", grants)
		}
		w.settled()
	})
}

// A call that was refused has done nothing: nothing is in doubt. One that was never answered is, if the process goes
// on or not.
func TestWhatACallWithoutSuccessLeaves(t *testing.T) {
	for _, tt := range []struct {
		fault   string
		intents int
	}{{"400", 0}, {"403", 0}, {"404", 0}, {"lost", 1}, {"503", 1}, {"done=502", 1}} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 3})
				u := w.sim.Users()[0]
				w.write("u.yaml", "email: %s\nroles: []\n", u.Email)
				w.pass()
				time.Sleep(time.Hour)
				w.write("u.yaml", "email: %s\nroles: [Supervisor]\n", u.Email)
				w.fault("POST /api/v2/authorization/* " + tt.fault)
				if res := w.pass(); res.Failed != 1 || w.intents() != tt.intents {
					t.Errorf("failed %d, %d intents are left, want %d", res.Failed, w.intents(), tt.intents)
				}
				w.sim.ClearFaults()
				w.write("u.yaml", "email: %s\nroles: []\n", u.Email)
				if w.pass(); len(w.user(u.Email).Grants) != 0 || w.intents() != 0 {
					t.Errorf("grants %v, %d intents", w.user(u.Email).Grants, w.intents())
				}
				w.settled()
			})
		})
	}
}

// A refusal says nothing of an earlier try that was not answered.
func TestARefusalAfterALostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nroles: []\n", u.Email)
		w.pass()
		time.Sleep(time.Hour)
		w.write("u.yaml", "email: %s\nroles: [Supervisor]\n", u.Email)
		w.fault("POST /api/v2/authorization/* x1 lost")
		w.fault("POST /api/v2/authorization/* 403")
		if res := w.pass(); res.Failed != 1 || len(w.user(u.Email).Grants) != 1 {
			t.Fatalf("failed %d, grants %v", res.Failed, w.user(u.Email).Grants)
		}
		w.sim.ClearFaults()
		w.write("u.yaml", "email: %s\nroles: []\n", u.Email)
		if w.pass(); len(w.user(u.Email).Grants) != 0 {
			t.Errorf("grants %v", w.user(u.Email).Grants)
		}
	})
}

// A pass that is stopped leaves nothing in doubt that was not sent.
func TestAStoppedPassLeavesNoIntents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40, Quota: sim.Quota{Limit: 45}})
		w.declareAll("voicemail: {alertTimeoutSeconds: 31}")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Second, cancel) // calls wait for the next minute's quota
		res, err := w.Reconcile(ctx, usersync.Mode{Strict: true, Reread: true})
		if err == nil || w.intents() != 0 {
			t.Errorf("%v, applied %d, pending %d, and %d intents are left", err, res.Applied, res.Pending, w.intents())
		}
	})
}

// A full disk ends a pass; what could not be recorded is read when there is room again, by the same process.
func TestAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3, QueueDelay: 10 * time.Second})
		u := w.sim.Users()[0]
		w.tap = w.sim.Tap()
		w.close()
		w.open()
		w.write("u.yaml", "email: %s\ntitle: One\nqueues: [Billing ES]\n", u.Email)
		w.pass()
		time.Sleep(time.Hour)
		w.pass()
		w.write("u.yaml", "email: %s\ntitle: Two\nqueues: []\n", u.Email)
		full := false
		w.tap.Hold = func(line string) {
			if strings.Contains(line, "delete=true") && !full {
				full = os.Rename(w.state, w.state+".away") == nil
			}
		}
		if _, err := w.once(); err == nil || !full {
			t.Fatalf("nothing could be recorded, and the pass says %v", err)
		}
		if err := os.Rename(w.state+".away", w.state); err != nil {
			t.Fatal(err)
		}
		w.write("u.yaml", "email: %s\ntitle: One\nqueues: [Billing ES]\n", u.Email)
		w.pass()
		time.Sleep(time.Minute)
		if got := w.under(w.user(u.Email))["queues"]; got != `["Billing ES"]` || w.user(u.Email).Title != "One" {
			t.Errorf("queues are %s, the title %s", got, w.user(u.Email).Title)
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
		e := snap.Writes[u.ID][spec.Roles]
		e.At = time.Now().Add(24 * time.Hour)
		if err := w.Store.Commit(state.Commit{Writes: []state.Event{e}}); err != nil {
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

// A call may wait long for its turn before it is sent. Its intent is renewed meanwhile, so that it is never much older
// than what the call does.
func TestAnIntentOfACallThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3, GrantLag: 50 * time.Second})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nroles: []\n", u.Email)
		w.pass()
		time.Sleep(time.Hour)
		w.write("u.yaml", "email: %s\nroles: [Supervisor]\n", u.Email)
		w.fault("POST /api/v2/authorization/* x1 429 retry-after=90")
		answers := 0
		if !w.kill(unrecorded, 1, func(line string) bool {
			if grants(line) {
				answers++
			}
			return answers > 1 // the first is the 429
		}) {
			t.Fatal("not killed")
		}
		time.Sleep(time.Second)
		w.write("u.yaml", "email: %s\nroles: []\n", u.Email)
		if w.pass(); len(w.user(u.Email).Grants) != 0 {
			t.Errorf("grants are %v", w.user(u.Email).Grants)
		}
	})
}

// A user who is being restored may have lost anything: killed before that is recorded, the next pass reads it.
func TestKilledWhileAUserIsRestored(t *testing.T) {
	for _, at := range []moment{unsent, unrecorded, unanswered} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 3, RestoreForgets: true})
				u := w.sim.Users()[0]
				w.write("u.yaml", "email: %s\nname: A\nroles: [Employee]\nqueues: [Billing ES]\n", u.Email)
				w.pass()
				time.Sleep(time.Hour)
				w.pass()
				w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
				time.Sleep(time.Minute)
				if !w.kill(at, 1, anyCall) {
					t.Fatal("not killed")
				}
				w.pass()
				time.Sleep(2 * time.Minute)
				w.pass()
				if got := w.user(u.Email); got.State != "active" || len(got.Grants) != 1 || w.under(got)["queues"] != `["Billing ES"]` {
					t.Errorf("%s, with grants %v and queues %s", got.State, got.Grants, w.under(got)["queues"])
				}
				w.settled()
			})
		})
	}
}

// Whom a removal has deactivated or deleted is known to be so by us, although the process was killed before it could
// say so.
func TestKilledWhileAUserIsRemoved(t *testing.T) {
	for _, action := range []plan.Action{plan.Deactivate, plan.Delete} {
		for _, redeclared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/redeclared=%v", action, redeclared), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, sim.Options{Users: 3})
					w.Policy.OnRemoval = action
					u := w.sim.Users()[0]
					w.write("o.yaml", "email: %s\n", w.sim.Users()[1].Email)
					w.write("u.yaml", "email: %s\nname: A\n", u.Email)
					w.pass()
					w.remove("u.yaml")
					if !w.kill(unrecorded, 1, anyCall) || w.user(u.Email).State == "active" {
						t.Fatal("not killed, or not removed")
					}
					if redeclared {
						w.write("u.yaml", "email: %s\nname: A\n", u.Email)
						w.Policy.Create, w.Policy.Adopt = false, false // so that it is seen what is remembered
					}
					w.pass()
					snap, err := w.Store.Snapshot()
					if err != nil {
						t.Fatal(err)
					}
					if redeclared && action == plan.Deactivate { // and so brought back, whatever may be adopted
						if got := snap.Users[u.ID]; got == nil || got.Removed != "" || w.user(u.Email).State != "active" || w.intents() != 0 {
							t.Errorf("remembered is %+v, %d intents, and there it is %s", got, w.intents(), w.user(u.Email).State)
						}
					} else if got := snap.Users[u.ID]; got == nil || got.Removed != string(action) || got.Applied != nil || w.intents() != 0 {
						t.Errorf("remembered is %+v, %d intents", got, w.intents())
					}
					if done := snap.Guards.Done; len(done) != 1 || done[0].Removed != 1 {
						t.Errorf("%+v counts", done)
					}
				})
			})
		}
	}
}

// A deactivation that was not recorded counts for the guards, and is no deactivation by somebody else.
func TestKilledWhileAUserIsDeactivated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.ReportDrift = true
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nstate: active\n", u.Email)
		w.pass()
		w.write("u.yaml", "email: %s\nstate: inactive\n", u.Email)
		if !w.kill(unrecorded, 1, anyCall) || w.user(u.Email).State != "inactive" {
			t.Fatal("not killed, or not deactivated")
		}
		w.write("u.yaml", "email: %s\nstate: active\n", u.Email)
		w.pass()
		snap, err := w.Store.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if done := snap.Guards.Done; w.user(u.Email).State != "active" || len(done) != 1 || done[0].Deactivated != 1 {
			t.Errorf("the user is %s, and %+v counts", w.user(u.Email).State, done)
		}
	})
}

// Without a listing, too, nothing is taken as it was that an interrupted call may have written.
func TestKilledAndNotListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ntitle: One\n", u.Email)
		w.pass()
		w.write("u.yaml", "email: %s\ntitle: Two\n", u.Email)
		if !w.kill(unrecorded, 1, anyCall) {
			t.Fatal("not killed")
		}
		w.write("u.yaml", "email: %s\ntitle: One\n", u.Email)
		if w.tick(); w.user(u.Email).Title != "One" {
			t.Errorf("the title is %s", w.user(u.Email).Title)
		}
	})
}
