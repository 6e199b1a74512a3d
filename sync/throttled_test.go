package sync_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/sim"
)

// changed starts a pass that gives everybody a new title, while the API answers each PATCH of one user with a fault. It
// returns how long it took until everybody else had it, and a function that returns the result.
func (w *world) changedButOne(n int, fault string) (others time.Duration, wait func() (*usersync.Result, error)) {
	w.Helper()
	w.declareAll("title: Clerk")
	w.pass()
	users := w.sim.Users()
	w.fault(fmt.Sprintf(fault, users[n].Email))
	w.declareAll("title: Agent")
	began := time.Now()
	var res *usersync.Result
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		res, err = w.once()
	}()
	for w.withTitle("Agent") < len(users)-1 {
		time.Sleep(50 * time.Millisecond)
		if time.Since(began) > time.Hour {
			w.Fatalf("%d of %d users were changed in an hour", w.withTitle("Agent"), len(users))
		}
	}
	return time.Since(began), func() (*usersync.Result, error) {
		<-ended
		return res, err
	}
}

func (w *world) withTitle(title string) (n int) {
	for _, u := range w.sim.Users() {
		if u.Title == title {
			n++
		}
	}
	return n
}

// One user's change is answered 429 for ever, and nobody else's. As long as nobody else is there to compare with, it may be
// the limit of all: the user is not in quarantine.
func TestOneUserThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 100, Latency: 10 * time.Millisecond})
		others, wait := w.changedButOne(10, "PATCH user=%s 429 retry-after=3")
		if others > 10*time.Second {
			t.Errorf("everybody else was changed after %v", others)
		}
		began := time.Now()
		res, err := wait()
		if err != nil || res.Applied != 99 || res.Failed != 0 || res.Pending != 1 || len(res.Failures) != 1 {
			t.Errorf("%v; %d applied, %d failed, %d pending", err, res.Applied, res.Failed, res.Pending)
		}
		if took := time.Since(began); took > 12*time.Minute {
			t.Errorf("it was given up after %v", took)
		}
		if after := time.Until(res.Retry); after.Round(time.Minute) != time.Hour {
			t.Errorf("to be tried again after %v", after)
		}
		w.sim.ClearFaults()
		time.Sleep(time.Hour)
		w.pass()
		if n := w.withTitle("Agent"); n != 100 {
			t.Errorf("%d users were changed in the end", n)
		}
	})
}

// A pass that waits for one user's request can be interrupted, and the next one is not held up.
func TestOneUserThrottledHoldsUpNoPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 20, Latency: 10 * time.Millisecond})
		_, wait := w.changedButOne(10, "PATCH user=%s 429 retry-after=3")
		time.Sleep(time.Minute)
		w.Interrupt("a test")
		began := time.Now()
		if _, err := wait(); !errors.Is(err, usersync.ErrInterrupted) {
			t.Error(err)
		}
		w.declareAll("title: Manager")
		go func() { _, _ = w.once() }()
		for w.withTitle("Manager") < 19 {
			time.Sleep(50 * time.Millisecond)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the next edit took %v", took)
		}
		w.Interrupt("a test")
		synctest.Wait()
	})
}

// A request that is refused eight times, while others of its kind are accepted in between, fails its user.
func TestOneUserThrottledFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 500, Latency: 10 * time.Millisecond})
		_, wait := w.changedButOne(0, "PATCH user=%s 429 retry-after=2")
		res, err := wait()
		if err != nil || res.Applied != 499 || res.Failed != 1 {
			t.Fatalf("%v; %d applied, %d failed", err, res.Applied, res.Failed)
		}
		if calls := w.sim.Ledger().Throttled; calls > 12 {
			t.Errorf("%d times 429", calls)
		}
		for _, c := range res.Changes {
			if e := (*apply.CallError)(nil); c.Err != nil && (!errors.As(c.Err, &e) || e.Status != 429 || !errors.Is(e.Kind, apply.ErrRefused)) {
				t.Errorf("%+v", c.Err)
			}
		}
	})
}

// A 503 with a Retry-After is of one user until another one has it, too.
func TestOneUserUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 100, Latency: 10 * time.Millisecond})
		others, wait := w.changedButOne(10, "PATCH user=%s 503 retry-after=20")
		if others > 6*time.Second {
			t.Errorf("everybody else was changed after %v", others)
		}
		began := time.Now()
		res, err := wait()
		if err != nil || res.Applied != 99 || res.Failed != 1 {
			t.Errorf("%v; %d applied, %d failed, %d pending", err, res.Applied, res.Failed, res.Pending)
		}
		if took := time.Since(began); took < 80*time.Second || took > 125*time.Second {
			t.Errorf("the user was given up after %v, want five pauses of 20 s", took)
		}
	})
}

// A pass does not wait a day for one user, whoever asks for that.
func TestOneUserIsToWaitADay(t *testing.T) {
	for _, fault := range []string{"PATCH user=%s 503 retry-after=86400", "PATCH user=%s 503 retry-after=date:86400"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 20, Latency: 10 * time.Millisecond})
			_, wait := w.changedButOne(10, fault)
			began := time.Now()
			res, err := wait()
			if err != nil || res.Applied != 19 || res.Pending != 1 || time.Since(began) > time.Minute {
				t.Errorf("after %v: %v; %d applied, %d pending", time.Since(began), err, res.Applied, res.Pending)
			}
			if wait := time.Until(res.Retry); wait < 23*time.Hour || wait > 24*time.Hour {
				t.Errorf("the next pass is due in %v", wait)
			}
			w.sim.ClearFaults()
			time.Sleep(24 * time.Hour)
			w.pass()
			w.settled()
		})
	}
}

// A reading that waits for its own pause, after a lost answer, leaves its place to others. Here there is one.
func TestAReadingThatWaitsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 100, Latency: 50 * time.Millisecond})
		w.Workers = 1
		w.fault("GET x1 /api/v2/users/" + w.sim.Users()[0].ID + " 503 retry-after=60")
		others, wait := w.changedButOne(0, "PATCH user=%s x1 lost")
		if others > 30*time.Second {
			t.Errorf("everybody else was changed after %v", others)
		}
		if res, err := wait(); err != nil || res.Failed > 0 {
			t.Errorf("%v; %d failed", err, res.Failed)
		}
		w.settled()
	})
}
