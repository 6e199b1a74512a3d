package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// unobserved is what is taken over of a user; nil if that is nothing.
func unobserved(u *state.User) *state.User {
	kept := &state.User{LastApplied: u.LastApplied, Declared: u.Declared, FormerKeys: u.FormerKeys, Removed: u.Removed, Suspended: u.Suspended}
	kept.ID, kept.Fields = u.ID, spec.Fields{}
	for _, f := range []spec.Field{spec.State, spec.Email, spec.Name} {
		if v, known := u.Fields.Lookup(f); known && u.Deleted() {
			kept.Fields.Set(f, v)
		}
	}
	if kept.LastApplied == nil && kept.Declared == (state.Declaration{}) && len(kept.FormerKeys) == 0 && kept.Removed == "" && kept.Suspended == "" {
		return nil
	}
	return kept
}

// marked are three users with what is known of users beside what was applied.
func marked() (removed, renamed, suspended *state.User) {
	removed, renamed, suspended = user(1001, 1), user(1002, 1), user(1003, 1)
	removed.Unmanage()
	removed.Removed = "delete"
	removed.Fields.Set(spec.State, spec.Text(state.Deleted))
	renamed.Redeclare(state.Declaration{Key: "renamed@example.com", File: "new.yaml"})
	suspended.Suspended = "hash"
	return removed, renamed, suspended
}

// A kind is one of records that are taken over.
type kind struct {
	name   string
	text   string // that stands in the record and nowhere else
	commit state.Commit
	kept   func(*state.Snapshot, state.Meta, []state.Event) string // "" if it was taken over
}

func kinds() []kind {
	removed, renamed, suspended := marked()
	write := event(7)
	write.ID = "id-00007"
	write.Fields = write.Fields[:1]
	was := func(ok bool, what any) string {
		if ok {
			return ""
		}
		return fmt.Sprintf("%+v", what)
	}
	return []kind{
		{"user removed", removed.ID, state.Commit{Users: []*state.User{removed}}, func(s *state.Snapshot, _ state.Meta, _ []state.Event) string {
			return diff(unobserved(removed), s.Users[removed.ID])
		}},
		{"user renamed", renamed.ID, state.Commit{Users: []*state.User{renamed}}, func(s *state.Snapshot, _ state.Meta, _ []state.Event) string {
			return diff(unobserved(renamed), s.Users[renamed.ID])
		}},
		{"user suspended", suspended.ID, state.Commit{Users: []*state.User{suspended}}, func(s *state.Snapshot, _ state.Meta, _ []state.Event) string {
			return diff(unobserved(suspended), s.Users[suspended.ID])
		}},
		{"intent", "p-intent", state.Commit{CreateIntents: []state.Intent{{Key: "new@example.com", Plan: "p-intent", Started: now}}}, func(s *state.Snapshot, _ state.Meta, _ []state.Event) string {
			return diff(map[string]state.Intent{"new@example.com": {Key: "new@example.com", Plan: "p-intent", Started: now}}, s.CreateIntents)
		}},
		{"intent of a write", "id-00007 ", state.Commit{WriteIntents: []state.Event{write}}, func(s *state.Snapshot, _ state.Meta, _ []state.Event) string {
			return diff(map[string]map[spec.Field]state.Event{"id-00007": {write.Fields[0].Field: write}}, s.WriteIntents)
		}},
		{"releases", "p-0e1ea5e", state.Commit{AddReleases: []string{"p-0e1ea5e"}}, func(s *state.Snapshot, _ state.Meta, _ []state.Event) string {
			return was(slices.Equal(s.Releases, []string{"p-0e1ea5e"}), s.Releases)
		}},
		{"tallies", `"removed":123`, state.Commit{Guards: &state.Guards{Tallies: []state.Tally{{At: now, Removed: 123}}, Released: []string{"max-removals a b"}}}, func(s *state.Snapshot, _ state.Meta, _ []state.Event) string {
			return was(len(s.Guards.Tallies) == 2 && s.Guards.Tallies[0].Removed == 123 && s.Guards.Tallies[1].Incomplete && len(s.Guards.Released) == 1, s.Guards)
		}},
		{"pause", `"by":"ana"`, state.Commit{Pause: &state.Pause{At: now, By: "ana"}}, func(_ *state.Snapshot, m state.Meta, _ []state.Event) string {
			return diff(&state.Pause{At: now, By: "ana"}, m.Pause)
		}},
		{"checkout", "the checkout", state.Commit{Checkout: "the checkout"}, func(s *state.Snapshot, _ state.Meta, _ []state.Event) string {
			return was(s.Checkout == "the checkout", s.Checkout)
		}},
		{"tree last applied", "revision-1", state.Commit{Converged: &state.Converged{Digest: "d", Revision: "revision-1"}}, func(_ *state.Snapshot, m state.Meta, _ []state.Event) string {
			return was(m.AppliedTree != nil && m.AppliedTree.Revision == "revision-1", m.AppliedTree)
		}},
		{"organization", "the organization", state.Commit{}, func(_ *state.Snapshot, m state.Meta, _ []state.Event) string {
			return was(m.Org != nil && m.Org.ID == "the organization", m.Org)
		}},
		{"history", "title of the event", state.Commit{Events: []state.Event{told()}}, func(_ *state.Snapshot, _ state.Meta, events []state.Event) string {
			return diff([]state.Event{told()}, events)
		}},
	}
}

func told() state.Event {
	e := event(3)
	e.Fields = []state.FieldEvent{{Field: spec.Title, Before: `""`, After: spec.Text("title of the event")}}
	return e
}

// salvageable makes a closed file with records of every kind among many users, some of whom are not managed any more,
// those with an odd number, or not known, those from 150 on.
func salvageable(t testing.TB, path string) {
	t.Helper()
	st := open(t, path)
	if err := st.Bind(state.Org{API: "https://api.example.com", ID: "the organization"}); err != nil {
		t.Fatal(err)
	}
	var all []*state.User
	for n := range 200 {
		all = append(all, user(n, 1))
	}
	mustCommit(t, st, state.Commit{Users: all})
	for _, k := range kinds() {
		mustCommit(t, st, k.commit)
	}
	var left []*state.User
	var gone []string
	for n := 1; n < 150; n += 2 {
		u := user(n, 2)
		u.Unmanage()
		left = append(left, u)
	}
	for n := 150; n < 200; n++ {
		gone = append(gone, user(n, 1).ID)
	}
	mustCommit(t, st, state.Commit{Users: left[:37]})
	mustCommit(t, st, state.Commit{Users: left[37:], Forget: gone})
	for range 2 { // so that the commits above are in either meta page
		mustCommit(t, st, state.Commit{Failures: []state.Failure{{Key: "bad@example.com", Next: now}}, Refresh: &state.Refresh{At: now}})
	}
	mustClose(t, st)
}

// Of a file with a damaged page everything else is taken over, whatever the page is: what stands in that page alone is
// lost. A reader sees the same.
func TestADamagedPageLosesNothingElse(t *testing.T) {
	origin := tempFile(t)
	salvageable(t, origin)
	whole := read(t, origin)
	types, size := pageTypes(t, origin)
	if n := slices.Index(types, "branch"); n < 0 {
		t.Fatalf("the users fit into a page: %v", types)
	}
	taken := map[string]int{}
	for id, is := range types {
		if is == "free" {
			continue
		}
		b := bytes.Clone(whole)
		page := bytes.Clone(b[id*size : (id+1)*size])
		clear(b[id*size : (id+1)*size])
		path := tempFile(t)
		write(t, path, b)
		ro := openReadOnly(t, path)
		if files := names(t, filepath.Dir(path)); !bytes.Equal(b, read(t, path)) || len(files) != 1 {
			t.Fatalf("page %d: opening read only left %v", id, files)
		}
		st := open(t, path)
		what := fmt.Sprintf("page %d, %s", id, is)
		if !bytes.Equal(b, read(t, st.SetAside())) {
			t.Fatalf("%s: what was set aside has changed", what)
		}
		for _, st := range []*state.Store{ro, st} {
			n := checkSalvaged(t, what, st)
			lost := 0
			for n := 0; n < 150; n += 2 {
				if bytes.Contains(page, []byte(user(n, 1).ID)) && is == "leaf" {
					lost++
				}
			}
			if is == "leaf" && n < 75-lost || is != "leaf" && n != 78 {
				t.Errorf("%s: %d users, %d of them in the page", what, n, lost)
			}
			snap, m, told := mustSnapshot(t, st), mustMeta(t, st), events(t, st, state.Query{})
			for _, k := range kinds() {
				if is == "leaf" && bytes.Contains(page, []byte(k.text)) {
					continue
				}
				if d := k.kept(snap, m, told); d != "" {
					t.Errorf("%s: %s was lost: %s", what, k.name, d)
				}
				taken[k.name]++
			}
		}
		mustClose(t, ro)
		mustClose(t, st)
	}
	if n := len(slices.DeleteFunc(slices.Collect(maps.Values(taken)), func(n int) bool { return n < 10 })); n != len(kinds()) {
		t.Errorf("taken over: %v", taken)
	}
}

// A file with damage of a newer usersyncd is left alone, as any of a newer one is.
func TestDamageOfANewerFormat(t *testing.T) {
	origin, path := tempFile(t), tempFile(t)
	salvageable(t, origin)
	writeRecord(t, origin, "meta", "format", `{"version":99}`)
	b := read(t, origin)
	types, size := pageTypes(t, origin)
	clear(b[slices.Index(types, "branch")*size:][:size])
	write(t, path, b)
	for _, open := range openers() {
		if _, err := open(path, state.Options{Timeout: time.Second}); !errors.Is(err, state.ErrNewer) || !bytes.Equal(read(t, path), b) || len(names(t, filepath.Dir(path))) != 1 {
			t.Errorf("%v, %v", err, names(t, filepath.Dir(path)))
		}
	}
}

// Damage that shows while the file is open is met once, whoever is at work, and nothing that is committed meanwhile is
// lost.
func TestReplacedWhileInUse(t *testing.T) {
	path := tempFile(t)
	history(t, path)
	st := open(t, path)
	b := read(t, path)
	b = bytes.ReplaceAll(b, []byte(user(7, 3).Fields.Get(spec.Email)), []byte(user(8, 3).Fields.Get(spec.Email)))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			if err := st.Commit(state.Commit{Users: []*state.User{user(100+n, 1)}, Events: []state.Event{event(n)}}); err != nil {
				t.Error(err)
			}
			if snap, err := st.Snapshot(); err != nil || snap.Damaged != 1 || snap.Users[user(100+n, 1).ID] == nil {
				t.Errorf("%v, %+v", err, snap)
			}
			if m, err := st.Meta(); err != nil || !m.Rebuilt {
				t.Errorf("%v, %+v", err, m)
			}
		})
	}
	all.Wait()
	if aside, err := filepath.Glob(path + ".bad-*"); err != nil || len(aside) != 1 || aside[0] != st.SetAside() {
		t.Errorf("set aside: %v, %v, %q", aside, err, st.SetAside())
	}
	if snap := mustSnapshot(t, st); len(snap.Users) != 67 || len(events(t, st, state.Query{})) != 8 {
		t.Errorf("%d users, %d events", len(snap.Users), len(events(t, st, state.Query{})))
	}
}
