package spec_test

import (
	"path/filepath"
	"strings"
	"testing"

	"usersyncd/spec"
)

const (
	commit1   = "0123456789abcdef0123456789abcdef01234567"
	other     = "89abcdef0123456789abcdef0123456789abcdef"
	commit256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

func TestRevision(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string // besides repo/users/a.yaml; @ is the folder above repo
		want  string            // "" for the digest
	}{
		{"outside git", nil, ""},
		{"branch", map[string]string{"repo/.git/HEAD": "ref: refs/heads/main\n", "repo/.git/refs/heads/main": commit1 + "\n"}, commit1},
		{"detached", map[string]string{"repo/.git/HEAD": commit1 + "\n"}, commit1},
		{"SHA-256", map[string]string{"repo/.git/HEAD": commit256 + "\n"}, commit256},
		{"packed", map[string]string{
			"repo/.git/HEAD":        "ref: refs/heads/team/eu\n",
			"repo/.git/packed-refs": "# pack-refs with: peeled fully-peeled sorted \n" + other + " refs/heads/eu\n" + commit1 + " refs/heads/team/eu\n^" + other + "\n",
		}, commit1},
		{"loose beats packed", map[string]string{
			"repo/.git/HEAD": "ref: refs/heads/main\n", "repo/.git/refs/heads/main": commit1, "repo/.git/packed-refs": other + " refs/heads/main\n",
		}, commit1},
		{"worktree", map[string]string{
			"repo/.git":                            "gitdir: @/main/.git/worktrees/repo\n",
			"main/.git/HEAD":                       "ref: refs/heads/main\n",
			"main/.git/refs/heads/main":            other,
			"main/.git/worktrees/repo/HEAD":        "ref: refs/heads/eu\n",
			"main/.git/worktrees/repo/commondir":   "../..\n",
			"main/.git/refs/heads/eu":              commit1,
			"main/.git/worktrees/repo/unrelated":   "x",
			"main/.git/worktrees/repo/ORIG_HEAD":   other,
			"main/.git/refs/remotes/origin/ignore": other,
		}, commit1},
		{"submodule", map[string]string{"repo/.git": "gitdir: ../.git/modules/repo\n", ".git/modules/repo/HEAD": commit1, ".git/HEAD": other}, commit1},
		{"symbolic ref to another", map[string]string{
			"repo/.git/HEAD": "ref: refs/heads/a\n", "repo/.git/refs/heads/a": "ref: refs/heads/b\n", "repo/.git/refs/heads/b": commit1,
		}, commit1},
		{"symbolic ref to itself", map[string]string{"repo/.git/HEAD": "ref: refs/heads/a\n", "repo/.git/refs/heads/a": "ref: refs/heads/a\n"}, ""},
		{"no commit yet", map[string]string{"repo/.git/HEAD": "ref: refs/heads/main\n"}, ""},
		{"reftable", map[string]string{"repo/.git/HEAD": "ref: refs/heads/.invalid\n", "repo/.git/refs/heads/.invalid": commit1}, ""},
		{"ref that leads out", map[string]string{"repo/.git/HEAD": "ref: refs/../../secret\n", "repo/secret": commit1}, ""},
		{"not a commit", map[string]string{"repo/.git/HEAD": "ref: refs/heads/main\n", "repo/.git/refs/heads/main": "hello\n"}, ""},
		{"worktree whose repository is gone", map[string]string{"repo/.git": "gitdir: ../nowhere/.git/worktrees/repo\n", ".git/HEAD": commit1}, ""},
		{".git that is none", map[string]string{"repo/.git/config": "x", ".git/HEAD": commit1}, commit1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := checkout(t, map[string]string{"repo/users/a.yaml": "email: a@x.example\n"})
			for name, content := range c.files {
				write(t, dir, name, strings.ReplaceAll(content, "@", dir))
			}
			tree := load(t, spec.NewLoader(filepath.Join(dir, "repo", "users")))
			want := c.want
			if want == "" {
				want = tree.Digest
			}
			if tree.Revision != want {
				t.Errorf("got %s, want %s", tree.Revision, want)
			}
		})
	}
}
