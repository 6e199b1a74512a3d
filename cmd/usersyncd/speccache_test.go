package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	usersync "usersyncd/sync"
)

// The cache of parsed specs is beside the state file, and is not used where a commit can put one.
func TestWhereTheSpecCacheIs(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]string{"/var/lib/u.db": "/var/lib/u.db.specs", filepath.Join(dir, "u.db"): ""} {
		a := &app{log: slog.New(slog.DiscardHandler), Reconciler: &usersync.Reconciler{Specs: spec.NewLoader(dir)}}
		a.readSpecCache(&config.Config{Dir: dir, State: state})
		if a.SpecCache != want {
			t.Errorf("%s: %q, want %q", state, a.SpecCache, want)
		}
	}
}
