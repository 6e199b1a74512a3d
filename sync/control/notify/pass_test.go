package notify

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/control"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A pass over 200 users, through a quota that takes minutes, takes exactly as long beside a receiver that
// never answers, while there is something to tell every few seconds, as it takes alone.
func TestAPassIsNotDelayed(t *testing.T) {
	var alone, beside time.Duration
	synctest.Test(t, func(t *testing.T) { alone = passTime(t) })
	synctest.Test(t, func(t *testing.T) {
		p := run(t, &receiver{answer: hang})
		stop := make(chan struct{})
		go func() {
			for i := 0; ; i++ {
				p.stage.hold(fmt.Sprintf("p-%d", i/8))
				p.stage.set(func(st *control.Status) { st.CredentialsDead = i%2 == 0 })
				select {
				case <-stop:
					return
				case <-time.After(pollInterval):
				}
			}
		}()
		beside = passTime(t)
		close(stop)
		p.stop()
		if len(p.receiver.asked()) < 3 {
			t.Errorf("the receiver was asked %d times: this says little", len(p.receiver.asked()))
		}
	})
	if alone != beside || alone < time.Minute {
		t.Errorf("alone the pass takes %s, beside the receiver %s", alone, beside)
	}
}

// passTime makes a pass that changes everybody.
func passTime(t *testing.T) time.Duration {
	server := sim.New(sim.Options{Users: 200, Seed: 7, Latency: 100 * time.Millisecond, IndexLag: -1, Quota: sim.Quota{Limit: 100}})
	dir := t.TempDir()
	for _, u := range server.Users() {
		text := fmt.Sprintf("email: %s\ntitle: Notified\n", u.Email)
		if err := os.WriteFile(filepath.Join(dir, u.Email+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	directory, err := genesys.New(api.Options{
		API: "https://api.example.com", ClientID: "demo", ClientSecret: "demo", Transport: server.Transport(),
		Limiter: aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{Rand: rand.New(rand.NewPCG(1, 2))})), Rand: rand.New(rand.NewPCG(3, 4)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	store, err := state.Open(filepath.Join(t.TempDir(), "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	r := &usersync.Reconciler{
		Specs: spec.NewLoader(dir), Store: store, Directory: directory, API: directory.API(),
		Policy: plan.Policy{Create: true, Adopt: true, IgnoreQuarantine: true, DetailInterval: 24 * time.Hour},
		Retry:  apply.Retry{Max: 5, MinWait: time.Second, MaxWait: 30 * time.Second},
		// One worker: with more, which of them is first is up to the scheduler, and a pass alone varies by milliseconds.
		SearchLag: time.Minute, Workers: 1, Refresh: 15 * time.Minute, Log: slog.New(slog.DiscardHandler), Rand: rand.New(rand.NewPCG(5, 6)),
	}
	began := time.Now()
	res, err := r.Reconcile(t.Context(), usersync.Mode{Strict: true, ForceRefresh: true})
	if err != nil || res.Applied != 200 {
		t.Fatalf("%+v, %v", res, err)
	}
	return time.Since(began)
}
