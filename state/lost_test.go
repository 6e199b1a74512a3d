package state_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	bolt "go.etcd.io/bbolt"

	"usersyncd/state"
)

// A file with a damaged record is set aside, and the record counted; until the next refresh nothing else is taken for
// complete.
func TestDamagedRecords(t *testing.T) {
	for name, row := range map[string]struct {
		bucket, key, record string
		lost                string // a user that is not known any more
	}{
		"user, checksum":     {"users", "id-00001", "\x01\x00\x00\x00\x00{}\n", "id-00001"},
		"user, short":        {"users", "id-00001", "\x01", "id-00001"},
		"user, empty":        {"users", "id-00001", "", "id-00001"},
		"user, format":       {"users", "id-00001", "\x02" + sealed("users", "id-00001", "{}\n")[1:], "id-00001"},
		"user, other key":    {"users", "id-00001", sealed("users", "id-00002", "{}\n"), "id-00001"},
		"user, other bucket": {"users", "id-00001", sealed("intents", "id-00001", "{}\n"), "id-00001"},
		"intent":             {"intents", "0", "?", ""},
		"intent, one more":   {"intents", "x", sealed("intents", "x", "{}"), ""}, // the tally is wrong
		"status":             {"meta", "status", "?", ""},
		"org":                {"meta", "org", "?", ""},
		"limiter":            {"meta", "limiter", "?", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t)
			history(t, path)
			editBolt(t, path, func(tx *bolt.Tx) error {
				return tx.Bucket([]byte(row.bucket)).Put([]byte(row.key), []byte(row.record))
			})
			writer := func(t testing.TB, path string) *state.Store { return open(t, path) }
			for i, open := range []func(testing.TB, string) *state.Store{openReadOnly, writer, writer, openReadOnly} {
				st := open(t, path)
				snap := mustSnapshot(t, st)
				if snap.Damaged != 1 || !snap.Refresh.At.IsZero() || snap.Users[row.lost] != nil {
					t.Errorf("opening %d: %d damaged, refresh %v, %v", i, snap.Damaged, snap.Refresh, snap.Users[row.lost])
				}
				if !snap.Rebuilt || (st.SetAside() != "") != (i == 1) {
					t.Errorf("opening %d: rebuilt %v, set aside %q", i, snap.Rebuilt, st.SetAside())
				}
				if other := snap.Users["id-00002"]; diff(unobserved(user(2, 3)), other) != "" {
					t.Errorf("opening %d: another user is %+v", i, other)
				}
				if m := mustMeta(t, st); m.Damaged != 1 || !m.Refresh.At.IsZero() || m.Converged != nil {
					t.Errorf("opening %d: %+v", i, m)
				}
				mustClose(t, st)
			}
			st := open(t, path)
			mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 9)}, Refresh: &state.Refresh{At: now}})
			mustClose(t, st)
			if snap := mustSnapshot(t, open(t, path)); snap.Damaged != 0 || snap.Refresh.At.IsZero() || len(snap.Users) != 60 {
				t.Errorf("after a refresh: %d damaged, refresh %v, %d users", snap.Damaged, snap.Refresh, len(snap.Users))
			}
		})
	}
}

// A record that is whole but makes no sense is as unknown as a damaged one.
func TestRecordsThatMakeNoSense(t *testing.T) {
	for _, payload := range []string{
		"", "{", "{}", "[]\n", "{}\nx", "{}\n\n", "{}\n=title 1\n", "{}\n>title 1\n",
		`{"managed":true}` + "\n?title 1\n", "{}\n< 1\n", "{}\n<title\n", "{}\n<title 1",
	} {
		path := tempFile(t)
		history(t, path)
		writeRecord(t, path, "users", "id-00001", payload)
		if snap := mustSnapshot(t, openReadOnly(t, path)); snap.Damaged != 1 || !snap.Refresh.At.IsZero() || len(snap.Users) != 59 {
			t.Errorf("%q read only: %d damaged, refresh %v", payload, snap.Damaged, snap.Refresh)
		}
	}
}

// An older record in the place of a newer one is whole, as if the disk had forgotten to write the page.
// It is noticed when the file is opened, and while it is open.
func TestForgottenWrite(t *testing.T) {
	path := tempFile(t)
	mustClose(t, open(t, path))
	var records [][]byte
	for version := range 2 {
		st := open(t, path)
		mustCommit(t, st, state.Commit{Users: []*state.User{user(1, version)}, Refresh: &state.Refresh{At: now}})
		mustClose(t, st)
		editBolt(t, path, func(tx *bolt.Tx) error {
			records = append(records, bytes.Clone(tx.Bucket([]byte("users")).Get([]byte("id-00001"))))
			return nil
		})
	}
	whole := read(t, path)
	forgotten := bytes.ReplaceAll(whole, records[1], records[0])
	for name, content := range map[string][]byte{"closed": forgotten, "open": whole} {
		write(t, path, content)
		st := open(t, path)
		if name == "open" {
			write(t, path, forgotten)
		}
		for range 2 {
			if snap := mustSnapshot(t, st); snap.Damaged != 1 || !snap.Refresh.At.IsZero() || snap.Users["id-00001"].Version != 0 {
				t.Errorf("%s: %d damaged, refresh %v", name, snap.Damaged, snap.Refresh)
			}
			if m := mustMeta(t, st); m.Damaged != 1 || st.SetAside() == "" {
				t.Errorf("%s: %+v, set aside %q", name, m, st.SetAside())
			}
		}
		mustClose(t, st)
	}
}

func TestFormatRecordIsVital(t *testing.T) {
	for name, record := range map[string]string{"gone": "", "damaged": "?", "version 0": sealed("meta", "format", `{"version":0}`)} {
		path := tempFile(t)
		history(t, path)
		editBolt(t, path, func(tx *bolt.Tx) error {
			if record == "" {
				return tx.Bucket([]byte("meta")).Delete([]byte("format"))
			}
			return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte(record))
		})
		if st := open(t, path); st.SetAside() == "" {
			t.Errorf("%s: not set aside", name)
		}
	}
}

// sealed makes a record as README.md describes it.
func sealed(bucket, key, payload string) string {
	data := "\x01" + bucket + "\x00" + string(binary.BigEndian.AppendUint32(nil, uint32(len(key)))) + key + payload
	crc := crc32.Checksum([]byte(data), crc32.MakeTable(crc32.Castagnoli))
	return "\x01" + string(binary.BigEndian.AppendUint32(nil, crc)) + payload
}

func writeRecord(t testing.TB, path, bucket, key, payload string) {
	t.Helper()
	editBolt(t, path, func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucket)).Put([]byte(key), []byte(sealed(bucket, key, payload)))
	})
}
