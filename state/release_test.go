package state_test

import (
	"errors"
	"slices"
	"testing"

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
