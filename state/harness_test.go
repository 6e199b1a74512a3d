package state_test

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
	"usersyncd/spec/memtemp"
	"usersyncd/state"
)

// TestMain runs the test binary as another process if the test asks for one; see child_test.go.
func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(runChild(role, os.Getenv(childPath)))
	}
	if err := flag.Set("rapid.checks", "40"); err != nil { // each writes to disk some 40 times; the command line wins
		panic(err)
	}
	os.Exit(memtemp.M{M: m}.Run())
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// open opens the store at path. When the test ends it is closed, and bbolt's own full check must
// find nothing.
func open(t testing.TB, path string) *state.Store {
	t.Helper()
	st, err := state.Open(path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		checkBolt(t, path)
	})
	return st
}

func openReadOnly(t testing.TB, path string) *state.Store {
	t.Helper()
	st, err := state.OpenReadOnly(path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, st) })
	return st
}

func mustClose(t testing.TB, st *state.Store) {
	t.Helper()
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

func mustCommit(t testing.TB, st *state.Store, c state.Commit) {
	t.Helper()
	if err := st.Commit(c); err != nil {
		t.Fatal(err)
	}
}

func mustSnapshot(t testing.TB, st *state.Store) *state.Snapshot {
	t.Helper()
	snap, err := st.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func mustMeta(t testing.TB, st *state.Store) state.Meta {
	t.Helper()
	m, err := st.Meta()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func checkBolt(t testing.TB, path string) {
	t.Helper()
	editBolt(t, path, func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("bbolt check of %s: %v", path, err)
		}
		return nil
	})
}

// editBolt changes a closed file behind the store's back.
func editBolt(t testing.TB, path string, fn func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatalf("bbolt: %v", err)
	}
	if err := db.Update(fn); err != nil {
		t.Fatalf("bbolt: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// setTallies makes the tallies of a closed file right, as README.md describes them.
func setTallies(t testing.TB, path string) {
	t.Helper()
	editBolt(t, path, func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			var n, sums uint64
			if err := b.ForEach(func(_, record []byte) error {
				n, sums = n+1, sums^uint64(binary.BigEndian.Uint32(record[1:]))
				return nil
			}); err != nil {
				return err
			}
			return b.SetSequence(n<<32 | sums)
		})
	})
}

// diff compares what was committed with what was read. A field map that is empty is one that is nil,
// but Applied: nil there means never managed.
func diff(want, got any) string {
	if reflect.DeepEqual(want, got) { // far faster
		return ""
	}
	fieldsOf := func(p cmp.Path) bool { return p.Last().String() == ".Fields" }
	return cmp.Diff(want, got, cmp.FilterPath(fieldsOf, cmpopts.EquateEmpty()), cmpopts.EquateApproxTime(0))
}

func byID(users ...*state.User) map[string]*state.User {
	m := map[string]*state.User{}
	for _, u := range users {
		m[u.ID] = u
	}
	return m
}

// user returns a managed user whose every part depends on n and version.
func user(n, version int) *state.User {
	fields := func(title string) spec.Fields {
		return spec.FieldsOf(map[spec.Field]spec.Value{
			spec.Email: value("u%d@example.com", n), spec.Name: value("User %d", n),
			spec.State: `"active"`, spec.Title: value("%s %d", title, version),
			spec.Skills: `{"Billing":4,"Refunds":2.5}`,
		})
	}
	return &state.User{
		Observed: state.Observed{
			ID: fmt.Sprintf("id-%05d", n), Version: version, Fields: fields("seen"),
			Opaque: json.RawMessage(fmt.Sprintf(`{"contact":%d}`, n)),
		},
		LastApplied: fields("set"),
		Declared:    state.Declaration{Key: fmt.Sprintf("u%d@example.com", n), File: "users.yaml", Ordinal: n},
	}
}

func value(format string, args ...any) spec.Value {
	b, err := json.Marshal(fmt.Sprintf(format, args...))
	if err != nil {
		panic(err)
	}
	return spec.Value(b)
}

func tempFile(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "usersyncd.db")
}
