package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/checkout"
	"usersyncd/spec/text"
)

// leftBehind is how old a lock of git's must be to be taken for one that nobody holds any more.
const leftBehind = 10 * time.Minute

// checkCheckout reads the specs, as a pass does.
func (d *doctor) checkCheckout(ctx context.Context) {
	const name = "checkout"
	dir := text.ShellWord(d.dir)
	switch info, err := os.Stat(d.dir); {
	case err != nil:
		d.problem(name, "give the directory that holds the specs, and let usersyncd's user read it", "%v", err)
		return
	case !info.IsDir():
		d.problem(name, "give the directory that holds the specs", "%s is a file", d.dir)
		return
	}
	loader := spec.NewLoader(d.dir)
	loader.Branch = d.c.Branch
	scan, err := loader.Scan(ctx)
	var tree *spec.Tree
	if err == nil {
		tree, err = loader.Load(ctx, scan)
	}
	switch {
	case ctx.Err() != nil:
		d.unchecked(name, "%v", ctx.Err())
		return
	case errors.Is(err, spec.ErrTreeChanged):
		d.moving(name, err, time.Now())
		return
	case errors.Is(err, spec.ErrBranch):
		d.problem("branch", "git -C "+dir+" switch "+text.ShellWord(d.c.Branch)+", or another --branch", "%v: no pass begins", err)
		d.blocked[name] = true
		return
	case errors.Is(err, spec.ErrNoSpecs):
		d.problem(name, "give the right directory, or begin with: usersyncd export "+dir, "%v", err)
		return
	case err != nil:
		d.problem(name, "let usersyncd's user read it: chmod -R a+rX "+dir, "%v", err)
		return
	}
	d.tree = tree
	if n := len(tree.Problems); n > 0 {
		files := map[string]bool{}
		for _, p := range tree.Problems {
			files[p.File] = true
		}
		d.problem(name, "usersyncd validate "+dir, "%s in %s; the first: %s", text.Plural(n, "problem"), text.Plural(len(files), "file"), tree.Problems[0])
		delete(d.blocked, name) // what could be read shows most fields
	} else {
		d.fine(name, "%s in %s, %s", text.Plural(len(tree.Users), "user"), text.Plural(tree.Files, "file"), revision(d.dir, tree))
	}
	d.checkCommitted(tree)
}

// checkCommitted says which checkout the specs are of, and whether they are as in its commit.
func (d *doctor) checkCommitted(tree *spec.Tree) {
	git := "git -C " + text.ShellWord(d.dir)
	d.fine("identity", "this checkout is known as %s", tree.Checkout)
	if d.c.Branch != "" {
		d.fine("branch", "%s, as --branch asks", d.c.Branch)
	}
	if n := tree.DirtyFiles; n > 0 {
		d.doubt("uncommitted edits", git+" status; commit them, or take them back", "in %s, applied as %s: %s",
			text.Plural(n, "file"), spec.ShortRevision(tree.Revision), text.List(tree.Dirty, 5, n))
	}
	for _, why := range tree.Unjudged {
		d.unchecked("uncommitted edits", "cannot all be told: %s", why)
	}
	for _, gap := range tree.Incomplete {
		d.doubt("incomplete", strings.ReplaceAll(gap.Fix, "git ", git+" "), "%s: nobody is removed meanwhile", gap.What)
	}
}

// revision says what state of the specs this is.
func revision(dir string, tree *spec.Tree) string {
	short := spec.ShortRevision(tree.Revision)
	switch {
	case checkout.GitDir(dir) == "":
		return "not in git (content " + short + ")"
	case tree.Revision == tree.Digest:
		return "in git, at a commit that cannot be told (content " + short + ")"
	}
	return "commit " + short
}

// moving is about a checkout that git is at work in, or has left as if it were.
func (d *doctor) moving(name string, err error, now time.Time) {
	lock := filepath.Join(checkout.GitDir(d.dir), "index.lock") // it can have gone, or never been there: not all that moves is git's
	info, gone := os.Lstat(lock)
	if checkout.GitDir(d.dir) == "" {
		gone = os.ErrNotExist
	}
	switch {
	case gone != nil:
		d.doubt(name, "git -C "+text.ShellWord(d.dir)+" status; then run doctor again", "%v: no pass begins meanwhile", err)
	case now.Sub(info.ModTime()) < leftBehind:
		d.doubt(name, "wait for git, then run doctor again", "git has been at work for %s (%s): no pass begins meanwhile", text.Duration(now.Sub(info.ModTime())), lock)
	default:
		d.problem(name, fmt.Sprintf("see that no git runs there (pgrep -a git), then: rm %s", text.ShellWord(lock)),
			"%s has been there for %s, so git was killed: no pass begins", lock, text.Duration(now.Sub(info.ModTime())))
		return
	}
	d.blocked[name] = true
}
