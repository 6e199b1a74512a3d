package state_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"usersyncd/state"
)

func mustLearn(t testing.TB, st *state.Store, client, data string) {
	t.Helper()
	if err := st.SaveLimiter(client, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

// learned is what is kept for a client, or "nothing".
func learned(t testing.TB, st *state.Store, client string) string {
	t.Helper()
	data, err := st.Limiter(client)
	if err != nil {
		t.Fatal(err)
	}
	if data == nil {
		return "nothing"
	}
	return string(data)
}

// What was learned is read back byte for byte, by its client alone, and after any other commit.
func TestLimiterIsReadBack(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	if got := learned(t, st, "a"); got != "nothing" {
		t.Errorf("a new file holds %q", got)
	}
	longest := strings.Repeat("\x00\xff", 32<<10)
	for _, data := range []string{`{"rate": 4.5}`, longest, "two\nlines\n", ""} {
		mustLearn(t, st, "a", data)
		mustCommit(t, st, state.Commit{Users: []*state.User{user(1, len(data))}})
		if got := learned(t, st, "a"); got != data {
			t.Errorf("%d bytes are read as %d", len(data), len(got))
		}
		mustClose(t, st)
		ro := openReadOnly(t, path)
		if got := learned(t, ro, "a"); got != data {
			t.Errorf("%d bytes are read as %d after a restart", len(data), len(got))
		}
		mustClose(t, ro)
		st = open(t, path)
	}
	for _, other := range []string{"b", "", "a\n", "two"} {
		if got := learned(t, st, other); got != "nothing" {
			t.Errorf("client %q gets %q", other, got)
		}
	}
	mustLearn(t, st, "b", "x") // another client has taken over
	if a, b := learned(t, st, "a"), learned(t, st, "b"); a != "nothing" || b != "x" {
		t.Errorf("client a gets %q, b %q", a, b)
	}
	if snap := mustSnapshot(t, st); snap.Damaged != 0 || len(snap.Users) != 1 {
		t.Errorf("%d damaged, %d users", snap.Damaged, len(snap.Users))
	}
}

// Learning is no change of what is known of the organization.
func TestLimiterLeavesTheRest(t *testing.T) {
	path := tempFile(t)
	history(t, path)
	st := open(t, path)
	meta, snap := mustMeta(t, st), mustSnapshot(t, st)
	if meta.Converged == nil {
		t.Fatal("nothing to lose")
	}
	for range 2 {
		mustLearn(t, st, "a", "x")
		if d := diff(meta, mustMeta(t, st)); d != "" {
			t.Error(d)
		}
		if d := diff(snap, mustSnapshot(t, st)); d != "" {
			t.Error(d)
		}
		mustClose(t, st)
		st = open(t, path)
	}
}

// A long record is read where the file is mapped, which nobody may write to and which goes with the store.
func TestLimiterIsTheCallersOwn(t *testing.T) {
	st := open(t, tempFile(t))
	want := strings.Repeat("x", 32<<10)
	mustLearn(t, st, "a", want)
	data, err := st.Limiter("a")
	if err != nil || len(data) != len(want) {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	data[0] = 'y'
	if got := learned(t, st, "a"); got != want {
		t.Errorf("the store has changed: %.10q", got)
	}
	mustClose(t, st)
	if got := string(data); got != "y"+want[1:] {
		t.Errorf("what was read has changed: %.10q", got)
	}
}

func TestLimiterRefuses(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	mustLearn(t, st, "a", "x")
	if err := st.SaveLimiter("a", make([]byte, 64<<10+1)); err == nil || !strings.Contains(err.Error(), "65537 bytes, 65536 allowed") {
		t.Errorf("too much: %v", err)
	}
	if err := st.SaveLimiter("a\nb", nil); err == nil {
		t.Error("a client of two lines is taken")
	}
	mustClose(t, st)
	if err := st.SaveLimiter("a", nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a closed store: %v", err)
	}
	if _, err := st.Limiter("a"); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a closed store: %v", err)
	}

	before := read(t, path)
	for want, ro := range map[string]*state.Store{
		"x": openReadOnly(t, path), "nothing": openReadOnly(t, filepath.Join(t.TempDir(), "missing.db")),
	} {
		if err := ro.SaveLimiter("a", []byte("y")); !errors.Is(err, state.ErrReadOnly) {
			t.Errorf("read only: %v", err)
		}
		if got := learned(t, ro, "a"); got != want {
			t.Errorf("read only: %q, want %q", got, want)
		}
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("a read-only store has written")
	}
}

// What is damaged is nothing learned, and can be learned again. As with any other record the file is not
// complete then, until a refresh.
func TestLimiterDamaged(t *testing.T) {
	whole := sealed("meta", "limiter", "a\nx")
	for name, record := range map[string]string{
		"empty": "", "short": whole[:4], "checksum": whole[:2] + "?" + whole[3:], "cut": whole[:len(whole)-1],
		"client": strings.Replace(whole, "a\n", "b\n", 1), "another record's": sealed("meta", "status", "a\nx"),
	} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t)
			history(t, path)
			editBolt(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("limiter"), []byte(record)) })
			ro := openReadOnly(t, path)
			if a, b := learned(t, ro, "a"), learned(t, ro, "b"); a != "nothing" || b != "nothing" {
				t.Errorf("read only: client a gets %q, b %q", a, b)
			}
			mustClose(t, ro)

			st := open(t, path)
			if got := learned(t, st, "a"); got != "nothing" || st.SetAside() == "" {
				t.Errorf("client a gets %q", got)
			}
			if snap := mustSnapshot(t, st); snap.Damaged != 1 || len(snap.Users) != 60 {
				t.Errorf("%d damaged, %d users", snap.Damaged, len(snap.Users))
			}
			mustLearn(t, st, "a", "y")
			mustCommit(t, st, state.Commit{Refresh: &state.Refresh{At: now}})
			mustClose(t, st)
			st = open(t, path)
			if snap := mustSnapshot(t, st); learned(t, st, "a") != "y" || snap.Damaged != 0 {
				t.Errorf("client a gets %q, %d damaged", learned(t, st, "a"), snap.Damaged)
			}
		})
	}
	path := tempFile(t) // whole, but without a client
	history(t, path)
	writeRecord(t, path, "meta", "limiter", "x")
	if got := learned(t, openReadOnly(t, path), ""); got != "nothing" {
		t.Errorf("a record without a client is %q", got)
	}
}

// A file without it, as older versions leave it, is complete; so is one with it for them, which know
// every record by its seal.
func TestLimiterIsOptional(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	mustCommit(t, st, state.Commit{Refresh: &state.Refresh{At: now}, Converged: &state.Converged{Digest: "d"}})
	mustClose(t, st)
	editBolt(t, path, func(tx *bolt.Tx) error {
		if tx.Bucket([]byte("meta")).Get([]byte("limiter")) != nil {
			t.Error("it is there before anything was learned")
		}
		return nil
	})
	st = open(t, path)
	if m := mustMeta(t, st); learned(t, st, "a") != "nothing" || m.Damaged != 0 || m.Converged == nil || !m.Refresh.At.Equal(now) {
		t.Errorf("%+v", m)
	}
	mustLearn(t, st, "a", "x")
	mustClose(t, st)
	editBolt(t, path, func(tx *bolt.Tx) error {
		if got, want := string(tx.Bucket([]byte("meta")).Get([]byte("limiter"))), sealed("meta", "limiter", "a\nx"); got != want {
			t.Errorf("the record is %q, want %q", got, want)
		}
		return nil
	})
}
