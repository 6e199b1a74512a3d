package sync_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A deed is what a guard counts over 24 hours.
type deed struct {
	name   string
	line   string // of everybody's spec before
	does   func(w *world, u sim.User)
	guard  func(g *plan.Guard, l *plan.Limit)
	action plan.Action // on removal
	lost   string      // does it, and loses the answer
}

func deeds() []deed {
	spec := func(line string) func(w *world, u sim.User) {
		return func(w *world, u sim.User) { w.write(u.Email+".yaml", "email: %s\n%s\n", u.Email, line) }
	}
	gone := func(w *world, u sim.User) { w.remove(u.Email + ".yaml") }
	losses := func(g *plan.Guard, l *plan.Limit) { g.Losses = l }
	return []deed{
		{name: "removal by deactivation", line: "title: T", does: gone, guard: func(g *plan.Guard, l *plan.Limit) { g.Removals = l }, action: plan.Deactivate, lost: "PATCH done=504"},
		{name: "removal by deletion", line: "title: T", does: gone, guard: func(g *plan.Guard, l *plan.Limit) { g.Removals = l }, action: plan.Delete, lost: "DELETE x10 done=504"},
		{name: "deactivation", line: "state: active", does: spec("state: inactive"), guard: func(g *plan.Guard, l *plan.Limit) { g.Deactivations = l }, lost: "PATCH done=504"},
		{name: "creation", line: "title: T", does: func(w *world, u sim.User) {
			w.write("new."+u.Email+".yaml", "email: new.%s\nname: New\n", u.Email)
		}, guard: func(g *plan.Guard, l *plan.Limit) { g.Creations = l }, lost: "POST /api/v2/users done=504"},
		{name: "rename", line: "title: T", does: func(w *world, u sim.User) {
			w.write(u.Email+".yaml", "email: new.%s\nid: %s\ntitle: T\n", u.Email, u.ID)
		}, guard: func(g *plan.Guard, l *plan.Limit) { g.Addresses = l }, lost: "PATCH done=504"},
		{name: "loss of a location", line: "locations: [{name: Madrid HQ}]", does: spec("locations: []"), guard: losses, lost: "PATCH done=504"},
		{name: "loss of a queue", line: "queues: [Billing ES]", does: spec("queues: []"), guard: losses, lost: "POST /api/v2/routing/queues/* x1 done=504"},
		{name: "loss of a group", line: "groups: [Madrid]", does: spec("groups: []"), guard: losses, lost: "DELETE /api/v2/groups/* x1 done=504"},
		{name: "loss of a role", line: "roles: [Supervisor]", does: spec("roles: []"), guard: losses, lost: "POST /api/v2/authorization/* x10 done=504"},
		{name: "loss of a skill", line: "skills: {Billing: 3}", does: spec("skills: {}"), guard: losses, lost: "PUT x10 done=504"},
	}
}

// begin makes an organization of sixty, all of them as declared, with a limit of ten.
func (d deed) begin(t *testing.T) (*world, []sim.User) {
	w := newWorld(t, sim.Options{Users: 60, Full: true})
	w.sim.SetLimit(100_000)
	users := w.sim.Users()
	for _, u := range users {
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "active" })
	}
	w.declareAll(d.line)
	w.pass()
	time.Sleep(2 * time.Minute) // until every reading shows it
	d.restart(w)
	if res := w.pass(); res.Changed > 0 {
		t.Fatalf("to begin with:\n%s", show(res))
	}
	return w, users
}

// restart starts the process again, with the limit.
func (d deed) restart(w *world) {
	w.close()
	w.open()
	d.guard(&w.Policy.Guard, &plan.Limit{Floor: 10})
	w.Policy.OnRemoval = d.action
}

// Ten are done, and count: with an answer, with one that was lost, and where nobody ever found out in that pass. A limit
// of ten does not become twenty, after a restart neither; a day later it counts no more.
func TestAllThatIsDoneCounts(t *testing.T) {
	t.Parallel() // it is one of the longest
	for _, d := range deeds() {
		for _, road := range []string{"answered", "lost, and found by reading", "given up, and found by the next pass"} {
			t.Run(d.name+", "+road, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, users := d.begin(t)
					for _, u := range users[:10] {
						d.does(w, u)
					}
					switch road {
					case "lost, and found by reading":
						w.fault(d.lost)
					case "given up, and found by the next pass":
						w.fault(strings.NewReplacer(" x10", "", " x1", "").Replace(d.lost))
						w.fault("GET /api/v2/users/* 500")
						w.fault("POST /api/v2/users/search after=1 500") // the first is of the plan
					}
					res := w.pass()
					if got := answersLost(w); (got > 0) != (road != "answered") {
						t.Errorf("%d calls got no answer", got)
					}
					w.sim.ClearFaults()
					if given := road == "given up, and found by the next pass"; given != (res.Failed == 10) || !given && res.Applied != 10 {
						t.Fatalf("applied %d, failed %d:\n%s", res.Applied, res.Failed, show(res))
					}
					time.Sleep(2 * time.Minute)
					if res := w.pass(); res.Failed+heldUsers(res) > 0 {
						t.Errorf("with the next pass:\n%s", show(res))
					}
					for _, u := range users[10:20] {
						d.does(w, u)
					}
					d.restart(w)
					if n := heldUsers(w.pass()); n != 10 {
						snap, err := w.Store.Snapshot()
						t.Errorf("ten more: %d are held; remembered %+v, %v", n, snap.Guards.Tallies, err)
					}
					time.Sleep(25 * time.Hour)
					if res := w.pass(); heldUsers(res) > 0 || res.Failed > 0 {
						t.Errorf("a day later: %v", res.Holds)
					}
				})
			})
		}
	}
}

// answersLost counts the calls that were carried out without a usable answer.
func answersLost(w *world) int {
	n, l := 0, w.sim.Ledger()
	for name := range l.Calls {
		n += l.Count(name, 504)
	}
	return n
}

// heldUsers counts whom guards hold something of.
func heldUsers(res *usersync.Result) int {
	n := 0
	for _, h := range res.Holds {
		n += len(h.Users)
	}
	return n
}

// What is released does not count, however it was found to be done.
func TestWhatIsReleasedDoesNotCount(t *testing.T) {
	t.Parallel() // it is one of the longest
	for _, d := range deeds() {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprint(d.name, " lost ", lost), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, users := d.begin(t)
					for _, u := range users[:11] {
						d.does(w, u)
					}
					res := w.pass()
					if heldUsers(res) != 11 || len(res.Holds) != 1 {
						t.Fatalf("%v", res.Holds)
					}
					before, err := w.Store.Snapshot()
					if err != nil {
						t.Fatal(err)
					}
					if lost {
						w.fault(d.lost)
					}
					res, err = w.Reconcile(t.Context(), usersync.Mode{Strict: true, ForceRefresh: true, Release: []string{res.Holds[0].ID}})
					w.sim.ClearFaults()
					if err != nil || res.Applied != 11 || len(res.Holds) > 0 {
						t.Fatalf("released: %v, %v\n%s", res.Holds, err, show(res))
					}
					snap, err := w.Store.Snapshot()
					if err != nil || !reflect.DeepEqual(snap.Guards.Tallies, before.Guards.Tallies) {
						t.Errorf("counted: %+v, was %+v, %v", snap.Guards.Tallies, before.Guards.Tallies, err)
					}
					time.Sleep(2 * time.Minute)
					w.pass()
					if snap, err = w.Store.Snapshot(); err != nil || len(snap.Guards.Released) > 0 {
						t.Errorf("still released: %v, %v", snap.Guards.Released, err)
					}
				})
			})
		}
	}
}

// What a process did that was killed before it could record it counts with the next pass, once.
func TestACreationOfAKilledProcessCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 20})
		w.Policy.Guard.Creations = &plan.Limit{Floor: 1}
		w.write("u.yaml", "email: new@example.com\nname: New\n")
		w.write("other.yaml", "email: %s\n", w.sim.Users()[0].Email)
		if err := w.Store.Commit(state.Commit{CreateIntents: []state.Intent{{Key: "new@example.com", Started: time.Now()}}}); err != nil {
			t.Fatal(err)
		}
		w.sim.Add(sim.User{Email: "new@example.com", Name: "New", State: "active"})
		time.Sleep(time.Minute)
		w.pass()
		w.pass()
		snap, err := w.Store.Snapshot()
		if err != nil || len(snap.Guards.Tallies) != 1 || snap.Guards.Tallies[0].Created != 1 {
			t.Errorf("counted: %+v, %v", snap.Guards.Tallies, err)
		}
		w.write("v.yaml", "email: second@example.com\nname: Second\n")
		if res := w.pass(); heldUsers(res) != 1 {
			t.Errorf("the second in a day: %v\n%s", res.Holds, show(res))
		}
	})
}
