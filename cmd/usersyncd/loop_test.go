package main

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A rollback that is agreed to is carried out as soon as the pass under way has ended: no other pass comes first,
// which would read the organization for minutes while the bad values are in force. It does not matter whether a
// pass is under way at all.
func TestARollbackComesFirst(t *testing.T) {
	for _, busy := range []bool{true, false} {
		var passes atomic.Int64
		start := func(b *bubble) {
			b.at = func(step string) {
				if step == "pass" && b.sim.Ledger().Count("PATCH /api/v2/users/{id}") == 6 { // it is not undone yet
					passes.Add(1)
				}
			}
		}
		inBubble(t, sim.Options{Users: 6}, "resync-interval: 24h\nmax-in-flight: 1\n", start, func(b *bubble) {
			retitle := func(title string) {
				for _, u := range b.sim.Users() {
					u.Title = title
					declare(b.T, specPath(b.specs, u), u)
				}
				b.hints.changes <- struct{}{}
			}
			time.Sleep(time.Minute)
			retitle("Bad")
			time.Sleep(time.Minute)
			undo := plan.Rollback{Revision: b.d.Status().Revision}
			s := b.d
			plan, err := s.Rollback(b.Context(), undo, "", "me")
			if err != nil || plan.Pending != 6 {
				b.Fatalf("%+v: %v", plan, err)
			}
			time.Sleep(time.Minute)
			if busy { // reads for long, as it was asked to
				f, err := sim.ParseFault("GET /api/v2/users x1 slow=20s")
				if err != nil {
					b.Fatal(err)
				}
				b.sim.AddFault(f)
				go func() { _, _ = s.Sync(b.Context(), true) }() // it may be ended
				time.Sleep(time.Second)
			}
			before := passes.Load()
			res, err := s.Rollback(b.Context(), undo, plan.Plan, "me")
			if err != nil || res.Applied != 6 {
				b.Errorf("%+v: %v", res, err)
			}
			if n := passes.Load() - before; n > 0 {
				b.Errorf("a pass under way: %t; %d others came first", busy, n)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if st := b.d.Status(); st.Paused == nil || st.Phase != usersync.PhaseIdle {
				b.Errorf("afterwards: %+v", st)
			}
		})
	}
}

// Who waits for a change window with a part of what is to be changed waits, and is not in sync, from the end of
// the pass that has written the rest.
func TestStatusCountsWhoWaitsWithAPart(t *testing.T) {
	inBubble(t, sim.Options{Users: 6}, "resync-interval: 24h\nchange-window: Mon 01:00-02:00 UTC\n", nil, func(b *bubble) {
		b.sim.Define(sim.Skill, "Billing")
		time.Sleep(time.Minute)
		for i, u := range b.sim.Users()[:3] {
			title := "title: Two\n"
			if i == 2 {
				title = "" // and this one has nothing else
			}
			write(b.T, specPath(b.specs, u), "email: "+u.Email+"\n"+title+"skills: {Billing: 3}\n")
		}
		b.hints.changes <- struct{}{}
		time.Sleep(time.Minute)
		if s := b.d.Status(); s.Deferred != 3 || s.InSync != 3 || s.Users != 6 || s.Totals.Changes["applied"] != 2 || s.Opens.IsZero() {
			b.Errorf("%d of %d are in sync, %d wait until %s, %d were applied", s.InSync, s.Users, s.Deferred, s.Opens, s.Totals.Changes["applied"])
		}
	})
}

// A state file that goes away under the daemon is found by the next pass; nothing is promised that would be lost
// with it.
func TestTheStateFileGoesAway(t *testing.T) {
	inBubble(t, sim.Options{Users: 6}, "resync-interval: 1m\n", nil, func(b *bubble) {
		time.Sleep(time.Minute)
		s, path := b.d, b.app.Store.Path()
		if err := os.Rename(path, path+".aside"); err != nil {
			b.Fatal(err)
		}
		if err := s.Pause("me", "keep"); !errors.Is(err, state.ErrReplaced) {
			b.Errorf("pause: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if st := s.Status(); !strings.Contains(st.StateError, "removed or replaced") || st.Paused != nil {
			b.Errorf("the trouble is %q, the pause %+v", st.StateError, st.Paused)
		}
		if err := os.Rename(path+".aside", path); err != nil {
			b.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if st := s.Status(); st.StateError != "" || st.Error != "" {
			b.Errorf("it is back, and the trouble is %q", st.Error)
		}
	})
}
