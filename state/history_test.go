package state_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
	"usersyncd/state"
)

func event(n int) state.Event {
	return state.Event{
		At: now.Add(time.Duration(n) * time.Minute), Revision: fmt.Sprintf("%04d", n%3), Plan: "p-1", ID: fmt.Sprintf("id%d", n%5),
		Email: fmt.Sprintf("u%d@example.com", n%5), Action: "update", Cause: "edit", CorrelationID: "c",
		Fields: []state.FieldEvent{{Field: spec.Title, Before: `"a"`, After: `"b"`}},
	}
}

func events(t *testing.T, st *state.Store, q state.Query) []state.Event {
	t.Helper()
	found, err := st.History(q)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The history is read back as it was written, newest first, by user, revision and time, and stays bounded.
func TestHistory(t *testing.T) {
	path := tempFile(t)
	st, err := state.Open(path, state.Options{MaxEvents: 30})
	if err != nil {
		t.Fatal(err)
	}
	begins := func() time.Time {
		t.Helper()
		at, err := st.HistoryStart()
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for n := 0; n < 40; n += 4 {
		if n < 30 && !begins().IsZero() {
			t.Errorf("%d events were written, and the oldest that is kept is of %s", n, begins())
		}
		mustCommit(t, st, state.Commit{Events: []state.Event{event(n), event(n + 1), event(n + 2), event(n + 3)}})
	}
	all := events(t, st, state.Query{})
	if len(all) != 30 {
		t.Fatalf("%d events, not the newest 30", len(all))
	}
	if !begins().Equal(event(10).At) {
		t.Errorf("the oldest that is kept is of %s", begins())
	}
	for i, e := range all {
		if d := diff(event(39-i), e); d != "" {
			t.Fatal(d)
		}
	}
	small, err := state.Open(tempFile(t), state.Options{MaxEventBytes: 4000})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		mustCommit(t, small, state.Commit{Events: []state.Event{event(n)}})
	}
	if kept := events(t, small, state.Query{}); len(kept) < 10 || len(kept) > 20 || diff(event(39), kept[0]) != "" {
		t.Errorf("%d events are kept in 4,000 bytes, the newest is %+v", len(kept), kept[0])
	}
	for name, tt := range map[string]struct {
		q    state.Query
		want int
	}{
		"a user by address":   {state.Query{Email: "u1@example.com"}, 6},
		"a user by id":        {state.Query{ID: "id1"}, 6},
		"a revision":          {state.Query{Revision: "0001"}, 10},
		"how revisions begin": {state.Query{Revision: "000"}, 30},
		"since a time":        {state.Query{Since: now.Add(35 * time.Minute)}, 5},
		"a few":               {state.Query{Limit: 3}, 3},
		"nobody":              {state.Query{ID: "nobody"}, 0},
	} {
		if got := len(events(t, st, tt.q)); got != tt.want {
			t.Errorf("%s: %d events, not %d", name, got, tt.want)
		}
	}
	mustClose(t, st)
	checkBolt(t, path)
	st = open(t, path)
	if got := len(events(t, st, state.Query{})); got != 30 {
		t.Errorf("opened again: %d events", got)
	}
	if m := mustMeta(t, st); m.Damaged != 0 {
		t.Errorf("opened again: %d records count as damaged", m.Damaged)
	}
	// With a smaller bound the next event makes room.
	mustClose(t, st)
	if st, err = state.Open(path, state.Options{MaxEvents: 10}); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, st, state.Commit{Events: []state.Event{event(40)}})
	if got := events(t, st, state.Query{}); len(got) != 10 || diff(event(40), got[0]) != "" {
		t.Errorf("%d events", len(got))
	}
	mustClose(t, st)
}

// Many users who are no longer managed at once push out few of the writes, which a rollback needs.
func TestHistoryKeepsWritesWhenManyAreNoLongerManaged(t *testing.T) {
	st, err := state.Open(tempFile(t), state.Options{MaxEvents: 30})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		mustCommit(t, st, state.Commit{Events: []state.Event{event(n)}})
	}
	var unmanaged []state.Event
	for n := 30; n < 130; n++ {
		e := event(n)
		e.Action, e.Fields = "unmanage", []state.FieldEvent{}
		unmanaged = append(unmanaged, e)
	}
	mustCommit(t, st, state.Commit{Events: append([]state.Event{event(200)}, unmanaged...)})
	kept, writes := events(t, st, state.Query{}), 0
	for _, e := range kept {
		if len(e.Fields) > 0 {
			writes++
		}
	}
	if len(kept) != 30 || writes != 27 {
		t.Errorf("%d events, %d of them writes", len(kept), writes)
	}
	if d := diff(unmanaged[2], kept[0]); d != "" {
		t.Errorf("the newest is not the third of those: %s", d)
	}
	if kept[3].At != event(200).At.UTC() {
		t.Errorf("the write of the same commit is not kept: %+v", kept[3])
	}
}

// A file of a usersyncd that had no history is as good as any other: it can be read, and gets one.
func TestAFileWithoutHistory(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 7)}})
	mustClose(t, st)
	editBolt(t, path, func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("history")) })
	ro := openReadOnly(t, path)
	if n := len(events(t, ro, state.Query{})); n != 0 || len(mustSnapshot(t, ro).Users) != 1 {
		t.Errorf("read-only: %d events, %d users", n, len(mustSnapshot(t, ro).Users))
	}
	mustClose(t, ro)
	st = open(t, path)
	if st.SetAside() != "" || len(mustSnapshot(t, st).Users) != 1 {
		t.Error("it was taken for damaged")
	}
	mustCommit(t, st, state.Commit{Events: []state.Event{event(1)}})
	if n := len(events(t, st, state.Query{})); n != 1 {
		t.Errorf("%d events", n)
	}
	mustClose(t, st)
}

// A pause outlasts a restart and ends with the zero value; the revision that was applied outlasts the mark.
func TestPauseAndApplied(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	pause := state.Pause{At: now, By: "ana", Reason: "incident"}
	mustCommit(t, st, state.Commit{Converged: &state.Converged{Digest: "d", Users: 1, Revision: "abc"}, Pause: &pause})
	mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 7)}})
	mustClose(t, st)
	st = open(t, path)
	m := mustMeta(t, st)
	if d := diff(&pause, m.Pause); d != "" || m.Converged != nil || m.AppliedTree == nil || m.AppliedTree.Revision != "abc" || m.AppliedTree.At.IsZero() {
		t.Errorf("%s; %+v", d, m)
	}
	mustCommit(t, st, state.Commit{Pause: &state.Pause{}})
	if m := mustMeta(t, st); m.Pause != nil {
		t.Errorf("still paused: %+v", m.Pause)
	}
	mustClose(t, st)
}

// A user is found by id, by the present address and by the one that was applied, in any case.
func TestLookup(t *testing.T) {
	st := open(t, tempFile(t))
	ana, luis := user(1, 7), user(2, 3)
	ana.Fields.Set(spec.Email, spec.Text("Ana@Example.com"))
	ana.LastApplied = spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text("old@example.com")})
	luis.Fields.Set(spec.Email, spec.Text("luis@example.com"))
	luis.LastApplied = nil
	luis.Declared = state.Declaration{}
	luis.Fields.Set(spec.Manager, spec.Text("ana@example.com")) // a mention is no address
	mustCommit(t, st, state.Commit{Users: []*state.User{ana, luis}})
	for key, want := range map[string]string{"ana@example.com": ana.ID, "old@example.com": ana.ID, "luis@example.com": luis.ID, "nobody@example.com": ""} {
		found, err := st.Lookup(key)
		switch {
		case err != nil:
			t.Error(err)
		case want == "" && len(found) != 0, want != "" && (len(found) != 1 || found[0].ID != want):
			t.Errorf("%s: found %+v", key, found)
		}
	}
	if found, err := st.Lookup("", "ana@example.com"); err != nil || len(found) != 1 || found[0].ID != ana.ID { // not who is declared by nothing
		t.Errorf("none and another one: %+v %v", found, err)
	}
	if u, err := st.User(luis.ID); err != nil || u == nil || diff(luis, u) != "" {
		t.Errorf("%+v %v", u, err)
	}
	if u, err := st.User("nobody"); err != nil || u != nil {
		t.Errorf("%+v %v", u, err)
	}
	mustClose(t, st)
	missing := openReadOnly(t, tempFile(t))
	if found, err := missing.Lookup("ana@example.com"); err != nil || found != nil {
		t.Error(found, err)
	}
}

// Addresses with letters that JSON writes otherwise, or that are not of the alphabet, are found like others; so are
// several at once, and the parts of a snapshot that are about nobody in particular are those of the whole.
func TestPart(t *testing.T) {
	st := open(t, tempFile(t))
	odd := []string{"a&b@example.com", "<x>@example.com", "josé@example.com", "ana@exämple.com", "o'neil+x@example.com", `q"q@example.com`}
	var all []*state.User
	for i, email := range odd {
		u := user(i+1, 1)
		u.Fields.Set(spec.Email, spec.Text(strings.ToUpper(email[:1])+email[1:]))
		all = append(all, u)
	}
	mustCommit(t, st, state.Commit{Users: all, Events: []state.Event{{At: now, Email: odd[0], ID: "1"}, {At: now, Email: odd[1], ID: "2"}},
		Failures: []state.Failure{{Key: odd[1], Next: now}}})
	for i, email := range odd {
		found, err := st.Lookup(email)
		if err != nil || len(found) != 1 || found[0].ID != all[i].ID {
			t.Errorf("%s: %v, %+v", email, err, found)
		}
	}
	for i := range 2 {
		if got := events(t, st, state.Query{Email: odd[i]}); len(got) != 1 || got[0].Email != odd[i] {
			t.Errorf("the history of %s: %+v", odd[i], got)
		}
	}
	whole, err := st.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	part, err := st.SnapshotOf(odd[:2], []string{all[4].ID, "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	if len(part.Users) != 3 || part.Users[all[0].ID] == nil || part.Users[all[1].ID] == nil || part.Users[all[4].ID] == nil {
		t.Errorf("the part has %v", part.Users)
	}
	whole.Users, part.Users = nil, nil
	if d := diff(whole, part); d != "" {
		t.Error(d)
	}
	mustClose(t, st)
}

// What a commit asked for is told from what was edited on top of it and not committed.
func TestHistoryOfUncommittedEdits(t *testing.T) {
	st := open(t, tempFile(t))
	for i, revision := range []string{"abcd1111", "abcd1111-dirty", "abcd2222-dirty", "ffff"} {
		e := event(i)
		e.Revision = revision
		mustCommit(t, st, state.Commit{Events: []state.Event{e}})
	}
	for revision, want := range map[string]int{
		"": 4, "abcd": 1, "abcd1111": 1, "abcd1111-dirty": 1, "abcd-dirty": 2, "abcd2222": 0, "abcd2222-dirty": 1, "-dirty": 2, "abcd1111-d": 0,
	} {
		if got := events(t, st, state.Query{Revision: revision}); len(got) != want {
			t.Errorf("%q: %d events, not %d", revision, len(got), want)
		}
	}
}
