package state_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"usersyncd/state"
)

// pageTypes lists the pages of a closed file, as bbolt knows them.
func pageTypes(t testing.TB, path string) (types []string, size int) {
	t.Helper()
	editBolt(t, path, func(tx *bolt.Tx) error {
		size = tx.DB().Info().PageSize
		for id := 0; ; id++ {
			switch info, err := tx.Page(id); {
			case err != nil:
				return err
			case info == nil:
				return nil
			default:
				types = append(types, info.Type)
				for range info.OverflowCount {
					types = append(types, "overflow")
					id++
				}
			}
		}
	})
	return types, size
}

// checkSalvaged checks that a store holds nothing but what was committed last, and returns how many users it has.
func checkSalvaged(t *testing.T, what string, st *state.Store) int {
	t.Helper()
	snap := mustSnapshot(t, st)
	if !snap.Rebuilt || snap.Damaged == 0 || !snap.Refresh.At.IsZero() || len(snap.Failures) > 0 || mustMeta(t, st).Converged != nil {
		t.Fatalf("%s: rebuilt %v, %d damaged, refresh %v, %d failures", what, snap.Rebuilt, snap.Damaged, snap.Refresh, len(snap.Failures))
	}
	if n := len(snap.Guards.Tallies); n == 0 || !snap.Guards.Tallies[n-1].Incomplete {
		t.Errorf("%s: the guards are not told: %+v", what, snap.Guards)
	}
	removed, renamed, suspended := marked()
	want := byID(removed, renamed, suspended)
	for n := 0; n < 150; n += 2 {
		u := user(n, 1)
		want[u.ID] = u
	}
	for id, u := range snap.Users {
		if want[id] == nil {
			t.Errorf("%s: %s was taken over, who is not managed: %+v", what, id, u)
		} else if d := diff(unobserved(want[id]), u); d != "" {
			t.Errorf("%s: %s: %s", what, id, d)
		}
	}
	return len(snap.Users)
}

// Whatever a branch page or the list of free pages says, nobody is managed whom an earlier commit released: pages that
// are free hold those.
func TestFreePagesAreNotRead(t *testing.T) {
	origin := tempFile(t)
	salvageable(t, origin)
	whole := read(t, origin)
	types, size := pageTypes(t, origin)
	at := func(page, offset int) int { return page*size + offset }
	olds := make([]bool, len(types)) // free, with older records of users
	for id, is := range types {
		olds[id] = is == "free" && bytes.Contains(whole[at(id, 0):at(id+1, 0)], []byte("id-00151"))
	}
	damaged := 0
	try := func(what string, b []byte) {
		path := tempFile(t)
		write(t, path, b)
		st := openReadOnly(t, path)
		if mustMeta(t, st).Rebuilt {
			checkSalvaged(t, what, st)
			damaged++
		}
		mustClose(t, st)
	}
	for id, is := range types {
		count := int(binary.NativeEndian.Uint16(whole[at(id, 10):]))
		switch is {
		case "branch":
			for to := range types {
				b, i := bytes.Clone(whole), to%count
				binary.NativeEndian.PutUint64(b[at(id, 16+16*i+8):], uint64(to))
				try(fmt.Sprintf("branch %d, child %d is page %d", id, i, to), b)
			}
			old := slices.IndexFunc(olds, func(is bool) bool { return is })
			for i := range count {
				b := bytes.Clone(whole)
				binary.NativeEndian.PutUint64(b[at(id, 16+16*i+8):], uint64(old))
				try(fmt.Sprintf("branch %d, child %d is page %d", id, i, old), b)
			}
		case "freelist":
			for n := range count {
				b := bytes.Clone(whole)
				binary.NativeEndian.PutUint16(b[at(id, 10):], uint16(n))
				try(fmt.Sprintf("%d free pages", n), b)
				branch := slices.Index(types, "branch")
				clear(b[at(branch, 0):at(branch+1, 0)])
				try(fmt.Sprintf("%d free pages, and page %d is damaged", n, branch), b)

				ids := at(id, 16)
				b = bytes.Clone(whole) // without one
				copy(b[ids+8*n:ids+8*count], append(bytes.Clone(whole[ids+8*(n+1):ids+8*count]), make([]byte, 8)...))
				binary.NativeEndian.PutUint16(b[at(id, 10):], uint16(count-1))
				try(fmt.Sprintf("without the free page at %d", n), b)

				for to := range types { // another one
					before, next := 0, len(types)
					if n > 0 {
						before = int(binary.NativeEndian.Uint64(whole[ids+8*(n-1):]))
					}
					if n+1 < count {
						next = int(binary.NativeEndian.Uint64(whole[ids+8*(n+1):]))
					}
					if to <= before || to >= next {
						continue
					}
					b = bytes.Clone(whole)
					binary.NativeEndian.PutUint64(b[ids+8*n:], uint64(to))
					try(fmt.Sprintf("page %d in place of the free page at %d", to, n), b)
				}
			}
		}
	}
	if !slices.Contains(olds, true) || damaged < 100 {
		t.Errorf("pages with older records: %v, %d damaged files", olds, damaged)
	}
}
