package limiterstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	"usersyncd/sync/aimd"
)

const (
	clientID = "client-4711"
	apiURL   = "https://api.mypurecloud.de"
)

// A program has nothing but a limiter and its store.
type program struct {
	*testing.T
	store   *state.Store
	saved   *Store
	limiter *aimd.Dispatcher
	log     strings.Builder
}

// start begins one; kill ends it.
func start(t *testing.T, path, client string, tokens int) *program {
	t.Helper()
	store, err := state.Open(path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return startWith(t, store, client, tokens, false)
}

func startWith(t *testing.T, store *state.Store, client string, tokens int, readOnly bool) *program {
	t.Helper()
	r := &program{T: t, store: store, limiter: aimd.NewDispatcher(aimd.NewPool(tokens, aimd.Config{}))}
	log := slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.saved = New(store, client, apiURL, readOnly, log)
	r.saved.Restore(r.limiter, false)
	return r
}

// kill ends the program without saving anything.
func (r *program) kill() {
	r.Helper()
	if err := r.store.Close(); err != nil {
		r.Error(err)
	}
}

func (r *program) acquire() (ticket uint64, token int) {
	r.Helper()
	ticket, token, err := r.limiter.Acquire(r.Context(), "", "")
	if err != nil {
		r.Fatal(err)
	}
	return ticket, token
}

func (r *program) request(status int, header map[string][]string) {
	r.Helper()
	ticket, _ := r.acquire()
	r.limiter.Release(ticket, status, header)
}

// kept is what is in the file.
func (r *program) kept() (m aimd.Memory) {
	r.Helper()
	data, err := r.store.Limiter(r.saved.client)
	if err != nil {
		r.Fatal(err)
	}
	if data == nil {
		return m
	}
	if err := json.Unmarshal(data, &m); err != nil {
		r.Fatal(err)
	}
	return m
}

// writes counts how often something is kept in that many seconds; each is called before its second is over.
func (r *program) writes(seconds int, each func(second int)) (n int) {
	r.Helper()
	last := r.kept().Saved
	for s := range seconds {
		each(s)
		time.Sleep(time.Second)
		r.saved.Save(r.limiter, time.Now())
		if now := r.kept().Saved; !now.Equal(last) {
			last, n = now, n+1
		}
	}
	return n
}

func quiet(int) {}

func pause(seconds string) map[string][]string { return map[string][]string{"Retry-After": {seconds}} }

// A program that is killed while it waits, and started again, sends nothing before the pause is over.
func TestAPauseSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 1)
		began := time.Now()
		r.request(429, pause("300"))
		time.Sleep(time.Second)
		r.saved.Save(r.limiter, time.Now())
		r.kill()
		for range 3 { // each of them is killed as well
			time.Sleep(30 * time.Second)
			r = start(t, path, clientID, 1)
			r.saved.Save(r.limiter, time.Now())
			r.kill()
		}

		other := start(t, path, "another client", 1)
		before := time.Now()
		other.acquire()
		if waited := time.Since(before); waited > time.Second {
			t.Errorf("another client waits %v", waited)
		}
		other.kill()

		r = start(t, path, clientID, 1)
		defer r.kill()
		r.acquire()
		if waited := time.Since(began); waited < 300*time.Second || waited > 301*time.Second {
			t.Errorf("the next request is sent %v after the 429, which asked for 300 s", waited)
		}
	})
}

// A pause that is too long to be waited for is as long after a restart.
func TestAParkedLimiter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 1)
		began := time.Now()
		r.request(429, pause("3600"))
		r.saved.Flush(r.limiter)
		r.kill()
		time.Sleep(20 * time.Minute)
		r = start(t, path, clientID, 1)
		defer r.kill()
		_, _, err := r.limiter.Acquire(t.Context(), "", "")
		var parked *aimd.ParkedError
		if !errors.As(err, &parked) || parked.Until.Sub(began) < time.Hour || parked.Until.Sub(began) > time.Hour+time.Second {
			t.Errorf("%v, began %v", err, began)
		}
	})
}

// Such a pause may be a mistake: one request an hour finds out, whichever process sends it, and if it is accepted the pause
// is over.
func TestAParkedLimiterProbesOnceAnHour(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 1)
		r.request(429, pause("86400"))
		sent := 1
		for range 26 * 6 { // every ten minutes
			r.saved.Flush(r.limiter)
			r.kill()
			time.Sleep(10 * time.Minute)
			r = start(t, path, clientID, 1)
			ticket, _, err := r.limiter.Acquire(t.Context(), "", "")
			if err == nil {
				sent++
				r.limiter.Release(ticket, 429, pause("86400"))
			}
		}
		if sent != 1+26 {
			t.Errorf("%d requests in 26 hours, want one an hour", sent)
		}
		time.Sleep(time.Hour)
		r.request(200, nil)
		r.request(200, nil)
		r.saved.Flush(r.limiter)
		r.kill()
		r = start(t, path, clientID, 1)
		defer r.kill()
		if s := r.limiter.Stats(); s.Gate != 0 {
			t.Errorf("still paused after an accepted request: %v", s)
		}
	})
}

// A clock that was ahead when a pause was saved, or a person who knows better, is not waited for.
func TestAPauseThatIsIgnored(t *testing.T) {
	for name, restart := range map[string]func(r *program) *program{
		"clock": func(r *program) *program {
			kept := r.kept()
			kept.Saved = kept.Saved.AddDate(1, 0, 0)
			for _, at := range []*time.Time{&kept.Tokens[0].Gate, &kept.Tokens[0].Probed} {
				*at = at.AddDate(1, 0, 0)
			}
			data, err := json.Marshal(kept)
			if err != nil {
				r.Fatal(err)
			}
			if err := r.store.SaveLimiter(r.saved.client, data); err != nil {
				r.Fatal(err)
			}
			path := r.store.Path()
			r.kill()
			return start(r.T, path, clientID, 1)
		},
		"person": func(r *program) *program {
			r.limiter = aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
			r.saved.Restore(r.limiter, true)
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "usersyncd.db")
			synctest.Test(t, func(t *testing.T) {
				r := start(t, path, clientID, 1)
				r.request(429, pause("3600"))
				r.saved.Flush(r.limiter)
				r = restart(r)
				defer r.kill()
				began := time.Now()
				r.request(200, nil)
				r.request(200, nil)
				if waited := time.Since(began); waited > time.Second {
					t.Errorf("waited %v", waited)
				}
			})
		})
	}
}

// What is left of a long pause is waited for once it is short enough.
func TestTheRestOfALongPause(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 1)
		began := time.Now()
		r.request(429, pause("3000"))
		r.saved.Flush(r.limiter)
		r.kill()
		time.Sleep(45 * time.Minute)
		r = start(t, path, clientID, 1)
		defer r.kill()
		r.request(200, nil)
		if waited := time.Since(began); waited < 50*time.Minute || waited > 50*time.Minute+time.Second {
			t.Errorf("sent %v after the 429, which asked for 50 min", waited)
		}
	})
}

// What was learned is written every half a minute while requests are made, and never while none are.
func TestStoreIsKeptWhileRequestsAreMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 1)
		defer r.kill()
		if n := r.writes(120, quiet); n != 0 {
			t.Errorf("%d writes before the first request", n)
		}
		busy := func(int) { r.request(200, nil) }
		if n := r.writes(1, busy); n != 1 {
			t.Errorf("%d writes after the first request", n)
		}
		if n := r.writes(600, busy); n < 19 || n > 20 { // a request may take its second too
			t.Errorf("%d writes in ten minutes", n)
		}
		if n := r.writes(60, quiet); n > 1 { // for the last requests
			t.Errorf("%d writes after the last request", n)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n := r.writes(600, quiet)
		r.saved.Flush(r.limiter)
		if after, err := os.ReadFile(path); err != nil || n != 0 || !bytes.Equal(before, after) {
			t.Errorf("%d writes while idle; the file is the same: %t, %v", n, bytes.Equal(before, after), err)
		}
		if n := r.writes(1, busy); n != 1 {
			t.Errorf("%d writes after a request at last", n)
		}
	})
}

// A pause is written when it begins and when it grows, and not while it lasts or once it is over.
func TestAPauseIsWrittenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 1)
		r.request(200, nil)
		first, _ := r.acquire()
		second, _ := r.acquire()
		if n := r.writes(2, quiet); n != 1 {
			t.Errorf("%d writes for three requests", n)
		}
		for _, step := range []struct {
			ticket uint64
			after  string
			want   int
		}{{first, "60", 1}, {second, "120", 1}} {
			r.limiter.Release(step.ticket, 429, pause(step.after))
			if n := r.writes(1, quiet); n != step.want {
				t.Errorf("Retry-After %s: %d writes", step.after, n)
			}
			gate := r.limiter.Memory().Tokens[0].Gate
			if kept := r.kept().Tokens[0].Gate; !kept.Equal(gate) || time.Until(kept) < 50*time.Second {
				t.Errorf("Retry-After %s: the pause lasts until %v, kept is %v", step.after, gate, kept)
			}
			if n := r.writes(10, quiet); n != 0 {
				t.Errorf("Retry-After %s: %d writes while it lasts", step.after, n)
			}
		}
		r.kill()
		r = start(t, path, clientID, 1)
		defer r.kill()
		if n := r.writes(150, quiet); n != 0 || r.limiter.Stats().Gate != 0 {
			t.Errorf("%d writes while a pause goes on that was known; %v of it left", n, r.limiter.Stats().Gate)
		}
	})
}

// The pause of one token is kept while another goes on.
func TestTwoTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 2)
		defer r.kill()
		r.limiter.Expect(1000)
		r.request(200, nil)
		if n := r.writes(1, quiet); n != 1 {
			t.Fatalf("%d writes", n)
		}
		for {
			ticket, token := r.acquire()
			if token == 0 {
				r.limiter.Release(ticket, 200, nil)
				continue
			}
			r.limiter.Release(ticket, 429, pause("300"))
			break
		}
		if n := r.writes(1, quiet); n != 1 || r.limiter.Stats().Gate != 0 {
			t.Errorf("%d writes, gate of %v", n, r.limiter.Stats().Gate)
		}
		if kept := r.kept().Tokens; len(kept) != 2 || !kept[0].Gate.IsZero() || time.Until(kept[1].Gate) < 290*time.Second {
			t.Errorf("%+v", kept)
		}
	})
}

// The last word is written at the end: requests, and a pause that a request has earned since.
func TestStoreIsSavedAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 1)
		defer r.kill()
		saves := func() bool {
			before := r.kept().Saved
			time.Sleep(time.Millisecond)
			r.saved.Flush(r.limiter)
			return !r.kept().Saved.Equal(before)
		}
		if saves() {
			t.Error("saved before the first request")
		}
		r.request(200, nil)
		if !saves() {
			t.Error("a request is not saved")
		}
		if saves() {
			t.Error("saved twice")
		}
		ticket, _ := r.acquire()
		if !saves() {
			t.Error("a request under way is not saved")
		}
		r.limiter.Release(ticket, 429, pause("300"))
		if !saves() || r.kept().Tokens[0].Gate.IsZero() {
			t.Error("its pause is not saved")
		}
		if saves() {
			t.Error("the pause is saved twice")
		}
	})
}
