package state_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"usersyncd/state"
)

// The law of damage: after any commits, whatever bytes are changed or cut off, the file opens, what is taken over is what
// was committed last, or without the last commit where a meta page is damaged, and what was set aside stays as it was.
func TestSalvageModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(t.TempDir(), "usersyncd.db")
		st, err := state.Open(path, state.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		states := []*state.Snapshot{{Users: map[string]*state.User{}, CreateIntents: map[string]state.Intent{}, Failures: map[string]state.Failure{}}}
		for range rapid.IntRange(1, 12).Draw(rt, "commits") {
			c := commits().Draw(rt, "commit")
			for n := range rapid.IntRange(0, 40).Draw(rt, "more users") {
				c.Users = append(c.Users, user(n, len(states)))
			}
			if c.Empty() {
				continue
			}
			if err := st.Commit(c); err != nil {
				rt.Fatal(err)
			}
			next := *states[len(states)-1]
			next.Users, next.CreateIntents, next.Failures, next.WriteIntents = maps.Clone(next.Users), maps.Clone(next.CreateIntents), maps.Clone(next.Failures), maps.Clone(next.WriteIntents)
			for id, writes := range next.WriteIntents {
				next.WriteIntents[id] = maps.Clone(writes)
			}
			applyTo(&next, nil, c)
			states = append(states, &next)
		}
		if err := st.Close(); err != nil {
			rt.Fatal(err)
		}
		b := read(t, path)
		meta := 2 * int(binary.NativeEndian.Uint32(b[24:]))
		now, before := states[len(states)-1], states[len(states)-1]
		for range rapid.IntRange(1, 3).Draw(rt, "damages") {
			at := rapid.IntRange(0, len(b)-1).Draw(rt, "at")
			if at < meta && len(states) > 1 {
				before = states[len(states)-2]
			}
			end := min(len(b), at+rapid.SampledFrom([]int{1, 1, 8, 512, 4096}).Draw(rt, "bytes"))
			switch rapid.SampledFrom([]string{"flip", "zero", "random", "cut"}).Draw(rt, "damage") {
			case "flip":
				b[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
			case "zero":
				clear(b[at:end])
			case "random":
				for i := range b[at:end] {
					b[at+i] = rapid.Byte().Draw(rt, "byte")
				}
			case "cut":
				b = b[:max(at, 1)]
			}
		}
		write(t, path, b)
		ro, err := state.OpenReadOnly(path, state.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		seen := mustSnapshot(t, ro)
		if err := ro.Close(); err != nil {
			rt.Fatal(err)
		}
		if st, err = state.Open(path, state.Options{}); err != nil {
			rt.Fatal(err)
		}
		snap, aside := mustSnapshot(t, st), st.SetAside()
		if err := st.Close(); err != nil {
			rt.Fatal(err)
		}
		checkBolt(t, path)
		seen.Guards, snap.Guards = state.Guards{}, state.Guards{} // the minute may have changed
		seen.Damaged = snap.Damaged                               // of an empty store none is counted
		if d := diff(seen, snap); d != "" {
			rt.Fatalf("a reader sees something else: %s", d)
		}
		if aside == "" {
			if d := diff(now, snap); d != "" {
				rt.Fatalf("lost without notice: %s", d)
			}
			return
		}
		if !bytes.Equal(read(t, aside), b) {
			rt.Fatal("what was set aside has changed")
		}
		if err := os.Remove(aside); err != nil {
			rt.Fatal(err)
		}
		committed := func(s *state.Snapshot, u *state.User) bool {
			return s.Users[u.ID] != nil && diff(unobserved(s.Users[u.ID]), u) == ""
		}
		for id, u := range snap.Users {
			if !committed(now, u) && !committed(before, u) {
				rt.Errorf("%s was not committed last as %+v", id, u)
			}
		}
		for key, in := range snap.CreateIntents {
			if diff(now.CreateIntents[key], in) != "" && diff(before.CreateIntents[key], in) != "" {
				rt.Errorf("an intent was not committed last as %+v", in)
			}
		}
		for id, writes := range snap.WriteIntents {
			for f, w := range writes {
				if diff(now.WriteIntents[id][f], w) != "" && diff(before.WriteIntents[id][f], w) != "" {
					rt.Errorf("an intent of a write was not committed last as %+v", w)
				}
			}
		}
	})
}
