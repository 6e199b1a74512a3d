package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usersyncd/spec"
)

const lfsPointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"

// submodule adds a repository of specs to r, at the path.
func (r repository) submodule(path string) repository {
	r.Helper()
	inner := teams(r.TB)
	r.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.dir, path)
	r.git("commit", "--quiet", "--message", "submodule")
	return repository{r.TB, filepath.Join(r.dir, path)}
}

// clone is a clone of r without its submodules.
func (r repository) clone(args ...string) repository {
	r.Helper()
	dir := filepath.Join(r.TempDir(), "clone")
	r.git(append(append([]string{"clone", "--quiet"}, args...), "file://"+r.dir, dir)...)
	return repository{r.TB, dir}
}

// A tree that is less than its commit says so, and how to complete it; git status shows none of it. The command that it
// names does complete it.
func TestIncomplete(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(r repository) repository
		says  []string // of the one sentence; nil if nothing is missing
		end   [][]string
	}{
		{"a whole checkout", func(r repository) repository { return r }, nil, nil},
		{"sparse", func(r repository) repository {
			r.git("sparse-checkout", "set", "--no-cone", "/users/eu/", "/users/a.yaml")
			return r
		}, []string{"2 paths of the commit are not checked out", ": b.yaml, us/d.yaml; to complete the checkout: git sparse-checkout disable"}, [][]string{{"sparse-checkout", "disable"}}},
		{"sparse, in cone mode", func(r repository) repository { r.git("sparse-checkout", "set", "--cone", "users/eu"); return r },
			[]string{"1 path of the commit is not", ": us/d.yaml;"}, [][]string{{"sparse-checkout", "disable"}}},
		{"sparse, with a sparse index", func(r repository) repository {
			r.git("sparse-checkout", "set", "--cone", "--sparse-index", "users/eu")
			if out := r.git("ls-files", "--sparse", "--stage"); !strings.Contains(out, "040000") {
				r.Fatalf("the index is not sparse:\n%s", out)
			}
			return r
		}, []string{"1 path of the commit is not", ": us/;"}, [][]string{{"sparse-checkout", "disable"}}},
		{"sparse elsewhere", func(r repository) repository {
			r.git("sparse-checkout", "set", "--cone", "--sparse-index", "users")
			return r
		}, nil, nil},
		{"sparse, of what is no spec file", func(r repository) repository {
			r.git("sparse-checkout", "set", "--no-cone", "/users/*.yaml", "/users/*/*.yaml", "!/users/README.md", "!/users/.hidden/")
			return r
		}, nil, nil},
		{"a partial clone that is sparse", func(r repository) repository {
			r.git("config", "uploadpack.allowFilter", "true")
			r.git("config", "uploadpack.allowAnySHA1InWant", "true")
			clone := r.clone("--sparse", "--filter=blob:none")
			clone.git("sparse-checkout", "add", "users/eu")
			return clone
		},
			[]string{"1 path of the commit is not checked out (sparse checkout): us/d.yaml;"}, [][]string{{"sparse-checkout", "disable"}}},
		{"skip-worktree", func(r repository) repository {
			r.git("update-index", "--skip-worktree", "users/a.yaml", "users/b.yaml")
			r.remove("users/a.yaml")
			return r
		}, []string{"1 path of the commit is not", ": a.yaml;"}, [][]string{{"sparse-checkout", "disable"}}},
		{"assume-unchanged", func(r repository) repository {
			r.git("update-index", "--assume-unchanged", "users/a.yaml", "users/b.yaml")
			r.remove("users/a.yaml")
			return r
		}, []string{"1 file is missing, which git status does not show (assume-unchanged): a.yaml;", "git update-index --no-assume-unchanged FILE, and git checkout -- FILE"},
			[][]string{{"update-index", "--no-assume-unchanged", "users/a.yaml"}, {"checkout", "--", "users/a.yaml"}}},
		{"Git LFS pointers", func(r repository) repository {
			r.write("users/eu/c.yaml", lfsPointer)
			r.write("users/us/_defaults.yaml", lfsPointer)
			r.git("add", "--all")
			r.git("commit", "--quiet", "--message", "LFS")
			return r
		}, []string{"2 files are only Git LFS pointers: eu/c.yaml, us/_defaults.yaml; to complete the checkout: git lfs pull"}, nil},
		{"a submodule", func(r repository) repository { r.submodule("users/more"); return r.clone() },
			[]string{"1 submodule is not initialised: more; to complete the checkout: git submodule update --init --recursive"},
			[][]string{{"-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive"}}},
		{"a submodule whose folder is gone", func(r repository) repository {
			r.submodule("users/more")
			clone := r.clone()
			clone.remove("users/more")
			return clone
		}, []string{"1 submodule is not initialised: more;"}, [][]string{{"-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive"}}},
		{"a submodule elsewhere", func(r repository) repository { r.submodule("other/more"); return r.clone() }, nil, nil},
		{"a submodule in a hidden folder", func(r repository) repository { r.submodule("users/.more"); return r.clone() }, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := c.begin(teams(t))
			if status := r.git("status", "--short"); status != "" && c.name != "a submodule whose folder is gone" {
				t.Fatalf("git status: %s", status)
			}
			l := spec.NewLoader(filepath.Join(r.dir, "users"))
			s, err := l.Scan(t.Context())
			must(t, err)
			if len(c.says) == 0 != (len(s.Incomplete) == 0) || len(s.Incomplete) > 1 || s.DirtyFiles > 0 {
				t.Fatalf("%q, dirty: %q", s.Incomplete, s.Dirty)
			}
			for _, text := range c.says {
				if !strings.Contains(s.Incomplete[0].String(), text) {
					t.Errorf("%q does not say %q", s.Incomplete[0].String(), text)
				}
			}
			for _, args := range c.end {
				r.git(args...)
			}
			if tree := load(t, l); c.end != nil && (len(tree.Incomplete) > 0 || tree.DirtyFiles > 0) {
				t.Errorf("completed: %q, dirty: %q", tree.Incomplete, tree.Dirty)
			}
		})
	}
}

// A pointer is not parsed: its own text is what git lfs pull replaces. Outside git it is one, too.
func TestLFSPointerIsAProblem(t *testing.T) {
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": lfsPointer, "b.yaml": "email: b@x.example\n"})))
	const want = "a.yaml:1:1: is a Git LFS pointer, not the file itself; run git lfs pull in the checkout"
	if len(tree.Problems) != 1 || tree.Problems[0].String() != want || len(tree.Incomplete) != 1 {
		t.Errorf("%q, %q", texts(tree.Problems), tree.Incomplete)
	}
}

// The files of a submodule are as committed if they are as in the commit that the outer repository names.
func TestSubmodulesBelow(t *testing.T) {
	r := teams(t)
	more := r.submodule("users/more")
	deep := more.submodule("deep")
	l := spec.NewLoader(filepath.Join(r.dir, "users"))
	r.checkDirty(l, "a submodule at another commit than the one that is named", "more")
	r.git("commit", "--quiet", "--all", "--message", "deep")
	r.checkDirty(l, "at that commit")

	deep.write("users/a.yaml", "email: deep@x.example\n")
	r.checkDirty(l, "an edit in the innermost", "more/deep/users/a.yaml")
	deep.git("commit", "--quiet", "--all", "--message", "edit")
	r.checkDirty(l, "committed there alone", "more/deep")
	more.git("commit", "--quiet", "--all", "--message", "edit")
	r.checkDirty(l, "committed in both", "more")
	r.git("commit", "--quiet", "--all", "--message", "edit")
	r.checkDirty(l, "committed everywhere")
	more.remove("users/b.yaml")
	more.write("users/n.yaml", "email: n@x.example\n")
	r.checkDirty(l, "files that come and go", "more/users/b.yaml", "more/users/n.yaml")
	more.git("checkout", "--", ".")
	more.remove("users/n.yaml")

	more.git("update-index", "--skip-worktree", "users/b.yaml")
	more.remove("users/b.yaml")
	s, err := l.Scan(t.Context())
	must(t, err)
	if len(s.Incomplete) != 1 || !strings.Contains(s.Incomplete[0].What, ": more/users/b.yaml") || s.DirtyFiles != 0 {
		t.Errorf("%+v", s.State)
	}

	// git is at work there, too, while it updates submodules.
	lock := filepath.Join(r.dir, ".git/modules/users/more/modules/deep/index.lock")
	must(t, os.WriteFile(lock, nil, 0o600))
	if _, err := l.Scan(t.Context()); err == nil || !strings.Contains(err.Error(), lock) {
		t.Errorf("git at work in a submodule: %v", err)
	}
	must(t, os.Remove(lock))

	// A clone without them is less than its commit, and so is the folder that is to be one of them.
	clone := r.clone()
	s, err = spec.NewLoader(filepath.Join(clone.dir, "users")).Scan(t.Context())
	must(t, err)
	if len(s.Incomplete) != 1 || !strings.Contains(s.Incomplete[0].What, "1 submodule is not initialised: more") {
		t.Errorf("%q", s.Incomplete)
	}
	clone.write("users/more/left.yaml", "email: left@x.example\n")
	s, err = spec.NewLoader(filepath.Join(clone.dir, "users/more")).Scan(t.Context())
	must(t, err)
	if len(s.Incomplete) != 1 || !strings.Contains(s.Incomplete[0].What, "1 submodule is not initialised: .") {
		t.Errorf("%q", s.Incomplete)
	}
}

// A repository in the folder that is no submodule is in no commit.
func TestNestedRepositoryIsDirty(t *testing.T) {
	r := teams(t)
	nested := repository{t, filepath.Join(r.dir, "users/nested")}
	must(t, os.Mkdir(nested.dir, 0o755))
	nested.git("init", "--quiet")
	nested.write("n.yaml", "email: n@x.example\n")
	nested.git("add", "--all")
	nested.git("commit", "--quiet", "--message", "nested")
	r.checkDirty(spec.NewLoader(filepath.Join(r.dir, "users")), "a nested repository", "nested/n.yaml")
}

// A checkout of which nothing is left says where it went.
func TestSparseCheckoutWithoutAnySpec(t *testing.T) {
	r := teams(t)
	r.git("sparse-checkout", "set", "--no-cone", "/other/", "/users/README.md")
	_, err := spec.NewLoader(filepath.Join(r.dir, "users")).Scan(t.Context())
	if !errors.Is(err, spec.ErrNoSpecs) || !strings.Contains(err.Error(), "git sparse-checkout disable") {
		t.Error(err)
	}
}
