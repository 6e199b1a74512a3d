package spec_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"usersyncd/spec"
	"usersyncd/spec/checkout/gittest"
)

// A repository is one that git itself has made, with two branches that do not merge.
type repository struct {
	testing.TB
	dir string
}

func newRepository(t *testing.T) repository {
	r := repository{t, t.TempDir()}
	r.git("init", "--quiet", "--initial-branch=main")
	r.commit("first", "title: First\n")
	r.git("checkout", "--quiet", "-b", "theirs")
	r.commit("theirs", "title: Theirs\n")
	r.git("checkout", "--quiet", "main")
	r.commit("ours", "title: Ours\n")
	return r
}

func (r repository) git(args ...string) string {
	r.Helper()
	return gittest.Run(r.TB, r.dir, args...)
}

func (r repository) commit(message, line string) {
	r.Helper()
	write(r.TB, r.dir, "users/a.yaml", "email: a@x.example\n"+line)
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message", message)
}

// While git has something open, the files are of no commit. The error says what is in the way, and the
// command that it names ends that.
func TestScanWaitsForGit(t *testing.T) {
	for name, c := range map[string]struct {
		begin [][]string // the last of them stops at the conflict
		file  string
		says  string
		end   []string
	}{
		"merge": {[][]string{{"merge", "theirs"}}, "MERGE_HEAD", "a merge is not finished", []string{"merge", "--abort"}},
		"merge that waits for its commit": {[][]string{{"merge", "--no-commit", "--strategy=ours", "theirs"}}, "MERGE_HEAD",
			"a merge is not finished", []string{"commit", "--quiet", "--message", "merged"}},
		"rebase":           {[][]string{{"rebase", "theirs"}}, "rebase-merge", "git rebase --continue, or --abort", []string{"rebase", "--abort"}},
		"rebase by patch":  {[][]string{{"rebase", "--apply", "theirs"}}, "rebase-apply", "git rebase or git am", []string{"rebase", "--abort"}},
		"cherry-pick":      {[][]string{{"cherry-pick", "theirs"}}, "CHERRY_PICK_HEAD", "git cherry-pick --continue, or --abort", []string{"cherry-pick", "--abort"}},
		"revert":           {[][]string{{"revert", "HEAD^"}}, "REVERT_HEAD", "git revert --continue, or --abort", []string{"revert", "--abort"}},
		"bisection":        {[][]string{{"bisect", "start", "HEAD", "HEAD^"}}, "BISECT_LOG", "git bisect reset", []string{"bisect", "reset"}},
		"rest of a series": {[][]string{{"cherry-pick", "theirs", "main"}, {"commit", "--quiet", "--allow-empty", "--message", "x"}}, "sequencer", "a series", []string{"cherry-pick", "--quit"}},
	} {
		for _, linked := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " in a linked worktree"}[linked], func(t *testing.T) {
				t.Parallel()
				r := newRepository(t)
				gitDir := filepath.Join(r.dir, ".git")
				if linked {
					gitDir = filepath.Join(gitDir, "worktrees", "linked")
					r.git("worktree", "add", "--quiet", "--detach", "linked", "main")
					r.dir = filepath.Join(r.dir, "linked")
				}
				l := spec.NewLoader(filepath.Join(r.dir, "users"))
				if tree := load(t, l); tree.Revision != r.git("rev-parse", "HEAD") {
					t.Errorf("at first: %s", tree.Revision)
				}
				for _, args := range c.begin {
					_, _ = gittest.Try(t, r.dir, args...) // a conflict is a failure to git
					if c.file == "sequencer" {
						r.git("add", "--all")
					}
				}
				for range 2 {
					_, err := l.Scan(t.Context())
					if !errors.Is(err, spec.ErrTreeChanged) || !strings.Contains(err.Error(), filepath.Join(gitDir, c.file)) || !strings.Contains(err.Error(), c.says) {
						t.Fatalf("in the middle: %v", err)
					}
				}
				r.git(c.end...)
				if tree := load(t, l); tree.Revision != r.git("rev-parse", "HEAD") {
					t.Errorf("afterwards: %s", tree.Revision)
				}
			})
		}
	}
}

// git holds index.lock for as long as it writes files. A killed git leaves it there, so a person has to be
// told which file that is, and since when.
func TestScanWaitsForTheIndexLock(t *testing.T) {
	r := newRepository(t)
	l := spec.NewLoader(r.dir)
	lock := filepath.Join(r.dir, ".git", "index.lock")
	write(t, r.dir, ".git/index.lock", "")
	_, err := l.Scan(t.Context())
	if !errors.Is(err, spec.ErrTreeChanged) || !strings.Contains(err.Error(), lock+" exists since 2") || !strings.Contains(err.Error(), "remove it if no git is running there") {
		t.Errorf("with index.lock: %v", err)
	}
	must(t, os.Remove(lock))
	if tree := load(t, l); tree.Revision != r.git("rev-parse", "main") {
		t.Errorf("got %s", tree.Revision)
	}
}

// Real repositories say what they stand at in more than one way.
func TestRevisionOfRealRepositories(t *testing.T) {
	r := newRepository(t)
	l := spec.NewLoader(filepath.Join(r.dir, "users"))
	for _, step := range [][]string{{"checkout", "--quiet", "theirs"}, {"pack-refs", "--all"}, {"checkout", "--quiet", "--detach", "main"}, {"gc", "--quiet"},
		{"symbolic-ref", "HEAD", "refs/heads/main"}, {"commit", "--quiet", "--allow-empty", "--message", "loose again"}} {
		r.git(step...)
		if got, want := load(t, l).Revision, r.git("rev-parse", "HEAD"); got != want {
			t.Errorf("after git %v: %s, want %s", step, got, want)
		}
	}
}

// Whoever publishes by moving a link has its checkouts side by side. A scan is of one of them: files and revision.
func TestRevisionIsOfTheTreeThatWasScanned(t *testing.T) {
	r := newRepository(t)
	link := filepath.Join(t.TempDir(), "current")
	l := spec.NewLoader(filepath.Join(link, "users"))
	for _, branch := range []string{"main", "theirs", "main"} {
		commit := r.git("rev-parse", branch)
		tree := filepath.Join(r.dir, ".worktrees", commit)
		if _, err := os.Stat(tree); err != nil {
			r.git("worktree", "add", "--quiet", "--detach", tree, commit)
			// As git-sync does, so that the volume may be mounted anywhere.
			must(t, os.WriteFile(filepath.Join(tree, ".git"), []byte("gitdir: ../../.git/worktrees/"+commit+"\n"), 0o644))
		}
		must(t, os.Symlink(tree, link+".new"))
		must(t, os.Rename(link+".new", link))
		got := load(t, l)
		if title := map[string]string{"main": "Ours", "theirs": "Theirs"}[branch]; got.Revision != commit || string(got.Users[0].Fields.Get(spec.Title)) != `"`+title+`"` {
			t.Errorf("%s: revision %s with title %s", branch, got.Revision, got.Users[0].Fields.Get(spec.Title))
		}
	}
}

// Without .git it cannot be told whether git is at work, so a .git that may not be read is not taken for none.
func TestUnreadableGit(t *testing.T) {
	if os.Geteuid() == 0 {
		runAsNobody(t)
		return
	}
	for name, lock := range map[string]string{"folder": ".git", "file": ".git/HEAD"} {
		dir := checkout(t, map[string]string{"a.yaml": "email: a@x.example\n", ".git/HEAD": "ref: refs/heads/main\n"})
		must(t, os.Chmod(filepath.Join(dir, lock), 0))
		_, err := spec.NewLoader(dir).Scan(t.Context())
		must(t, os.Chmod(filepath.Join(dir, lock), 0o700))
		if err == nil || errors.Is(err, spec.ErrTreeChanged) || !strings.Contains(err.Error(), "/.git/HEAD may not be read by the user that usersyncd runs as") {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := checkout(t, map[string]string{"a.yaml": "email: a@x.example\n", ".git": "gitdir: ../repo\n"})
	must(t, os.Chmod(filepath.Join(dir, ".git"), 0))
	if _, err := spec.NewLoader(dir).Scan(t.Context()); err == nil || !strings.Contains(err.Error(), "/.git may not be read by the user that usersyncd runs as") {
		t.Errorf("a worktree's file: %v", err)
	}
}

// runAsNobody runs the same test again as a user whom permissions stop.
func runAsNobody(t *testing.T) {
	t.Helper()
	const nobody = 65534
	dir, err := os.MkdirTemp("", "nobody") // t.TempDir is below a folder that only root may enter
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o755))
	program, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "test"), program, 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "tmp"), 0o777))
	must(t, os.Chmod(filepath.Join(dir, "tmp"), 0o777))
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "test"), "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+filepath.Join(dir, "tmp"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}
