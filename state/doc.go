// Package state stores what is known of an organization's users between passes and between runs: what the API last returned
// (observed), what was last written (applied), which creations and writes are under way (intents), which users failed
// (failures), and when everything was last read (refresh). It also stores what the rate limiter has learned.
//
// What was observed is a cache, and can be read again from the API; who is managed, and what was last applied, cannot. The
// package repairs nothing: what is damaged becomes unknown. It never returns anything that was not committed.
//
// # Words
//
//   - record: one value of the file, with a format byte and a CRC-32C over its bucket, key and payload. bbolt itself checks
//     only its two meta pages.
//   - damaged file: one with a wrong checksum or format of a record, a wrong sum of a bucket, a page that cannot be read or
//     does not agree with the others (package boltfile), or an invalid meta page, with which the last commit may be lost.
//     [Open] renames it to PATH.bad-TIME. A new file takes over every sound record of what only usersyncd knows: of users
//     the id, what was applied, the declarations and the marks; intents, the history, releases, the pause, the
//     organization, the checkout and [Guards], which note the time of the damage. What was observed, the refresh, the
//     [Converged] mark, failures and the limiter's data are left out. [Snapshot.Rebuilt] is set, and [Snapshot.Damaged]
//     counts what was lost, until the next [Commit] with a Refresh. [OpenReadOnly] shows the same without changing the file.
//   - holder: the one process that has the file open for writing. bbolt's lock (flock) is on the inode, so package lockfile
//     locks the file before it is read, and it is moved or replaced only while that inode is locked.
//
// # Use
//
//	st, err := state.Open("/var/lib/usersyncd/usersyncd.db", state.Options{})
//	if err != nil { ... }                 // ErrLocked, ErrNewer, or why the file is refused
//	defer st.Close()
//	if aside := st.SetAside(); aside != "" { ... } // warn
//	err = st.Bind(state.Org{API: "https://api.mypurecloud.de", ID: id})
//	snap, err := st.Snapshot()            // plan with it
//	err = st.Commit(state.Commit{Users: []*state.User{ana}})
//
// # Caveats
//
//   - A commit is one bbolt transaction: two fsyncs, 0.1 to some 20 ms. There is no other I/O in it, and every method
//     returns copies, so no transaction is open after a call and readers cannot block a commit.
//   - A failed commit (disk full) changes nothing, and the store stays usable.
//   - If the file is removed or replaced while it is open for writing, methods return [ErrReplaced] until it is back.
//   - If a record is found damaged while the file is open, Snapshot sets the file aside and continues with the new one. If
//     the file is truncated or its pages cannot be read, methods return [ErrDamaged] instead of crashing, from then on;
//     opening it again sets the file aside.
//   - The size is limited to 1 GiB: 50,000 users of 6 KB each, twice, since a commit that changes all of them writes a copy
//     of every page before it frees the old ones. The file never shrinks.
package state
