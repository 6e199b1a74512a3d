// Package checkout is the git work tree that a folder of specs is in: which commit it stands at, whether git is at
// work there, which checkout it is, and whether its files are those of the commit.
//
// Git is never run, as a repository's own configuration can make it execute anything. All is read from the files of
// .git: HEAD and refs, config, and index (gitrepository-layout(5), git-config(1), gitformat-index(5)). Only the
// repository's own configuration and attributes count; those of a user or of the system are somebody else's here.
//
// A [Reader] looks at one folder again and again, and keeps what is expensive: the parsed index, and the ids of files
// that had to be hashed.
//
//	c, err := reader.Open(dir)       // ErrTreeChanged while git is at work there
//	compare := c.Compare(paths)      // what the index says about these files
//	compare.File(i, info, content)   // each of them, as it is read
//	state := compare.State(missing)  // identity, dirty, incomplete
//	err = c.Unchanged()              // ErrTreeChanged if git did something meanwhile
//
// The index stands for the commit: what is staged and not committed counts as committed.
package checkout
