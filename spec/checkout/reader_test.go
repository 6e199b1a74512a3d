package checkout

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"usersyncd/spec/checkout/gittest"
)

// compare compares the files of a folder, as a scan does.
func compare(t *testing.T, r *Reader, dir string) (*Checkout, State) {
	t.Helper()
	c, err := r.Open(dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*/*.yaml")) // in order
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for i := range paths {
		paths[i] = strings.TrimPrefix(paths[i], dir+"/")
	}
	compared := c.Compare(paths)
	for i, name := range paths {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		compared.File(i, info, content, sha256.Sum256(content))
	}
	return c, compared.State(nil)
}

// An index is parsed again when git has written another one, and a file is hashed again when it has another content.
func TestReaderKeepsWhatIsExpensive(t *testing.T) {
	dir := newRepository(t, 10)
	users := filepath.Join(dir, "users")
	r := NewReader(func(name string, folder bool) bool { return folder || strings.HasSuffix(name, ".yaml") })
	first, s := compare(t, r, users)
	if s.DirtyFiles != 0 || len(r.ids) != 0 {
		t.Fatalf("%+v, %d hashed", s, len(r.ids))
	}
	for i, name := range []string{"team 1/agent.00001.yaml", "team 2/agent.00002.yaml"} {
		if err := os.Chtimes(filepath.Join(users, name), time.Now(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if again, s := compare(t, r, users); again.modules[0].index != first.modules[0].index || s.DirtyFiles != 0 || len(r.ids) != i+1 {
			t.Errorf("%+v, %d hashed, index kept: %v", s, len(r.ids), again.modules[0].index == first.modules[0].index)
		}
	}
	for digest := range r.ids { // what is kept is what counts
		r.ids[digest] = objectID{1}
	}
	if _, s := compare(t, r, users); s.DirtyFiles != 2 {
		t.Errorf("the files were hashed again: %+v", s)
	}
	r.ids = nil
	gittest.Run(t, dir, "update-index", "--refresh", "--force-write-index")
	if again, s := compare(t, r, users); again.modules[0].index == first.modules[0].index || s.DirtyFiles != 0 || len(r.ids) > 2 {
		t.Errorf("after git wrote another index: %+v, %d hashed", s, len(r.ids))
	}
	if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
	if compare(t, r, users); len(r.indexes) != 0 {
		t.Errorf("%d indexes are kept", len(r.indexes))
	}
}

// What may not be read to its end, or never ends, tells no commit.
func TestPackedRefsThatCannotBeRead(t *testing.T) {
	dir := newRepository(t, 1)
	gittest.Run(t, dir, "pack-refs", "--all")
	commit := func() string {
		c, err := NewReader(func(string, bool) bool { return true }).Open(dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		return c.Commit()
	}
	if got, want := commit(), gittest.Run(t, dir, "rev-parse", "HEAD"); got != want {
		t.Errorf("packed: %q, not %q", got, want)
	}
	refs := filepath.Join(dir, ".git/packed-refs")
	if err := os.Truncate(refs, maxRefs+1); err != nil {
		t.Fatal(err)
	}
	if got := commit(); got != "" {
		t.Errorf("too large: %q", got)
	}
	if err := errors.Join(os.Remove(refs), syscall.Mkfifo(refs, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := commit(); got != "" {
		t.Errorf("a FIFO: %q", got)
	}
}
