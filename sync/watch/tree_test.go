package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"
)

// grow makes entries under a new directory and returns it: each is a name and "dir", "-> target" or a
// file's text.
func grow(t *testing.T, entries ...[2]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e[0])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		switch {
		case e[1] == "dir":
			err = os.MkdirAll(name, 0o755)
		case len(e[1]) > 3 && e[1][:3] == "-> ":
			err = os.Symlink(e[1][3:], name)
		default:
			err = os.WriteFile(name, []byte(e[1]), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// watched sets the watches for dir inside base and returns the role of each below base.
func watched(t *testing.T, base, dir string) (*tree, map[string]role) {
	t.Helper()
	tree := newTree((&fakeKernel{}).open)
	tree.watchAll(filepath.Join(base, dir))
	got := map[string]role{}
	for name, r := range tree.roles {
		if rel, err := filepath.Rel(base, name); err == nil && filepath.IsLocal(rel) {
			got[rel] = r
		}
	}
	return tree, got
}

func TestWatchAll(t *testing.T) {
	tests := []struct {
		name    string
		entries [][2]string
		dir     string
		want    map[string]role
		fails   string // part of the reason to poll
	}{
		{
			"every directory that is not hidden",
			[][2]string{{"org/a/b/x.yaml", ""}, {"org/c", "dir"}, {"org/.hidden/d", "dir"}, {"beside", "dir"}},
			"org",
			map[string]role{".": way, "org": inside, "org/a": inside, "org/a/b": inside, "org/c": inside},
			"",
		},
		{
			"links inside are not followed",
			[][2]string{{"org/a", "dir"}, {"other/deep", "dir"}, {"org/link", "-> ../other"}},
			"org",
			map[string]role{".": way, "org": inside, "org/a": inside},
			"",
		},
		{
			"a link as root, through another link",
			[][2]string{{"v1/users/a", "dir"}, {"links/two", "-> ../v1/users"}, {"one", "-> links/two"}},
			"one",
			map[string]role{".": way, "links": way, "v1": way, "v1/users": inside, "v1/users/a": inside},
			"",
		},
		{
			"a link on the way",
			[][2]string{{"v1/users", "dir"}, {"current", "-> v1"}},
			"current/users",
			map[string]role{".": way, "v1": way, "v1/users": inside},
			"",
		},
		{
			"a missing root",
			[][2]string{{"srv", "dir"}},
			"srv/users/eu",
			map[string]role{".": way, "srv": way},
			"",
		},
		{
			"a link that goes round",
			[][2]string{{"a", "-> b"}, {"b", "-> a"}},
			"a",
			map[string]role{".": way},
			"too many levels of symbolic links",
		},
		{
			"a file as root",
			[][2]string{{"users", "email: a@example.com"}},
			"users",
			map[string]role{".": way, "users": inside},
			"not a directory",
		},
		{
			"the .git of the checkout above",
			[][2]string{{"repo/.git/objects/aa", "dir"}, {"repo/users", "dir"}},
			"repo/users",
			map[string]role{".": way, "repo": way, "repo/.git": git, "repo/users": inside},
			"",
		},
		{
			"the .git file of a worktree",
			[][2]string{{"main/.git/worktrees/w", "dir"}, {"w/.git", "gitdir: ../main/.git/worktrees/w\n"}},
			"w",
			map[string]role{".": way, "w": inside, "main/.git/worktrees/w": git},
			"",
		},
		{
			"a .git file that names nothing",
			[][2]string{{"w/.git", "hello"}},
			"w",
			map[string]role{".": way, "w": inside},
			"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree, got := watched(t, grow(t, tt.entries...), tt.dir)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("watched (-want +got):\n%s", diff)
			}
			if reason := fmt.Sprint(tree.err); tt.fails == "" && tree.err != nil || !strings.Contains(reason, tt.fails) {
				t.Errorf("reason to poll: %v, want %q", tree.err, tt.fails)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	base := grow(t,
		[2]string{"v1/users/a/x.yaml", ""}, [2]string{"v1/.git/refs", "dir"}, [2]string{"v1/users/.hidden", "dir"},
		[2]string{"current", "-> v1"}, [2]string{"beside", "dir"})
	tree, _ := watched(t, base, "current/users")
	const (
		nothing  = "nothing"
		hint     = "hint"
		outdated = "hint, outdated"
	)
	tests := []struct {
		name string
		op   fsnotify.Op
		want string
	}{
		{"v1/users/a/x.yaml", fsnotify.Write, hint},
		{"v1/users/a/x.yaml", fsnotify.Chmod, hint},
		{"v1/users/a/x.yaml", fsnotify.Remove, hint},
		{"v1/users/a/x.yaml", fsnotify.Create, hint}, // an atomic replace
		{"v1/users/..data", fsnotify.Create, hint},
		{"v1/users/a", fsnotify.Create, outdated}, // it is a directory
		{"v1/users/a", fsnotify.Remove, outdated},
		{"v1/users/a", fsnotify.Rename, outdated},
		{"v1/users/a", fsnotify.Chmod, hint},
		{"v1/users", fsnotify.Rename, outdated},
		{"v1/users", fsnotify.Remove, outdated},
		{"v1/users", fsnotify.Create, outdated},
		{"v1", fsnotify.Rename, outdated},
		{"current", fsnotify.Create, outdated}, // a link renamed over it
		{"current", fsnotify.Remove, outdated},
		{"current", fsnotify.Chmod, nothing},
		{"v1/.git/HEAD", fsnotify.Create, hint},
		{"v1/.git/index.lock", fsnotify.Remove, hint},
		{"v1/.git", fsnotify.Rename, outdated},
		{"v1/README", fsnotify.Write, nothing},
		{"beside", fsnotify.Rename, nothing},
		{"new", fsnotify.Create, nothing},
	}
	for _, tt := range tests {
		got := nothing
		switch relevant, old := tree.judge(fsnotify.Event{Name: filepath.Join(base, tt.name), Op: tt.op}); {
		case old:
			got = outdated
		case relevant:
			got = hint
		}
		if got != tt.want {
			t.Errorf("%v %s: %s, want %s", tt.op, tt.name, got, tt.want)
		}
	}
	if relevant, _ := tree.judge(fsnotify.Event{}); relevant {
		t.Error("an empty event is relevant")
	}
}
