package spec_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/spec/checkout/gittest"
)

// teams is a repository of some teams' specs, and files that are none.
func teams(t testing.TB, init ...string) repository {
	r := repository{t, t.TempDir()}
	r.git(append([]string{"init", "--quiet", "--initial-branch=main"}, init...)...)
	for name, content := range map[string]string{
		"users/a.yaml": "email: a@x.example\ntitle: One\n", "users/b.yaml": "email: b@x.example\n", "users/eu/c.yaml": "email: c@x.example\n",
		"users/eu/_defaults.yaml": "title: Agent\n", "users/us/d.yaml": "email: d@x.example\n", "users.yaml": "email: z@x.example\n",
		"users/README.md": "read me\n", "users/.hidden/h.yaml": "email: h@x.example\n", "other/o.yaml": "email: o@x.example\n",
	} {
		write(t, r.dir, name, content)
	}
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message", "first")
	return r
}

func (r repository) write(name, content string) { write(r.TB, r.dir, name, content) }

func (r repository) remove(name string) { must(r.TB, os.Remove(filepath.Join(r.dir, name))) }

// checkDirty loads the users of a repository, whose revision must be that of HEAD, and dirty if any file is.
func (r repository) checkDirty(l *spec.Loader, what string, want ...string) {
	r.Helper()
	r.checkDirtyAt(r.git("rev-parse", "HEAD"), l, what, want...)
}

func (r repository) checkDirtyAt(revision string, l *spec.Loader, what string, want ...string) {
	r.Helper()
	if len(want) > 0 {
		revision += "-dirty"
	}
	slices.Sort(want)
	s, err := l.Scan(r.Context())
	must(r.TB, err)
	if s.Revision != revision || s.DirtyFiles != len(want) || !slices.Equal(s.Dirty, want) {
		r.Errorf("%s: revision %s, not %s; %d dirty: %q, not %q; %q", what, s.Revision, revision, s.DirtyFiles, s.Dirty, want, s.NotCompared)
	}
}

// edits are what people do between two commits, and which spec files are no longer as committed then.
var edits = []struct {
	name string
	do   func(r repository)
	want []string

	shown string // what makes git add see it again
}{ // the first inEachKind are made in all kinds of repositories
	{"nothing", func(repository) {}, nil, ""},
	{"an edit of the same length", func(r repository) { r.write("users/a.yaml", "email: a@x.example\ntitle: Two\n") }, []string{"a.yaml"}, ""},
	{"a new file", func(r repository) { r.write("users/n.yaml", "email: n@x.example\n") }, []string{"n.yaml"}, ""},
	{"a file removed", func(r repository) { r.remove("users/eu/c.yaml") }, []string{"eu/c.yaml"}, ""},
	{"an edit, staged", func(r repository) {
		r.write("users/a.yaml", "email: a@x.example\ntitle: Another\n")
		r.git("add", "--all")
	}, nil, ""},
	{"a new file, staged", func(r repository) { r.write("users/n.yaml", "email: n@x.example\n"); r.git("add", "--all") }, nil, ""},
	{"a file removed, staged", func(r repository) { r.git("rm", "--quiet", "users/b.yaml") }, nil, ""},
	{"an edit after another one that is staged", func(r repository) {
		r.write("users/a.yaml", "email: a@x.example\ntitle: Another\n")
		r.git("add", "--all")
		r.write("users/a.yaml", "email: a@x.example\ntitle: A third\n")
	}, []string{"a.yaml"}, ""},
	{"a conflict without a merge", func(r repository) {
		r.write("users/a.yaml", "email: a@x.example\ntitle: Stashed\n")
		r.git("stash", "--quiet")
		r.write("users/a.yaml", "email: a@x.example\ntitle: Committed\n")
		r.git("commit", "--quiet", "--all", "--message", "conflict")
		if out, err := gittest.Try(r.TB, r.dir, "stash", "pop"); err == nil {
			r.Fatalf("no conflict: %s", out)
		}
		r.git("checkout", "--ours", "--", "users/a.yaml")
	}, []string{"a.yaml"}, ""},
	{"an edit", func(r repository) { r.write("users/a.yaml", "email: a@x.example\ntitle: Another\n") }, []string{"a.yaml"}, ""},
	{"defaults", func(r repository) { r.write("users/eu/_defaults.yaml", "title: Boss\n") }, []string{"eu/_defaults.yaml"}, ""},
	{"a new file that git ignores", func(r repository) {
		r.write(".gitignore", "n.yaml\n")
		r.write("users/eu/n.yaml", "email: n@x.example\n")
	}, []string{"eu/n.yaml"}, ""},
	{"a file moved", func(r repository) {
		must(r.TB, os.Rename(filepath.Join(r.dir, "users/a.yaml"), filepath.Join(r.dir, "users/us/a.yaml")))
	}, []string{"a.yaml", "us/a.yaml"}, ""},
	{"a folder replaced by a file", func(r repository) {
		must(r.TB, os.RemoveAll(filepath.Join(r.dir, "users/us")))
		r.write("users/us", "")
	}, []string{"us/d.yaml"}, ""},
	{"an edit that git status does not look for", func(r repository) {
		r.git("update-index", "--assume-unchanged", "users/a.yaml")
		r.write("users/a.yaml", "email: a@x.example\ntitle: Another\n")
	}, []string{"a.yaml"}, "--no-assume-unchanged"},
	{"an edit of a file outside a sparse checkout", func(r repository) {
		r.git("update-index", "--skip-worktree", "users/a.yaml")
		r.write("users/a.yaml", "email: a@x.example\ntitle: Another\n")
	}, []string{"a.yaml"}, "--no-skip-worktree"},
	{"a new file that is only announced", func(r repository) {
		r.write("users/n.yaml", "email: n@x.example\n")
		r.git("add", "--intent-to-add", "users/n.yaml")
	}, []string{"n.yaml"}, ""},
	{"what is no spec file here", func(r repository) {
		for _, name := range []string{"users/README.md", "users/.hidden/h.yaml", "users/.hidden/new.yaml", "other/o.yaml", "users.yaml", "users/.x.yaml"} {
			r.write(name, "email: other@x.example\n")
		}
	}, nil, ""},
	{"times and modes alone", func(r repository) {
		name := filepath.Join(r.dir, "users/a.yaml")
		must(r.TB, os.Chtimes(name, time.Now(), time.Now().Add(time.Hour)))
		must(r.TB, os.Chmod(name, 0o755))
	}, nil, ""},
	{"another file of the same content", func(r repository) {
		r.remove("users/a.yaml")
		r.write("users/a.yaml", "email: a@x.example\ntitle: One\n")
	}, nil, ""},
	{"an edit taken back", func(r repository) {
		r.write("users/a.yaml", "email: a@x.example\ntitle: Two\n")
		r.git("checkout", "--", "users/a.yaml")
	}, nil, ""},
	{"everything", func(r repository) {
		must(r.TB, os.RemoveAll(filepath.Join(r.dir, "users/eu")))
		r.remove("users/a.yaml")
	},
		[]string{"a.yaml", "eu/_defaults.yaml", "eu/c.yaml"}, ""},
}

const inEachKind = 9

// An edit that is not committed shows in the revision: COMMIT-dirty. The index says so, in each of its formats.
func TestDirty(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T) repository{
		"version 2": func(t *testing.T) repository { return teams(t) },
		"version 4": func(t *testing.T) repository {
			r := teams(t)
			r.git("update-index", "--index-version=4")
			return r
		},
		"a split index": func(t *testing.T) repository {
			r := teams(t)
			r.git("config", "splitIndex.maxPercentChange", "100") // everything goes into the second file
			r.git("update-index", "--split-index")
			if shared, err := filepath.Glob(filepath.Join(r.dir, ".git/sharedindex.*")); err != nil || len(shared) != 1 {
				t.Fatal("the index is not split", err)
			}
			return r
		},
		"SHA-256": func(t *testing.T) repository { return teams(t, "--object-format=sha256") },
		"what makes git fast": func(t *testing.T) repository {
			r := teams(t)
			r.git("config", "feature.manyFiles", "true")
			r.git("config", "index.threads", "2")
			r.git("update-index", "--untracked-cache")
			r.git("status", "--short")
			return r
		},
		"a linked worktree": func(t *testing.T) repository {
			r := teams(t)
			r.git("worktree", "add", "--quiet", "-b", "linked", "../linked-"+filepath.Base(r.dir))
			r.dir = filepath.Join(filepath.Dir(r.dir), "linked-"+filepath.Base(r.dir))
			return r
		},
		"a shallow clone": func(t *testing.T) repository {
			r := teams(t)
			clone := t.TempDir()
			r.git("clone", "--quiet", "--depth=1", "file://"+r.dir, clone)
			r.dir = clone
			return r
		},
		"a submodule": func(t *testing.T) repository {
			r := teams(t)
			outer := repository{t, t.TempDir()}
			outer.git("init", "--quiet")
			outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", r.dir, "specs")
			outer.dir = filepath.Join(outer.dir, "specs")
			return outer
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			some := edits
			if name != "version 2" {
				some = edits[:inEachKind]
			}
			for _, e := range some {
				t.Run(e.name, func(t *testing.T) {
					t.Parallel()
					r := prepare(t)
					l := spec.NewLoader(filepath.Join(r.dir, "users"))
					r.checkDirty(l, "before")
					e.do(r)
					commit := r.git("rev-parse", "HEAD")
					r.checkDirtyAt(commit, l, "after", e.want...)
					r.checkDirtyAt(commit, l, "once more", e.want...)
					if e.shown != "" {
						r.git("update-index", e.shown, "users/a.yaml")
					}
					r.git("add", "--all", "--force", "users")
					r.git("commit", "--quiet", "--allow-empty", "--message", "second")
					r.checkDirty(l, "committed")
				})
			}
		})
	}
}

// Two states of a file may have the same size and time, if the clock is coarse. git takes a file that is as young as its
// index for one that may have changed.
func TestDirtyWithinOneTickOfTheClock(t *testing.T) {
	r := teams(t)
	name, index := filepath.Join(r.dir, "users/a.yaml"), filepath.Join(r.dir, ".git/index")
	info, err := os.Stat(name)
	must(t, err)
	r.write("users/a.yaml", "email: a@x.example\ntitle: Two\n")
	must(t, os.Chtimes(name, info.ModTime(), info.ModTime()))
	must(t, os.Chtimes(index, info.ModTime(), info.ModTime()))
	r.checkDirty(spec.NewLoader(filepath.Join(r.dir, "users")), "a racy file", "a.yaml")
}

// A checkout that was copied has other times everywhere, and is as clean as it was.
func TestCopiedCheckoutIsNotDirty(t *testing.T) {
	r := teams(t)
	clone := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(clone, os.DirFS(r.dir)))
	r.dir = clone
	l := spec.NewLoader(filepath.Join(clone, "users"))
	for range 3 {
		r.checkDirty(l, "a copy")
	}
	r.write("users/b.yaml", "email: b@x.example\ntitle: New\n")
	r.checkDirty(l, "a copy, edited", "b.yaml")
}

// Line breaks are converted here as git converts them, so a file that differs in more is dirty. What other conversions
// make of a file cannot be told without git: it is not compared, and is named.
func TestConvertedFiles(t *testing.T) {
	const edited, crlf, crlfEdited = "email: a@x.example\ntitle: Another\n", "email: a@x.example\r\ntitle: One\r\n", "email: a@x.example\r\ntitle: Another\r\n"
	const clean, dirty, notCompared = "clean", "dirty", "notCompared"
	for _, c := range []struct {
		name, attributes, config, content, want string
	}{
		{"no attributes", "", "", edited, dirty},
		{"another file's", "b.yaml filter=x\n", "", edited, dirty},
		{"a filter", "*.yaml filter=x\n", "", edited, notCompared},
		{"a filter in a folder", "/users/** filter=x\n", "", edited, notCompared},
		{"a filter elsewhere", "/other/** filter=x\n", "", edited, dirty},
		{"a filter that is taken back", "*.yaml filter=x\nusers/*.yaml -filter\n", "", edited, dirty},
		{"a filter, and line endings", "* eol=crlf filter=x\n", "", crlf, notCompared},
		{"ident", "* ident\n", "", edited, notCompared},
		{"an encoding", "*.yaml working-tree-encoding=UTF-16LE\n", "", edited, notCompared},
		{"a macro", "[attr]secret filter=crypt\n*.yaml secret\n", "", edited, notCompared},
		{"no conversion, with carriage returns", "", "", crlf, dirty},
		{"text, edited", "* text=auto\n", "", edited, dirty},
		{"text, with carriage returns", "* text=auto\n", "", crlf, clean},
		{"text, with carriage returns and edited", "* text=auto\n", "", crlfEdited, dirty},
		{"eol, edited", "* text=auto eol=crlf\n", "", edited, dirty},
		{"eol, with carriage returns", "* eol=crlf\n", "", crlf, clean},
		{"eol, with carriage returns and edited", "* text eol=lf\n", "", crlfEdited, dirty},
		{"core.autocrlf, edited", "", "true", edited, dirty},
		{"core.autocrlf, with carriage returns", "", "true", crlf, clean},
		{"core.autocrlf, with carriage returns and edited", "", "true", crlfEdited, dirty},
		{"core.autocrlf=input, edited", "", "input", edited, dirty},
		{"core.autocrlf=input, with carriage returns", "", "input", crlf, clean},
		{"core.autocrlf, but this is binary", "* binary\n", "true", crlf, dirty},
		{"core.autocrlf=false", "", "false", crlf, dirty},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := teams(t)
			if c.config != "" {
				r.git("config", "core.autocrlf", c.config)
			}
			if c.attributes != "" {
				r.write(".gitattributes", c.attributes)
				r.git("add", ".gitattributes")
				r.git("commit", "--quiet", "--message", "attributes")
			}
			l := spec.NewLoader(filepath.Join(r.dir, "users"))
			r.checkDirty(l, "before")
			r.write("users/a.yaml", c.content)
			var want []string
			if c.want == dirty {
				want = []string{"a.yaml"}
			}
			r.checkDirty(l, "after", want...)
			said := strings.Join(load(t, l).NotCompared, "\n")
			if says := strings.Contains(said, "1 file is not compared") && strings.Contains(said, "a.yaml"); says != (c.want == notCompared) {
				t.Errorf("said: %q", said)
			}
			if differs := r.git("diff", "--name-only"); c.want != notCompared && (differs != "") != (c.want == dirty) { // git status compares the size, too
				t.Errorf("git diff: %q", differs)
			}
			r.remove("users/b.yaml")
			r.write("users/n.yaml", "email: n@x.example\n")
			r.checkDirty(l, "files that come and go", append(want, "b.yaml", "n.yaml")...)
		})
	}
}

// An index that cannot be read makes nothing dirty, and it is said why.
func TestIndexThatCannotBeJudged(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(r repository)
		says string
	}{
		"missing":  {func(r repository) { r.remove(".git/index") }, "/.git/index does not exist"},
		"no index": {func(r repository) { r.write(".git/index", "index") }, "/.git/index: damaged"},
		"empty":    {func(r repository) { r.write(".git/index", "") }, "/.git/index: damaged"},
		"a folder": {func(r repository) {
			r.remove(".git/index")
			must(r.TB, os.Mkdir(filepath.Join(r.dir, ".git/index"), 0o755))
		}, "is not a regular file"},
		"cut off":    {func(r repository) { must(r.TB, os.Truncate(filepath.Join(r.dir, ".git/index"), 200)) }, "/.git/index: damaged"},
		"config":     {func(r repository) { r.write(".git/config", "[core\n") }, "/.git/config: line 1"},
		"object ids": {func(r repository) { r.write(".git/config", "[extensions]\nobjectFormat = md5\n") }, "the object format md5"},
		"other tree": {func(r repository) { r.git("config", "core.worktree", "/") }, "core.worktree is /"},
		"shared gone": {func(r repository) {
			r.git("update-index", "--split-index")
			shared, err := filepath.Glob(filepath.Join(r.dir, ".git/sharedindex.*"))
			must(r.TB, err)
			must(r.TB, os.Remove(shared[0]))
		}, ": no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := teams(t)
			commit := r.git("rev-parse", "HEAD")
			c.do(r)
			r.write("users/a.yaml", "email: a@x.example\ntitle: Another\n")
			tree := load(t, spec.NewLoader(filepath.Join(r.dir, "users")))
			if tree.Revision != commit || len(tree.Dirty) > 0 || len(tree.Incomplete) > 0 || len(tree.NotCompared) != 1 || !strings.Contains(tree.NotCompared[0], c.says) {
				t.Errorf("revision %s, state %+v", tree.Revision, tree.State)
			}
		})
	}
}

// Of many files some are named, and all are counted.
func TestDirtyFilesAreCounted(t *testing.T) {
	r := teams(t)
	for i := range 30 {
		r.write("users/new"+string(rune('a'+i%26))+strings.Repeat("x", i)+".yaml", "email: n"+strings.Repeat("x", i)+"@x.example\n")
	}
	tree := load(t, spec.NewLoader(filepath.Join(r.dir, "users")))
	if tree.DirtyFiles != 30 || len(tree.Dirty) != 20 || !spec.IsDirty(tree.Revision) {
		t.Errorf("%d, %q", tree.DirtyFiles, tree.Dirty)
	}
}

// Outside git, and before the first commit, what is in the files is the revision, and nothing is dirty.
func TestNothingIsDirtyWithoutACommit(t *testing.T) {
	r := repository{t, t.TempDir()}
	r.git("init", "--quiet")
	r.write("users/a.yaml", "email: a@x.example\n")
	for range 2 {
		if tree := load(t, spec.NewLoader(filepath.Join(r.dir, "users"))); tree.Revision != tree.Digest || tree.DirtyFiles != 0 {
			t.Errorf("%s, %q", tree.Revision, tree.Dirty)
		}
		r.git("add", "--all")
	}
}

func TestShortRevision(t *testing.T) {
	for revision, want := range map[string]string{
		"": "", "abc": "abc", commit1: "0123456789ab", commit1 + "-dirty": "0123456789ab-dirty", "abc-dirty": "abc-dirty",
		"since 2026-11-24T03:20:00Z": "since 2026-11-24T03:20:00Z",
	} {
		if got := spec.ShortRevision(revision); got != want {
			t.Errorf("%s: %s", revision, got)
		}
	}
	commit, dirty := spec.CutDirty(commit1 + "-dirty")
	if diff := cmp.Diff(commit1, commit); diff != "" || !dirty || spec.IsDirty(commit) {
		t.Error(diff, dirty)
	}
}
