package sync_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// told returns the explanation of a user, from what the last plan saw, or with fresh from specs and state file.
func (w *world) told(email string, fresh bool) *usersync.Explanation {
	w.Helper()
	explain := w.Explain
	if fresh {
		explain = func(ctx context.Context, email string) (*usersync.Explanation, error) {
			return usersync.Explain(ctx, w.Specs, w.Store, w.Policy, email)
		}
	}
	e, err := explain(context.Background(), email)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

func verdicts(e *usersync.Explanation) string {
	var all []string
	for _, f := range e.Fields {
		if f.Verdict != "not managed" {
			all = append(all, string(f.Field)+" "+f.Verdict)
		}
	}
	return strings.Join(all, ", ")
}

func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 60})
		us := w.sim.Users()
		boss, ana, bad, left := us[0].Email, us[1].Email, us[2].Email, us[3].Email
		w.write("_defaults.yaml", "department: Support\n")
		w.write("team/_defaults.yaml", "title: Agent\n")
		w.write("team/ana.yaml", "email: %s\nmanager: %s\n", ana, boss)
		w.write("bad.yaml", "email: %s\ntitle: Lead\n", bad)
		w.write("left.yaml", "email: %s\ntitle: Lead\n", left)
		w.fault("PATCH 400 user=" + bad)
		w.Policy.IgnoreQuarantine = false
		w.pass()

		for _, fresh := range []bool{false, true} {
			e := w.told(strings.ToUpper(ana), fresh)
			if e.Status != "in sync" || !e.Managed || e.ID != us[1].ID || e.File != "team/ana.yaml" || e.Line != 1 {
				t.Errorf("fresh %v: %+v", fresh, e)
			}
			if want := []string{"_defaults.yaml", "team/_defaults.yaml"}; !slices.Equal(e.Defaults, want) {
				t.Errorf("fresh %v: the defaults that apply are %q", fresh, e.Defaults)
			}
			if got, want := verdicts(e), "email in sync, title in sync, department in sync, manager in sync"; got != want {
				t.Errorf("fresh %v: %s", fresh, got)
			}
			for _, f := range e.Fields {
				desired, applied, live := f.Values()
				switch f.Field {
				case "title":
					if f.File != "team/_defaults.yaml" || !f.Inherited || desired != `"Agent"` || applied != desired || live != desired {
						t.Errorf("fresh %v: title is %+v", fresh, f)
					}
				case "manager":
					if f.Inherited || f.Line != 2 || live != `"`+boss+`"` {
						t.Errorf("fresh %v: manager is %+v, live %s", fresh, f, live)
					}
				}
			}
			if len(e.History) == 0 || e.History[0].ID != us[1].ID {
				t.Errorf("fresh %v: the last writes are %+v", fresh, e.History)
			}

			e = w.told(bad, fresh)
			if (e.Status != "failed" && e.Status != "quarantined") || e.Why == "" || !e.Next.After(time.Now()) || !strings.Contains(verdicts(e), "title edit") {
				t.Errorf("fresh %v: a user whom the API refuses: %+v, %s", fresh, e, verdicts(e))
			}
			if e := w.told(boss, fresh); e.Status != "not declared" || e.Managed || e.ID != us[0].ID {
				t.Errorf("fresh %v: an undeclared user: %+v", fresh, e)
			}
			if e := w.told("nobody@example.com", fresh); e.Status != "unknown" || e.ID != "" || strings.Contains(e.Why, "did you mean") {
				t.Errorf("fresh %v: nobody: %+v", fresh, e)
			}
			if e := w.told("x"+ana, fresh); e.Status != "unknown" || !strings.HasSuffix(e.Why, `; did you mean "`+ana+`"?`) {
				t.Errorf("fresh %v: a typing error: %+v", fresh, e)
			}
		}

		// What happens next is told while nothing was applied yet.
		w.remove("left.yaml")
		w.Policy.Guard.Removals = &plan.Limit{}
		w.write("team/ana.yaml", "email: %s\ntitle: Chief\n", ana)
		if err := w.Store.Commit(state.Commit{Pause: &state.Pause{At: time.Now(), By: "somebody"}}); err != nil {
			t.Fatal(err)
		}
		w.pass()
		for _, fresh := range []bool{false, true} {
			e := w.told(ana, fresh)
			if e.Status != "planned" || e.Paused == nil || !strings.Contains(verdicts(e), "title edit, department in sync") {
				t.Errorf("fresh %v: %+v %s", fresh, e, verdicts(e))
			}
		}
		if e := w.told(left, false); e.Status != "held" || e.Release == "" || e.Action != plan.Unmanage {
			t.Errorf("who is held: %+v", e)
		}
		if e := w.told(left, true); e.Status != "held" || e.Release == "" || !e.Managed || e.AsOf.IsZero() {
			t.Errorf("who is held, looked at from outside: %+v", e)
		}
		w.write("broken.yaml", "email: broken@example.com\ntitel: x\n")
		if _, err := w.Reconcile(context.Background(), usersync.Mode{}); err != nil {
			t.Fatal(err)
		}
		if e := w.told("broken@example.com", true); e.Status != "wrong" || len(e.Problems) == 0 {
			t.Errorf("whose spec is wrong: %+v", e)
		}
	})
}

// Before there is a plan a user is explained from the tree that was read and, while the very first is being read,
// from the state file alone, which is said.
func TestExplainBeforeThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 60})
		us := w.sim.Users()
		boss, ana := us[0].Email, us[1].Email
		w.write("_defaults.yaml", "department: Support\n")
		w.write("ana.yaml", "email: %s\ntitle: Agent\nmanager: %s\n", ana, boss)
		w.pass()
		w.close()
		w.open() // a restart
		w.write("ana.yaml", "email: %s\ntitle: Chief\nmanager: %s\n", ana, boss)
		w.write("new.yaml", "email: new@example.com\nname: New\nmanager: chief@example.com\n")
		w.write("chief.yaml", "email: chief@example.com\nname: Chief\n")

		// Somebody is checking out, so that nothing was read yet.
		w.write(".git/HEAD", "ref: refs/heads/main\n")
		w.write(".git/index.lock", "")
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = w.Reconcile(ctx, usersync.Mode{ForceRefresh: true}) // it is cancelled
		}()
		synctest.Wait()
		e := w.told(ana, false)
		if e.Status != "unknown" || !strings.Contains(e.Why, "being read") || !e.Managed || e.ID != us[1].ID || len(e.History) == 0 {
			t.Errorf("before the tree: %+v", e)
		}
		for _, f := range e.Fields {
			if _, applied, _ := f.Values(); f.Verdict != "unknown" || f.Field == "title" && applied != `"Agent"` {
				t.Errorf("before the tree: %+v", f)
			}
		}
		cancel()
		<-ended
		w.remove(".git/index.lock")
		w.remove(".git/HEAD")
		w.remove(".git")

		// The listing takes an hour: the tree is read, and there is no plan.
		w.fault("GET /api/v2/users slow=1h")
		ctx, cancel = context.WithCancel(context.Background())
		ended = make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = w.Reconcile(ctx, usersync.Mode{ForceRefresh: true}) // it is cancelled
		}()
		for w.Status().Phase != usersync.PhaseRefresh {
			time.Sleep(time.Millisecond)
		}
		w.remove("ana.yaml") // it is not read again
		if w.View() != nil {
			t.Fatal("there is a plan; the test says nothing")
		}
		e = w.told(ana, false)
		if e.Status != "planned" || e.Action != plan.Update || e.File != "ana.yaml" || e.Line != 1 || e.ID != us[1].ID {
			t.Errorf("before the plan: %+v", e)
		}
		if got, want := verdicts(e), "email in sync, title edit, department in sync, manager in sync"; got != want {
			t.Errorf("before the plan: %s", got)
		}
		if e := w.told(boss, false); e.Status != "not declared" || e.ID != us[0].ID {
			t.Errorf("before the plan, who is not declared: %+v", e)
		}
		if e := w.told("new@example.com", false); e.Status != "planned" || e.Action != plan.Create || len(e.Problems) > 0 {
			t.Errorf("before the plan, whose manager is new, too: %+v", e)
		}
		cancel()
		<-ended
	})
}

// A user who is in order is not called wrong for what is wrong beside it, and what waits for a window is told so.
func TestExplainBesideProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 4})
		w.sim.Define(sim.Skill, "Billing")
		us := w.sim.Users()
		ana, gone, waits := us[0].Email, us[1].Email, us[2].Email
		w.write("team.yaml", "users:\n- email: %s\n  title: Lead\n- email: xx%s\n  titel: Lead\n", ana, ana)
		w.write("gone.yaml", "email: %s\ntitle: Lead\n", gone)
		w.write("waits.yaml", "email: %s\nskills: {Billing: 3}\n", waits)
		soon := time.Now().UTC().Add(2 * time.Hour)
		w.Policy.Schedule = hours(t, soon.Format("Mon 15:04")+"-"+soon.Add(time.Hour).Format("15:04")+" UTC")
		if _, err := w.Reconcile(context.Background(), usersync.Mode{}); err != nil {
			t.Fatal(err)
		}
		for _, fresh := range []bool{false, true} {
			if e := w.told(ana, fresh); e.Status != "in sync" || len(e.Problems) > 0 {
				t.Errorf("fresh %v: %s is %s: %s", fresh, ana, e.Status, e.Problems)
			}
			if e := w.told("xx"+ana, fresh); e.Status != "wrong" {
				t.Errorf("fresh %v: xx%s is %s", fresh, ana, e.Status)
			}
			if e := w.told(waits, fresh); !e.WaitsForWindow || e.Next.IsZero() || !strings.Contains(verdicts(e), "skills deferred") {
				t.Errorf("fresh %v: %s waits until %s, with %s", fresh, waits, e.Next, verdicts(e))
			}
		}
		w.write("twice.yaml", "users:\n- email: o'neil@example.com\n- email: o'neil@example.com\n")
		if _, err := w.Reconcile(context.Background(), usersync.Mode{}); err != nil {
			t.Fatal(err)
		}
		if e := w.told("o'neil@example.com", false); e.Status != "wrong" {
			t.Errorf("who is declared twice is %s", e.Status)
		}
		w.remove("twice.yaml")
		w.write("team.yaml", "email: %s\ntitle: Lead\n", ana)
		w.remove("gone.yaml")
		w.Policy.OnRemoval = plan.Delete
		w.pass()
		for _, fresh := range []bool{false, true} {
			if e := w.told(gone, fresh); e.Status != "not declared" || !strings.HasPrefix(e.Why, "it is deleted") && !strings.Contains(e.Why, "(delete)") {
				t.Errorf("fresh %v: who was deleted is %s: %s", fresh, e.Status, e.Why)
			}
		}
	})
}

// Before the organization was read nobody is said not to exist.
func TestExplainBeforeTheOrganizationIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		ana := w.sim.Users()[0].Email
		w.write("ana.yaml", "email: %s\ntitle: Lead\n", ana)
		for _, email := range []string{ana, "nobody@example.com"} {
			if e := w.told(email, true); !strings.Contains(e.Why, "never read") {
				t.Errorf("%s is %s: %s", email, e.Status, e.Why)
			}
		}
	})
}

// Who is declared under another address is not "not declared" under the one that Genesys has.
func TestExplainTheFormerAddress(t *testing.T) {
	inWorld(t, "former", func(w *world) {
		us := w.sim.Users()
		declare := func(renamed bool) {
			for i, u := range us[:2] {
				email, former := u.Email, ""
				if renamed {
					email = "new." + u.Email
				}
				if renamed && i == 0 {
					former = "previousEmail: " + u.Email + "\n"
				}
				w.write(u.ID+".yaml", "%semail: %s\nname: %q\n", former, email, u.Name)
			}
		}
		declare(false)
		w.pass()
		declare(true)
		check := func(fresh bool, status string) {
			e := w.told(us[0].Email, fresh)
			if e.Email != us[0].Email || e.DeclaredAs != "new."+us[0].Email || e.File != us[0].ID+".yaml" || e.Line != 1 || e.Status != status || !e.Managed {
				w.Errorf("fresh %v: %+v", fresh, e)
			}
		}
		check(true, "planned")
		e := w.told(us[1].Email, true)
		if want := "it is managed, and no longer declared; " + us[1].ID + ".yaml:1:1, where it was, declares new." + us[1].Email + " now"; e.Why != want || e.DeclaredAs != "" {
			w.Errorf("by its place: %+v, not %s", e, want)
		}
		w.Policy.Guard.Addresses = &plan.Limit{}
		w.pass()
		for _, fresh := range []bool{false, true} {
			check(fresh, "held")
			if e := w.told(us[1].Email, fresh); e.Status != "held" || !strings.Contains(e.Why, "looks like "+us[1].Email) {
				w.Errorf("fresh %v, by its place: %+v", fresh, e)
			}
		}
	})
}

// A problem is at the same place as in the plan, and what is not compared is not said to be unknown.
func TestExplainTheSame(t *testing.T) {
	inWorld(t, "same", func(w *world) {
		us := w.sim.Users()
		w.Policy.Guard.Roles = []string{"Employee"}
		w.write("a.yaml", "email: %s\nroles:\n  - Employee\n  - Supervisor\n", us[0].Email)
		w.write("b.yaml", "email: %s\nroles: [Employee]\n", us[1].Email)
		w.pass()
		w.write("b.yaml", "email: %s\nroles: [Employee]\nstate: inactive\n", us[1].Email)
		res := w.pass()
		for _, fresh := range []bool{false, true} {
			if e := w.told(us[0].Email, fresh); len(res.Problems) != 1 || len(e.Problems) != 1 || e.Problems[0] != res.Problems[0].String() || res.Problems[0].Line != 4 {
				w.Errorf("fresh %v: %v, and in the plan %v", fresh, e.Problems, res.Problems)
			}
			if e := w.told(us[1].Email, fresh); e.Status != "in sync" || !strings.Contains(verdicts(e), "roles not compared while inactive") {
				w.Errorf("fresh %v: %s: %s", fresh, e.Status, verdicts(e))
			}
		}
	})
}
