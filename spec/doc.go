// Package spec is the desired state: YAML in, checked values out, each with the file, line and column it came from.
//
// A [Loader] reads a folder in two steps. [Loader.Scan] lists, reads and hashes the spec files; for an unchanged folder
// that is all. [Loader.Load] parses what changed since the last time and checks the whole, giving a [Tree]: the users
// without problems, and every [Problem] of the others.
//
//	l := spec.NewLoader("users")
//	scan, err := l.Scan(ctx)
//	...
//	tree, err := l.Load(ctx, scan)
//
// A field that a user does not name is not managed, and not in [User.Fields]. A field that is named and empty ("", []
// or {}) is to be made empty. Null could mean either, so it is a problem.
//
// A [Value] is canonical JSON: the YAML reader and the API adapter make values with the same constructors, so that the
// same value always has the same text. [Equal] knows the fields for which texts may differ all the same.
//
// Each field is one row of a table (field.go). README.md documents the format for those who write specs.
//
// # Untrusted input
//
// Spec files come from pull requests. What makes YAML mean something other than it shows is refused (see package
// strictyaml), sizes are limited, links are not followed, and everything that is shown to people is escaped.
//
// # Files that change meanwhile
//
// While git runs, the files of a checkout are of two commits. Scan returns [ErrTreeChanged] if git holds a lock, has a
// merge or the like unfinished, or changed HEAD or its index meanwhile; or if the folder is no longer the one that was
// read. Other programs that write files cannot be noticed like this: before a change is acted on, two scans must have
// the same Digest.
//
// [Scan.Revision] is the commit of HEAD, and ends in "-dirty" if files differ from it: uncommitted edits are desired
// state, too. Digest is of the files themselves. [checkout.State], which is part of Scan and Tree, is what else is known
// of the checkout.
//
// A user with a problem is missing from [Tree.Users], which does not mean that it was removed. If its own mapping
// says state: inactive, and no problem leaves that in doubt, it is in [Tree.Leavers]: access is taken away
// whatever else is wrong.
package spec
