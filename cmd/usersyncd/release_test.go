package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usersyncd/state"
)

// A state file that does not say how the last pass ended, such as that of an older usersyncd, takes any id; one that does takes those
// under which the pass holds something that can be released.
func TestReleaseInAStateFile(t *testing.T) {
	const holds = `{"at":"2026-11-24T03:00:00Z","holds":[{"id":"p-1","guard":"max-losses","users":null,"reason":"too many"},{"id":"p-2","guard":"plan","users":null,"reason":"not in the plan"}],` +
		`"left":[{"users":["ana@example.com","luis@example.com"],"standing":"held","holds":["p-1"]}]}`
	for _, tt := range []struct {
		record, id, want string
		paused           bool
	}{
		{"", "p-1", "The next pass releases what is held under p-1; if nothing is held under it by then, its log lists what is.", false},
		{`{"users":"many"}`, "p-1", "The next pass releases", false}, // of another version
		{holds, "p-1", "Released: 2 users, held by --max-losses. The next pass applies it, if it has the same settings.", false},
		{holds, "p-1", "Released: 2 users, held by --max-losses. It is paused: nothing is changed before usersyncd resume.", true},
		{holds, "p-2", "what is held under p-2 is not in the plan that was to be applied, and cannot be released: plan again", false},
		{holds, "p-3", "holds nothing under p-3; held are p-1 (2 users, by --max-losses), p-2 (0 users, by the guard plan)", false},
		{`{"at":"2026-11-24T03:00:00Z"}`, "p-3", "holds nothing under p-3; nothing else is held", false},
		{`{"error":"no route to host","errorAt":"2026-11-24T03:00:00Z"}`, "p-3", "The next pass releases", false}, // it had no plan
	} {
		store, err := state.Open(filepath.Join(t.TempDir(), "state.db"), state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if tt.record != "" {
			if err := store.Commit(state.Commit{Pass: []byte(tt.record)}); err != nil {
				t.Fatal(err)
			}
		}
		if tt.paused {
			if err := store.Commit(state.Commit{Pause: &state.Pause{At: time.Now()}}); err != nil {
				t.Fatal(err)
			}
		}
		done, refused := releaseInFile(store, tt.id, tt.id == "p-2")
		got := done.Message
		if refused != nil {
			got = refused.Error()
		}
		meta, err := store.Meta()
		if err != nil || !strings.Contains(got, tt.want) || (len(meta.Releases) == 1) != (refused == nil) {
			t.Errorf("%s of %s: %q, not %q; kept %v, %v", tt.id, tt.record, got, tt.want, meta.Releases, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}
