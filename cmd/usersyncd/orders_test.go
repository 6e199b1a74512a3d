package main

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
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
			undo := usersync.Undo{Revision: b.d.Status().Revision}
			s := source{daemon: b.d}
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
			if st := b.d.Status(); st.Paused == nil || st.Phase != "idle" {
				b.Errorf("afterwards: %+v", st)
			}
		})
	}
}
