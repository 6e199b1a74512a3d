// Package watch says when a directory tree may have changed. It does not say what changed.
//
// Events of the kernel are hints to read the tree earlier, and nothing more: they are lost when the queue overflows, are
// not sent for some changes (a network file system, an edit through a hard link from outside), and come in the middle of a
// checkout. So a hint carries no path. The receiver reads the whole tree, and its content decides.
//
//	w := watch.New("/srv/users", watch.Options{})
//	go w.Run(ctx)
//	for range w.Changes() {
//		// read the tree
//	}
//
// A burst is a run of events without a pause of [Options.Quiet]. It becomes one hint, when it is over or has lasted for
// [Options.MaxDelay]. A git checkout of 5,000 files is one burst.
//
// Every directory and symbolic link on the path to the tree is watched too, so that a replaced root, or a link that is
// moved anywhere above it, is noticed.
//
// After any change that the kernel reports, a hint follows, and only after the watches that the change requires (of new
// directories, of a new root) are set: earlier changes are in the tree that the receiver reads, and later ones cause
// another hint. Hints that were not received yet are one hint. The first hint is sent as soon as the watches are set.
//
// If inotify is not available, if its limits are reached, or if the file system changes without events (NFS and the like),
// the tree is polled: there is a hint every [Options.Poll], and [Watcher.State] and the log say why, and what to do about
// it. At each of them the watches are tried again. If everything is watched, there is a hint every [Options.Resync], for
// changes that the kernel does not report. Hidden directories are not watched, except the .git that the tree belongs to:
// a checkout ends when its index.lock is removed. Symbolic links inside the tree are not followed.
package watch
