package specfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"usersyncd/spec/checkout"
	"usersyncd/spec/strictyaml"
)

// What the walk saw may be something else by the time it is opened.
func TestOpenerTrustsNoEarlierLook(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(at("file.yaml"), []byte("one"), 0o644),
		os.WriteFile(at("big.yaml"), []byte(strings.Repeat("x", strictyaml.MaxFileSize+1)), 0o644),
		syscall.Mkfifo(at("fifo.yaml"), 0o644),
		os.Mkdir(at("folder.yaml"), 0o755),
		os.Symlink("/etc/passwd", at("out.yaml")),
		os.Symlink("..", at("up")),
		os.Mkdir(at("sub"), 0o755),
		os.WriteFile(at("sub/file.yaml"), []byte("two"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	o := NewOpener(root)
	defer o.Close()
	for name, want := range map[string]string{"file.yaml": "one", "sub/file.yaml": "two"} {
		if got, err := o.Read(name); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]error{
		"fifo.yaml": errNotRegular, "folder.yaml": errNotRegular, "big.yaml": ErrTooLarge, "gone.yaml": fs.ErrNotExist, "gone/a.yaml": fs.ErrNotExist,
	} {
		if got, err := o.Read(name); !errors.Is(err, want) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"out.yaml", "up/file.yaml"} {
		if got, err := o.Read(name); err == nil {
			t.Errorf("%s leads out of the root and was read: %q", name, got)
		}
	}

	// What is no folder any more, or may not be read, is a problem; what is gone means that the tree moves.
	var l Listing
	if err := l.folder(t.Context(), root, "file.yaml"); err != nil || len(l.Problems) != 1 ||
		l.Problems[0].String() != "file.yaml:1:1: cannot be read: not a directory" {
		t.Errorf("a folder that became a file: %v, %v", err, l.Problems)
	}
	if err := l.folder(t.Context(), root, "gone"); !errors.Is(err, checkout.ErrTreeChanged) {
		t.Errorf("a folder that vanished: %v", err)
	}
}

func TestWhyUnread(t *testing.T) {
	for want, err := range map[string]error{
		"may not be read by the user that usersyncd runs as; change its permissions": &fs.PathError{Op: "openat", Path: "a.yaml", Err: syscall.EACCES},
		"cannot be read: input/output error":                                         &fs.PathError{Op: "read", Path: "a.yaml", Err: syscall.EIO},
		`cannot be read: a\x1b`:                                                      errors.New("a\x1b"),
		"is larger than 2 MiB; split it into several files":                          ErrTooLarge,
	} {
		if got := WhyUnread(err); got != want {
			t.Errorf("%v: %q", err, got)
		}
	}
}
