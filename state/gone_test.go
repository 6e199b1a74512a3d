package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"usersyncd/state"
)

// A file that is removed or replaced while it is open is noticed by whatever is asked of it next: what is written
// to it would be lost. Put back, it goes on.
func TestFileThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usersyncd.db")
	s := open(t, path)
	pause := state.Commit{Pause: &state.Pause{At: time.Now(), By: "ana"}}
	works := func(want error) {
		t.Helper()
		if err := s.Commit(pause); !errors.Is(err, want) {
			t.Errorf("Commit: %v, not %v", err, want)
		}
		if _, err := s.Meta(); !errors.Is(err, want) {
			t.Errorf("Meta: %v, not %v", err, want)
		}
	}
	works(nil)
	if err := os.Rename(path, path+".aside"); err != nil {
		t.Fatal(err)
	}
	works(state.ErrReplaced)
	other := open(t, path) // as another process could
	works(state.ErrReplaced)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + ".pid"); err != nil {
		t.Errorf("the other's: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}

	if err := os.Rename(path+".aside", path); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if err := os.Rename(path, path+".aside"); err != nil {
		t.Fatal(err)
	}
	works(state.ErrReplaced)
	if err := os.Rename(path+".aside", path); err != nil {
		t.Fatal(err)
	}
	works(nil)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
