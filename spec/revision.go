package spec

import "strings"

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
