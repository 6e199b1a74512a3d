package sync_test

import (
	"fmt"
	"slices"
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

func TestWhatDriftedStaysDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ntitle: A\ndepartment: D1\n", u.Email)
		w.pass()
		w.Policy.ReportDrift = true
		w.sim.Edit(u.Email, func(u *sim.User) { u.Title = "By hand" })
		w.write("u.yaml", "email: %s\ntitle: A\ndepartment: D2\n", u.Email)
		w.pass()
		res := w.pass()
		if got := w.user(u.Email).Title; got != "By hand" {
			t.Errorf("drift overwritten: %s\n%s", got, show(res))
		}
	})
}

func TestCreatingInactiveUsersTakesNobodyAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.sim.SetLimit(10000)
		w.Policy.Guard.Deactivations = &plan.Limit{Percent: 10, Floor: 20}
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nstate: active\n", u.Email)
		for i := range 25 {
			w.write(fmt.Sprintf("n%d.yaml", i), "email: n%d@example.com\nname: N\nstate: inactive\n", i)
		}
		w.pass()
		w.write("u.yaml", "email: %s\nstate: inactive\n", u.Email)
		if res := w.pass(); res.Held != 0 {
			t.Errorf("held %+v", res.Holds)
		}
	})
}

func TestADeactivationCountsWhateverFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 60})
		w.sim.SetLimit(10000)
		w.Policy.Guard.Deactivations = &plan.Limit{Percent: 10, Floor: 20}
		users := w.sim.Users()
		w.declareAll("state: active")
		w.pass()
		for round := range 3 {
			for _, u := range users[round*20 : round*20+20] {
				w.write(u.Email+".yaml", "email: %s\nstate: inactive\nprofileSkills: [X%d]\n", u.Email, round)
			}
			w.fault("PUT 400")
			w.pass()
			w.sim.ClearFaults()
		}
		if n := w.removed(users); n > 20 {
			t.Errorf("%d deactivated in a day", n)
		}
	})
}

func TestAReleaseOutlivesQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 100})
		w.sim.SetLimit(10000)
		w.Policy.IgnoreQuarantine = false // as the daemon
		w.Policy.Guard.Removals, w.Policy.OnRemoval = &plan.Limit{Percent: 5, Floor: 10}, plan.Deactivate
		users := w.sim.Users()
		w.declareAll("title: Agent")
		w.pass()
		for _, u := range users[:31] {
			w.remove(u.Email + ".yaml")
		}
		res := w.pass()
		if err := w.Store.Commit(state.Commit{AddReleases: []string{res.Holds[0].ID}}); err != nil {
			t.Fatal(err)
		}
		w.fault("PATCH after=7 400")
		_, _ = w.once()
		w.sim.ClearFaults()
		w.pass() // within quarantine
		time.Sleep(time.Hour)
		res = w.pass()
		if res.Held > 0 || w.removed(users) != 31 {
			t.Errorf("held %d removed %d", res.Held, w.removed(users))
		}
	})
}

func conflictWorld(t *testing.T) *world {
	w := newWorld(t, sim.Options{Users: 30})
	w.write("u.yaml", "email: %s\nname: N\ntitle: T\ndepartment: D\nstate: active\n", w.sim.Users()[0].Email)
	w.pass()
	w.sim.Add(sim.User{Email: "ceo@example.com", Name: "CEO", State: "active", Texts: sim.Texts{Title: "CEO"}})
	time.Sleep(time.Minute)
	return w
}

func TestAProtectedUserWhoIsOnlyFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := conflictWorld(t)
		w.Policy.Guard.Protected = []string{"ceo@example.com"}
		w.Policy.Guard.Deactivations = &plan.Limit{}
		w.write("ceo.yaml", "email: ceo@example.com\nname: Mallory\ntitle: Nobody\nstate: inactive\n")
		res, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, NoRefresh: true})
		if u := w.user("ceo@example.com"); u.Name != "CEO" || u.State != "active" {
			t.Errorf("protected changed: %s %s %s; %v\n%s", u.Name, u.Title, u.State, err, show(res))
		}
	})
}

func TestUnmanagedFieldsOfAUserWhoIsOnlyFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := conflictWorld(t)
		w.Policy.Unmanaged = []spec.Field{spec.Title}
		w.write("ceo.yaml", "email: ceo@example.com\nname: CEO\ntitle: Nobody\n")
		if _, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, NoRefresh: true}); err != nil {
			t.Fatal(err)
		}
		if u := w.user("ceo@example.com"); u.Title != "CEO" {
			t.Errorf("unmanaged title overwritten: %s", u.Title)
		}
	})
}

func TestAdministratorsAreCountedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 6})
		w.Policy.Guard.AdminRoles, w.Policy.Guard.MinAdmins = []string{"Master Admin"}, 2
		users := w.sim.Users()
		role := w.sim.IDOf(sim.Role, "Master Admin")
		if role == "" {
			role = w.sim.Define(sim.Role, "Master Admin")
		}
		for i, u := range users {
			d := u.Division
			w.sim.Edit(u.Email, func(u *sim.User) {
				u.Grants = nil
				if i < 3 {
					u.Grants = []sim.Grant{{Role: role, Division: d}}
				}
			})
		}
		time.Sleep(time.Minute)
		for _, u := range users[:3] {
			w.write(u.Email+".yaml", "email: %s\nroles: [Master Admin]\n", u.Email)
		}
		w.pass()
		for i := range 3 {
			w.write(users[i].Email+".yaml", "email: %s\nroles: []\n", users[i].Email)
			if _, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, NoRefresh: true}); err != nil {
				t.Fatal(err)
			}
		}
		left := 0
		for _, u := range users {
			if len(w.user(u.Email).Grants) > 0 {
				left++
			}
		}
		if left < 2 {
			t.Errorf("%d admins left", left)
		}
	})
}

func testForbid(t *testing.T, fault, line string, n int) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 60, Full: true})
		w.sim.SetLimit(10000)
		users := w.sim.Users()
		for _, u := range users[:n] {
			w.write(u.Email+".yaml", "email: %s\n%s\n", u.Email, line)
		}
		w.write("leaver.yaml", "email: %s\nstate: inactive\n", users[50].Email)
		for _, u := range users[51:] {
			w.write(u.Email+".yaml", "email: %s\ntitle: New title\n", u.Email)
		}
		w.fault(fault)
		w.pass()
		_, err := w.once()
		titles := 0
		for _, u := range w.sim.Users() {
			if u.Title == "New title" {
				titles++
			}
		}
		if st := w.user(users[50].Email).State; st != "inactive" || titles < 9 || err != nil {
			t.Errorf("leaver is %s, %d titles of 9: %v", st, titles, err)
		}
	})
}

func TestForbiddenNamesStopNobodyElse(t *testing.T) {
	testForbid(t, "GET /api/v2/routing/languages 403", "languages: {Spanish: 1}", 1)
}

func TestForbiddenReadsStopNobodyElse(t *testing.T) {
	testForbid(t, "GET /api/v2/voicemail/* 403", "voicemail: {alertTimeoutSeconds: 44}", 12)
}

func TestAQueueThatIsGoneStopsNobodyElse(t *testing.T) {
	testForbid(t, "GET /api/v2/routing/queues/* 404", "queues: [Billing ES]", 40)
}

func TestForbiddenGrantsStopNobodyElse(t *testing.T) {
	testForbid(t, "GET /api/v2/authorization/divisions/* 403", "roles: [Employee]", 40)
}

func TestForbiddenQueuesStopNobodyElse(t *testing.T) {
	testForbid(t, "POST /api/v2/routing/queues/* 403", "queues: [Billing ES]", 40)
}

// A form that would never read back as it is written is refused, with the one that does.
func TestFormsThatDoNotReadBack(t *testing.T) {
	for line, want := range map[string]string{
		"skills: {\"Billing (51000000-0000-4000-8000-000000000001)\": 4}": `that skill is called "Billing"; write it so`,
		"roles: [{role: Employee, divisions: [Home]}]":                    "leave divisions out",
		"roles: [Employee, {role: Employee, divisions: [Home, EMEA]}]":    "leave divisions out",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 2})
			w.write("u.yaml", "email: %s\n%s\n", w.sim.Users()[0].Email, line)
			if res := w.pass(); res.Failed != 1 || !strings.Contains(res.Failures[0].Message, want) {
				t.Errorf("%s: %v", line, res.Failures)
			}
		})
	}
}

func TestWhoCannotBeReadTakesNobodysTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 60, Full: true, Latency: time.Millisecond})
		w.sim.SetLimit(100_000)
		w.declareAll("voicemail: {alertTimeoutSeconds: 30}")
		w.pass()
		users := w.sim.Users()
		slices.SortFunc(users, func(a, b sim.User) int {
			if a.ID < b.ID {
				return -1
			}
			return 1
		})
		for _, u := range users[:5] {
			w.fault("GET /api/v2/voicemail/userpolicies/" + u.ID + " 404")
		}
		w.sim.Edit(users[59].Email, func(u *sim.User) { u.Voicemail.AlertTimeoutSeconds = 99 })
		for range 24 * 4 {
			time.Sleep(time.Hour)
			w.pass()
		}
		if w.user(users[59].Email).Voicemail.AlertTimeoutSeconds == 99 {
			t.Errorf("after four days of hourly passes the drift was never seen")
		}
	})
}

// Roles that nobody knows protect nobody, so what may take administrators away is held until they are named.
func TestAdministratorsOfUnknownRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.Policy.Guard.AdminRoles, w.Policy.Guard.MinAdmins = []string{"Mastre Admin"}, 2
		w.declareAll("state: inactive")
		if res := w.pass(); res.Held != 5 || !strings.Contains(res.Holds[0].Reason, "--admin-roles") {
			t.Errorf("held %d: %v", res.Held, res.Holds)
		}
	})
}

func TestLeavingAQueueThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 4})
		u := w.sim.Users()[0]
		w.write("x.yaml", "email: %s\nqueues: [Billing ES]\n", u.Email)
		w.pass()
		w.sim.Remove(sim.Queue, w.sim.IDOf(sim.Queue, "Billing ES"))
		w.write("x.yaml", "email: %s\nqueues: []\n", u.Email)
		time.Sleep(time.Hour)
		if res := w.pass(); res.Failed > 0 || res.Applied != 1 {
			t.Errorf("%v", res.Failures)
		}
		w.settled()
	})
}

func TestAReleaseOutlivesASelection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 100})
		w.sim.SetLimit(10000)
		w.Policy.Guard.Removals, w.Policy.OnRemoval = &plan.Limit{Percent: 5, Floor: 10}, plan.Deactivate
		users := w.sim.Users()
		w.declareAll("title: Agent")
		w.pass()
		for _, u := range users[:31] {
			w.remove(u.Email + ".yaml")
		}
		res := w.pass()
		if err := w.Store.Commit(state.Commit{AddReleases: []string{res.Holds[0].ID}}); err != nil {
			t.Fatal(err)
		}
		w.Policy.Select.Only = []string{users[50].Email}
		w.pass()
		w.Policy.Select.Only = nil
		if res = w.pass(); res.Held > 0 {
			t.Errorf("held %d: the request for release was lost by a pass of a selection", res.Held)
		}
	})
}

// A role that may not be given is not given again to a user who was deleted and is restored without it.
func TestARoleIsNotGivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 10})
		u := w.sim.Users()[0]
		d := u.Division
		sup := w.sim.IDOf(sim.Role, "Supervisor")
		w.sim.Edit(u.Email, func(u *sim.User) { u.Grants = []sim.Grant{{Role: sup, Division: d}} })
		time.Sleep(time.Minute)
		w.Policy.Guard.Roles = []string{"Employee"}
		w.write("u.yaml", "email: %s\nname: N\nroles: [Supervisor]\ntitle: A\n", u.Email)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted"; u.Grants = nil })
		time.Sleep(time.Minute)
		w.pass()
		x := w.user(u.Email)
		if len(x.Grants) > 0 {
			t.Errorf("granted again though not on the list: %v", x.Grants)
		}
	})
}

// A user who is removed is deactivated whoever owns the field, also when the answer got lost.
func TestARemovalWhoseAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.Policy.OnRemoval, w.Policy.Unmanaged = plan.Deactivate, []spec.Field{spec.State}
		users := w.sim.Users()
		w.declareAll("title: Agent")
		w.pass()
		w.remove(users[0].Email + ".yaml")
		w.fault("PATCH x1 lost")
		if res := w.pass(); res.Failed > 0 || w.user(users[0].Email).State != "inactive" {
			t.Errorf("%s: %v", w.user(users[0].Email).State, res.Failures)
		}
		w.settled()
	})
}
