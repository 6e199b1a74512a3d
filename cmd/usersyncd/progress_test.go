package main

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/cmd/usersyncd/internal/limiterstore"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// Where nobody sees a bar, a pass that waits for its quota writes a line every ten seconds, and a short
// one none.
func TestLinesElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := sim.New(sim.Options{Users: 30, Seed: 5, Quota: sim.Quota{Limit: 15}})
		users := server.Users()
		for i := range users {
			users[i].Title = "Moved"
		}
		dir := filepath.Join(t.TempDir(), "users")
		if err := writeSpecs(t.Context(), dir, users); err != nil {
			t.Fatal(err)
		}
		limiter := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{MaxInFlight: 4}))
		directory, err := genesys.New(api.Options{
			API: "https://api.mypurecloud.com", ClientID: "demo", ClientSecret: "demo", Limiter: limiter, Transport: server.Transport(),
		})
		if err != nil {
			t.Fatal(err)
		}
		store, err := state.Open(filepath.Join(t.TempDir(), "usersyncd.db"), state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		a := &app{limiter: limiter, genesys: directory, screen: &progress.Screen{W: &out}, Reconciler: &usersync.Reconciler{
			Specs: spec.NewLoader(dir), Store: store, Directory: directory, API: directory.API(), Workers: 4, Refresh: time.Hour,
			Policy: plan.Policy{Create: true, Adopt: true}, Retry: apply.Retry{Max: 1, MinWait: time.Second, MaxWait: time.Minute},
			Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Rand: rand.New(rand.NewPCG(1, 1)),
		}}
		a.log = a.Log
		a.learned = limiterstore.New(store, "demo", directory.API(), false, a.log)
		a.stop = progress.WatchLimiter(limiter, a.log, slog.LevelInfo, func(now time.Time) { a.learned.Save(limiter, now) })
		defer func() {
			if err := a.close(nil); err != nil {
				t.Error(err)
			}
		}()
		pass := func() (time.Duration, []string) {
			out.Reset()
			began := time.Now()
			stop := a.screen.Show(a.Status, a.limiter, a.log)
			res, err := a.Reconcile(t.Context(), usersync.Mode{Strict: true})
			stop()
			if err != nil || res.Applied+res.Unchanged != 30 {
				t.Fatalf("%+v, %v", res, err)
			}
			return time.Since(began), strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' })
		}

		took, lines := pass()
		if took < time.Minute || len(lines) != int(took/progress.LineInterval) {
			t.Errorf("%d lines in %s", len(lines), took)
		}
		good := regexp.MustCompile(`^(reading the organization: |\d+/30 users, \S+ left, )((\d+\.\d calls/s|\d+ calls under way)(, \d+ of 15 calls left)?|waiting \S+(, as the API asks| for the next calls))(, \d+ answered 429)?(, \d+ calls? to go)?$`)
		for _, line := range lines {
			if !good.MatchString(line) {
				t.Errorf("%q", line)
			}
		}
		if _, lines := pass(); len(lines) > 0 {
			t.Errorf("a pass with nothing to do: %q", lines)
		}
	})
}

// While calls that had no response are looked up, and no other call is to be made, the line says so, and for how long.
func TestLinesOfLostAnswers(t *testing.T) {
	inBubble(t, sim.Options{Users: 6}, "retry-min-wait: 20s\nretry-max-wait: 20s\n", func(b *bubble) {
		b.sim.AddFault(sim.Fault{Method: "PATCH", Effect: sim.Lost})
		b.sim.Edit(mei, func(u *sim.User) { u.Title = "Boss" })
	}, func(b *bubble) {
		waits := 0
		for range 300 {
			time.Sleep(100 * time.Millisecond)
			st, l := b.app.Status(), b.app.limiter.Stats()
			if st.Phase != usersync.PhaseApply {
				continue
			}
			line := progress.Line(st, l, b.app.limiter.Estimate(l.Expected), 79)
			if strings.Contains(line, " 0 calls") || strings.Contains(line, " 0.0s") {
				t.Errorf("%q", line)
			}
			if regexp.MustCompile(`^0/1 users, \d+\.\ds left, looking up 1 call without a response$`).MatchString(line) {
				waits++
			}
		}
		if waits < 10 {
			t.Errorf("it is said only %d times what is waited for", waits)
		}
	})
}
