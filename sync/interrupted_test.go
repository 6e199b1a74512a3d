package sync_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A commit changes the title and a field that is written without a version, and the process is killed at each moment
// of a call. The next commit takes it back: the pass after that ends well, and everything is as it was. It does not
// matter whether the field is given or taken away, whether the pass corrects drift, or which call of several it was.
func TestKilledAndTakenBack(t *testing.T) {
	t.Parallel()
	for field, values := range wishes {
		for from := range values {
			for to := range values {
				if from == to {
					continue
				}
				for at, moment := range []string{"unsent", "unrecorded", "unanswered"} {
					for _, report := range []bool{false, true} {
						if report == ((from+to+at)%2 == 0) && !long() {
							continue // one of the two is enough for each moment
						}
						name := fmt.Sprintf("%s/%s to %s/%s/report=%v", field, values[from].there, values[to].there, moment, report)
						t.Run(name, func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) { killedAndTakenBack(t, field, values[from], values[to], at, report) })
						})
					}
				}
			}
		}
	}
}

func killedAndTakenBack(t *testing.T, field string, from, to wish, at int, report bool) {
	w := newWorld(t, sim.Options{Users: 3, Full: true, GrantLag: 20 * time.Second, QueueDelay: 20 * time.Second, ReadLag: 20 * time.Second})
	w.Policy.ReportDrift = report
	u := w.sim.Users()[0]
	name, _, _ := strings.Cut(u.Email, "@")
	declare := func(title string, value wish) {
		w.write("u.yaml", "email: %s\ntitle: %s\n%s: %s\n", u.Email, title, field, strings.ReplaceAll(value.yaml, "%s", name))
	}
	is := func() string { return w.under(w.user(u.Email))[field] }
	want := strings.ReplaceAll(from.there, "%s", name)
	declare("One", from)
	w.pass()
	time.Sleep(time.Hour)
	if w.pass(); is() != want {
		t.Fatalf("%s is %s, not %s", field, is(), want)
	}
	for n := 1; ; n++ {
		declare("Two", to)
		own := func(line string) bool { // a call of the field, and not of the title
			return field == "locations" || !strings.HasPrefix(line, "PATCH /api/v2/users/"+u.ID+" ")
		}
		if !w.kill(moment(at), n, own) {
			break
		}
		time.Sleep(time.Second)
		declare("One", from)
		res := w.pass()
		if time.Sleep(time.Minute); res.Failed > 0 || is() != want || w.user(u.Email).Title != "One" {
			t.Errorf("killed at call %d: %s is %s, not %s, title %s:\n%s%v", n, field, is(), want, w.user(u.Email).Title, show(res), res.Failures)
		}
		w.settled()
		time.Sleep(time.Hour)
	}
}

// Wherever a pass is killed, and whatever is declared next: the pass after that leaves everything as declared, in both
// modes of drift. Nobody had to wait for what is read in turns.
func TestConvergesAfterAKill(t *testing.T) {
	t.Parallel() // it is one of the longest
	rapid.Check(t, func(r *rapid.T) {
		org := sim.Options{
			Users: rapid.IntRange(1, 5).Draw(r, "users"), Full: true, Seed: rapid.Uint64Range(0, 9).Draw(r, "seed"), Latency: 20 * time.Millisecond,
			ReadLag: time.Duration(rapid.IntRange(0, 40).Draw(r, "read lag")) * time.Second, GrantLag: time.Duration(rapid.IntRange(0, 40).Draw(r, "grant lag")) * time.Second,
			QueueDelay: time.Duration(rapid.IntRange(0, 40).Draw(r, "queue delay")) * time.Second, NoVersionBump: rapid.Bool().Draw(r, "no bump"),
		}
		sc := &whole{org: org}
		var people []string
		for _, u := range sim.New(org).Users() {
			people = append(people, u.Email)
		}
		people = append(people, "new0@example.com")
		first, report := drawWishes(r, people), rapid.Bool().Draw(r, "drift is only reported")
		var later []map[string]map[string]wish
		for range rapid.IntRange(1, 3).Draw(r, "kills") {
			n, at := drawKill(r)
			sc.kills, sc.at = append(sc.kills, n), at
			if rapid.Bool().Draw(r, "taken back") {
				later = append(later, first)
			} else {
				later = append(later, drawWishes(r, people))
			}
		}
		sc.later = rapid.SampledFrom(append(later, first)).Draw(r, "in the end")
		var failure error
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, org)
			defer w.close()
			w.Policy.ReportDrift = report
			sc.declare(w, first)
			w.pass()
			time.Sleep(time.Hour)
			w.pass()
			for i, specs := range later {
				sc.declare(w, specs)
				w.kill(sc.at, sc.kills[i], anyCall)
				time.Sleep(time.Second)
			}
			sc.declare(w, sc.later)
			res, err := w.once()
			if time.Sleep(time.Minute); err != nil || res.Failed > 0 {
				failure = fmt.Errorf("the pass after it: %w\n%s%v", err, show(res), res.Failures)
				return
			}
			if failure = sc.asDeclared(w, nil); failure != nil {
				return
			}
			if res, err = w.once(); err != nil || res.Changed > 0 {
				failure = fmt.Errorf("a further pass: %w\n%s", err, show(res))
			}
		})
		if failure != nil {
			r.Fatal(failure)
		}
	})
}

// Who was created a moment ago cannot be read yet, which is no failure: the next pass waits for that, and a daemon's leaves
// out what it has to read.
func TestKilledRightAfterACreation(t *testing.T) {
	for _, at := range []moment{unsent, unrecorded, unanswered} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 3, Full: true, ReadLag: 40 * time.Second})
				w.write("new.yaml", "email: new@example.com\nname: New\nskills: {Billing: 3}\nlocations: [{name: Madrid HQ}]\nutilization: {call: {capacity: 1}}\n")
				for n := 2; w.kill(at, n, anyCall); n++ {
					time.Sleep(time.Second)
					res, err := w.Reconcile(t.Context(), usersync.Mode{})
					if err != nil || res.Failed > 0 {
						t.Errorf("killed at call %d, a daemon's pass: %v\n%s%v", n, err, show(res), res.Failures)
					}
					if res, err = w.once(); err != nil || res.Failed > 0 {
						t.Errorf("killed at call %d: %v\n%s%v", n, err, show(res), res.Failures)
					}
					time.Sleep(time.Hour)
					w.settled()
					w.sim.Edit("new@example.com", func(u *sim.User) { u.Email = fmt.Sprintf("old%d@example.com", n) })
					w.forget()
				}
			})
		})
	}
}

// In a pass that somebody waits for, that is waited for, too, if nothing was killed.
func TestRightAfterACreation(t *testing.T) {
	for name, edit := range map[string]func(w *world){
		"what no listing shows": func(w *world) {
			w.write("new.yaml", "email: new@example.com\nname: New\nutilization: {call: {capacity: 1}}\n")
		},
		"skills":      func(w *world) { w.write("new.yaml", "email: new@example.com\nname: New\nskills: {Billing: 3}\n") },
		"its removal": func(w *world) { w.remove("new.yaml") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 3, Full: true, ReadLag: 40 * time.Second})
				w.Policy.OnRemoval = plan.Deactivate
				w.write("other.yaml", "email: %s\n", w.sim.Users()[0].Email)
				w.write("new.yaml", "email: new@example.com\nname: New\n")
				w.pass()
				time.Sleep(time.Second)
				edit(w)
				if res, err := w.once(); err != nil || res.Applied != 1 || res.Skipped > 0 {
					t.Errorf("%v, applied %d, skipped %d\n%s", err, res.Applied, res.Skipped, show(res))
				}
				time.Sleep(time.Hour)
				w.settled()
			})
		})
	}
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
					} else if got := snap.Users[u.ID]; got == nil || got.Removed != string(action) || got.LastApplied != nil || w.intents() != 0 {
						t.Errorf("remembered is %+v, %d intents", got, w.intents())
					}
					if done := snap.Guards.Tallies; len(done) != 1 || done[0].Removed != 1 {
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
		if done := snap.Guards.Tallies; w.user(u.Email).State != "active" || len(done) != 1 || done[0].Deactivated != 1 {
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
