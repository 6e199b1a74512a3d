package sync_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/sim"
)

// One user that cannot be read does not stop the others.
func TestOneUnreadable(t *testing.T) {
	for _, status := range []string{"403", "500"} {
		t.Run(status, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 20})
				w.declareAll("department: Moved")
				w.pass()
				us := w.sim.Users()
				w.sim.Edit(us[0].Email, func(u *sim.User) { u.State = "deleted" }) // out of the listing
				w.fault("GET user=" + us[0].Email + " " + status)
				w.write(us[1].Email+".yaml", "email: %s\ndepartment: Again\n", us[1].Email)
				res, err := w.once()
				if err != nil || w.user(us[1].Email).Department != "Again" {
					t.Errorf("one user that cannot be read stopped the others: %v %v", res, err)
				}
			})
		})
	}
}

// Many managed users missing from a listing are held, and said to be.
func TestMassMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 20})
		w.declareAll("department: Moved")
		w.pass()
		w.lose(12)
		res := w.pass()
		m, _ := w.Store.Meta()
		if res.Held != 12 || res.Unchanged != 8 || m.Converged.Digest != "" {
			t.Errorf("12 of 20 are gone: changed %d unchanged %d held %d, converged %v", res.Changed, res.Unchanged, res.Held, m.Converged)
		}
	})
}

// Users that are known to be deleted do not make the next ones look like too many.
func TestKnownDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 20})
		w.declareAll("department: Moved")
		w.pass()
		w.Policy.Create = false // deleted users stay so
		us := w.sim.Users()
		for i := range 12 {
			w.sim.Edit(us[i].Email, func(u *sim.User) { u.State = "deleted" })
			w.pass() // one at a time: each is seen
		}
		res := w.pass()
		if res.Skipped != 12 {
			t.Errorf("12 were deleted one by one, %d are noticed", res.Skipped)
		}
	})
}

// The first failure of a new spec waits as long as a first failure.
func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 1})
		u := w.sim.Users()[0].Email
		w.write("u.yaml", "email: %s\ntitle: A\n", u)
		w.fault("PATCH 400")
		for range 7 {
			w.pass()
		}
		w.write("u.yaml", "email: %s\ntitle: B\n", u)
		w.pass()
		snap, _ := w.Store.Snapshot()
		f := snap.Failures[spec.Key(u)]
		if d := time.Until(f.Next); d > 6*time.Minute {
			t.Errorf("first failure of a new spec waits %s (attempt %d)", d, f.Attempts)
		}
	})
}

// A pass that fails somebody says when to try again.
func TestRetryTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("department: Moved")
		w.fault("PATCH user=" + w.sim.Users()[0].Email + " 400")
		res := w.pass()
		if res.Failed != 1 || res.Retry.IsZero() {
			t.Errorf("failed %d, retry %v", res.Failed, res.Retry)
		}
	})
}

// An API that does not answer costs its users little once it does.
func TestDownFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.Policy.IgnoreQuarantine = false
		w.declareAll("department: Moved")
		w.sim.AddFault(sim.Fault{Method: "PATCH", Effect: sim.Drop})
		began := time.Now()
		for time.Since(began) < 3*time.Hour {
			_, _ = w.Reconcile(context.Background(), usersync.Mode{})
			time.Sleep(time.Minute)
		}
		w.sim.ClearFaults()
		back := time.Now()
		for w.user(w.sim.Users()[0].Email).Department != "Moved" {
			_, _ = w.Reconcile(context.Background(), usersync.Mode{})
			time.Sleep(time.Minute)
		}
		if d := time.Since(back); d > 10*time.Minute {
			t.Errorf("the API is back, and the first user waits %s", d)
		}
	})
}

// Every answer is lost, and every user is found changed: nobody fails, nothing stops.
func TestAllLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 100})
		w.declareAll("department: Moved")
		w.fault("PATCH lost")
		if res := w.pass(); res.Applied != 100 {
			t.Errorf("applied %d, failed %d, pending %d", res.Applied, res.Failed, res.Pending)
		}
	})
}

// With No5xx a write is sent once: who was changed nevertheless is found out, who was not fails, and who
// was not made is not made.
func TestNo5xx(t *testing.T) {
	for _, tt := range []struct {
		name, fault             string
		applied, failed, writes int
	}{
		{"refused", "PATCH 503", 0, 1, 1},
		{"carried out", "PATCH lost", 1, 0, 1}, // no answer is no 5xx
		{"lost before it arrived", "PATCH x1 drop", 1, 0, 2},
		{"not made", "POST /api/v2/users 500", 0, 1, 1},
		{"made, and the rest is written", "POST /api/v2/users done=502", 1, 0, 2},
		{"changed, says a gateway with an error", "PATCH done=504", 1, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 1})
				w.Retry.No5xx = true
				if strings.HasPrefix(tt.fault, "POST") {
					w.write("new.yaml", "email: new@example.com\nname: New\nmanager: %s\n", w.sim.Users()[0].Email)
				} else {
					w.declareAll("department: Moved")
				}
				w.fault(tt.fault)
				res, err := w.once()
				if err != nil {
					t.Fatal(err)
				}
				l := w.sim.Ledger()
				if n := l.Count("PATCH /api/v2/users/{id}") + l.Count("POST /api/v2/users"); res.Applied != tt.applied || res.Failed != tt.failed || n != tt.writes {
					t.Errorf("applied %d, failed %d with %d writes; want %d, %d, %d: %v", res.Applied, res.Failed, n, tt.applied, tt.failed, tt.writes, res.Failures)
				}
			})
		})
	}
}

// Many users who are refused so are no outage: the API answers when they are read. That holds without any
// further tries, too.
func TestNo5xxManyUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 200})
		w.Retry.No5xx, w.Retry.Max = true, 0
		w.declareAll("department: Moved")
		w.fault("PATCH x45 503")
		w.fault("PATCH x10 done=504")
		res, err := w.once()
		if err != nil || res.Failed != 45 || res.Applied != 155 {
			t.Errorf("applied %d, failed %d, skipped %d, pending %d, %v; want 155 and 45", res.Applied, res.Failed, res.Skipped, res.Pending, err)
		}
	})
}

// A creation that waits for the rate limit is looked for long enough after it was sent, not after it was
// ready to be sent: it is not made twice.
func TestCreationAfterALongGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 1, IndexLag: 10 * time.Second})
		w.write("new.yaml", "email: new@example.com\nname: New\n")
		w.fault("POST /api/v2/users x1 429 retry-after=90")
		w.fault("POST /api/v2/users x1 lost")
		if res := w.pass(); res.Applied != 1 {
			t.Errorf("applied %d, failed %d: %v", res.Applied, res.Failed, res.Failures)
		}
		if n := w.sim.Ledger().Count("POST /api/v2/users"); n != 2 {
			t.Errorf("%d creations were sent, want the one that was throttled and one more", n)
		}
	})
}

// An outage of some seconds is waited out, however fast the calls go; one that lasts ends the pass, and
// only as many users were begun as it takes to be sure.
func TestOutage(t *testing.T) {
	for _, lasts := range []time.Duration{5 * time.Second, time.Hour} {
		t.Run(lasts.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 100})
				w.declareAll("department: Moved")
				w.pass()
				w.declareAll("department: Moved again")
				w.sim.ResetLedger()
				w.fault("* drop")
				over := time.AfterFunc(lasts, w.sim.ClearFaults)
				defer over.Stop()
				res, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, NoRefresh: true})
				if lasts == time.Hour {
					if err == nil || res.Pending < 50 {
						t.Errorf("pending %d, failed %d, %v", res.Pending, res.Failed, err)
					}
					if n := w.sim.Ledger().Count("PATCH /api/v2/users/{id}"); n > 45 {
						t.Errorf("%d writes into an outage", n)
					}
					return
				}
				if err != nil || res.Applied != 100 {
					t.Errorf("applied %d, failed %d, pending %d, %v", res.Applied, res.Failed, res.Pending, err)
				}
			})
		})
	}
}

// A user of whom nothing can be read costs a bounded number of reads.
func TestNested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40})
		w.declareAll("department: Moved")
		u := w.sim.Users()[0].Email
		w.fault("/api/v2/users/* user=" + u + " 500")
		if res := w.pass(); res.Applied != 39 || res.Failed != 1 {
			t.Errorf("applied %d, failed %d", res.Applied, res.Failed)
		}
		if n := w.sim.Ledger().Count("GET /api/v2/users/{id}"); n > w.Retry.Max+1 {
			t.Errorf("%d reads", n)
		}
	})
}

// Forgetting a user needs no call.
func TestUnmanageOnlyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		us := w.sim.Users()
		w.write("a.yaml", "email: %s\n", us[0].Email)
		w.write("b.yaml", "email: %s\n", us[1].Email)
		w.pass()
		w.remove("b.yaml")
		w.close()
		w.open()
		w.sim.ResetLedger()
		if _, err := w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true}); err != nil {
			t.Fatal(err)
		}
		if n := len(w.sim.Ledger().Calls); n != 0 {
			t.Errorf("calls %v", w.sim.Ledger().Calls)
		}
	})
}

type staleDir struct {
	usersync.Directory
	old *state.Observed
}

func (d *staleDir) Get(ctx context.Context, id string, fields ...spec.Field) (state.Observed, error) {
	if d.old != nil {
		o := *d.old
		d.old = nil
		return o, nil
	}
	return d.Directory.Get(ctx, id, fields...)
}

// A read that is older than what is known proves nothing.
func TestStaleRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ndepartment: A\n", u.Email)
		w.pass()
		snap, _ := w.Store.Snapshot()
		old := snap.Users[u.ID].Observed // department A
		w.sim.Edit(u.Email, func(u *sim.User) { u.Department = "B" })
		w.Directory = &staleDir{w.genesys, &old}
		w.fault("PATCH x1 drop")
		res := w.pass()
		m, _ := w.Store.Meta()
		if got := w.user(u.Email).Department; got != "A" {
			t.Errorf("reported applied %d, department is %q, converged %v", res.Applied, got, m.Converged)
		}
	})
}

// overdue answers every call as a directory would whose own time was up.
type overdue struct{ usersync.Directory }

func (overdue) Do(context.Context, *apply.Call) ([]state.Observed, error) {
	return nil, context.DeadlineExceeded
}

// A directory that gives up on its own account ends the pass: nobody is asked for ever.
func TestOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("department: Moved")
		w.Directory = overdue{w.genesys}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		res, err := w.Reconcile(ctx, usersync.Mode{Strict: true, ForceRefresh: true})
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) || res.Pending != 3 {
			t.Errorf("pending %d, error %v", res.Pending, err)
		}
	})
}
