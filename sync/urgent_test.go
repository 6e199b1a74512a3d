package sync_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// declareFresh declares everybody with fields that take a read for each user, and the n-th user as one who leaves.
func (w *world) declareFresh(n int) (leaver sim.User) {
	w.Helper()
	users := w.sim.Users()
	for i, u := range users {
		state := "active"
		if i == n {
			state = "inactive"
		}
		w.write(u.Email+".yaml", "email: %s\nstate: %s\ntitle: T\nvoicemail: {alertTimeoutSeconds: 30}\nutilization: {call: {capacity: 1}}\n", u.Email, state)
	}
	return users[n]
}

// Who leaves does not wait until what nobody knows of all others was read.
func TestALeaverOnAFreshState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const count = 120
		w := tapped(t, sim.Options{Users: count, Full: true, Latency: 50 * time.Millisecond, Quota: sim.Quota{Limit: 600}})
		users := w.sim.Users()
		const fields = "title: T\nskills: {Billing: 3}\nlanguages: {Spanish: 2}\nqueues: [Billing ES]\ngroups: [Madrid]\nroles: [Employee]\n" +
			"utilization: {call: {capacity: 1}}\nvoicemail: {alertTimeoutSeconds: 30}\nexternalIds: {}\nlocations: []\n"
		for i, u := range users {
			state := "active"
			if i == count/2 {
				state = "inactive"
			}
			w.write(u.Email+".yaml", "email: %s\nstate: %s\n%s", u.Email, state, fields)
		}
		w.write("new.yaml", "email: new@example.com\nname: New\n%s", fields)
		var mu sync.Mutex
		var applied uint64 // a counter, through all turns of the pass
		w.tap.Hook = func(string, bool) error {
			mu.Lock()
			defer mu.Unlock()
			now := w.Status().Totals.Changes[plan.Applied]
			if now < applied {
				t.Errorf("%d changes were applied, after %d", now, applied)
			}
			applied = max(applied, now)
			return nil
		}
		res := w.pass()
		calls, leaver, hire, listed, others := 0, 0, 0, 0, 0
		for _, r := range w.tap.Sent() {
			calls++
			name, _, _ := strings.Cut(r.Line, "?")
			switch {
			case strings.Contains(r.Line, "inactive") && strings.Contains(r.Line, users[count/2].ID):
				leaver = calls
			case r.Line == "POST /api/v2/users":
				hire = calls
			case strings.HasPrefix(r.Line, "PATCH "), strings.HasPrefix(r.Line, "PUT "):
				others++
			case name == "GET /api/v2/users", strings.HasPrefix(name, "GET /api/v2/authorization/roles/"):
				listed = calls
			}
		}
		if leaver == 0 || leaver-listed > 20 || hire-listed > 20 || others < count || res.Failed+res.Held+res.Pending > 0 || res.Applied != count+1 {
			t.Errorf("the leaver's is call %d, the new user's %d, the listing ends with %d; applied %d, held %v, failed %v", leaver, hire, listed, res.Applied, res.Holds, res.Failures)
		}
		t.Logf("the leaver's is call %d, the new user's %d, the listing ends with %d", leaver, hire, listed)
		time.Sleep(time.Hour)
		w.settled()
	})
}

// What was done first is in the result, and is progress, when the reading after it fails or is interrupted.
func TestWhatIsUrgentIsInTheResult(t *testing.T) {
	for _, how := range []string{"the API is gone", "interrupted"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tapped(t, sim.Options{Users: 300, Full: true, Latency: 50 * time.Millisecond})
				u := w.declareFresh(200)
				if how == "interrupted" {
					time.AfterFunc(15*time.Second, func() { w.Interrupt("of a test") })
				} else {
					w.tap.Hook = func(line string, answered bool) error {
						if !answered && strings.Contains(line, "voicemail") {
							return errors.New("connection refused")
						}
						return nil
					}
				}
				res, err := w.Reconcile(t.Context(), usersync.Mode{})
				if err == nil || res == nil || res.Applied != 1 || res.Failed > 0 || len(res.Holds) > 0 || w.user(u.Email).State != "inactive" {
					t.Fatalf("%v: %+v", err, res)
				}
				if s := w.Status(); s.Totals.Changes[plan.Applied] != 1 || s.Success.IsZero() != (how != "interrupted") {
					t.Errorf("%d have succeeded, at %s", s.Totals.Changes[plan.Applied], s.Success)
				}
			})
		})
	}
}

// Of whom too little is known nothing is recorded: a value that was read days ago does not count as what is there now.
func TestUrgentWorkRecordsNobodyElse(t *testing.T) {
	for _, leaver := range []bool{false, true} {
		t.Run(fmt.Sprint("somebody leaves: ", leaver), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tapped(t, sim.Options{Users: 6, Full: true, IndexLag: -1})
				us := w.sim.Users()
				w.write("u.yaml", "email: %s\nvoicemail: {alertTimeoutSeconds: 31}\n", us[0].Email)
				w.write("v.yaml", "email: %s\nstate: active\ntitle: A\n", us[1].Email)
				w.pass()
				time.Sleep(time.Hour)
				w.remove("u.yaml")
				w.pass()
				w.sim.Edit(us[0].Email, func(u *sim.User) { u.Voicemail.AlertTimeoutSeconds = 44 })
				time.Sleep(30 * time.Hour)
				w.write("u.yaml", "email: %s\nvoicemail: {alertTimeoutSeconds: 31}\n", us[0].Email)
				if leaver {
					w.write("v.yaml", "email: %s\nstate: inactive\ntitle: A\n", us[1].Email)
				}
				res, err := w.Reconcile(t.Context(), usersync.Mode{NoRefresh: true})
				if got := w.user(us[0].Email).Voicemail.AlertTimeoutSeconds; err != nil || got != 31 {
					t.Errorf("%v: it is %d\n%s", err, got, show(res))
				}
			})
		})
	}
}

// What was done first in a pass makes no guard stricter or laxer for the rest of it, and nobody is tried twice.
func TestUrgentWorkAndGuards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: 40, Full: true, Latency: 50 * time.Millisecond, IndexLag: -1})
		w.declareAll("languages: {Spanish: 1}")
		w.pass()
		time.Sleep(24 * time.Hour)
		w.forget()
		w.Policy.Guard.Losses = &plan.Limit{Percent: 5, Floor: 10}
		w.declareFresh(20)
		for _, u := range w.sim.Users()[:5] {
			w.write(u.Email+".yaml", "email: %s\nvoicemail: {alertTimeoutSeconds: 30}\nlanguages: {}\n", u.Email)
		}
		if res := w.pass(); len(res.Holds) > 0 {
			t.Errorf("%v", res.Holds)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := tapped(t, sim.Options{Users: 30, Full: true, Latency: 50 * time.Millisecond, IndexLag: -1})
		u := w.declareFresh(20)
		w.fault("PATCH user=" + u.Email + " x2 400")
		res := w.pass()
		snap, err := w.Store.Snapshot()
		if f := snap.Failures[u.Email]; err != nil || res.Failed != 1 || f.Attempts != 1 || w.user(u.Email).State != "active" {
			t.Errorf("%v: failed %d, %d attempts\n%s", err, res.Failed, f.Attempts, show(res))
		}
	})
}
