package sync_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

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
