package state_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"usersyncd/state"
)

const pageSize = 4096 // of the files below

// history makes a closed file of many commits, and returns every user that was ever committed.
func history(t testing.TB, path string) map[string][]*state.User {
	t.Helper()
	st := open(t, path)
	all := map[string][]*state.User{}
	if err := st.Bind(state.Org{API: "https://api.mypurecloud.de"}); err != nil {
		t.Fatal(err)
	}
	for version := range 4 {
		var us []*state.User
		for n := range 60 {
			if (n+version)%3 != 0 {
				us = append(us, user(n, version))
			}
		}
		for _, u := range us {
			all[u.ID] = append(all[u.ID], u)
		}
		mustCommit(t, st, state.Commit{Users: us, CreateIntents: []state.Intent{{Key: fmt.Sprint(version)}}})
	}
	mustCommit(t, st, state.Commit{Refresh: &state.Refresh{At: now, Listed: 60}, Converged: &state.Converged{Digest: "d"}})
	mustClose(t, st)
	return all
}

// Every fault of a whole file leads to an empty store and the old file beside it; none to an error or a crash.
func TestDamagedFileIsSetAside(t *testing.T) {
	origin := tempFile(t)
	history(t, origin)
	whole := read(t, origin)
	if got := binary.NativeEndian.Uint32(whole[24:]); got != pageSize {
		t.Skipf("pages of %d bytes", got)
	}
	cut := func(n int) []byte { return whole[:n] }
	edit := func(change func(b []byte)) []byte {
		b := bytes.Clone(whole)
		change(b)
		return b
	}
	random := make([]byte, 1<<20)
	rnd := rand.NewChaCha8([32]byte{1})
	_, _ = rnd.Read(random) // never fails
	metas := func(offset int) func(b []byte) {
		return func(b []byte) { b[16+offset] ^= 0xff; b[pageSize+16+offset] ^= 0xff }
	}
	for name, content := range map[string][]byte{
		"0 bytes":               {},
		"1 byte":                cut(1),
		"1000 bytes":            cut(1000),
		"4096 bytes":            cut(4096),
		"8192 bytes":            cut(8192),
		"12288 bytes":           cut(12288),
		"16384 bytes":           cut(16384),
		"a third":               cut(len(whole) / 3),
		"text":                  []byte(strings.Repeat("users:\n- email: ana@example.com\n", 1000)),
		"random":                random,
		"zeroes":                make([]byte, len(whole)),
		"magics wrong":          edit(metas(0)),
		"versions wrong":        edit(metas(4)),
		"page sizes wrong":      edit(metas(8)),
		"checksums wrong":       edit(metas(56)),
		"both metas zero":       edit(func(b []byte) { clear(b[:2*pageSize]) }),
		"data pages zero":       edit(func(b []byte) { clear(b[2*pageSize:]) }),
		"page 2 onward shifted": edit(func(b []byte) { copy(b[2*pageSize:], b[3*pageSize:]) }),
	} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t)
			write(t, path, content)
			if snap := mustSnapshot(t, openReadOnly(t, path)); !snap.Rebuilt || len(snap.Users) != 0 {
				t.Errorf("read only: %+v", snap)
			}
			if got := read(t, path); !bytes.Equal(got, content) || len(names(t, filepath.Dir(path))) != 1 {
				t.Fatal("opening read only changed something")
			}

			st := open(t, path)
			if !strings.HasPrefix(st.SetAside(), path+".bad-") || !bytes.Equal(read(t, st.SetAside()), content) {
				t.Errorf("set aside as %q", st.SetAside())
			}
			if snap := mustSnapshot(t, st); !snap.Rebuilt || len(snap.Users) != 0 || !snap.Refresh.At.IsZero() {
				t.Errorf("the new store is %+v", snap)
			}
			mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 1)}})
			mustClose(t, st)

			st = open(t, path)
			if !mustSnapshot(t, st).Rebuilt || !mustMeta(t, st).Rebuilt || st.SetAside() != "" {
				t.Error("rebuilt was forgotten before a refresh")
			}
			mustCommit(t, st, state.Commit{Refresh: &state.Refresh{At: now, Listed: 1}})
			if snap := mustSnapshot(t, st); snap.Rebuilt || snap.Refresh.Listed != 1 || len(snap.Users) != 1 {
				t.Errorf("after the refresh: %+v", snap)
			}
		})
	}
}

// A second file that is damaged in the same second does not overwrite the first.
func TestSetAsideKeepsAll(t *testing.T) {
	path := tempFile(t)
	for n := range 3 {
		write(t, path, []byte(fmt.Sprint("damage ", n)))
		st := open(t, path)
		if got := read(t, st.SetAside()); string(got) != fmt.Sprint("damage ", n) {
			t.Errorf("%q", got)
		}
		mustClose(t, st)
	}
}

// A crash between setting a file aside and creating the next does not make that one a first one.
func TestRebuiltSurvivesACrash(t *testing.T) {
	path := tempFile(t)
	write(t, path+".bad-20260301T120000Z", []byte("damage"))
	write(t, path+".new", bytes.Repeat([]byte("half "), 2000))
	if snap := mustSnapshot(t, openReadOnly(t, path)); !snap.Rebuilt {
		t.Error("read only: not rebuilt")
	}
	if snap := mustSnapshot(t, open(t, path)); !snap.Rebuilt {
		t.Error("not rebuilt")
	}
}

// One invalid meta page can mean that the last commit is missing: what is there is taken over, and a refresh is due.
func TestOneMetaPage(t *testing.T) {
	for page := range 2 {
		path := tempFile(t)
		all := history(t, path)
		b := read(t, path)
		b[page*pageSize+16+56] ^= 1
		write(t, path, b)
		for _, st := range []*state.Store{openReadOnly(t, path), nil} {
			if st != nil {
				mustKnow(t, st, all)
				mustClose(t, st)
				continue
			}
			st := open(t, path)
			mustKnow(t, st, all)
			mustCommit(t, st, state.Commit{Refresh: &state.Refresh{At: now}})
			if m := mustMeta(t, st); m.Converged != nil || m.Damaged != 0 || m.Refresh.At.IsZero() {
				t.Errorf("after a refresh: %+v", m) // the commit that was lost may have cleared the mark
			}
		}
	}
}

func mustKnow(t *testing.T, st *state.Store, all map[string][]*state.User) {
	t.Helper()
	snap := mustSnapshot(t, st)
	if len(snap.Users) != len(all) || snap.Damaged != 1 || !snap.Refresh.At.IsZero() || !snap.Rebuilt {
		t.Errorf("%d users, %d damaged, refresh %v", len(snap.Users), snap.Damaged, snap.Refresh)
	}
}

// The law: whatever happens to some bytes, a snapshot shows only what was committed, and nothing goes
// missing without notice.
func TestRandomDamage(t *testing.T) {
	const rounds = 200
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	origin := tempFile(t)
	all := history(t, origin)
	content := read(t, origin)
	used := len(content) // the rest was never written
	for used > 0 && content[used-1] == 0 {
		used--
	}
	path := tempFile(t)
	unharmed, lost, whole := 0, 0, 0
	for range rounds {
		b := bytes.Clone(content)
		at := rnd.IntN(used)
		switch sector := at / 512 * 512; rnd.IntN(4) {
		case 0:
			clear(b[sector:min(sector+512, len(b))])
		case 1:
			for i := sector; i < min(sector+512, len(b)); i++ {
				b[i] = byte(rnd.Uint32())
			}
		case 2: // a sector that belongs elsewhere
			copy(b[sector:min(sector+512, len(b))], content[rnd.IntN(used/512)*512:])
		default:
			b[at] ^= 1 << rnd.IntN(8)
		}
		write(t, path, b)
		st, err := state.Open(path, state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		snap := mustSnapshot(t, st)
		rebuilt := snap.Rebuilt && snap.Damaged > 0 && snap.Refresh.At.IsZero() && st.SetAside() != ""
		for id, u := range snap.Users {
			if !everCommitted(all[id], u, rebuilt) {
				t.Fatalf("byte %d: user %s was never committed as %+v", at, id, u)
			}
		}
		switch {
		case rebuilt && len(snap.Users) == len(all):
			whole++
		case rebuilt:
			lost++
		default:
			unharmed++
			for id, versions := range all {
				if d := diff(versions[len(versions)-1], snap.Users[id]); d != "" {
					t.Fatalf("byte %d: lost without notice: %s", at, d)
				}
			}
		}
		mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 9)}, Forget: []string{"id-00002"}})
		mustClose(t, st)
		checkBolt(t, path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if st.SetAside() != "" {
			if err := os.Remove(st.SetAside()); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d files: %d unharmed, %d lost users, %d lost none", rounds, unharmed, lost, whole)
	if lost == 0 || whole == 0 {
		t.Error("the damage does not reach every defence")
	}
}

// A file that is cut while it is open makes errors, no crash and no hang, and can be opened again.
func TestFileCutWhileOpen(t *testing.T) {
	snapshot := func(st *state.Store) error { _, err := st.Snapshot(); return err }
	commit := func(st *state.Store) error { return st.Commit(state.Commit{Users: []*state.User{user(1, 9)}}) }
	learned := func(st *state.Store) error { _, err := st.Limiter("a"); return err }
	learn := func(st *state.Store) error { return st.SaveLimiter("a", nil) }
	for name, calls := range map[string][]func(*state.Store) error{
		"read first": {snapshot, commit, snapshot}, "write first": {commit, snapshot, commit},
		"limiter read first": {learned, learn, snapshot}, "limiter write first": {learn, learned, commit},
	} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t)
			history(t, path)
			st, err := state.Open(path, state.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 2*pageSize); err != nil {
				t.Fatal(err)
			}
			for i, call := range calls {
				if err := call(st); !errors.Is(err, state.ErrDamaged) || !strings.Contains(err.Error(), path) {
					t.Errorf("call %d: %v", i, err)
				}
			}
			mustClose(t, st)
			if st := open(t, path); st.SetAside() == "" {
				t.Error("not set aside")
			}
		})
	}
}

// everCommitted reports whether a user was ever committed so, but for what a file that was rebuilt leaves out.
func everCommitted(versions []*state.User, u *state.User, rebuilt bool) bool {
	for _, v := range versions {
		if reflect.DeepEqual(v, u) || rebuilt && diff(unobserved(v), u) == "" {
			return true
		}
	}
	return false
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
