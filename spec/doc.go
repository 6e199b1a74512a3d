// Package spec is the desired state: YAML in, checked values out, each with the place it came from.
//
// A [Loader] reads a folder in two steps. [Loader.Scan] lists, reads and hashes the spec files, and is
// all that an unchanged folder costs. [Loader.Load] parses what changed since the last time and checks
// the whole, giving a [Tree]: the users that are in order, and every [Problem] of the others.
//
//	l := spec.NewLoader("users")
//	scan, err := l.Scan(ctx)
//	...
//	tree, err := l.Load(ctx, scan)
//
// # Words
//
// A field that a user does not name is not managed, and not in [User.Fields]. A field that is named and
// empty ("", [] or {}) is to be made empty. Null could mean either, so it is a problem.
//
// A [Value] is canonical JSON: the YAML reader and the API adapter make values with the same
// constructors, so that the same wish and the same fact have the same text. [Equal] knows the two fields
// for which texts may differ all the same.
//
// The format is one table (table.go): a field is an entry there, a reader beside it, and a
// property in schema.json. README.md documents it for those who write specs.
//
// # Caveats
//
// Spec files are not trusted: they come by way of pull requests. Whatever lets YAML mean something else
// than it shows is refused (anchors, merge keys, tags, invisible characters), sizes are limited, links
// are not followed, and everything that is shown to people is escaped. The YAML library is used only
// to build its node tree, where it neither panics nor takes quadratic time.
//
// A scan of a checkout in which git is at work sees files of two commits. Scan refuses that where it can
// see it ([ErrTreeChanged]): git holds a lock, has a merge or the like open, or has changed HEAD or its index
// meanwhile; or the folder is no longer the one that was read. Git is never run, as a repository's own
// configuration can make it execute anything. Where others than git write, only time tells: a caller that
// acts on what is new must ask for two scans with one Digest.
//
// [Scan.Revision] says what HEAD stood at while the files were read, and ends in "-dirty" if they are not as committed:
// an edit that was not committed is desired state, too. Digest is of the files themselves, and tells two such trees
// apart. What else there is to know of the checkout is in [checkout.State], a part of Scan and Tree.
//
// A user with a problem is missing from [Tree.Users], which is no sign that it was removed. If its own mapping
// says state: inactive, and no problem leaves that in doubt, it is in [Tree.Leavers]: access is taken away
// whatever else is wrong.
package spec
