package sync_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/sim"
)

// Whether refused credentials are accepted by now is known when the API says so, not when there is nothing to ask
// it; and it is known at once then, however long the pass takes.
func TestCredentialsAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40})
		w.declareAll("title: One")
		w.pass()
		w.fault("revoked")
		w.declareAll("title: Two")
		look := func() error {
			_, err := w.Reconcile(t.Context(), usersync.Mode{})
			return err
		}
		if err := look(); !errors.Is(err, apply.ErrUnauthorized) {
			t.Fatal(err)
		}
		w.declareAll("title: One") // nothing is left to do
		for range 2 {
			if err := look(); !errors.Is(err, apply.ErrUnauthorized) || !errors.Is(w.Status().LastError, apply.ErrUnauthorized) {
				t.Fatalf("%v, and the trouble is %v", err, w.Status().LastError)
			}
		}
		if err := os.Rename(w.dir, w.dir+".aside"); err != nil { // another trouble does not make up for it
			t.Fatal(err)
		}
		if err := look(); err == nil || errors.Is(err, apply.ErrUnauthorized) {
			t.Fatal(err)
		}
		if err := os.Rename(w.dir+".aside", w.dir); err != nil {
			t.Fatal(err)
		}
		if err := look(); !errors.Is(err, apply.ErrUnauthorized) {
			t.Fatal(err)
		}
		// What is to be done, and that it is paused, is seen all the same.
		w.declareAll("title: Two")
		if err := w.Store.Commit(state.Commit{Pause: &state.Pause{At: time.Now(), By: "ana"}}); err != nil {
			t.Fatal(err)
		}
		if err := look(); !errors.Is(err, apply.ErrUnauthorized) || len(w.View().Changes) != 40 || w.Status().Paused == nil {
			t.Fatalf("%v, %d changes are seen, and the pause is %v", err, len(w.View().Changes), w.Status().Paused)
		}
		if err := w.Store.Commit(state.Commit{Pause: &state.Pause{}}); err != nil {
			t.Fatal(err)
		}
		w.declareAll("title: One")
		w.sim.ClearFaults()
		w.sim.ResetLedger()
		time.Sleep(5 * time.Second) // as the daemon does after a pass that failed; before, no token is fetched
		if err := look(); err != nil || w.Status().LastError != nil {
			t.Fatalf("%v, and the trouble is %v", err, w.Status().LastError)
		}
		if err := look(); err != nil {
			t.Fatal(err)
		}
		if calls := w.sim.Ledger().Calls; len(calls) != 2 || w.sim.Ledger().Count("GET /api/v2/organizations/me") != 1 {
			t.Errorf("to learn that took more than a token and a request: %v", calls)
		}

		w.fault("revoked")
		w.declareAll("title: Three")
		if err := look(); !errors.Is(err, apply.ErrUnauthorized) {
			t.Fatal(err)
		}
		w.sim.ClearFaults()
		time.Sleep(5 * time.Second)
		w.fault("PATCH slow=5s")
		done := make(chan error)
		go func() { done <- look() }()
		time.Sleep(12 * time.Second)
		if s := w.Status(); s.Phase != usersync.PhaseApply || s.Progress.Applied == 0 || s.LastError != nil {
			t.Errorf("in %s, %d applied, and the trouble is %v", s.Phase, s.Progress.Applied, s.LastError)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
