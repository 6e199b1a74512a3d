package sync_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

// A pass keeps what it has parsed for the next process; a plan writes nothing.
func TestAPassWritesTheSpecCache(t *testing.T) {
	w := newWorld(t, sim.Options{Users: 1})
	for i := range 1000 {
		w.write(fmt.Sprintf("u%d.yaml", i), "email: u%d@x.example\nname: A\n", i)
	}
	w.Policy.Create = false
	w.SpecCache = filepath.Join(t.TempDir(), "specs")
	for _, dry := range []bool{true, false} {
		if _, err := w.Reconcile(t.Context(), usersync.Mode{DryRun: dry}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(w.SpecCache); (err == nil) == dry {
			t.Errorf("dry run %t: %v", dry, err)
		}
	}
}
