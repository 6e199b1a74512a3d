package state_test

import (
	"testing"

	"usersyncd/state"
)

// What stands beside a state file that others may write to releases nothing.
func TestRequestsBesideAFileOfOthers(t *testing.T) {
	path := tempFile(t)
	mustClose(t, open(t, path))
	if err := state.Release(path, "p-1f3ac24e"); err != nil {
		t.Fatal(err)
	}
	for _, deaf := range []bool{false, true} {
		for _, open := range openers() {
			st, err := open(path, state.Options{NoRequests: deaf})
			if err != nil {
				t.Fatal(err)
			}
			part, err := st.Part(nil, nil)
			if n := len(mustSnapshot(t, st).Requests); err != nil || n != len(part.Requests) || (n == 0) != deaf {
				t.Errorf("NoRequests %t: %d requests, of a part %d, %v", deaf, n, len(part.Requests), err)
			}
			mustClose(t, st)
		}
	}
}
