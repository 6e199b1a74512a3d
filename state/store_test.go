package state_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
	"usersyncd/state"
)

func TestCommitIsReadBack(t *testing.T) {
	path := tempFile(t)
	bare := &state.User{Observed: state.Observed{ID: "bare", Version: 1}}
	managedNothing := &state.User{Observed: state.Observed{ID: "nothing"}, LastApplied: spec.Fields{}}
	odd := &state.User{
		Observed: state.Observed{
			ID: "odd", Version: -1,
			Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.State: `"deleted"`, spec.Title: "", spec.Department: `"<b> & = < > \u2028"`, "x": `{"a":[1, 2]}`}),
			Opaque: json.RawMessage(`{"a":"<&>","n":1.50}`),
		},
		LastApplied: spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: `""`, spec.Name: `"Ünï 漢字 \n"`, "x": `{"a":[1, 2]}`}),
	}
	c := state.Commit{
		Users:         []*state.User{user(1, 7), bare, managedNothing, odd},
		CreateIntents: []state.Intent{{Key: "new@example.com", Plan: "p-1", Started: now}},
		Failures:      []state.Failure{{Key: "bad@example.com", Desired: "h", Attempts: 2, Next: now, Status: 400, Code: "bad.request", Message: "no", CorrelationID: "c"}},
		Refresh:       &state.Refresh{At: now, Listed: 4},
		Converged:     &state.Converged{Digest: "d", Users: 4},
	}
	want := &state.Snapshot{
		Users:         byID(c.Users...),
		CreateIntents: map[string]state.Intent{"new@example.com": c.CreateIntents[0]},
		Failures:      map[string]state.Failure{"bad@example.com": c.Failures[0]},
		Refresh:       *c.Refresh,
	}
	st := open(t, path)
	mustCommit(t, st, c)
	if d := diff(want, mustSnapshot(t, st)); d != "" {
		t.Error("same store:", d)
	}
	mustClose(t, st)

	st = open(t, path)
	if d := diff(want, mustSnapshot(t, st)); d != "" {
		t.Error("opened again:", d)
	}
	wantMeta := state.Meta{Refresh: *c.Refresh, Converged: c.Converged, CreateIntents: 1, Failures: 1, NextTry: now}
	if d := diff(wantMeta, mustMeta(t, st)); d != "" {
		t.Error(d)
	}
	mustClose(t, st)

	if d := diff(want, mustSnapshot(t, openReadOnly(t, path))); d != "" {
		t.Error("read only:", d)
	}
}

func TestSnapshotIsTheCallersOwn(t *testing.T) {
	st := open(t, tempFile(t))
	mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 1)}})
	snap := mustSnapshot(t, st)
	snap.Users["id-00001"].Fields.Set(spec.Title, `"changed"`)
	snap.Users["id-00001"].LastApplied.Set(spec.Name, `"changed"`)
	delete(snap.Users, "id-00002")
	if d := diff(byID(user(1, 1)), mustSnapshot(t, st).Users); d != "" {
		t.Error(d)
	}
}

func TestConvergedMark(t *testing.T) {
	mark := &state.Converged{Digest: "d", Users: 2}
	for name, row := range map[string]struct {
		commit state.Commit
		want   bool
	}{
		"nothing":       {state.Commit{}, true},
		"refresh":       {state.Commit{Refresh: &state.Refresh{At: now}}, true},
		"settled":       {state.Commit{ClearCreateIntents: []string{"k"}}, true},
		"cleared":       {state.Commit{ClearFailures: []string{"k"}}, true},
		"users":         {state.Commit{Users: []*state.User{user(1, 2)}}, false},
		"forget":        {state.Commit{Forget: []string{"id-00001"}}, false},
		"intents":       {state.Commit{CreateIntents: []state.Intent{{Key: "k"}}}, false},
		"failures":      {state.Commit{Failures: []state.Failure{{Key: "k"}}}, false},
		"users with it": {state.Commit{Users: []*state.User{user(1, 2)}, Converged: mark}, true},
	} {
		t.Run(name, func(t *testing.T) {
			st := open(t, tempFile(t))
			mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 1)}, Converged: mark})
			mustCommit(t, st, row.commit)
			meta, err := st.Meta()
			if got := meta.Converged; err != nil || (got != nil) != row.want || (got != nil && *got != *mark) {
				t.Errorf("got %v, %v; want the mark: %v", got, err, row.want)
			}
		})
	}
}

func TestWhatIsTakenAwayGoesFirst(t *testing.T) {
	st := open(t, tempFile(t))
	mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 1), user(2, 1)}, CreateIntents: []state.Intent{{Key: "a"}, {Key: "b"}}})
	mustCommit(t, st, state.Commit{
		Forget: []string{"id-00001", "id-00002", "unknown"}, Users: []*state.User{user(1, 2)},
		ClearCreateIntents: []string{"a", "b"}, CreateIntents: []state.Intent{{Key: "b", Plan: "p"}},
	})
	snap := mustSnapshot(t, st)
	if d := diff(byID(user(1, 2)), snap.Users); d != "" {
		t.Error(d)
	}
	if d := diff(map[string]state.Intent{"b": {Key: "b", Plan: "p"}}, snap.CreateIntents); d != "" {
		t.Error(d)
	}
}

// A commit that cannot be stored changes nothing.
func TestCommitRefusesWhatItCouldNotReadBack(t *testing.T) {
	st := open(t, tempFile(t))
	mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 1)}, Converged: &state.Converged{Digest: "d"}})
	odd := func(change func(*state.User)) state.Commit {
		u := user(2, 1)
		change(u)
		return state.Commit{Users: []*state.User{user(1, 2), u}}
	}
	for name, c := range map[string]state.Commit{
		"no id":            odd(func(u *state.User) { u.ID = "" }),
		"nil":              {Users: []*state.User{user(1, 2), nil}},
		"id of 40 KB":      odd(func(u *state.User) { u.ID = strings.Repeat("x", 40_000) }),
		"value of 2 lines": odd(func(u *state.User) { u.Fields.Set(spec.Title, "\"a\nb\"") }),
		"applied 2 lines":  odd(func(u *state.User) { u.LastApplied.Set(spec.Title, "\n") }),
		"field of 2 words": odd(func(u *state.User) { u.Fields.Set("two words", "1") }),
		"no field":         odd(func(u *state.User) { u.Fields.Set("", "1") }),
		"opaque no JSON":   odd(func(u *state.User) { u.Opaque = json.RawMessage(`{`) }),
		"intent no key":    {Users: []*state.User{user(1, 2)}, CreateIntents: []state.Intent{{}}},
		"failure no key":   {Users: []*state.User{user(1, 2)}, Failures: []state.Failure{{}}},
	} {
		if err := st.Commit(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if d := diff(byID(user(1, 1)), mustSnapshot(t, st).Users); d != "" {
		t.Error(d)
	}
	if meta, err := st.Meta(); meta.Converged == nil || err != nil {
		t.Error("the mark is gone", err)
	}
}

func TestBind(t *testing.T) {
	de, us := "https://api.mypurecloud.de", "https://api.mypurecloud.com"
	for name, row := range map[string]struct {
		first, second state.Org
		refused       bool
		want          state.Org
	}{
		"same":             {state.Org{API: de, ID: "1"}, state.Org{API: de, ID: "1"}, false, state.Org{API: de, ID: "1"}},
		"spelling":         {state.Org{API: de + "/", ID: "1"}, state.Org{API: strings.ToUpper(de), ID: "1"}, false, state.Org{API: de, ID: "1"}},
		"id becomes known": {state.Org{API: de}, state.Org{API: de, ID: "1"}, false, state.Org{API: de, ID: "1"}},
		"id not readable":  {state.Org{API: de, ID: "1"}, state.Org{API: de}, false, state.Org{API: de, ID: "1"}},
		"another URL":      {state.Org{API: de, ID: "1"}, state.Org{API: us, ID: "1"}, false, state.Org{API: us, ID: "1"}},
		"other API":        {state.Org{API: de, ID: "1"}, state.Org{API: us}, true, state.Org{API: de, ID: "1"}},
		"other API, no id": {state.Org{API: de}, state.Org{API: us, ID: "1"}, true, state.Org{API: de}},
		"other id":         {state.Org{API: de, ID: "1"}, state.Org{API: de, ID: "2"}, true, state.Org{API: de, ID: "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t)
			st := open(t, path)
			if err := st.Bind(row.first); err != nil {
				t.Fatal(err)
			}
			err := st.Bind(row.second)
			if errors.Is(err, state.ErrOtherOrg) != row.refused || (err != nil) != row.refused {
				t.Fatalf("got %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), row.first.String()) || !strings.Contains(err.Error(), row.second.String())) {
				t.Errorf("%v: does not name both", err)
			}
			if d := diff(&row.want, mustMeta(t, st).Org); d != "" {
				t.Error(d)
			}
			mustClose(t, st)
			if err := openReadOnly(t, path).Bind(row.second); errors.Is(err, state.ErrOtherOrg) != row.refused {
				t.Errorf("read only: %v", err)
			}
		})
	}
}

func TestOpenCreatesPrivately(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "usersyncd.db")
	st := open(t, path)
	for name, want := range map[string]fs.FileMode{path: 0o600, path + ".pid": 0o600, filepath.Dir(path): 0o700 | fs.ModeDir} {
		info, err := os.Lstat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	if snap := mustSnapshot(t, st); len(snap.Users) != 0 || snap.Rebuilt || snap.Damaged != 0 || st.SetAside() != "" {
		t.Errorf("a new store is %+v", snap)
	}
	mustClose(t, st)
	mustClose(t, st) // a second time does nothing
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
	if err := st.Commit(state.Commit{Forget: []string{"x"}}); err == nil {
		t.Error("a closed store took a commit")
	}
}

func TestReadOnlyChangesNothing(t *testing.T) {
	dir := t.TempDir()
	missing := openReadOnly(t, filepath.Join(dir, "no", "such", "usersyncd.db"))
	if snap := mustSnapshot(t, missing); snap.Rebuilt || snap.Users == nil || snap.CreateIntents == nil || snap.Failures == nil {
		t.Errorf("a missing file is %+v", snap)
	}
	if err := missing.Bind(state.Org{API: "https://x"}); err != nil {
		t.Error(err)
	}
	if err := missing.Commit(state.Commit{Forget: []string{"x"}}); !errors.Is(err, state.ErrReadOnly) {
		t.Errorf("commit: %v", err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Fatalf("created: %v", got)
	}

	path := filepath.Join(dir, "usersyncd.db")
	st := open(t, path)
	mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 1)}})
	mustClose(t, st)
	before := read(t, path)
	one, two := openReadOnly(t, path), openReadOnly(t, path) // readers do not exclude each other
	mustSnapshot(t, one)
	if err := two.Bind(state.Org{API: "https://x"}); err != nil {
		t.Error(err)
	}
	if err := two.Commit(state.Commit{Forget: []string{"x"}}); !errors.Is(err, state.ErrReadOnly) {
		t.Errorf("commit: %v", err)
	}
	if string(before) != string(read(t, path)) || len(names(t, dir)) != 1 {
		t.Error("something changed")
	}
	if _, err := state.Open(path, state.Options{Timeout: time.Millisecond}); !errors.Is(err, state.ErrLocked) {
		t.Errorf("a writer beside readers: %v", err)
	}
}

func TestOtherFormats(t *testing.T) {
	path := tempFile(t)
	editBolt(t, path, func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("grafana")); return err })
	chmod(t, path, 0o644)
	before := read(t, path)
	for _, open := range openers() {
		if _, err := open(path, state.Options{}); !errors.Is(err, state.ErrForeign) {
			t.Errorf("another program's database: %v", err)
		}
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o644 || string(before) != string(read(t, path)) {
		t.Errorf("another program's database was changed: %v, %v", info.Mode(), err)
	}

	path = tempFile(t)
	mustClose(t, open(t, path))
	writeRecord(t, path, "meta", "format", `{"version":3,"future":true}`)
	for _, open := range openers() {
		if _, err := open(path, state.Options{}); !errors.Is(err, state.ErrNewer) {
			t.Errorf("a newer format: %v", err)
		}
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("set aside: %v", got)
	}
}

// A commit that must grow the memory map waits for readers; none of them may wait for it.
func TestReadersAndWriters(t *testing.T) {
	st := open(t, tempFile(t))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for v := range 10 {
				users := make([]*state.User, 20)
				for i := range users {
					users[i] = user(w*100+i, v)
				}
				if err := st.Commit(state.Commit{Users: users}); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 10 {
				snap, err := st.Snapshot()
				if err != nil {
					t.Error(err)
					return
				}
				for _, u := range snap.Users { // a commit is seen whole
					if first := snap.Users["id-00"+u.ID[5:6]+"00"]; first == nil || first.Version != u.Version {
						t.Errorf("user %s has version %d, the first of its commit %v", u.ID, u.Version, first)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(mustSnapshot(t, st).Users); n != 80 {
		t.Errorf("%d users", n)
	}
}

func openers() []func(string, state.Options) (*state.Store, error) {
	return []func(string, state.Options) (*state.Store, error){state.Open, state.OpenReadOnly}
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
