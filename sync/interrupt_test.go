package sync_test

import (
	"errors"
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

// A daemon makes passes until there is nothing to do, and hears of changes of the checkout.
type daemon struct {
	*world
	interrupted int // passes
	longest     time.Duration
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
	if s := d.Status(); s.Ailing > 0 || s.Trouble != nil {
		d.Errorf("%d passes count as having ended early: %v", s.Ailing, s.Trouble)
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

// Somebody who leaves while a long pass is under way is the next but those who are in flight.
func TestALeaverInterruptsAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: 600, Latency: 100 * time.Millisecond})
		w.titleAll("Before")
		w.daemon().end()
		w.titleAll("After")
		d := w.daemon()
		time.Sleep(3 * time.Second)
		u := w.sim.Users()[400]
		w.write(u.Email+".yaml", "email: %s\ntitle: After\nstate: inactive\n", u.Email)
		still := time.Now()
		if !w.Recheck(t.Context()) {
			t.Error("it was not looked at the checkout")
		}
		decided := time.Since(still)
		d.end()
		since := after(w.tap, still.Add(decided))
		at := -1
		for i, line := range since {
			if at < 0 && strings.Contains(line, u.ID) && strings.Contains(line, "inactive") {
				at = i
			}
		}
		if at < 0 || at > w.Workers || decided > time.Second || d.interrupted != 1 {
			t.Errorf("the leaver's is the %d. of %d writes, decided after %s; %d passes were interrupted", at+1, len(since), decided, d.interrupted)
		}
		for _, u := range w.sim.Users() {
			if u.Title != "After" {
				t.Fatalf("%s has the title %q", u.Email, u.Title)
			}
		}
		if n := w.writesOf(); n > 2*600+w.Workers+1 {
			t.Errorf("%d writes", n)
		}
		w.settled()
	})
}

// writesOf counts the writes since the beginning.
func (w *world) writesOf() int { return len(after(w.tap, time.Time{})) }

// A wrong commit that is reverted does no more harm a second after the tree is still.
func TestARevertInterruptsAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: 600, Latency: 100 * time.Millisecond})
		w.titleAll("Right")
		w.daemon().end()
		before := w.writesOf()
		w.titleAll("Wrong")
		d := w.daemon()
		time.Sleep(3 * time.Second)
		w.titleAll("Right")
		still := time.Now()
		w.Recheck(t.Context())
		d.end()
		wrong, late := 0, 0
		for _, r := range w.tap.Sent() {
			if strings.Contains(r.Line, "Wrong") {
				if wrong++; r.At.Sub(still) > time.Second {
					late++
				}
			}
		}
		if wrong == 0 || late > 0 || wrong > 100 {
			t.Errorf("%d wrong titles were written, %d of them too late", wrong, late)
		}
		if n := w.writesOf() - before; n > 2*wrong {
			t.Errorf("%d writes for %d wrong ones and their reverts", n, wrong)
		}
		for _, u := range w.sim.Users() {
			if u.Title != "Right" {
				t.Fatalf("%s has the title %q", u.Email, u.Title)
			}
		}
		w.settled()
	})
}

// Who edits all the time stops nobody else: under an edit every three seconds all the others come through, in the time
// that the quota takes, and the edits as well.
func TestEditsStarveNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: 600, Latency: 100 * time.Millisecond})
		w.titleAll("Before")
		w.daemon().end()
		w.titleAll("After")
		began, edits, edited := time.Now(), 0, w.sim.Users()[599]
		d := w.daemon()
		for ; ; edits++ {
			select {
			case <-d.done:
			case <-time.After(3 * time.Second):
				if edits < 60 {
					w.write(edited.Email+".yaml", "email: %s\ntitle: Edit %d\n", edited.Email, edits)
				}
				w.Recheck(t.Context())
				continue
			}
			break
		}
		d.end()
		took := time.Since(began)
		if d.interrupted < 20 || took > 4*time.Minute {
			t.Errorf("%d passes were interrupted, and it took %s", d.interrupted, took)
		}
		for _, u := range w.sim.Users()[:599] {
			if u.Title != "After" {
				t.Fatalf("%s has the title %q", u.Email, u.Title)
			}
		}
		w.settled()
	})
}

// A checkout that is touched, and is what it was, interrupts nothing; one that is being changed does so when it is still.
func TestWhatInterruptsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 600, Latency: 100 * time.Millisecond})
		w.titleAll("Before")
		d := w.daemon()
		time.Sleep(2 * time.Second)
		w.titleAll("Before")
		if !w.Recheck(t.Context()) {
			t.Error("undecided")
		}
		w.write("broken.yaml", "email: [\n")
		go func() {
			for i := range 20 {
				w.write("moving.yaml", "email: moving@example.com\nname: Moving\ntitle: %d\n", i)
				time.Sleep(100 * time.Millisecond)
			}
		}()
		began := time.Now()
		if !w.Recheck(t.Context()) || time.Since(began) < 1900*time.Millisecond {
			t.Errorf("it was decided after %s, while files were written", time.Since(began))
		}
		<-d.done
		if d.interrupted != 1 || w.Recheck(t.Context()) {
			t.Errorf("%d passes were interrupted", d.interrupted)
		}
	})
}

// Interrupted whenever, and for whatever, nothing is lost and nothing is done twice.
func TestInterruptedAtRandom(t *testing.T) {
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

// Who leaves does not wait until what nobody knows of all others was read.
func TestALeaverOnAFreshState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: 1000, Full: true, Latency: 50 * time.Millisecond, Quota: sim.Quota{Limit: 600}})
		users := w.sim.Users()
		const fields = "title: T\nskills: {Billing: 3}\nlanguages: {Spanish: 2}\nqueues: [Billing ES]\ngroups: [Madrid]\nroles: [Employee]\n" +
			"utilization: {call: {capacity: 1}}\nvoicemail: {alertTimeoutSeconds: 30}\nexternalIds: {}\nlocations: []\n"
		for i, u := range users {
			state := "active"
			if i == 700 {
				state = "inactive"
			}
			w.write(u.Email+".yaml", "email: %s\nstate: %s\n%s", u.Email, state, fields)
		}
		w.write("new.yaml", "email: new@example.com\nname: New\n%s", fields)
		res := w.pass()
		var names []string
		leaver, hire, others := 0, 0, 0
		for _, r := range w.tap.Sent() {
			name, _, _ := strings.Cut(r.Line, "?")
			switch names = append(names, name); {
			case strings.Contains(r.Line, "inactive") && strings.Contains(r.Line, users[700].ID):
				leaver = len(names)
			case r.Line == "POST /api/v2/users":
				hire = len(names)
			case strings.HasPrefix(r.Line, "PATCH ") || strings.HasPrefix(r.Line, "PUT "):
				others++
			}
		}
		listed := 0
		for i, name := range names {
			if name == "GET /api/v2/users" || strings.HasPrefix(name, "GET /api/v2/authorization/roles/") {
				listed = i + 1
			}
		}
		if leaver == 0 || leaver-listed > 20 || hire-listed > 20 || others < 1000 || res.Failed+res.Held+res.Pending > 0 || res.Applied != 1001 {
			t.Errorf("the leaver's is call %d, the new user's %d, %d after the listing; applied %d, held %v, failed %v", leaver, hire, leaver-listed, res.Applied, res.Holds, res.Failures)
		}
		t.Logf("the leaver's is call %d, the new user's %d, the listing ends with %d", leaver, hire, listed)
		time.Sleep(time.Hour)
		w.settled()
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
		if s.Success.IsZero() || s.Ailing != 0 || s.Err != nil || s.InSync != applied {
			t.Errorf("%+v", s)
		}
		for _, c := range res.Changes {
			if c.Outcome != plan.Applied && c.Outcome != plan.Planned {
				t.Errorf("%s", c)
			}
		}
	})
}
