package sync_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// 500 users, a change to each: one call a user, and the second pass sends nothing.
func TestEveryoneChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 500, Latency: 30 * time.Millisecond})
		w.declareAll("department: Moved")
		began := time.Now()
		res := w.pass()
		l := w.sim.Ledger()
		if res.Applied != 500 || res.Failed != 0 || l.Count(patch) != 500 || l.Count("GET /api/v2/users") > 3 || l.Tokens != 1 || l.Throttled != 0 {
			t.Errorf("applied %d, failed %d, ledger %+v", res.Applied, res.Failed, l)
		}
		if len(l.Unreal) > 0 {
			t.Errorf("asked for what the API does not have: %v", l.Unreal)
		}
		t.Logf("%d calls in %s", l.Count(patch), time.Since(began))
		w.settled()
	})
}

// A dry run sends no write and leaves the state file as it is.
func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.declareAll("department: Moved")
		res, err := w.Reconcile(context.Background(), usersync.Mode{Strict: true, DryRun: true, ForceRefresh: true})
		if err != nil {
			t.Fatal(err)
		}
		snap, err := w.Store.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if res.Pending != 5 || w.sim.Ledger().Count(patch) != 0 || len(snap.Users) != 0 {
			t.Errorf("pending %d, sent %d, remembered %d users", res.Pending, w.sim.Ledger().Count(patch), len(snap.Users))
		}
	})
}

// The life of one user, a step a pass: what is asked for, what is sent, what is there afterwards.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		calls := func(want map[string]int) {
			t.Helper()
			got := map[string]int{}
			for name, byStatus := range w.sim.Ledger().Calls {
				if name != "POST /oauth/token" && name != "GET /api/v2/users" && name != "GET /api/v2/organizations/me" {
					for _, n := range byStatus {
						got[name] += n
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			w.sim.ResetLedger()
		}
		boss := w.sim.Users()[0]

		w.write("new.yaml", "email: New.User@example.com\nname: New User\ntitle: Agent\n")
		w.pass()
		calls(map[string]int{"POST /api/v2/users": 1, "POST /api/v2/users/search": 1})
		if u := w.user("new.user@example.com"); u.State != "active" || u.Title != "Agent" {
			t.Errorf("created as %+v", u)
		}

		w.write("new.yaml", "email: new.user@example.com\nname: New User\ntitle: Agent\nmanager: %s\npreferredName: Neo\nacdAutoAnswer: true\ncertifications: [PCI]\nemployer: {employeeId: \"007\"}\nphones: [{type: work, number: \"+34600000001\", extension: \"4021\", media: phone}]\nemails: [{type: home, address: neo@home.example}]\n", boss.Email)
		w.pass()
		calls(map[string]int{patch: 1})
		if u := w.user("new.user@example.com"); u.Manager != boss.ID || u.PreferredName != "Neo" || !u.ACDAutoAnswer || u.Employer.EmployeeID != "007" || len(u.Contacts) != 2 {
			t.Errorf("updated to %+v", u)
		}
		w.settled()
		w.sim.ResetLedger()

		w.sim.Edit("new.user@example.com", func(u *sim.User) { u.Title, u.Biography = "Hacked", "mine" })
		res := w.pass()
		calls(map[string]int{patch: 1})
		if u := w.user("new.user@example.com"); u.Title != "Agent" || u.Biography != "mine" || res.Changes[0].Cause != plan.Drift {
			t.Errorf("after drift %+v, cause %s", u, res.Changes[0].Cause)
		}

		id := w.user("new.user@example.com").ID
		w.write("new.yaml", "email: neo@example.com\nid: %s\nname: Neo\nstate: inactive\n", id)
		w.pass()
		calls(map[string]int{patch: 2}) // the state travels alone
		if u := w.user("neo@example.com"); u.ID != id || u.State != "inactive" || u.Name != "Neo" || u.Title != "Agent" {
			t.Errorf("renamed to %+v", u)
		}

		w.remove("new.yaml")
		w.write("other.yaml", "email: %s\n", boss.Email)
		res = w.pass()
		calls(map[string]int{})
		if res.Changed != 1 || res.Changes[0].Action != plan.Unmanage {
			t.Errorf("removed: %s", show(res))
		}
		w.settled()
		w.sim.ResetLedger()

		w.sim.Edit("neo@example.com", func(u *sim.User) { u.State = "deleted" })
		time.Sleep(time.Minute) // until the search knows it
		w.write("new.yaml", "email: neo@example.com\nname: Neo again\n")
		w.pass()
		calls(map[string]int{"POST /api/v2/users/search": 1, "GET /api/v2/users/{id}": 1, patch: 2})
		if u := w.user("neo@example.com"); u.ID != id || u.State != "active" || u.Name != "Neo again" {
			t.Errorf("restored as %+v", u)
		}
		w.settled()
	})
}

// Managers come before their reports when both are new, and two who manage each other are no knot.
func TestNewManagers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 1})
		w.write("u.yaml", "users:\n- {email: a@x.example, name: A, manager: z@x.example}\n- {email: b@x.example, name: B, manager: c@x.example}\n- {email: c@x.example, name: C, manager: b@x.example}\n- {email: z@x.example, name: Z}\n")
		if res := w.pass(); res.Applied != 4 {
			t.Fatalf("applied %d:\n%s", res.Applied, show(res))
		}
		if got, want := w.user("a@x.example").Manager, w.user("z@x.example").ID; got != want {
			t.Errorf("a's manager is %q, not z", got)
		}
		if got, want := w.user("b@x.example").Manager, w.user("c@x.example").ID; got != want {
			t.Errorf("b's manager is %q, not c", got)
		}
		w.settled()
	})
}

// One bad user never stops the others, and is reported with what its owner needs.
func TestPoisoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 500, Latency: 30 * time.Millisecond})
		w.declareAll("department: Moved")
		users := w.sim.Users()
		for i, effect := range []string{"400", "403", "404", "", "500"} {
			if effect == "" {
				w.sim.Add(sim.User{Email: "taken@example.com", Name: "Taken", State: "deleted"})
				w.write(users[i].Email+".yaml", "email: taken@example.com\nid: %s\ndepartment: Moved\n", users[i].ID)
				continue
			}
			w.fault("PATCH user=" + users[i].Email + " " + effect)
		}
		res := w.pass()
		if res.Applied != 495 || res.Failed != 5 || len(res.Failures) != 5 {
			t.Fatalf("applied %d, failed %d", res.Applied, res.Failed)
		}
		codes := map[int]bool{}
		for _, f := range res.Failures {
			codes[f.Status] = true
			if f.File == "" || f.Line == 0 || f.Code == "" || f.CorrelationID == "" || f.Message == "" {
				t.Errorf("a failure lacks something: %+v", f)
			}
		}
		if diff := cmp.Diff(map[int]bool{400: true, 403: true, 404: true, 409: true, 500: true}, codes); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}

		// The daemon leaves them alone until their time has come.
		w.sim.ResetLedger()
		w.Policy.IgnoreQuarantine = false
		res, err := w.Reconcile(context.Background(), usersync.Mode{})
		if err != nil || res.Quarantined != 5 || w.sim.Ledger().Count(patch) != 0 || res.Retry.IsZero() {
			t.Errorf("quarantined %d, sent %d, next %s, error %v", res.Quarantined, w.sim.Ledger().Count(patch), res.Retry, err)
		}
		time.Sleep(10 * time.Minute)
		w.sim.ClearFaults()
		if res, err = w.Reconcile(context.Background(), usersync.Mode{}); err != nil || res.Applied != 4 || res.Failed != 1 {
			t.Errorf("later: applied %d, failed %d, error %v", res.Applied, res.Failed, err)
		}
	})
}

// Lost answers, version conflicts in both forms and 503s: everybody ends as declared, nobody is made
// twice, and what is not managed is untouched.
func TestTroubledAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 500, Latency: 30 * time.Millisecond, Seed: 7})
		w.declareAll("department: Moved")
		for i := range 20 {
			w.write("new"+string(rune('a'+i))+".yaml", "email: new%d@example.com\nname: New %d\ndepartment: Moved\npreferredName: N\n", i, i)
		}
		before := w.sim.Users()
		for _, text := range []string{"PATCH 10% lost", "POST /api/v2/users 30% lost", "PATCH 2.5% conflict409", "PATCH 2.5% conflict400", "5% 503"} {
			w.fault(text)
		}
		res := w.pass()
		if res.Applied != 520 {
			t.Errorf("applied %d, failed %d:\n%s", res.Applied, res.Failed, show(res))
		}
		for i, u := range w.sim.Users() {
			if u.Department != "Moved" {
				t.Errorf("%s is in %s", u.Email, u.Department)
			}
			if i < len(before) {
				u.Department, u.Version, u.Writes, u.Biography = before[i].Department, before[i].Version, before[i].Writes, before[i].Biography
				if diff := cmp.Diff(before[i], u); diff != "" {
					t.Errorf("%s: what is not managed changed:\n%s", u.Email, diff)
				}
			}
		}
		l := w.sim.Ledger()
		if made := l.Count("POST /api/v2/users", 200); made != 20 {
			t.Errorf("%d users were made, not 20", made)
		}
		if l.Throttled > 0 {
			t.Errorf("%d calls were throttled", l.Throttled)
		}
		w.settled()
	})
}

// Two hours of throttling: the quota is cut to a fifth, then restored; nobody is lost, and 429s stay rare.
func TestLongThrottle(t *testing.T) {
	t.Parallel()
	users, throttle := 1000, 15*time.Minute
	if long() {
		users, throttle = 7600, 2*time.Hour
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: users, Latency: 50 * time.Millisecond, Quota: sim.Quota{Limit: 300}})
		w.declareAll("department: Moved")
		time.AfterFunc(30*time.Second, func() { w.sim.SetLimit(60) })
		restore := time.AfterFunc(throttle, func() { w.sim.SetLimit(300) })
		defer restore.Stop()
		began := time.Now()
		res := w.pass()
		took, l := time.Since(began), w.sim.Ledger()
		t.Logf("%d applied in %s, %d throttled", res.Applied, took, l.Throttled)
		if res.Applied != users {
			t.Errorf("applied %d of %d", res.Applied, users)
		}
		if took < throttle || l.Throttled > users/100 {
			t.Errorf("took %s, %d of %d calls were throttled", took, l.Throttled, users)
		}
	})
}

// An API that is down ends the pass soon, and costs no user its place.
func TestAPIDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 200})
		w.declareAll("department: Moved")
		w.sim.AddFault(sim.Fault{Method: "PATCH", Effect: sim.Drop})
		res, err := w.once()
		if !errors.Is(err, apply.ErrUncertain) || res.Pending == 0 {
			t.Fatalf("pending %d, error %v", res.Pending, err)
		}
		w.sim.ClearFaults()
		if res := w.pass(); res.Pending+res.Failed != 0 {
			t.Errorf("afterwards:\n%s", show(res))
		}
		w.settled()
	})
}

// A pass that is interrupted records what it sent, and the next one does the rest and no more.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 300, Latency: 30 * time.Millisecond})
		w.declareAll("department: Moved")
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		res, err := w.Reconcile(ctx, usersync.Mode{Strict: true, ForceRefresh: true})
		if err == nil || res.Applied == 0 || res.Pending == 0 {
			t.Fatalf("applied %d, pending %d, error %v", res.Applied, res.Pending, err)
		}
		if sent := w.sim.Ledger().Count(patch); sent != res.Applied {
			t.Errorf("%d calls were sent, and %d recorded", sent, res.Applied)
		}
		w.close()
		w.open()
		w.pass()
		if sent := w.sim.Ledger().Count(patch); sent != 300 {
			t.Errorf("%d calls in both passes, not 300", sent)
		}
		w.settled()
	})
}

// A quiet pass reads files and one small record, and makes no call.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 20})
		w.declareAll("department: Moved")
		w.pass()
		w.sim.ResetLedger()
		res, err := w.Reconcile(context.Background(), usersync.Mode{})
		if err != nil || res.Unchanged != 20 || len(w.sim.Ledger().Calls) != 0 {
			t.Errorf("unchanged %d, calls %v, error %v", res.Unchanged, w.sim.Ledger().Calls, err)
		}
		time.Sleep(20 * time.Minute)
		if _, err := w.Reconcile(context.Background(), usersync.Mode{}); err != nil || w.sim.Ledger().Count("GET /api/v2/users") == 0 {
			t.Errorf("the refresh was due: calls %v, error %v", w.sim.Ledger().Calls, err)
		}
	})
}

// A pass waits for the end of a checkout instead of acting on half of one.
func TestCheckoutInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.declareAll("department: Moved")
		w.write(".git/HEAD", "ref: refs/heads/main\n")
		w.write(".git/index.lock", "")
		time.AfterFunc(2*time.Second, func() { w.remove(".git/index.lock") })
		if res := w.pass(); res.Applied != 5 {
			t.Errorf("applied %d:\n%s", res.Applied, show(res))
		}
		w.write(".git/index.lock", "")
		if _, err := w.once(); !errors.Is(err, spec.ErrTreeChanged) {
			t.Errorf("a lock that stays ends in %v", err)
		}
	})
}

// One edited file is one call, whatever else is declared.
func TestOneEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 400})
		w.declareAll("acdAutoAnswer: false")
		w.pass()
		w.sim.ResetLedger()
		who := w.sim.Users()[200].Email
		w.write(who+".yaml", "email: %s\nacdAutoAnswer: true\n", who)
		res, err := w.Reconcile(context.Background(), usersync.Mode{})
		if err != nil || res.Applied != 1 || res.Unchanged != 399 {
			t.Fatalf("applied %d, unchanged %d, error %v", res.Applied, res.Unchanged, err)
		}
		if diff := cmp.Diff(map[string]map[int]int{patch: {200: 1}}, w.sim.Ledger().Calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// The daemon leaves out the users whose specs are broken, removes nobody meanwhile, and goes on.
func TestBrokenSpec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.declareAll("department: Moved")
		w.pass()
		users := w.sim.Users()
		w.write(users[0].Email+".yaml", "email: %s\ndepartmnt: Typo\n", users[0].Email)
		w.write(users[1].Email+".yaml", "email: %s\ndepartment: Again\n", users[1].Email)
		w.remove(users[2].Email + ".yaml")
		res, err := w.Reconcile(context.Background(), usersync.Mode{})
		if err != nil || len(res.Problems) != 1 || res.Applied != 1 || res.Changed != 1 {
			t.Errorf("problems %v, error %v:\n%s", res.Problems, err, show(res))
		}
		if _, err := w.once(); !errors.Is(err, usersync.ErrProblems) {
			t.Errorf("a strict pass over a broken spec ends in %v", err)
		}
	})
}

// A damaged or foreign state file costs a reading of the organization, and removes nobody.
func TestOtherOrganization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.declareAll("department: Moved")
		w.pass()
		w.close()
		w.sim = sim.New(sim.Options{Users: 5, OrgID: "another", Seed: 2})
		w.open()
		if _, err := w.once(); err == nil {
			t.Error("the state file of one organization was used for another")
		}
	})
}
