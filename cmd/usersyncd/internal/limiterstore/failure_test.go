package limiterstore

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	"usersyncd/sync/aimd"
)

// What cannot be understood is nothing learned, and is said to whoever looks for it.
func TestNonsense(t *testing.T) {
	for data, said := range map[string]bool{
		"": true, "{": true, "null": false, "[]": true, "{}": false, `{"tokens":[{}]}`: false, `{"saved":"yesterday"}`: true,
		`{"saved":"2026-03-01T12:00:00Z","tokens":[{"rate":"fast"}]}`: true, "\x00\xff": true,
		`{"tokens":[{"rate":1},{"rate":2},{"rate":3}]}`: false,
	} {
		t.Run(data, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "usersyncd.db")
			synctest.Test(t, func(t *testing.T) {
				r := start(t, path, clientID, 1)
				if err := r.store.SaveLimiter(r.saved.client, []byte(data)); err != nil {
					t.Fatal(err)
				}
				r.kill()
				r = start(t, path, clientID, 1)
				defer r.kill()
				if s := r.limiter.Stats(); s.Rate != aimd.DefaultStartRate || s.Gate != 0 {
					t.Errorf("%v", s)
				}
				if got := r.log.String(); strings.Contains(got, "level=DEBUG") != said || strings.Count(got, "\n") > 1 {
					t.Errorf("log: %q", got)
				}
				r.request(200, nil)
				r.saved.Save(r.limiter, time.Now())
				if got := r.kept().Tokens; len(got) != 1 {
					t.Errorf("then kept: %+v", got)
				}
			})
		})
	}
}

// A plan waits for the pause too, and writes nothing.
func TestStoreReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 1)
		began := time.Now()
		r.request(429, pause("300"))
		r.saved.Flush(r.limiter)
		r.kill()
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, filepath.Join(t.TempDir(), "missing.db")} {
			store, err := state.OpenReadOnly(path, state.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r = startWith(t, store, clientID, 1, true)
			r.acquire()
			if waited := time.Since(began); waited < 300*time.Second {
				t.Errorf("sent after %v", waited)
			}
			if n := r.writes(60, quiet); n != 0 {
				t.Errorf("%d writes", n)
			}
			r.saved.Flush(r.limiter)
			if r.log.Len() > 0 {
				t.Errorf("log: %s", r.log.String())
			}
			r.kill()
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the file has changed, %v", err)
		}
	})
}

// A file that cannot be written is one warning, and is tried again.
func TestStoreThatCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, clientID, 1)
		r.kill() // and the rest goes on
		keep := func() {
			time.Sleep(time.Second)
			r.saved.Save(r.limiter, time.Now())
		}
		r.request(429, pause("300"))
		for range 90 {
			keep()
		}
		r.saved.Flush(r.limiter)
		if got := r.log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, path) {
			t.Errorf("log: %s", got)
		}

		store, err := state.Open(path, state.Options{}) // as if there was room again
		if err != nil {
			t.Fatal(err)
		}
		r.store, r.saved.store = store, store
		defer r.kill()
		if keep(); r.kept().Tokens == nil || r.kept().Tokens[0].Gate.IsZero() {
			t.Errorf("not tried again: %+v", r.kept())
		}
	})
}

// The file names no client, and each client of each API has a state of its own.
func TestStoreNamesNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	r := start(t, path, clientID, 1)
	r.request(200, nil)
	r.saved.Flush(r.limiter)
	if r.kept().Tokens == nil {
		t.Error("nothing is kept")
	}
	r.kill()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// printf 'client-4711\nhttps://api.mypurecloud.de' | sha256sum | cut -c 1-16
	if want := "31813929e72e4dc1"; r.saved.client != want || !bytes.Contains(data, []byte(want)) || bytes.Contains(data, []byte(clientID)) {
		t.Errorf("kept as %q, the file names it: %t", r.saved.client, bytes.Contains(data, []byte(clientID)))
	}
	seen := map[string]bool{}
	for _, id := range []string{clientID, "b", ""} {
		for _, api := range []string{apiURL, "https://api.mypurecloud.com"} {
			seen[New(nil, id, api, false, nil).client] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("six clients have %d states", len(seen))
	}
}
