package sync_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"usersyncd/state"
	"usersyncd/sync/genesys/sim"
)

// However many users the API refuses, the log has the first of them, and says so. A value is not logged at any length.
func TestFailuresInTheLogAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users = 250
		w := newWorld(t, sim.Options{Users: users})
		var log bytes.Buffer
		w.Reconciler.Log = slog.New(slog.NewJSONHandler(&log, nil))
		var names []string
		for i := range 60 {
			names = append(names, fmt.Sprintf("A long name of a certificate %d", i))
		}
		w.declareAll("title: Chief\ncertifications: [" + strings.Join(names, ", ") + "]")
		w.fault("PATCH /api/v2/users/* 400")
		res := w.pass()
		failed := strings.Count(log.String(), `"msg":"user failed"`)
		if res.Failed != users || len(res.Failures) != users || failed != 200 || !strings.Contains(log.String(), "more users that fail or wait are not logged") {
			t.Errorf("%d failed, %d of them are listed, %d logged", res.Failed, len(res.Failures), failed)
		}
		if n := log.Len() / failed; n > 2000 {
			t.Errorf("%d bytes for each of them", n)
		}
	})
}

// After a commit that failed, as the disk is full, nothing is sent until the state file has room again: what is sent could not
// be recorded. A small commit may succeed meanwhile.
func TestAFullDiskIsNotTriedWithCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40})
		w.declareAll("title: One\n")
		w.pass()
		reopen := func(size int) {
			err := w.Store.Close()
			if err == nil {
				w.Store, err = state.Open(w.state, state.Options{MaxSize: size})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		file, err := os.Stat(w.state)
		if err != nil {
			t.Fatal(err)
		}
		reopen(int(file.Size()))
		sent := func() int { return w.sim.Ledger().Count("PATCH /api/v2/users/{id}") }
		last := 0 // sent when the first commit fails
		for i := range 10 {
			w.declareAll(fmt.Sprintf("title: %d %s\n", i, strings.Repeat("x", 200)))
			if last > 0 {
				if err := w.Store.Commit(state.Commit{Pause: &state.Pause{}}); err != nil {
					t.Errorf("a small commit: %v", err)
				}
			}
			switch _, err := w.once(); {
			case err != nil && last == 0:
				last = sent()
			case last > 0 && (err == nil || sent() > last):
				t.Errorf("pass %d has sent %d calls: %v", i, sent()-last, err)
			}
		}
		if last == 0 {
			t.Error("the disk was never full")
		}
		reopen(0)
		if w.pass(); sent() == last {
			t.Error("nothing is sent when there is room again")
		}
	})
}
