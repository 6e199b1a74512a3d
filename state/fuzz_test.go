package state_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"testing"

	"usersyncd/state"
)

// Whatever is written over a file, it opens, or is set aside, or is refused as somebody else's; and
// what opens can be read, written and checked. Fixed checksums of the meta pages let the fuzzer
// reach what bbolt believes without a look: page ids, sizes and counts.
func FuzzOpen(f *testing.F) {
	origin := tempFile(f)
	st := open(f, origin)
	for v := range 3 {
		mustCommit(f, st, state.Commit{Users: []*state.User{user(1, v), user(2, v), user(3, v)}, CreateIntents: []state.Intent{{Key: "k"}}})
	}
	mustClose(f, st)
	whole := read(f, origin)
	size := int(binary.NativeEndian.Uint32(whole[24:])) // of a page

	f.Add(uint32(0), []byte{}, uint32(0), false)
	f.Add(uint32(0), []byte{}, uint32(2*size), false)
	f.Add(uint32(0), []byte{}, uint32(3*size), false)
	for _, field := range []int{0, 8, 16, 20, 24, 28, 32, 40, 48, 56, 64, 72} { // of the metas
		f.Add(uint32(field), []byte{0xff, 0xff, 0xff}, uint32(len(whole)), true)
		f.Add(uint32(size+field), []byte{9}, uint32(len(whole)), true)
	}
	for at := 2 * size; at < len(whole); at += size {
		for _, field := range []int{0, 8, 10, 12, 16, 20, 24, 28, 32} { // of page heads and first elements
			f.Add(uint32(at+field), []byte{0xff}, uint32(len(whole)), false)
			f.Add(uint32(at+field), []byte{1, 0, 0, 0}, uint32(len(whole)), false)
			f.Add(uint32(at+field), []byte{0, 0, 0, 0}, uint32(len(whole)), false)
		}
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, length uint32, fix bool) {
		b := bytes.Clone(whole)
		copy(b[min(int(at), len(b)):], patch)
		b = b[:min(int(length), len(b))]
		for meta := 16; fix && meta+64 <= len(b) && meta <= 16+size; meta += size {
			h := fnv.New64a()
			_, _ = h.Write(b[meta : meta+56]) // never fails
			binary.NativeEndian.PutUint64(b[meta+56:], h.Sum64())
		}
		path := tempFile(t)
		write(t, path, b)
		ro, err := state.OpenReadOnly(path, state.Options{})
		if err == nil {
			mustSnapshot(t, ro)
			mustClose(t, ro)
		} else if !errors.Is(err, state.ErrForeign) && !errors.Is(err, state.ErrNewer) {
			t.Fatal(err)
		}
		if !bytes.Equal(b, read(t, path)) {
			t.Fatal("opening read only changed the file")
		}
		if err != nil {
			return
		}
		st := open(t, path)
		mustSnapshot(t, st)
		mustCommit(t, st, state.Commit{Users: []*state.User{user(2, 9), user(4, 9)}, Forget: []string{"id-00001"}, ClearCreateIntents: []string{"k"}})
		for id, u := range mustSnapshot(t, st).Users {
			if u.ID != id || cmp.Or(u.Fields.Get("email"), u.LastApplied.Get("email")) != value("u%s@example.com", id[len(id)-1:]) {
				t.Errorf("%s: %+v", id, u)
			}
		}
	})
}
