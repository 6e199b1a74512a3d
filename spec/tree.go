package spec

import (
	"strings"

	"usersyncd/spec/checkout"
	"usersyncd/spec/strictyaml"
)

// Pos is a place in a spec file; File is relative to the tree's root.
type Pos = strictyaml.Pos

// Problem is one thing that is wrong with a spec, in words that tell its author what to change.
type Problem = strictyaml.Problem

// Tree is a whole checkout, read.
type Tree struct {
	Digest   string // hash of every file's path and content
	Revision string // git commit of the checkout, with "-dirty" behind it if files differ from it, or Digest outside git
	checkout.State
	Users    []*User   // the users without problems, by Key
	Leavers  []*User   // users with problems who are certainly to be inactive, by Key; they have email and state alone
	Problems []Problem // by file, line, column; not empty means that Users is not all that was meant
	Files    int       // spec files, _defaults.yaml included
	Parsed   int       // of them, those that had to be parsed: the rest was known already
}

// dirty ends the revision of files that are not as in the commit before it.
const dirty = "-dirty"

// revision names the state of a tree: its commit, or what is in it.
func revision(commit string, differs bool, digest string) string {
	switch {
	case commit == "":
		return digest
	case differs:
		return commit + dirty
	}
	return commit
}

// CutDirty takes the mark off a revision whose files were not as in its commit, and reports whether it had one.
func CutDirty(revision string) (commit string, is bool) { return strings.CutSuffix(revision, dirty) }

// IsDirty reports whether a revision's files were not as in its commit.
func IsDirty(revision string) bool { return strings.HasSuffix(revision, dirty) }

// ShortRevision is enough of a revision to know it by, and the mark.
func ShortRevision(revision string) string {
	commit, is := CutDirty(revision)
	commit = commit[:min(len(commit), 12)]
	if is {
		return commit + dirty
	}
	return commit
}
