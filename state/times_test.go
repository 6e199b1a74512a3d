package state_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/state"
)

// Each field has the time at which it was last read and written, whatever happens to the others, and keeps it in the
// file for as long as it matters.
func TestTimesOfFields(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	fields := []spec.Field{spec.Roles, spec.Queues, spec.Voicemail, spec.Skills}
	rapid.Check(t, func(rt *rapid.T) {
		u := user(1, 1)
		for _, f := range fields {
			u.Fields.Set(f, `[]`)
		}
		last := time.Now().Truncate(time.Second)
		at := last.Add(-40 * 24 * time.Hour)
		read, wrote := map[spec.Field]time.Time{}, map[spec.Field]time.Time{}
		for range rapid.IntRange(0, 8).Draw(rt, "steps") {
			at = at.Add(min(time.Duration(rapid.SampledFrom([]int{1, 20, 59, 60, 4000, 500_000}).Draw(rt, "later"))*time.Second, last.Sub(at)))
			now := rapid.SliceOfNDistinct(rapid.SampledFrom(fields), 1, 4, rapid.ID).Draw(rt, "fields")
			if rapid.Bool().Draw(rt, "written") {
				u.Times = u.Times.WithWritten(at, now...)
				for _, f := range now {
					wrote[f] = at
				}
				continue
			}
			kept := slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool { return slices.Contains(now, f) })
			u.Times = u.Times.WithRead(at, now, kept)
			for _, f := range now {
				read[f] = at
			}
		}
		check := func(u *state.User, now time.Time) {
			rt.Helper()
			oldest := now
			for _, f := range fields {
				if read[f].Before(oldest) {
					oldest = read[f]
				}
				if got := u.Times.ReadAt(f); !got.Equal(read[f]) {
					rt.Errorf("%s was read %s, not %s: %+v", f, got, read[f], u.Times)
				}
				recent := !wrote[f].IsZero() && now.Sub(wrote[f]) < state.ReadLag
				if got := writtenAt(u, f); recent && !got.Equal(wrote[f]) {
					rt.Errorf("%s was written %s, not %s: %+v", f, got, wrote[f], u.Times)
				}
				if u.Times.Shows(f, now) == recent {
					rt.Errorf("a reading of %s now shows a write of %s: %v", f, wrote[f], !recent)
				}
			}
			if got := u.Times.Oldest(); len(read) > 0 && !got.Equal(oldest) {
				rt.Errorf("the oldest reading is of %s, not %s: %+v", got, oldest, u.Times)
			}
		}
		check(u, at)
		mustCommit(t, st, state.Commit{Users: []*state.User{u}})
		back, err := st.User(u.ID)
		if err != nil {
			rt.Fatal(err)
		}
		check(back, time.Now())
	})
}

func writtenAt(u *state.User, f spec.Field) time.Time {
	i := slices.IndexFunc(u.Times.Others, func(o state.FieldTime) bool { return o.Field == f })
	if i < 0 {
		return time.Time{}
	}
	return time.Unix(u.Times.Others[i].Wrote, 0)
}

// A write to a field of which no value is known is of that field alone, also when it comes from the file.
func TestTimesOfAFieldWithoutAValue(t *testing.T) {
	st := open(t, tempFile(t))
	u := user(1, 1)
	u.Fields.Set(spec.Roles, `[]`)
	u.Fields = u.Fields.Without(spec.Queues)
	u.LastApplied = u.LastApplied.Without(spec.Queues)
	at := time.Now()
	u.Times = u.Times.WithRead(at.Add(-time.Hour), []spec.Field{spec.Roles}, nil).WithRead(at.Add(-time.Minute), []spec.Field{spec.Skills}, []spec.Field{spec.Roles}).WithWritten(at, spec.Queues)
	mustCommit(t, st, state.Commit{Users: []*state.User{u}})
	back, err := st.User(u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(u.Times, back.Times); d != "" {
		t.Error(d)
	}
	if back.Times.Shows(spec.Queues, at) || !back.Times.Shows(spec.Roles, at) || !back.Times.Shows(spec.Email, at) {
		t.Errorf("written: %+v", back.Times)
	}
}

// The records of a usersyncd that knew one time of reading and one of writing for each user say the same as before.
func TestTimesOfAnOlderRecord(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 1), user(2, 1), user(3, 1)}})
	mustClose(t, st)
	read, wrote := time.Unix(1_767_323_045, 0), time.Now().Add(-10*time.Second).Truncate(time.Second)
	for id, head := range map[string]string{
		"id-00001": fmt.Sprintf(`{"version":7,"managed":true,"readAt":%d,"wroteAt":%d}`, read.Unix(), wrote.Unix()),
		"id-00002": fmt.Sprintf(`{"version":7,"managed":true,"readAt":1,"wroteAt":%d}`, read.Unix()), // long ago
		"id-00003": `{"version":7,"managed":true}`,
	} {
		writeRecord(t, path, "users", id, head+"\n=email \"u@example.com\"\n<queues [\"A\"]\n>roles [\"~\"]\n")
	}
	editBolt(t, path, func(tx *bolt.Tx) error { // of a usersyncd of format 1, which had no such buckets
		if err := tx.DeleteBucket([]byte("history")); err != nil {
			return err
		}
		return tx.DeleteBucket([]byte("writes"))
	})
	writeRecord(t, path, "meta", "format", `{"version":1}`)
	setTallies(t, path)
	for _, open := range []func(testing.TB, string) *state.Store{openReadOnly, open} {
		st := open(t, path)
		snap := mustSnapshot(t, st)
		one, two, three := snap.Users["id-00001"], snap.Users["id-00002"], snap.Users["id-00003"]
		for _, f := range []spec.Field{spec.Queues, spec.Roles} {
			if !one.Times.ReadAt(f).Equal(read) || !writtenAt(one, f).Equal(wrote) || one.Times.Shows(f, wrote.Add(time.Second)) || one.Stale {
				t.Errorf("%s: %+v", f, one)
			}
			if !two.Times.ReadAt(f).IsZero() || !two.Times.Shows(f, time.Now()) || !two.Stale {
				t.Errorf("%s: %+v", f, two)
			}
			if !three.Times.ReadAt(f).IsZero() || !three.Times.Shows(f, time.Now()) || three.Stale {
				t.Errorf("%s: %+v", f, three)
			}
		}
		if snap.WriteIntents != nil || one.LastApplied.Get(spec.Roles) != `["~"]` || one.Declared.Key != "u@example.com" {
			t.Errorf("intents %v, %+v", snap.WriteIntents, one)
		}
		mustClose(t, st)
	}
	st = open(t, path)
	intent := state.Event{ID: "id-00001", At: now, Fields: []state.FieldEvent{{Field: spec.Queues, After: `[]`}}}
	mustCommit(t, st, state.Commit{WriteIntents: []state.Event{intent}})
	if got := mustSnapshot(t, st).WriteIntents["id-00001"][spec.Queues]; diff(intent, got) != "" {
		t.Error(diff(intent, got))
	}
}

// All of several commits are on disk, or none.
func TestSeveralCommitsAreOne(t *testing.T) {
	st := open(t, tempFile(t))
	mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 1)}})
	broken := user(3, 1)
	broken.Fields.Set("two words", `1`)
	if err := st.Commit(state.Commit{Users: []*state.User{user(2, 1)}, Forget: []string{"id-00001"}}, state.Commit{Users: []*state.User{broken}}); err == nil {
		t.Fatal("a field with two words was stored")
	}
	if snap := mustSnapshot(t, st); len(snap.Users) != 1 || snap.Users["id-00001"] == nil {
		t.Errorf("users are %v", snap.Users)
	}
}
