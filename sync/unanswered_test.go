package sync_test

import (
	"context"
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

// promoted is a world in which a user without roles for an hour is declared with one by now.
func promoted(t *testing.T, o sim.Options) (*world, sim.User) {
	t.Helper()
	w := newWorld(t, o)
	u := w.sim.Users()[0]
	w.write("u.yaml", "email: %s\nroles: []\n", u.Email)
	w.pass()
	time.Sleep(time.Hour)
	w.write("u.yaml", "email: %s\nroles: [Supervisor]\n", u.Email)
	return w, u
}

// demoted declares the user without roles again, and checks that the next pass leaves none.
func (w *world) demoted(u sim.User) {
	w.Helper()
	w.write("u.yaml", "email: %s\nroles: []\n", u.Email)
	if w.pass(); len(w.user(u.Email).Grants) != 0 {
		w.Errorf("grants are %v", w.user(u.Email).Grants)
	}
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
				w, u := promoted(t, sim.Options{Users: 3})
				w.fault("POST /api/v2/authorization/* " + tt.fault)
				if res := w.pass(); res.Failed != 1 || w.intents() != tt.intents {
					t.Errorf("failed %d, %d intents are left, want %d", res.Failed, w.intents(), tt.intents)
				}
				w.sim.ClearFaults()
				if w.demoted(u); w.intents() != 0 {
					t.Errorf("%d intents are left", w.intents())
				}
				w.settled()
			})
		})
	}
}

// A refusal says nothing of an earlier try that was not answered.
func TestARefusalAfterALostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := promoted(t, sim.Options{Users: 3})
		w.fault("POST /api/v2/authorization/* x1 lost")
		w.fault("POST /api/v2/authorization/* 403")
		if res := w.pass(); res.Failed != 1 || len(w.user(u.Email).Grants) != 1 {
			t.Fatalf("failed %d, grants %v", res.Failed, w.user(u.Email).Grants)
		}
		w.sim.ClearFaults()
		w.demoted(u)
	})
}

// A pass that is stopped leaves nothing in doubt that was not sent.
func TestAStoppedPassLeavesNoIntents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40, Quota: sim.Quota{Limit: 45}})
		w.declareAll("voicemail: {alertTimeoutSeconds: 31}")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Second, cancel) // calls wait for the next minute's quota
		res, err := w.Reconcile(ctx, usersync.Mode{Strict: true, ForceRefresh: true})
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
		w.tap.Hook = func(line string, answered bool) error {
			if answered && strings.Contains(line, "delete=true") && !full {
				full = os.Rename(w.state, w.state+".away") == nil
			}
			return nil
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

// A call may wait long for its turn before it is sent. Its intent is renewed meanwhile, so that it is never much older
// than what the call does.
func TestAnIntentOfACallThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := promoted(t, sim.Options{Users: 3, GrantLag: 50 * time.Second})
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
		w.demoted(u)
	})
}

// A look at what a call without an answer did is not made before it shows that.
func TestALookThatIsTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, u := promoted(t, sim.Options{Users: 3, GrantLag: 50 * time.Second})
		w.Retry.No5xx = true
		w.fault("POST /api/v2/authorization/* x1 done=502")
		if res := w.pass(); res.Applied != 1 || w.intents() != 0 {
			t.Errorf("it was carried out, and the look says otherwise: %v; %d intents", res.Failures, w.intents())
		}
		w.demoted(u)
	})
}

// What a call did that was not answered is shown late after the time at which it may last have been carried out.
func TestAnIntentIsAsYoungAsTheAnswerThatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3, Latency: 4 * time.Second})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nroles: [Supervisor]\n", u.Email)
		w.fault("POST /api/v2/authorization/* lost")
		w.pass()
		snap, err := w.Store.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if e := snap.WriteIntents[u.ID][spec.Roles]; time.Since(e.At) > time.Second {
			t.Errorf("the intent is %s old: %+v", time.Since(e.At), e)
		}
	})
}

// A pass ends between two calls of a field: what the first has done is no drift.
func TestKilledBetweenTwoCallsOfAField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.Policy.ReportDrift = true
		us := w.sim.Users()
		declare := func(title, one, two string) {
			w.write("one.yaml", "email: %s\ngroups: %s\n", us[0].Email, one)
			w.write("two.yaml", "email: %s\ntitle: %s\ngroups: %s\n", us[1].Email, title, two)
		}
		declare("One", "[]", "[]")
		w.pass()
		time.Sleep(time.Hour)
		w.pass()
		declare("Two", "[Dublin, Madrid]", "[Madrid]") // both are to join Madrid, with one call after the title
		if !w.kill(unsent, 1, func(line string) bool {
			title := strings.Contains(line, us[1].ID+" ")
			if title {
				time.Sleep(20 * time.Second) // meanwhile the first has joined Dublin, and that is recorded
			}
			return title
		}) || w.under(w.user(us[0].Email))["groups"] != `["Dublin"]` {
			t.Fatalf("not killed, or not where it should be: %s", w.under(w.user(us[0].Email))["groups"])
		}
		declare("One", "[]", "[]")
		if w.pass(); w.under(w.user(us[0].Email))["groups"] != `[]` {
			t.Errorf("groups are %s", w.under(w.user(us[0].Email))["groups"])
		}
		w.settled()
	})
}

// A number that the API does not show, as it has an extension, is sent again where nobody can tell whether it was written.
func TestANumberThatIsNotShown(t *testing.T) {
	for _, fault := range []string{"PATCH x1 503", "PATCH x1 conflict409", "PATCH x1 lost"} {
		inWorld(t, fault, func(w *world) {
			u := w.sim.Users()[0]
			spec := "email: %s\ntitle: %s\nphones: [{type: work, number: \"%s\", extension: \"9021\", media: phone}]\n"
			w.write("u.yaml", spec, u.Email, "One", "+34600000001")
			w.pass()
			w.write("u.yaml", spec, u.Email, "Two", "+34600000009")
			w.fault(fault)
			w.sim.ResetLedger()
			res := w.pass()
			if sent := w.sim.Ledger().Count("PATCH /api/v2/users/{id}", 200); res.Applied != 1 || sent < 1 {
				t.Errorf("applied %d, sent well %d times\n%s", res.Applied, sent, show(res))
			}
			for _, c := range w.user(u.Email).Contacts {
				if c.Address == "+34600000001" {
					t.Errorf("the number is as it was: %+v", c)
				}
			}
			w.settled()
		})
	}
}

// What is not declared and written all the same, as somebody comes back, is in the history, also if its answer was lost.
func TestComingBackWithoutAnAnswer(t *testing.T) {
	for _, fault := range []string{"PATCH x1 lost", "PATCH x1 done=502"} {
		inWorld(t, fault, func(w *world) {
			w.Policy.OnRemoval = plan.Deactivate
			u := w.sim.Users()[0]
			w.adopted(w.sim.Users()[:2]...)
			w.remove(u.ID + ".yaml")
			w.pass()
			time.Sleep(time.Hour)
			w.write(u.ID+".yaml", "email: %s\nname: %q\n", u.Email, u.Name)
			w.fault(fault)
			w.pass()
			events, err := w.Store.History(state.Query{ID: u.ID, Limit: 1})
			if err != nil || w.byID(u.ID).State != "active" {
				t.Fatal(err, w.byID(u.ID).State)
			}
			if len(events) != 1 || len(events[0].Fields) != 1 || events[0].Fields[0].Field != spec.State || events[0].Fields[0].After != spec.Text("active") {
				t.Errorf("the last write is %+v", events)
			}
		})
	}
}

// The intent of a creation outlasts a pass that gives the user up without knowing whether it was created.
func TestACreationWithoutAnAnswer(t *testing.T) {
	inWorld(t, "twice", func(w *world) {
		w.Retry.Max = 1
		w.write("new.yaml", "email: new@example.com\nname: New\n")
		w.fault("POST /api/v2/users x1 503")
		w.fault("POST /api/v2/users x1 after=1 lost")
		res := w.pass()
		snap, err := w.Store.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if _, left := snap.CreateIntents["new@example.com"]; res.Failed == 1 && !left {
			t.Errorf("no intent is left\n%s", show(res))
		}
		w.sim.ClearFaults()
		time.Sleep(time.Hour)
		w.pass()
		if made := w.sim.Ledger().Creates["new@example.com"]; made > 2 {
			t.Errorf("asked for %d times", made)
		}
		w.settled()
	})
}
