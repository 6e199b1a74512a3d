package sync_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A daemon makes passes until there is nothing to do, and hears of changes of the checkout.
type daemon struct {
	*world
	interrupted int // passes
	errs        []error
	done        chan struct{}
}

// daemon makes passes as the daemon does, until one has nothing left to do.
func (w *world) daemon() *daemon {
	d := &daemon{world: w, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		for {
			res, err := w.Reconcile(w.Context(), usersync.Mode{})
			switch {
			case errors.Is(err, usersync.ErrInterrupted):
				d.interrupted++
			case err != nil:
				d.errs = append(d.errs, err)
				return
			case !res.Retry.IsZero():
				time.Sleep(time.Until(res.Retry))
			case res.Pending+res.Applied+res.Failed == 0:
				return
			}
		}
	}()
	return d
}

// end waits until there is nothing to do any more.
func (d *daemon) end() {
	d.Helper()
	<-d.done
	if len(d.errs) > 0 {
		d.Error(d.errs)
	}
	if s := d.Status(); s.Totals.FailedPasses > 0 || s.LastError != nil {
		d.Errorf("%d passes count as having ended early: %v", s.Totals.FailedPasses, s.LastError)
	}
}

// titles writes the title of everybody into one file each.
func (w *world) titleAll(title string) {
	w.Helper()
	w.declareAll("title: " + title)
}

// after returns the writes since a time.
func after(tap *sim.Tap, since time.Time) []string {
	var lines []string
	for _, r := range tap.Sent() {
		if !r.At.Before(since) && !strings.HasPrefix(r.Line, "GET ") && !strings.Contains(r.Line, "/oauth/token") && !strings.Contains(r.Line, "/search") {
			lines = append(lines, r.Line)
		}
	}
	return lines
}

// Interrupted whenever, and for whatever, nothing is lost and nothing is done twice.
func TestInterruptedAtRandom(t *testing.T) {
	t.Parallel() // it is one of the longest
	rapid.Check(t, func(r *rapid.T) {
		org := sim.Options{Users: rapid.IntRange(1, 12).Draw(r, "users"), Full: true, Latency: 100 * time.Millisecond,
			Seed: rapid.Uint64Range(0, 5).Draw(r, "seed")}
		cuts := rapid.SliceOfN(rapid.IntRange(0, 3000), 0, 12).Draw(r, "milliseconds between interruptions")
		lost := rapid.IntRange(0, 3).Draw(r, "answers lost")
		creates := rapid.IntRange(0, 3).Draw(r, "new users")
		var failure error
		synctest.Test(t, func(t *testing.T) {
			w := tapped(t, org)
			w.declareAll("title: Moved\nskills: {Billing: 3}\nlanguages: {Spanish: 2}\nqueues: [Billing ES]\ngroups: [Madrid]")
			for i := range creates {
				w.write(fmt.Sprintf("new%d.yaml", i), "email: new%d@example.com\nname: New\nskills: {Billing: 1}\nroles: [Employee]\n", i)
			}
			if lost > 0 {
				w.fault(fmt.Sprintf("PATCH after=%d x%d lost", lost, lost))
			}
			d := w.daemon()
			for _, ms := range cuts {
				time.Sleep(time.Duration(ms) * time.Millisecond)
				w.Interrupt("of a test")
			}
			d.end()
			again := map[string]int{}
			for _, line := range after(w.tap, time.Time{}) {
				again[line]++
			}
			for line, n := range again {
				if n > 1 && lost == 0 && line != "POST /api/v2/users" || n > creates && line == "POST /api/v2/users" {
					failure = fmt.Errorf("sent %d times: %s", n, line)
				}
			}
			created := 0
			for _, u := range w.sim.Users() {
				if strings.HasPrefix(u.Email, "new") {
					created++
				}
			}
			if created != creates {
				failure = fmt.Errorf("%d users were made for %d", created, creates)
			}
			time.Sleep(time.Hour)
			if res := w.pass(); res.Changed > 0 {
				failure = fmt.Errorf("a further pass finds:\n%s", show(res))
			}
		})
		if failure != nil {
			r.Fatal(failure)
		}
	})
}

// A pass that is interrupted while it reads the organization finishes that, and what was read is kept.
func TestAListingIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2500, Latency: time.Second})
		w.declareSome("all.yaml", w.sim.Users()[:20])
		d := w.daemon()
		time.Sleep(2 * time.Second)
		w.Interrupt("of a test")
		d.end()
		if n := w.sim.Ledger().Count("GET /api/v2/users"); d.interrupted != 1 || n != 6 {
			t.Errorf("%d passes were interrupted, and %d pages read", d.interrupted, n)
		}
	})
}

// What an interrupted pass has done is in its result, and is progress.
func TestTheResultOfAnInterruptedPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 600, Latency: 100 * time.Millisecond})
		w.titleAll("New")
		time.AfterFunc(5*time.Second, func() { w.Interrupt("of a test") })
		res, err := w.Reconcile(t.Context(), usersync.Mode{})
		if !errors.Is(err, usersync.ErrInterrupted) || err.Error() != "interrupted: of a test" {
			t.Fatalf("%v", err)
		}
		applied := 0
		for _, u := range w.sim.Users() {
			if u.Title == "New" {
				applied++
			}
		}
		if res.Applied != applied || res.Pending != 600-applied || applied == 0 || res.Failed > 0 {
			t.Errorf("applied %d of %d, pending %d", res.Applied, applied, res.Pending)
		}
		s := w.Status()
		if s.Success.IsZero() || s.Totals.FailedPasses != 0 || s.LastError != nil || s.InSync != applied {
			t.Errorf("%+v", s)
		}
		for _, c := range res.Changes {
			if c.Outcome != plan.Applied && c.Outcome != plan.Planned {
				t.Errorf("%s", c)
			}
		}
	})
}

// A commit to the state file that fails is told, though the pass is interrupted at that moment.
func TestTheStateFileFailsAtAnInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 100, Latency: 100 * time.Millisecond})
		w.declareAll("title: New")
		time.AfterFunc(1500*time.Millisecond, func() {
			w.Interrupt("of a test")
			synctest.Wait()
			if err := os.Rename(w.state, w.state+".aside"); err != nil {
				t.Error(err)
			}
		})
		_, err := w.Reconcile(t.Context(), usersync.Mode{})
		if errors.Is(err, usersync.ErrInterrupted) || !errors.Is(err, state.ErrReplaced) || w.Status().Totals.FailedPasses != 1 {
			t.Errorf("%v; %d passes have ended early", err, w.Status().Totals.FailedPasses)
		}
		if err := os.Rename(w.state+".aside", w.state); err != nil {
			t.Error(err)
		}
	})
}

// A call for many users that was not sent leaves no intents behind, of nobody.
func TestAnInterruptedCallForMany(t *testing.T) {
	for ms := 100; ms < 1400; ms += 300 {
		synctest.Test(t, func(t *testing.T) {
			w := tapped(t, sim.Options{Users: 250, Full: true, Latency: 100 * time.Millisecond, Quota: sim.Quota{Limit: 30}})
			w.Workers = 1
			w.declareAll("queues: [Billing ES]")
			w.pass()
			time.Sleep(time.Hour)
			w.declareAll("queues: [Sales EN]")
			w.fault("POST after=1 x1 429 retry-after=30")
			time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { w.Interrupt("of a test") })
			_, err := w.Reconcile(t.Context(), usersync.Mode{NoRefresh: true})
			snap, failed := w.Store.Snapshot()
			if !errors.Is(err, usersync.ErrInterrupted) || failed != nil || len(snap.WriteIntents) > 0 {
				t.Errorf("after %d ms: %v, intents of %d users, %v", ms, err, len(snap.WriteIntents), failed)
			}
		})
	}
}

// What was begun goes on whatever happens in between, though the window has closed: half of a change of queues is worse
// than either.
func TestWhatWasBegunGoesOn(t *testing.T) {
	for _, between := range []string{"nothing", "urgent work", "a leaver", "another interruption"} {
		t.Run(between, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tapped(t, sim.Options{Users: 6, Full: true, IndexLag: -1})
				us := w.sim.Users()
				w.write("u.yaml", "email: %s\nqueues: [Billing ES]\n", us[0].Email)
				w.write("v.yaml", "email: %s\nstate: active\n", us[1].Email)
				w.write("x.yaml", "email: %s\ntitle: A\n", us[2].Email)
				w.pass()
				time.Sleep(time.Hour)
				w.Policy.Schedule = hours(t, "Sat 00:00-02:00 UTC")
				closes := w.Policy.Schedule.Closes(time.Now())
				time.Sleep(time.Until(closes) - 10*time.Second)
				w.write("u.yaml", "email: %s\nqueues: [Sales EN]\n", us[0].Email)
				interruptAfter := func(what string) {
					w.tap.Hook = func(line string, answered bool) error {
						if answered && strings.Contains(line, what) {
							w.Interrupt("of a test")
							time.Sleep(time.Second)
						}
						return nil
					}
					if _, err := w.Reconcile(t.Context(), usersync.Mode{}); !errors.Is(err, usersync.ErrInterrupted) {
						t.Fatal(err)
					}
					w.tap.Hook = nil
				}
				interruptAfter("members?delete=true")
				time.Sleep(time.Until(closes) + time.Second)
				if between != "nothing" {
					w.write("v.yaml", "email: %s\nstate: inactive\n", us[1].Email)
				}
				switch between {
				case "urgent work":
					w.write("x.yaml", "email: %s\ntitle: B\nvoicemail: {alertTimeoutSeconds: 30}\n", us[2].Email)
				case "another interruption":
					w.Workers = 1
					interruptAfter("inactive")
				}
				res, err := w.Reconcile(t.Context(), usersync.Mode{})
				if err != nil || res.Deferred > 0 || !slices.Contains(w.sim.Members(sim.Queue, w.sim.IDOf(sim.Queue, "Sales EN")), us[0].ID) {
					t.Errorf("%v: deferred %d\n%s", err, res.Deferred, show(res))
				}
			})
		})
	}
}

// A pause that comes while a rollback still reads ends it before anything is recorded.
func TestAPauseWhileARollbackReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 20, Latency: 100 * time.Millisecond})
		w.declareAll("title: Right")
		w.pass()
		w.declareAll("title: Bad")
		rb := plan.Rollback{Revision: w.pass().Revision}
		dry, err := w.Rollback(t.Context(), rb, "", "")
		if err != nil {
			t.Fatal(err)
		}
		w.fault("GET /api/v2/users x1 slow=20s")
		time.AfterFunc(2*time.Second, func() {
			if err := w.Store.Commit(state.Commit{Pause: &state.Pause{At: time.Now(), By: "Ana", Reason: "incident"}}); err != nil {
				t.Error(err)
			}
			w.Interrupt("somebody has paused it")
		})
		_, err = w.Rollback(t.Context(), rb, dry.Plan, "me")
		meta, failed := w.Store.Meta()
		if !errors.Is(err, usersync.ErrInterrupted) || failed != nil || meta.Pause == nil || meta.Pause.Reason != "incident" || meta.AppliedTree.RolledBack {
			t.Errorf("%v; pause %+v, applied %+v, %v", err, meta.Pause, meta.AppliedTree, failed)
		}
		if _, err := w.Rollback(t.Context(), rb, dry.Plan, "me"); !errors.Is(err, usersync.ErrInterrupted) {
			t.Errorf("a rollback that was asked for before the pause: %v", err)
		}
	})
}
