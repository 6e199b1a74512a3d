// Package checkout reads the git work tree that a folder of specs is in: its commit, whether a git command is running or
// unfinished there, which repository it is a checkout of, and whether its files are those of the commit.
//
// Git is never run, as a repository's own configuration can make it execute anything, and as it may not be installed
// where the daemon runs. The files of .git are read instead: HEAD and refs, config, and index
// (gitrepository-layout(5), git-config(1), gitformat-index(5)). The configuration and attributes of the user or of the
// system are ignored: they belong to another user here.
//
// A [Reader] reads the same folder repeatedly, and caches the parsed index and the object ids of files that had to be
// hashed.
//
//	c, err := reader.Open(dir, dir)          // ErrTreeChanged while git is running there
//	compare := c.Compare(paths)              // finds the files in the index
//	compare.File(i, info, content, digest)   // for each file, as it is read
//	state := compare.State(pointers)         // identity, dirty, incomplete
//	err = c.Unchanged()                      // ErrTreeChanged if git changed something meanwhile
//
// Files are compared with the index, so what is staged and not committed counts as committed.
//
// The index is parsed here because no library reads what this package must: split and sparse indexes, SHA-256,
// assume-unchanged, an index without a checksum, and damaged ones within bounds of time and memory (go-git v5 reads
// none of these). Patterns of attributes are matched by doublestar; go-git's matcher takes neither [!a] nor several **.
package checkout
