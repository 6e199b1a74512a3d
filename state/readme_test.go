package state_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"usersyncd/spec"
	"usersyncd/state"
)

// README.md has a row for each bucket, for each key of meta, and for each key of a user's first line, and no other.
func TestReadmeNamesWhatIsInTheFile(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	u := user(1, 1)
	u.Times = u.Times.WithRead(now, []spec.Field{spec.Queues}, nil).WithWritten(time.Now(), spec.Queues, spec.Skills)
	u.CreatedAt, u.Stale, u.FormerKeys, u.Removed, u.Suspended = time.Now().Unix(), true, []string{"old@example.com"}, "delete", "hash"
	u.Redeclare(state.Declaration{Key: "new@example.com", File: "a.yaml", Ordinal: 2})
	u.Repairs = map[spec.Field]state.Repair{spec.Title: {At: []time.Time{now}}}
	e := event(1)
	mustCommit(t, st, state.Commit{Users: []*state.User{u}, CreateIntents: []state.Intent{{Key: "a"}}, WriteIntents: []state.Event{e}, Failures: []state.Failure{{Key: "a"}}, Events: []state.Event{e},
		Guards: &state.Guards{}, Refresh: &state.Refresh{At: now}, Converged: &state.Converged{Revision: "r"}, Checkout: "c", AddReleases: []string{"p-1"}, Pass: []byte("{}"), Pause: &state.Pause{At: now}})
	if err := st.Bind(state.Org{ID: "org"}); err != nil {
		t.Fatal(err)
	}
	if err := st.SaveLimiter("client", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	mustClose(t, st)
	want := map[string]bool{}
	head := map[string]json.RawMessage{}
	editBolt(t, path, func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return b.ForEach(func(key, record []byte) error {
				switch string(name) {
				case "meta":
					want["meta "+string(key)] = true
				case "users":
					first, _, _ := strings.Cut(string(record[5:]), "\n")
					want["users"] = true
					return json.Unmarshal([]byte(first), &head)
				default:
					want[string(name)] = true
				}
				return nil
			})
		})
	})
	for key := range head {
		want["line "+key] = true
	}

	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	word := regexp.MustCompile("`([a-zA-Z]+)`")
	table := ""
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		switch {
		case len(cells) < 4:
			table = ""
		case table == "":
			table = strings.TrimSpace(cells[1])
		case strings.HasPrefix(cells[1], "---"):
		case table == "bucket":
			bucket, keys := word.FindStringSubmatch(cells[1])[1], word.FindAllStringSubmatch(cells[2], -1)
			if bucket != "meta" {
				got[bucket] = true
				continue
			}
			for _, key := range keys {
				got["meta "+key[1]] = true
			}
		case table == "key of a user's first line":
			for _, key := range word.FindAllStringSubmatch(cells[1], -1) {
				got["line "+key[1]] = true
			}
		}
	}
	if d := diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); d != "" {
		t.Error(d)
	}
}
