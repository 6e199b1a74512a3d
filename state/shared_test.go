package state_test

import (
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/state"
)

// A snapshot for declared users is the one without, and holds what they have in common with their declarations once.
func TestSnapshotFor(t *testing.T) {
	st := open(t, tempFile(t))
	rapid.Check(t, func(t *rapid.T) {
		fields := func(label string) spec.Fields {
			return spec.FieldsOf(rapid.MapOfN(rapid.SampledFrom([]spec.Field{spec.Title, spec.Name, spec.Roles, "x"}),
				rapid.SampledFrom([]spec.Value{`"a value"`, `"another"`}), 0, 4).Draw(t, label))
		}
		u := user(1, 1)
		u.Fields, u.LastApplied = fields("observed"), fields("applied")
		key := rapid.SampledFrom([]string{"", "ana@example.com"}).Draw(t, "declared as")
		if u.Declared = (state.Declaration{Key: key}); key == "" && len(u.LastApplied) > 0 {
			key = "ana@example.com"
			u.LastApplied.Set(spec.Email, `"Ana@example.com"`) // the key is that of the address last applied
		}
		if key == "" && rapid.Bool().Draw(t, "has an address") {
			key = "luis@example.com"
			u.Fields.Set(spec.Email, `"luis@example.com"`)
		}
		declared := fields("declared")
		if rapid.Bool().Draw(t, "as declared") {
			declared = slices.Clone(rapid.SampledFrom([]spec.Fields{u.Fields, u.LastApplied}).Draw(t, "of"))
		}
		if err := st.Commit(state.Commit{Users: []*state.User{u}}); err != nil {
			t.Fatal(err)
		}
		want, err := st.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		got, err := st.SnapshotFor(func(k string) spec.Fields {
			if k != key {
				return nil
			}
			return declared
		})
		if err != nil || diff(want, got) != "" {
			t.Fatal(err, diff(want, got))
		}
		if key == "" {
			return
		}
		known := got.Users[u.ID]
		for what, has := range map[string]spec.Fields{"observed": known.Fields, "applied": known.LastApplied} {
			if slices.Equal(has, declared) && unsafe.SliceData(has) != unsafe.SliceData(declared) && len(has) > 0 {
				t.Errorf("the %s fields are those of the declaration, and other memory", what)
			}
		}
		for f, v := range declared.All() {
			for _, has := range []spec.Fields{known.Fields, known.LastApplied} {
				if has.Get(f) == v && unsafe.StringData(string(has.Get(f))) != unsafe.StringData(string(v)) {
					t.Errorf("%s is as declared, and another text", f)
				}
			}
		}
	})
}

// Of many users most are committed some at a time, and all of them in the end.
func TestCommitMost(t *testing.T) {
	st := open(t, tempFile(t))
	users := make([]*state.User, 4500)
	for i := range users {
		users[i] = user(i, 1)
	}
	rest, err := st.CommitMost(users)
	if err != nil || len(rest) != 500 || len(mustSnapshot(t, st).Users) != 4000 {
		t.Fatalf("%d are left of 4500, and %d were committed: %v", len(rest), len(mustSnapshot(t, st).Users), err)
	}
	mustCommit(t, st, state.Commit{Users: rest})
	if d := diff(byID(users...), mustSnapshot(t, st).Users); d != "" {
		t.Error(d)
	}
}
