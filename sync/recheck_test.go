package sync_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

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
		if w.Recheck(t.Context()) {
			t.Error("the pass counts as one over the checkout as it is")
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

// The pass after an interruption by Recheck does not wait to scan the tree a second time: Recheck has done that.
func TestAfterARecheckThePassScansOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: 600, Latency: 100 * time.Millisecond})
		w.titleAll("Before")
		w.daemon().end()
		w.titleAll("After")
		done := make(chan error)
		go func() {
			_, err := w.Reconcile(w.Context(), usersync.Mode{})
			done <- err
		}()
		time.Sleep(time.Second)
		w.titleAll("Later")
		if w.Recheck(t.Context()) {
			t.Fatal("the checkout has changed")
		}
		if err := <-done; !errors.Is(err, usersync.ErrInterrupted) {
			t.Fatalf("the pass ended with %v", err)
		}
		began := time.Now()
		w.pass()
		for _, r := range w.tap.Sent() {
			if !r.At.Before(began) {
				if wait := r.At.Sub(began); wait >= confirmDelay {
					t.Errorf("the first request was sent after %s", wait)
				}
				return
			}
		}
		t.Error("nothing was sent")
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
	t.Parallel()
	users := 300
	if long() {
		users = 600
	}
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: users, Latency: 100 * time.Millisecond})
		w.titleAll("Before")
		w.daemon().end()
		w.titleAll("After")
		began, edits, edited := time.Now(), 0, w.sim.Users()[users-1]
		d := w.daemon()
		for ; ; edits++ {
			select {
			case <-d.done:
			case <-time.After(3 * time.Second):
				if edits < users/10 {
					w.write(edited.Email+".yaml", "email: %s\ntitle: Edit %d\n", edited.Email, edits)
				}
				w.Recheck(t.Context())
				continue
			}
			break
		}
		d.end()
		took := time.Since(began)
		if d.interrupted < users/30 || took > 4*time.Minute {
			t.Errorf("%d passes were interrupted, and it took %s", d.interrupted, took)
		}
		for _, u := range w.sim.Users()[:users-1] {
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
			t.Error("a checkout that was touched counts as another one")
		}
		w.write("broken.yaml", "email: [\n")
		go func() {
			for i := range 20 {
				w.write("moving.yaml", "email: moving@example.com\nname: Moving\ntitle: %d\n", i)
				time.Sleep(100 * time.Millisecond)
			}
		}()
		began := time.Now()
		if w.Recheck(t.Context()) || time.Since(began) < 1900*time.Millisecond {
			t.Errorf("it was decided after %s, while files were written", time.Since(began))
		}
		<-d.done
		if d.interrupted != 1 || w.Recheck(t.Context()) {
			t.Errorf("%d passes were interrupted", d.interrupted)
		}
	})
}

// A pass that reads further fields in turns after its listing is interrupted as any other.
func TestInterruptedAfterReadingInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: 600, Full: true, Latency: 100 * time.Millisecond})
		w.declareAll("title: Before\nvoicemail: {alertTimeoutSeconds: 30}")
		w.daemon().end()
		time.Sleep(25 * time.Hour)
		w.declareAll("title: After\nvoicemail: {alertTimeoutSeconds: 30}")
		d := w.daemon()
		for len(after(w.tap, time.Now().Add(-time.Minute))) == 0 { // until it writes
			time.Sleep(time.Second)
		}
		u := w.sim.Users()[400]
		w.write(u.Email+".yaml", "email: %s\ntitle: After\nvoicemail: {alertTimeoutSeconds: 30}\nstate: inactive\n", u.Email)
		still := time.Now()
		w.Recheck(t.Context())
		if took := time.Since(still); took > time.Second {
			t.Errorf("it was decided after %s", took)
		}
		if d.end(); d.interrupted != 1 {
			t.Errorf("%d passes were interrupted", d.interrupted)
		}
	})
}

// A commit that changes no spec interrupts nothing, and another pass looks at it.
func TestRecheckOfANewCommit(t *testing.T) {
	w := newWorld(t, sim.Options{Users: 50, Quota: sim.Quota{Limit: 1 << 20}})
	w.git("init", "--quiet")
	w.titleAll("New")
	w.commit()
	for _, current := range []bool{true, false} {
		done := make(chan bool, 1)
		w.Reconciler.Log = slog.New(tellTale{slog.DiscardHandler, sync.OnceFunc(func() {
			if !current {
				w.git("commit", "--quiet", "--allow-empty", "--message", "two")
			}
			go func() { done <- w.Recheck(context.Background()) }()
			time.Sleep(500 * time.Millisecond) // of real time: the files are real
		})})
		if _, err := w.Reconcile(t.Context(), usersync.Mode{}); err != nil {
			t.Fatal(err)
		}
		if got := <-done; got != current {
			t.Errorf("current: %t, not %t", got, current)
		}
		w.titleAll("Newer")
		w.commit()
	}
}

// A tellTale does something at the first line of the log.
type tellTale struct {
	slog.Handler
	first func()
}

func (tellTale) Enabled(context.Context, slog.Level) bool { return true }

func (h tellTale) Handle(context.Context, slog.Record) error {
	h.first()
	return nil
}
