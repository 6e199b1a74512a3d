package sync_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// late is an organization whose reads of roles and queues are behind by most of the time that they may be.
func late() sim.Options {
	return sim.Options{Users: 3, GrantLag: 50 * time.Second, QueueDelay: 50 * time.Second}
}

// export writes the organization into the checkout, all fields or some.
func (w *world) export(fields ...spec.Field) *usersync.ExportResult {
	w.Helper()
	if len(fields) == 0 {
		for _, info := range spec.AllFields() {
			fields = append(fields, info.Field)
		}
	}
	out, err := w.Export(context.Background(), fields, spec.Division)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := rewrite.Write(context.Background(), spec.NewLoader(w.dir), out.Users, rewrite.Options{Fields: fields}); err != nil {
		w.Fatal(err)
	}
	return out
}

func (w *world) text(name string) string {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.Fatal(err)
	}
	return string(data)
}

// access is what a user may do: queues and roles, by name.
func (w *world) access(email string) string {
	w.Helper()
	u := w.user(email)
	var have []string
	for _, g := range u.Grants {
		have = append(have, w.sim.NameOf(sim.Role, g.Role))
	}
	for _, name := range []string{"Billing ES", "Complaints"} {
		if slices.Contains(w.sim.Members(sim.Queue, w.sim.IDOf(sim.Queue, name)), u.ID) {
			have = append(have, name)
		}
	}
	return strings.Join(have, ", ")
}

// day makes a pass each hour for a day.
func (w *world) day() {
	w.Helper()
	for range 25 {
		time.Sleep(time.Hour)
		w.pass()
	}
}

// A pass creates users and changes one, and an export follows at once: the specs keep their roles and queues, and a
// day later nobody has lost any.
func TestExportStraightAfterAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late())
		old := w.sim.Users()[0]
		w.write("old.yaml", "email: %s\nroles: [Employee]\n", old.Email)
		w.write("_defaults.yaml", "division: Home\n")
		w.pass()
		time.Sleep(time.Hour)
		w.write("old.yaml", "email: %s\nroles: [Employee, Supervisor]\nqueues: [Billing ES]\nskills: {Billing: 3}\n", old.Email)
		w.write("new.yaml", "email: new@example.com\nname: New\nroles: [Employee]\nqueues: [Billing ES, Complaints]\n")
		w.pass()
		w.export()
		for _, name := range []string{"old.yaml", "new.yaml"} {
			if text := w.text(name); !strings.Contains(text, "Employee") || !strings.Contains(text, "Billing ES") {
				t.Errorf("%s is rewritten:\n%s", name, text)
			}
		}
		w.pass()
		w.day()
		if got := w.access("new@example.com"); got != "Employee, Billing ES, Complaints" {
			t.Errorf("the new user has %s", got)
		}
		if got := w.access(old.Email); got != "Employee, Supervisor, Billing ES" {
			t.Errorf("the changed user has %s", got)
		}
	})
}

// What a user who was just made has, and no spec says, is not known yet: it is left out, and counted; a minute later it
// is exported.
func TestExportLeavesOutWhatIsNotKnownYet(t *testing.T) {
	for _, lost := range []bool{false, true} { // the answer to the creation
		exportLeavesOut(t, lost)
	}
}

func exportLeavesOut(t *testing.T, lost bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late())
		w.write("new.yaml", "email: new@example.com\nname: New\n")
		if !lost {
			w.write("new.yaml", "email: new@example.com\nname: New\nroles: [Employee]\n")
		} else {
			w.fault("POST /api/v2/users x1 lost")
		}
		w.pass()
		u := w.user("new@example.com")
		w.sim.SetMembers(sim.Queue, w.sim.IDOf(sim.Queue, "Complaints"), u.ID)
		out := w.export(spec.Roles, spec.Queues, spec.Skills, spec.Title)
		text := w.text("new.yaml")
		if strings.Contains(text, "roles: [Employee]") == lost || strings.Contains(text, "queues") || strings.Contains(text, "skills") {
			t.Errorf("exported at once:\n%s", text)
		}
		if want := map[bool]int{false: 2, true: 3}[lost]; out.Omitted.Fields != want || out.Omitted.Users != 1 || out.Omitted.Until.Before(time.Now()) || time.Until(out.Omitted.Until) > plan.ReadLag {
			t.Errorf("told: %+v", out.Omitted)
		}
		time.Sleep(time.Until(out.Omitted.Until))
		if out := w.export(spec.Roles, spec.Queues, spec.Skills, spec.Title); out.Omitted.Fields != 0 {
			t.Errorf("a minute later: %+v", out.Omitted)
		}
		if text := w.text("new.yaml"); !strings.Contains(text, "Complaints") || !strings.Contains(text, "roles: [Employee]") { // which every new user has
			t.Errorf("exported a minute later:\n%s", text)
		}
	})
}

// A field that is in the file stays there as long as it cannot be told what the organization has.
func TestExportKeepsTheLineOfWhatIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late())
		w.write("new.yaml", "email: new@example.com\nname: New\nroles: [Employee]\n")
		w.pass()
		w.write("new.yaml", "email: new@example.com\nname: New\nroles: [Employee]\nqueues: [Complaints] # not applied yet\n")
		w.export(spec.Utilization)
		if text := w.text("new.yaml"); !strings.Contains(text, "queues: [Complaints] # not applied yet") {
			t.Errorf("exported:\n%s", text)
		}
	})
}

// A process was killed before it could record whom it made: an export straight after that does not know what the new
// user has.
func TestExportAfterAProcessWasKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late())
		u := w.sim.Add(sim.User{Name: "New", Email: "new@example.com"})
		if err := w.Store.Commit(state.Commit{CreateIntents: []state.Intent{{Key: u.Email, Plan: "p", Started: time.Now()}}}); err != nil {
			t.Fatal(err)
		}
		w.write("new.yaml", "email: new@example.com\nname: New\nroles: [Employee]\n")
		if out := w.export(spec.Roles, spec.Title); out.Omitted.Fields != 1 || !strings.Contains(w.text("new.yaml"), "roles: [Employee]") {
			t.Errorf("exported %+v:\n%s", out.Omitted, w.text("new.yaml"))
		}
	})
}

// After the state file was rebuilt nobody knows what was written last. What may be read late is left alone.
func TestExportWithARebuiltStateFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late())
		w.write("new.yaml", "email: new@example.com\nname: New\nroles: [Employee]\nqueues: [Complaints]\n")
		w.pass()
		w.close()
		if err := os.WriteFile(w.state, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.open()
		out := w.export(spec.Roles, spec.Queues, spec.Title)
		text := w.text("new.yaml")
		if !strings.Contains(text, "roles: [Employee]") || !strings.Contains(text, "queues: [Complaints]") || !out.Omitted.Rebuilt || out.Omitted.Users != 4 {
			t.Errorf("exported %+v:\n%s", out.Omitted, text)
		}
		w.day()
		if got := w.access("new@example.com"); got != "Employee, Complaints" {
			t.Errorf("a day later the user has %s", got)
		}
	})
}

// A plan and a rollback straight after a pass go by what it wrote, and not by what is read late: the one finds nothing
// to do, and the other all that is to be rolled back.
func TestPlanAndRollbackStraightAfterAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late())
		old := w.sim.Users()[0]
		w.write("old.yaml", "email: %s\nroles: [Employee]\nqueues: [Complaints]\n", old.Email)
		w.pass()
		time.Sleep(time.Hour)
		w.write("old.yaml", "email: %s\nroles: [Supervisor]\nqueues: [Billing ES]\n", old.Email)
		done := w.pass()
		dry, err := w.Reconcile(context.Background(), usersync.Mode{Strict: true, DryRun: true, ForceRefresh: true})
		if err != nil || dry.Changed != 0 {
			t.Errorf("a plan right after finds %v\n%s", err, show(dry))
		}
		w.export()
		e := w.told(old.Email, true)
		if got := verdicts(e); !strings.Contains(got, "roles in sync") || !strings.Contains(got, "queues in sync") {
			t.Errorf("explained: %s", got)
		}
		if res := w.rollback(plan.Rollback{Revision: done.Revision}); res.Applied != 1 || res.Skipped != 0 {
			t.Errorf("rolled back: %s", show(res))
		}
		time.Sleep(time.Hour)
		if got := w.access(old.Email); got != "Employee, Complaints" {
			t.Errorf("after the rollback the user has %s", got)
		}
	})
}

// lateDivisions is a directory that shows a user in the home division until a time.
type lateDivisions struct {
	usersync.Directory
	until time.Time
}

func (d lateDivisions) Get(ctx context.Context, id string, fields ...spec.Field) (state.Observed, error) {
	now, err := d.Directory.Get(ctx, id, fields...)
	if err == nil && time.Now().Before(d.until) {
		now.Fields.Set(spec.Division, spec.Text("Home"))
	}
	return now, err
}

// In the middle of a pass a user is read again, as an answer was lost: what an earlier call of the pass has written, and the
// reading does not show yet, is not written a second time.
func TestReadAgainInTheMiddleOfAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, late())
		w.Directory = lateDivisions{w.Directory, time.Now().Add(plan.ReadLag)}
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ndivision: EMEA\ngroups: [Madrid]\n", u.Email)
		w.Retry.No5xx = true
		w.fault("POST /api/v2/groups/* x1 done=502")
		res := w.pass()
		if n := w.writes(); n["POST /authorization/divisions/{division}/objects/USER"] != 1 || n["POST /groups/{group}/members"] != 1 || res.Applied != 1 {
			t.Errorf("sent %v\n%s", n, show(res))
		}
		if got := w.sim.NameOf(sim.Division, w.user(u.Email).Division); got != "EMEA" {
			t.Errorf("the user is in %s", got)
		}
	})
}

// A new user is known while no listing shows it, though it is no longer managed: declared again, it has what usersyncd wrote.
func TestANewUserThatIsDeclaredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 1, Full: true, ReadLag: 11 * time.Second, GrantLag: 31 * time.Second})
		w.write("ana.yaml", "email: %s\n", w.sim.Users()[0].Email)
		for _, spec := range []string{"roles: [Employee]", "", "roles: []"} {
			if spec == "" {
				w.remove("new.yaml")
			} else {
				w.write("new.yaml", "email: new@example.com\nname: New\n%s\n", spec)
			}
			if res, err := w.once(); err != nil || res.Failed > 0 {
				t.Fatalf("%q: %v\n%s", spec, err, show(res))
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		if roles := w.under(w.user("new@example.com"))["roles"]; roles != "[]" {
			t.Errorf("roles are %s, declared []", roles)
		}
	})
}

// What no listing shows is not read again within an hour, so that an export which was interrupted goes on.
func TestExportGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 400, Full: true, Latency: 100 * time.Millisecond})
		reads := func() int { return w.sim.Ledger().Count("GET /api/v2/routing/users/{id}/utilization") }
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := w.Export(ctx, []spec.Field{spec.Utilization}, spec.Division); err == nil {
			t.Fatal("it was over before it could be interrupted")
		}
		first := reads()
		w.export(spec.Utilization)
		if first == 0 || reads() > 400+w.Workers {
			t.Errorf("%d were read before the interruption, %d in all", first, reads())
		}
		time.Sleep(time.Hour)
		before := reads()
		w.export(spec.Utilization)
		if n := reads() - before; n != 400 {
			t.Errorf("%d are read after an hour", n)
		}
	})
}
