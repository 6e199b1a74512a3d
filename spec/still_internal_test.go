package spec

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each of these happens, in one go, between the two times that a scan reads git's directory. What was
// read meanwhile is of two trees.
func TestScanNoticesWhatHappensMeanwhile(t *testing.T) {
	const one, two = "0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"
	put := func(t *testing.T, name, text string) {
		t.Helper()
		// Another file in its place, as git does it; never the same time and size twice.
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name+".lock", []byte(text), 0o644), os.Rename(name+".lock", name)); err != nil {
			t.Fatal(err)
		}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, meanwhile := range map[string]func(t *testing.T, base string){
		"another branch":    func(t *testing.T, base string) { put(t, base+"/v1/.git/HEAD", "ref: refs/heads/other\n") },
		"a commit":          func(t *testing.T, base string) { put(t, base+"/v1/.git/refs/heads/main", two) },
		"reset to the same": func(t *testing.T, base string) { put(t, base+"/v1/.git/index", "index") },
		"an index touched": func(t *testing.T, base string) {
			must(t, os.Chtimes(base+"/v1/.git/index", time.Now(), time.Now().Add(time.Hour)))
		},
		"the index gone":    func(t *testing.T, base string) { must(t, os.Remove(base+"/v1/.git/index")) },
		"a lock that stays": func(t *testing.T, base string) { put(t, base+"/v1/.git/index.lock", "") },
		"a merge":           func(t *testing.T, base string) { put(t, base+"/v1/.git/MERGE_HEAD", two) },
		"the link moved": func(t *testing.T, base string) {
			must(t, os.Symlink("v2", base+"/next"))
			must(t, os.Rename(base+"/next", base+"/current"))
		},
		"the link gone": func(t *testing.T, base string) { must(t, os.Remove(base+"/current")) },
		"the folder replaced": func(t *testing.T, base string) {
			must(t, os.Rename(base+"/v1/users", base+"/old"))
			put(t, base+"/v1/users/a.yaml", "email: a@x.example\n")
		},
		"the checkout removed": func(t *testing.T, base string) { must(t, os.RemoveAll(base+"/v1")) },
		"nothing":              func(*testing.T, string) {},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			put(t, base+"/v1/users/a.yaml", "email: a@x.example\n")
			put(t, base+"/v2/users/a.yaml", "email: a@x.example\n")
			put(t, base+"/v1/.git/HEAD", "ref: refs/heads/main\n")
			put(t, base+"/v1/.git/refs/heads/main", one)
			put(t, base+"/v1/.git/refs/heads/other", one)
			put(t, base+"/v1/.git/index", "index")
			must(t, os.Symlink("v1", base+"/current"))
			l := NewLoader(base + "/current/users")
			ctx := &meanwhileContext{Context: t.Context(), do: func() { meanwhile(t, base) }}
			_, err := l.Scan(ctx)
			if want := name != "nothing"; errors.Is(err, ErrTreeChanged) != want || !want && err != nil {
				t.Errorf("%v", err)
			}
			if err != nil && !strings.Contains(err.Error(), base) {
				t.Errorf("the error does not say which folder: %v", err)
			}
		})
	}
}

// meanwhileContext does something the first time that it is asked: when a scan begins to list the folder.
type meanwhileContext struct {
	context.Context //nolint:containedctx // it is one
	do              func()
}

func (c *meanwhileContext) Err() error {
	if do := c.do; do != nil {
		c.do = nil
		do()
	}
	return c.Context.Err()
}
