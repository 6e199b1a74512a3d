package state_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"usersyncd/state"
)

// What a person asks for stands until it is answered, and is not lost by whatever else is committed.
func TestReleases(t *testing.T) {
	st := open(t, tempFile(t))
	defer mustClose(t, st)
	has := func(want ...string) {
		t.Helper()
		part, err := st.SnapshotOf(nil, nil)
		if got := mustSnapshot(t, st).Releases; err != nil || !slices.Equal(got, want) || !slices.Equal(part.Releases, want) {
			t.Errorf("%v and %v, not %v: %v", got, part.Releases, want, err)
		}
	}
	has()
	mustCommit(t, st, state.Commit{ClearReleases: []string{"p-3"}})
	mustCommit(t, st, state.Commit{AddReleases: []string{"p-2"}})
	mustCommit(t, st, state.Commit{AddReleases: []string{"p-1", "p-2"}})
	mustCommit(t, st, state.Commit{Guards: &state.Guards{}})
	has("p-1", "p-2")
	mustCommit(t, st, state.Commit{ClearReleases: []string{"p-1", "p-3"}})
	has("p-2")
	mustCommit(t, st, state.Commit{ClearReleases: []string{"p-2"}})
	has()
	if err := st.Commit(state.Commit{AddReleases: []string{"31"}}); !errors.Is(err, state.ErrPlanID) {
		t.Error(err)
	}
}

// What a state file says that others may write to releases nothing.
func TestReleasesInAFileOfOthers(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	mustCommit(t, st, state.Commit{AddReleases: []string{"p-1f3ac24e"}, Guards: &state.Guards{Released: []string{"max-removals id0005 delete"}}})
	mustClose(t, st)
	for _, untrusted := range []bool{false, true} {
		for _, open := range openers() {
			st, err := open(path, state.Options{Untrusted: untrusted})
			if err != nil {
				t.Fatal(err)
			}
			part, err := st.SnapshotOf(nil, nil)
			snap := mustSnapshot(t, st)
			if n := len(snap.Releases); err != nil || n != len(part.Releases) || (n == 0) != untrusted || (len(snap.Guards.Released) == 0) != untrusted {
				t.Errorf("Untrusted %t: %d requests, of a part %d, %v released, %v", untrusted, n, len(part.Releases), snap.Guards.Released, err)
			}
			mustClose(t, st)
		}
	}
}

// What is recorded of the last pass leaves what else is known as it was, is in no damaged file's heir, and counts only if it is whole.
func TestLastPass(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	has := func(st *state.Store, want string) {
		t.Helper()
		if got, err := st.LastPass(); err != nil || string(got) != want {
			t.Errorf("%s, not %q: %v", got, want, err)
		}
	}
	has(st, "")
	mustCommit(t, st, state.Commit{Converged: &state.Converged{Digest: "d", Revision: "r"}})
	mustCommit(t, st, state.Commit{Pass: []byte(`{"users":1}`)})
	mustCommit(t, st, state.Commit{Guards: &state.Guards{}})
	has(st, `{"users":1}`)
	if m, err := st.Meta(); err != nil || m.Converged == nil {
		t.Errorf("%+v, %v", m.Converged, err)
	}
	if err := st.Commit(state.Commit{Pass: []byte("{")}); err == nil {
		t.Error("what is no JSON was recorded")
	}
	has(st, `{"users":1}`)
	mustClose(t, st)
	for _, open := range openers() {
		st, err := open(path, state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		has(st, `{"users":1}`)
		mustClose(t, st)
	}
	editBolt(t, path, func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("meta"))
		record := bytes.Clone(b.Get([]byte("pass")))
		record[len(record)-2]++
		return b.Put([]byte("pass"), record)
	})
	st = open(t, path)
	defer mustClose(t, st)
	has(st, "")
	if st.SetAside() == "" {
		t.Error("a record with a wrong checksum was not found")
	}
}
