// Package watch says when a directory tree may have changed. It never says what changed.
//
// An event of the kernel is a hint that makes the next look at the tree earlier, and nothing more:
// events get lost when the queue overflows, are never sent for some changes (a network file system,
// an edit through a hard link from outside), and come in the middle of a checkout. So a hint carries
// no path, and whoever receives one reads the whole tree and lets the content decide.
//
//	w := watch.New("/srv/users", watch.Options{})
//	go w.Run(ctx)
//	for range w.Changes() {
//		// read the tree
//	}
//
// # Words
//
// A burst is a run of events with no pause as long as [Options.Quiet]; it becomes one hint, when it is
// over or when it has lasted for [Options.MaxDelay]. A git checkout of 5,000 files is one burst.
//
// The way to the tree is every directory and symbolic link that its path goes through. It is watched
// too, so that a replaced root and the swap of a link anywhere above it are seen.
//
// # What is promised
//
// After any change that the kernel reports, a hint follows, and it follows late enough: the watches
// that the change made necessary (new directories, a new root) stand before the hint is given, so what
// happened before is in the tree that the receiver reads, and what happens later wakes it again.
// Hints that nobody has taken yet are one hint. The first is given as soon as the watches stand.
//
// # Caveats
//
// Where inotify is unavailable, its limits are reached, or the file system changes without events (NFS and
// the like), the tree is polled: a hint every [Options.Poll], and [Watcher.State] and the log say why, with
// what to do about it. Each of these looks tries the watches again, and what they report still counts.
// Even when everything is watched there is a hint every [Options.Resync], for the changes that the
// kernel does not report. Hidden directories are not watched, except a .git that the tree belongs to:
// the end of a checkout is the moment its index.lock goes away. Symbolic links inside the tree are not
// followed.
package watch
