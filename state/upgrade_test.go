package state_test

import (
	"testing"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
	"usersyncd/state"
)

// A file of the version before opens: its users are who has the address last applied, and from then on an older
// usersyncd, which would drop what it does not know, refuses it.
func TestFormat1(t *testing.T) {
	path := tempFile(t)
	mustClose(t, open(t, path))
	writeRecord(t, path, "users", "id-1", "{\"version\":7,\"managed\":true}\n<email \"now@x.example\"\n>email \"Ana@X.example\"\n")
	writeRecord(t, path, "users", "id-2", "{\"version\":3}\n<email \"bo@x.example\"\n")
	writeRecord(t, path, "meta", "format", `{"version":1}`)
	setTallies(t, path)
	for _, open := range openers() {
		st, err := open(path, state.Options{})
		if err != nil {
			t.Fatal(err)
		}
		snap := mustSnapshot(t, st)
		ana, bo := snap.Users["id-1"], snap.Users["id-2"]
		if snap.Damaged > 0 || ana == nil || bo == nil || ana.Declared != (state.Declaration{Key: "ana@x.example"}) || bo.Declared != (state.Declaration{}) {
			t.Errorf("damaged %d, %+v, %+v", snap.Damaged, ana, bo)
		}
		mustClose(t, st)
	}
	editBolt(t, path, func(tx *bolt.Tx) error {
		if got := string(tx.Bucket([]byte("meta")).Get([]byte("format"))[5:]); got != `{"version":2}` {
			t.Errorf("the format is %s", got)
		}
		return nil
	})
	st := open(t, path)
	ana := mustSnapshot(t, st).Users["id-1"]
	ana.Redeclare(state.Declaration{Key: "ana.new@x.example", File: "ana.yaml"})
	mustCommit(t, st, state.Commit{Users: []*state.User{ana}})
	mustClose(t, st)
	again := mustSnapshot(t, open(t, path)).Users["id-1"]
	if d := diff(ana, again); d != "" || len(again.FormerKeys) != 1 || again.FormerKeys[0] != "ana@x.example" || again.LastApplied.Get(spec.Email) != `"Ana@X.example"` {
		t.Errorf("%s %+v", d, again)
	}
}
