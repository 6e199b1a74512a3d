package sync_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// What a spec refers to and does not exist costs that field: the rest goes on, and what was applied stays.
func TestAWrongReferenceIsAFieldsProblem(t *testing.T) {
	for field, values := range map[string][2]string{
		"manager": {"", "manager: nobody@example.com"}, "skills": {"skills: {Billing: 4}", "skills: {Billing: 4, Biling: 2}"},
		"languages": {"languages: {Spanish: 5}", "languages: {Klingon: 5}"}, "queues": {"queues: [Billing ES]", "queues: [Billing ES, Nowhere]"},
		"groups": {"groups: [Madrid]", "groups: [Atlantis]"}, "roles": {"roles: [Employee]", "roles: [Employee, Wizard]"},
		"locations": {"locations: [{name: Madrid HQ}]", "locations: [{name: Atlantis}]"}, "division": {"division: EMEA", "division: Nowhere"},
	} {
		inWorld(t, field, func(w *world) {
			u := w.sim.Users()[0]
			w.write("u.yaml", "email: %s\nname: %q\ntitle: A\n%s\n", u.Email, u.Name, values[0])
			w.pass()
			w.sim.ResetLedger()
			w.write("u.yaml", "email: %s\nname: %q\ntitle: B\n%s\n", u.Email, u.Name, values[1])
			for i := range 2 {
				res := w.pass()
				if len(res.Problems) != 1 || res.Failed != 1 || res.Problems[0].Line != 4 || res.Problems[0].Field != field || len(res.Failures) != 1 {
					w.Errorf("failed %d: %v\n%s", res.Failed, res.Problems, show(res))
				}
				if res.Applied != 1-i {
					w.Errorf("pass %d applied %d:\n%s", i, res.Applied, show(res))
				}
			}
			if got := w.user(u.Email).Title; got != "B" {
				w.Errorf("the rest does not go on: title %q", got)
			}
			for name := range w.writes() {
				if name != "PATCH /users/{id}" {
					w.Errorf("what was applied does not stay: %s", name)
				}
			}
			w.write("u.yaml", "email: %s\nname: %q\ntitle: B\n%s\n", u.Email, u.Name, values[0])
			w.settled()
		})
	}
	inWorld(t, "nobody is made in an unknown division", func(w *world) {
		before := w.accounts()
		w.write("u.yaml", "email: new@example.com\nname: New\ndivision: Nowhere\n")
		if res := w.pass(); res.Failed != 1 || res.Applied > 0 {
			w.Errorf("failed %d:\n%s", res.Failed, show(res))
		}
		w.sameAccounts(before)
	})
	inWorld(t, "nobody is restored to an unknown division", func(w *world) {
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\nname: %q\n", u.Email, u.Name)
		w.pass()
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
		time.Sleep(time.Minute)
		before := w.accounts()
		w.write("u.yaml", "email: %s\nname: %q\ndivision: Nowhere\n", u.Email, u.Name)
		if res := w.pass(); res.Failed != 1 || res.Applied > 0 {
			w.Errorf("failed %d:\n%s", res.Failed, show(res))
		}
		w.sameAccounts(before)
	})
	inWorld(t, "a new user without the wrong field", func(w *world) {
		w.write("u.yaml", "email: new@example.com\nname: New\nmanager: nobody@example.com\nskills: {Biling: 3}\n")
		res := w.pass()
		if _, made := w.sim.User("new@example.com"); !made || res.Applied != 1 || len(res.Problems) != 2 {
			w.Errorf("%v\n%s", res.Problems, show(res))
		}
	})
}

// References are checked against what the plan leads to, and not against what was.
func TestReferencesAfterThePlan(t *testing.T) {
	manager := func(w *world, test func(boss, report sim.User)) {
		us := w.sim.Users()
		w.write("boss.yaml", "email: %s\nname: %q\n", us[0].Email, us[0].Name)
		w.write("report.yaml", "email: %s\nname: %q\nmanager: %s\n", us[1].Email, us[1].Name, us[0].Email)
		w.pass()
		test(us[0], us[1])
	}
	inWorld(t, "renamed", func(w *world) {
		manager(w, func(boss, report sim.User) {
			w.write("boss.yaml", "email: boss@example.com\npreviousEmail: %s\nname: %q\n", boss.Email, boss.Name)
			w.write("report.yaml", "email: %s\nname: %q\nmanager: boss@example.com\n", report.Email, report.Name)
			if res := w.pass(); res.Failed > 0 {
				w.Errorf("%v", res.Problems)
			}
			w.settled()
		})
	})
	inWorld(t, "by the address until now", func(w *world) {
		manager(w, func(boss, _ sim.User) {
			w.write("boss.yaml", "email: boss@example.com\npreviousEmail: %s\nname: %q\n", boss.Email, boss.Name)
			if res := w.pass(); res.Failed != 1 || !strings.Contains(res.Problems[0].Message, `"boss@example.com"`) && !strings.Contains(res.Problems[0].Message, "the former address of boss@example.com") {
				w.Errorf("failed %d: %v", res.Failed, res.Problems)
			}
		})
	})
	inWorld(t, "inactive", func(w *world) {
		manager(w, func(boss, _ sim.User) {
			w.write("boss.yaml", "email: %s\nname: %q\nstate: inactive\n", boss.Email, boss.Name)
			if res := w.pass(); res.Failed > 0 || len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "becomes inactive") {
				w.Errorf("%v %v", res.Problems, res.Notes)
			}
		})
	})
	inWorld(t, "deleted with this plan", func(w *world) {
		manager(w, func(boss, report sim.User) {
			w.remove("boss.yaml")
			w.write("report.yaml", "email: %s\nname: %q\nmanager: %s\ntitle: New\n", report.Email, report.Name, boss.Email)
			res := w.pass()
			if res.Failed != 1 || !strings.Contains(res.Problems[0].Message, "is deleted with this plan") || w.user(report.Email).Title != "New" {
				w.Errorf("failed %d: %v\n%s", res.Failed, res.Problems, show(res))
			}
			if res = w.pass(); res.Failed != 1 || strings.Contains(res.Problems[0].Message, "did you mean \""+boss.Email) {
				w.Errorf("failed %d: %v", res.Failed, res.Problems)
			}
		})
	})
}

// Who is to be inactive becomes it, whatever else is wrong with the spec.
func TestALeaverLeavesWhateverElseIsWrong(t *testing.T) {
	for name, wrong := range map[string]string{
		"an unknown field": "titel: X", "a wrong value": "skills: {Billing: 9}", "a manager who is gone": "manager: nobody@example.com",
		"an unknown skill": "skills: {Biling: 3}", "a role that may not be given": "roles: [Master Admin]", "an unknown division": "division: Nowhere",
	} {
		for _, strict := range []bool{true, false} {
			inWorld(t, name, func(w *world) {
				w.Policy.Guard.Roles = nil
				us := w.sim.Users()
				w.write("a.yaml", "email: %s\nname: %q\ntitle: A\n", us[0].Email, us[0].Name)
				w.write("b.yaml", "email: %s\nname: %q\ntitle: A\n", us[1].Email, us[1].Name)
				w.pass()
				w.write("a.yaml", "email: %s\nname: %q\ntitle: B\nstate: inactive\n%s\n", us[0].Email, us[0].Name, wrong)
				w.write("b.yaml", "email: %s\nname: %q\ntitle: B\n", us[1].Email, us[1].Name)
				res, err := w.Reconcile(w.Context(), usersync.Mode{Strict: strict, ForceRefresh: true})
				if err != nil && !errors.Is(err, usersync.ErrProblems) || res == nil {
					w.Fatalf("%v", err)
				}
				if got := w.byID(us[0].ID); got.State != "inactive" || strings.Contains(name, "field") && got.Title != "A" {
					w.Errorf("the leaver is %s with title %s: %v\n%s", got.State, got.Title, err, show(res))
				}
				if got := w.byID(us[1].ID).Title; errors.Is(err, usersync.ErrProblems) != (got == "A") {
					w.Errorf("%v, and another user has the title %s", err, got)
				}
				again, err := w.Reconcile(w.Context(), usersync.Mode{Strict: strict, ForceRefresh: true})
				if again != nil && again.Applied > 0 {
					w.Errorf("%v\n%s", err, show(again))
				}
			})
		}
	}
	inWorld(t, "not in a file that is not whole", func(w *world) {
		u := w.sim.Users()[0]
		w.write("a.yaml", "email: %s\nname: %q\n", u.Email, u.Name)
		w.pass()
		w.write("a.yaml", "email: %s\nstate: inactive\ntitle: \"never ends\n", u.Email)
		res, err := w.once()
		if res != nil || !errors.Is(err, usersync.ErrProblems) || w.byID(u.ID).State != "active" {
			w.Errorf("%v, %v", res, err)
		}
	})
	inWorld(t, "guards apply", func(w *world) {
		w.Policy.Guard.Deactivations = &plan.Limit{}
		w.declareAll("title: A")
		w.pass()
		for _, u := range w.sim.Users() {
			w.write(u.Email+".yaml", "email: %s\nstate: inactive\ntitel: X\n", u.Email)
		}
		res, err := w.once()
		if res == nil || !errors.Is(err, usersync.ErrProblems) || res.Held != 5 || res.Applied > 0 {
			w.Errorf("%v %+v", err, res)
		}
	})
}
