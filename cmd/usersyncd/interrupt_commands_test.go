package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/control/rpc"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// retitled commits a title for some users, and returns what would undo that, and the plan of it.
func (b *bubble) retitled(users []sim.User, title string) (plan.Rollback, string) {
	b.Helper()
	for _, u := range users {
		u.Title = title
		declare(b.T, specPath(b.specs, u), u)
	}
	b.hint()
	time.Sleep(time.Minute)
	undo := plan.Rollback{Revision: b.d.Status().Revision}
	dry, err := b.d.Rollback(b.Context(), undo, "", "me")
	if err != nil {
		b.Fatal(err)
	}
	time.Sleep(time.Minute)
	return undo, dry.Plan
}

// readsLong has a pass under way that reads the organization for 20 s.
func (b *bubble) readsLong() {
	b.Helper()
	f, err := sim.ParseFault("GET /api/v2/users x1 slow=20s")
	if err != nil {
		b.Fatal(err)
	}
	b.sim.AddFault(f)
	go func() { _, _ = b.d.Sync(b.Context(), true) }() // it is ended
	time.Sleep(2 * time.Second)
}

// A pause that comes while the pass under way is awaited ends the rollback that was asked for before it. A second
// rollback beside it is refused, and does not begin either; nor does a resume come between.
func TestAPauseBeforeARollbackBegins(t *testing.T) {
	inBubble(t, sim.Options{Users: 6, Latency: 100 * time.Millisecond}, "resync-interval: 24h\nmax-in-flight: 1\n", nil, func(b *bubble) {
		time.Sleep(time.Minute)
		s, us := b.d, b.sim.Users()
		first, firstPlan := b.retitled(us[:3], "Bad1")
		second, secondPlan := b.retitled(us[3:], "Bad2")
		b.readsLong()
		ended := make(chan error, 1)
		go func() {
			_, err := s.Rollback(b.Context(), first, firstPlan, "me")
			ended <- err
		}()
		synctest.Wait()
		if _, err := s.Rollback(b.Context(), second, secondPlan, "me"); !errors.Is(err, rpc.ErrRollbackUnderWay) {
			b.Errorf("a second one: %v", err)
		}
		if _, err := s.Resume("me"); !errors.Is(err, rpc.ErrRollbackUnderWay) {
			b.Errorf("a resume: %v", err)
		}
		if err := s.Pause("Ana", "incident"); err != nil {
			b.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, rpc.ErrPaused) {
			b.Errorf("the rollback: %v", err)
		}
		time.Sleep(time.Minute)
		meta, err := b.app.Store.Meta()
		if one, two := b.titled("Bad1"), b.titled("Bad2"); err != nil || one != 3 || two != 3 || meta.Pause == nil || meta.Pause.Reason != "incident" {
			b.Errorf("%d and %d of 3 are as they were; pause %+v, %v", one, two, meta.Pause, err)
		}
	})
}

// A rollback that is refused, as the plan is another one, is not in the way of the next one.
func TestARefusedRollbackIsOver(t *testing.T) {
	inBubble(t, sim.Options{Users: 6, Latency: 100 * time.Millisecond}, "resync-interval: 24h\n", nil, func(b *bubble) {
		time.Sleep(time.Minute)
		undo, id := b.retitled(b.sim.Users(), "Bad")
		if _, err := b.d.Rollback(b.Context(), undo, "p-0123", "me"); err == nil || strings.Contains(err.Error(), "under way") {
			b.Errorf("another plan: %v", err)
		}
		res, err := b.d.Rollback(b.Context(), undo, id, "me")
		if err != nil || res.Applied != 6 {
			b.Errorf("%+v, %v", res, err)
		}
	})
}

// A sync with --refresh reads the organization once, however often its pass is interrupted.
func TestOneSyncReadsOnce(t *testing.T) {
	inLongPass(t, func(b *bubble) {
		b.sim.ResetLedger()
		go func() { _, _ = b.d.Sync(b.Context(), true) }()
		time.Sleep(5 * time.Second)
		edited := b.sim.Users()[500].Email
		for i := range 6 {
			write(b.T, filepath.Join(b.specs, edited+".yaml"), fmt.Sprintf("email: %s\ntitle: After %d\n", edited, i))
			b.hint()
			time.Sleep(5 * time.Second)
		}
		if n := b.sim.Ledger().Count("GET /api/v2/users"); n > 2*3 { // 600 users, 500 on a page, active ones and inactive ones
			b.Errorf("%d pages were read", n)
		}
	})
}
