package main

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
func TestMemoryOfNonsense(t *testing.T) {
	for data, said := range map[string]bool{
		"": true, "{": true, "null": false, "[]": true, "{}": false, `{"tokens":[{}]}`: false, `{"saved":"yesterday"}`: true,
		`{"saved":"2026-03-01T12:00:00Z","tokens":[{"rate":"fast"}]}`: true, "\x00\xff": true,
		`{"tokens":[{"rate":1},{"rate":2},{"rate":3}]}`: false,
	} {
		t.Run(data, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "usersyncd.db")
			synctest.Test(t, func(t *testing.T) {
				r := startRemembering(t, path, memoryClient, 1)
				if err := r.store.SaveLimiter(r.memory.client, []byte(data)); err != nil {
					t.Fatal(err)
				}
				r.kill()
				r = startRemembering(t, path, memoryClient, 1)
				defer r.kill()
				if s := r.limiter.Stats(); s.Rate != aimd.DefaultStartRate || s.Gate != 0 {
					t.Errorf("%v", s)
				}
				if got := r.log.String(); strings.Contains(got, "level=DEBUG") != said || strings.Count(got, "\n") > 1 {
					t.Errorf("log: %q", got)
				}
				r.request(200, nil)
				r.memory.keep(r.limiter, time.Now())
				if got := r.kept().Tokens; len(got) != 1 {
					t.Errorf("then kept: %+v", got)
				}
			})
		})
	}
}

// A plan waits for the pause too, and writes nothing.
func TestMemoryReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := startRemembering(t, path, memoryClient, 1)
		began := time.Now()
		r.request(429, pause("300"))
		r.memory.save(r.limiter)
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
			r = rememberWith(t, store, memoryClient, 1, true)
			r.acquire()
			if waited := time.Since(began); waited < 300*time.Second {
				t.Errorf("sent after %v", waited)
			}
			if n := r.writes(60, quiet); n != 0 {
				t.Errorf("%d writes", n)
			}
			r.memory.save(r.limiter)
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
func TestMemoryThatCannotBeKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	synctest.Test(t, func(t *testing.T) {
		r := startRemembering(t, path, memoryClient, 1)
		r.kill() // and the rest goes on
		keep := func() {
			time.Sleep(time.Second)
			r.memory.keep(r.limiter, time.Now())
		}
		r.request(429, pause("300"))
		for range 90 {
			keep()
		}
		r.memory.save(r.limiter)
		if got := r.log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, path) {
			t.Errorf("log: %s", got)
		}

		store, err := state.Open(path, state.Options{}) // as if there was room again
		if err != nil {
			t.Fatal(err)
		}
		r.store, r.memory.store = store, store
		defer r.kill()
		if keep(); r.kept().Tokens == nil || r.kept().Tokens[0].Gate.IsZero() {
			t.Errorf("not tried again: %+v", r.kept())
		}
	})
}

// The file names no client, and each client and each API has a memory of its own.
func TestMemoryNamesNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	r := startRemembering(t, path, memoryClient, 1)
	r.request(200, nil)
	r.memory.save(r.limiter)
	if r.kept().Tokens == nil {
		t.Error("nothing is kept")
	}
	r.kill()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// printf 'client-4711\nhttps://api.mypurecloud.de' | sha256sum | cut -c 1-16
	if want := "31813929e72e4dc1"; r.memory.client != want || !bytes.Contains(data, []byte(want)) || bytes.Contains(data, []byte(memoryClient)) {
		t.Errorf("kept as %q, the file names it: %t", r.memory.client, bytes.Contains(data, []byte(memoryClient)))
	}
	seen := map[string]bool{}
	for _, id := range []string{memoryClient, "b", ""} {
		for _, api := range []string{memoryAPI, "https://api.mypurecloud.com"} {
			seen[newMemory(nil, id, api, false, nil).client] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("six clients have %d memories", len(seen))
	}
}
