package sync_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/saved"
)

// planned makes a plan as usersyncd plan does.
func (w *world) planned() *usersync.Result {
	w.Helper()
	res, err := w.Reconcile(context.Background(), usersync.Mode{Strict: true, DryRun: true, ForceRefresh: true})
	if err != nil {
		w.Fatal(err)
	}
	return res
}

// carryOut makes a pass that is limited to a plan.
func (w *world) carryOut(approved *plan.Approved, id string) (*usersync.Result, error) {
	return w.Reconcile(context.Background(), usersync.Mode{Strict: true, ForceRefresh: true, Approved: approved, Plan: id})
}

func approvedPlan(res *usersync.Result) *plan.Approved {
	return &plan.Approved{Plan: saved.New(plan.Effects(res.Changes, res.Holds)), Name: "plan.json"}
}

// Everybody has fields that take a read for each user. Who leaves goes ahead of these reads, and that only if the plan has it:
// on runners without state, and with fields that wait until the window opens in the pass.
func TestOnlyThePlanIsCarriedOut(t *testing.T) {
	for _, form := range []string{"file", "id", "digest"} {
		t.Run(form, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const count = 120
				w := tapped(t, sim.Options{Users: count, Full: true, Latency: 50 * time.Millisecond, Quota: sim.Quota{Limit: 600}})
				users := w.sim.Users()
				w.declareFresh(count / 2)
				w.write("new.yaml", "email: new@example.com\nname: New\ntitle: T\n")
				first := w.planned()
				w.forget()
				w.Policy.Schedule = hours(t, "Sat 00:02-00:50 UTC")
				var approved *plan.Approved
				id := map[string]string{"id": first.Plan, "digest": first.Digest}[form]
				if form == "file" {
					approved = approvedPlan(first)
				}

				// Another leaver and another new user, and somebody else has moved a user.
				w.write(users[3].Email+".yaml", "email: %s\nstate: inactive\ntitle: T\n", users[3].Email)
				w.write("newer.yaml", "email: newer@example.com\nname: Newer\n")
				w.sim.Edit(users[4].Email, func(u *sim.User) { u.Title = "Moved" })
				if form != "file" {
					began := time.Now()
					res, err := w.carryOut(nil, id)
					if changed := (*usersync.PlanChangedError)(nil); !errors.As(err, &changed) || len(changed.Now) != len(id) || changed.Want != id || res == nil || res.Applied > 0 {
						t.Fatal(err)
					}
					if n := len(after(w.tap, began)); n > 0 {
						t.Errorf("%d writes of another plan", n)
					}
					w.declareFresh(count / 2)
					w.remove("newer.yaml")
					w.sim.Edit(users[4].Email, func(u *sim.User) { u.Title = users[4].Title })
				}
				res, err := w.carryOut(approved, id)
				if err != nil {
					t.Fatal(err)
				}
				if form == "file" {
					if u := w.user(users[3].Email); u.State != "active" || u.Title != "T" {
						t.Errorf("who was to move has left: %+v", u)
					}
					if u := w.user(users[4].Email); u.Title != "Moved" {
						t.Errorf("the title is %s", u.Title)
					}
					if _, found := w.sim.User("newer@example.com"); found {
						t.Error("somebody else was created")
					}
					if len(res.Holds) != 1 || len(res.Holds[0].Users) != 3 || res.HeldInPart != 2 || res.Held != 1 {
						t.Errorf("%+v", res.Holds)
					}
				} else if len(res.Holds) > 0 || res.Applied != count+1 {
					t.Errorf("%d were applied, %v", res.Applied, res.Holds)
				}
				if u := w.user(users[count/2].Email); u.State != "inactive" || u.Title != "T" {
					t.Errorf("the leaver: %+v", u)
				}
				if u := w.user("new@example.com"); u.Title != "T" || res.Failed+res.Deferred+res.Pending > 0 {
					t.Errorf("the new user: %+v; %v", u, res.Failures)
				}
				time.Sleep(time.Second)
				began := time.Now()
				if again, err := w.carryOut(approvedPlan(first), ""); err != nil || len(after(w.tap, began)) > 0 {
					t.Errorf("the second time: %v, %q, %v", err, after(w.tap, began), again.Failures)
				}
			})
		})
	}
}

// Somebody deletes a user, creates another one, and moves a third one, just before the pass gets to them: it does not restore, adopt or
// change back what its plan does not say.
func TestSomebodyElseIsQuicker(t *testing.T) {
	for _, limited := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := tapped(t, sim.Options{Users: 4, Latency: 50 * time.Millisecond})
			users := w.sim.Users()
			deleted, moved := users[0].Email, users[1].Email
			w.declareAll("title: T\ndepartment: D")
			w.pass()
			w.declareAll("title: New\ndepartment: D")
			w.write("new.yaml", "email: new@example.com\nname: New\ntitle: New\n")
			first := w.planned()
			var approved *plan.Approved
			if limited {
				approved = approvedPlan(first)
			}
			var once sync.Once
			w.tap.Hook = func(line string, answered bool) error {
				if name, _, _ := strings.Cut(line, "?"); name == "POST /api/v2/users" || strings.HasPrefix(name, "PATCH") {
					once.Do(func() {
						w.sim.Edit(deleted, func(u *sim.User) { u.State = "deleted" })
						w.sim.Edit(moved, func(u *sim.User) { u.Department = "X" })
						w.sim.Add(sim.User{Email: "new@example.com", Name: "Somebody", State: "active", Texts: sim.Texts{Title: "Boss"}})
					})
				}
				return nil
			}
			res, err := w.carryOut(approved, "")
			if err != nil {
				t.Fatal(err)
			}
			w.tap.Hook = nil
			var failed []string
			for _, f := range res.Failures {
				failed = append(failed, f.Email+": "+f.Message)
			}
			slices.Sort(failed)
			gone, _ := w.sim.User(deleted)
			now := []string{gone.State, w.user(moved).Title, w.user(moved).Department, w.user("new@example.com").Title, w.user(users[2].Email).Title}
			if !limited { // then all of it is made as declared
				if !slices.Equal(now, []string{"active", "New", "D", "New", "New"}) || len(failed) > 0 {
					t.Errorf("%q %q", now, failed)
				}
				return
			}
			if !slices.Equal(now, []string{"deleted", "New", "X", "Boss", "New"}) || len(failed) != 3 {
				t.Errorf("%q %q", now, failed)
			}
			for i, want := range []string{deleted + ": it is not as it was", moved + ": department: it is not as it was", "new@example.com: it is not as it was"} {
				if !slices.ContainsFunc(failed, func(f string) bool { return strings.HasPrefix(f, want) }) {
					t.Errorf("%d: %q has not %s", i, failed, want)
				}
			}
		})
	}
}

// A pass that ends early does the rest of the plan the next time. What is left of a creation is done soon after it, as nothing tells
// later who has created the account.
func TestThePlanGoesOn(t *testing.T) {
	for n := 1; n <= 12; n++ {
		synctest.Test(t, func(t *testing.T) {
			w := tapped(t, sim.Options{Users: 4, Full: true, Latency: 50 * time.Millisecond})
			w.declareAll("title: New\nskills: {Billing: 3}\nroles: [Employee]\nvoicemail: {alertTimeoutSeconds: 33}")
			w.write("new.yaml", "email: new@example.com\nname: New\ntitle: New\nskills: {Billing: 3}\nroles: [Employee, Supervisor]\nvoicemail: {alertTimeoutSeconds: 33}\n")
			first := w.planned()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var mu sync.Mutex
			written := 0
			w.tap.Hook = func(line string, answered bool) error {
				mu.Lock()
				defer mu.Unlock()
				if !answered || strings.HasPrefix(line, "GET ") || strings.Contains(line, "/oauth/") || strings.Contains(line, "/search") {
					return nil
				}
				if written++; written == n {
					cancel()
					if n%2 == 0 {
						return errors.New("the answer is lost")
					}
				}
				return nil
			}
			_, err := w.Reconcile(ctx, usersync.Mode{Strict: true, ForceRefresh: true, Approved: approvedPlan(first)})
			w.tap.Hook = nil
			if err == nil {
				t.Fatalf("%d: it was complete", n)
			}
			time.Sleep(time.Second)
			res, err := w.carryOut(approvedPlan(first), "")
			if err != nil || len(res.Holds)+res.Failed+res.Pending > 0 {
				t.Errorf("%d: %v %v %v", n, err, res.Holds, res.Failures)
			}
			time.Sleep(time.Hour)
			w.settled()
		})
	}
}
