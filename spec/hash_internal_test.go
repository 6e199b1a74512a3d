package spec

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"usersyncd/spec/checkout"
	"usersyncd/spec/specfile"
)

// What was listed may be something else by the time it is read.
func TestHashTrustsNoEarlierLook(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "file.yaml"), []byte("one"), 0o644), syscall.Mkfifo(filepath.Join(dir, "fifo.yaml"), 0o644)); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	git, err := checkout.NewReader(specfile.IsPath).Open(dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	s := Scan{files: []file{{path: "file.yaml"}, {path: "gone.yaml"}}}
	if _, err := s.hash(t.Context(), root, git.Compare([]string{"file.yaml", "gone.yaml"})); !errors.Is(err, ErrTreeChanged) {
		t.Errorf("a file that vanished: %v", err)
	}
	s = Scan{files: []file{{path: "fifo.yaml"}, {path: "file.yaml"}}}
	if _, err := s.hash(t.Context(), root, git.Compare([]string{"fifo.yaml", "file.yaml"})); err != nil || len(s.problems) != 1 || !s.files[0].bad || s.files[1].bad {
		t.Errorf("a file that became a FIFO: %v, %v", err, s.problems)
	}
}
