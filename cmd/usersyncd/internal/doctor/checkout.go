package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/checkout"
	"usersyncd/spec/text"
)

// staleLock is the age from which a lock of git's is taken for one that a killed git has left.
const staleLock = 10 * time.Minute

// checkout reads the specs, as a pass does.
func (e *examination) checkout(ctx context.Context) findings {
	dir := text.ShellWord(e.Dir)
	switch info, err := os.Stat(e.Dir); {
	case err != nil:
		return problem("give the directory that holds the specs, readable by the user that usersyncd runs as", "%v", err)
	case !info.IsDir():
		return problem("give the directory that holds the specs", "%s is a file", e.Dir)
	}
	loader := spec.NewLoader(e.Dir)
	loader.Branch = e.Branch
	var err error
	e.tree, err = loader.ScanAndLoad(ctx)
	switch {
	case ctx.Err() != nil:
		return unchecked("%v", ctx.Err())
	case errors.Is(err, spec.ErrTreeChanged):
		return busy(e.Dir, err, time.Now())
	case errors.Is(err, spec.ErrBranch):
		return problem("git -C "+dir+" switch "+text.ShellWord(e.Branch)+", or another --branch", "%v: no pass starts", err).named("branch")
	case errors.Is(err, spec.ErrNoSpecs):
		return problem("give the right directory, or start with: usersyncd export "+dir, "%v", err)
	case errors.Is(err, fs.ErrPermission): // specs are personal data: nobody else is to read them
		return problem("let the user that usersyncd runs as read it: sudo chgrp -R $(id -g) "+dir+" && sudo chmod -R g+rX "+dir, "%v", err)
	case err != nil:
		return problem("resolve what the message says", "%v", err)
	}
	found := ok("%s in %s, %s", text.Plural(len(e.tree.Users), "user"), text.Plural(e.tree.Files, "file"), revision(e.Dir, e.tree))
	if n := e.tree.ProblemCount(); n > 0 {
		files := map[string]bool{}
		for _, p := range e.tree.Problems {
			files[p.File] = true
		}
		found = problem("usersyncd validate "+dir, "%s in %s; the first: %s", text.Plural(n, "problem"), text.Plural(len(files), "file"), e.tree.Problems[0])
		found.blocking(false) // what could be read shows most fields
	}
	if w := e.tree.Warnings; w.Count > 0 {
		found = append(found, warning("usersyncd validate "+dir, "%s; the first: %s", text.Plural(w.Count, "warning"), w.First[0])...)
	}
	return append(found, e.committed()...)
}

// committed says which checkout the specs are of, and whether they are as in its commit.
func (e *examination) committed() findings {
	git := "git -C " + text.ShellWord(e.Dir)
	found := ok("this checkout is known as %s", e.tree.Checkout).named("identity")
	if e.Branch != "" {
		found = append(found, ok("%s, as set by --branch", e.Branch).named("branch")...)
	}
	if n := e.tree.DirtyFiles; n > 0 {
		found = append(found, warning(git+" status; commit them, or revert them", "in %s, applied as %s: %s",
			text.Plural(n, "file"), spec.ShortRevision(e.tree.Revision), text.List(e.tree.Dirty, 5, n)).named("uncommitted edits")...)
	}
	for _, why := range e.tree.NotCompared {
		found = append(found, unchecked("not all of them can be found: %s", why).blocking(false).named("uncommitted edits")...)
	}
	for _, gap := range e.tree.Incomplete {
		found = append(found, warning(strings.ReplaceAll(gap.Fix, "git ", git+" "), "%s: no user is removed until it is complete", gap.What).named("incomplete")...)
	}
	return found
}

// revision is the revision of the specs, for people.
func revision(dir string, tree *spec.Tree) string {
	short := spec.ShortRevision(tree.Revision)
	switch {
	case checkout.GitDir(dir) == "":
		return "not in git (content " + short + ")"
	case tree.Revision == tree.Digest:
		return "in git, at an unknown commit (content " + short + ")"
	}
	return "commit " + short
}

// busy is about a checkout that git is changing, or has left as if it was.
func busy(dir string, err error, now time.Time) findings {
	lock := filepath.Join(checkout.GitDir(dir), "index.lock") // it can be gone: not only git changes files
	info, gone := os.Lstat(lock)
	if checkout.GitDir(dir) == "" {
		gone = os.ErrNotExist
	}
	if gone != nil {
		return warning("git -C "+text.ShellWord(dir)+" status; then run doctor again", "%v: no pass starts until then", err).blocking(true)
	}
	age := now.Sub(info.ModTime())
	if age < staleLock {
		return warning("wait for git, then run doctor again", "git has been working for %s (%s): no pass starts until it is done", text.Duration(age), lock).blocking(true)
	}
	return problem("check that no git runs there (pgrep -a git), then: rm "+text.ShellWord(lock),
		"%s has been there for %s, so git was killed: no pass starts", lock, text.Duration(age))
}
