// Package state remembers what is known of an organization's users between passes and between
// runs: what the API last told (observed), what was last written (applied), which creations are
// under way (intents), who was refused (failures), and when everything was last read (refresh). Beside
// that it keeps, unread, what the rate limiter has learned.
//
// What was observed is a cache, and can be read again from the API; who is managed, and what was last applied, cannot.
// The package never repairs: what is damaged becomes unknown. What it guarantees instead is that it never tells anything
// that was not committed.
//
// # Words
//
//   - record: one value of the file, with a format byte and a CRC-32C over its bucket, key and
//     payload. bbolt itself checks only its two meta pages.
//   - damaged file: one with a record whose checksum or format is wrong, a bucket whose tally of records and
//     checksums is, a page that cannot be read or does not agree with the others, or an invalid meta page, which may have
//     taken the last commit with it. [Open] renames it to PATH.bad-TIME, and a new file takes over every record
//     whose checksum is right of what only usersyncd knows: of users the id, what was applied, the declarations and
//     the marks; intents, the history, releases, the pause, the organization, the checkout and [Guards], which note
//     the time of it. What was observed, the refresh, the [Converged] mark, failures and what the rate limiter has
//     learned are left out. [Snapshot.Rebuilt] holds, and [Snapshot.Damaged] counts what was lost, until the next
//     [Commit] with a Refresh. [OpenReadOnly] shows the same, and leaves the file where it is.
//   - holder: the one process that has the file open for writing. bbolt's lock (flock) is on the
//     inode, so the package locks the file before it looks inside, and moves or replaces a file
//     only while it has the lock of that very inode.
//
// # Use
//
//	st, err := state.Open("/var/lib/usersyncd/usersyncd.db", state.Options{})
//	if err != nil { ... }                 // ErrLocked, ErrNewer, or why the file is refused
//	defer st.Close()
//	if aside := st.SetAside(); aside != "" { ... } // tell somebody
//	err = st.Bind(state.Org{API: "https://api.mypurecloud.de", ID: id})
//	snap, err := st.Snapshot()            // plan with it
//	err = st.Commit(state.Commit{Users: []*state.User{ana}})
//
// # Caveats
//
//   - A commit is one bbolt transaction: two fsyncs, a fraction of a millisecond to some ten of
//     them. No other input or output happens inside one, and every method returns decoded copies,
//     so no transaction outlives a call and readers cannot deadlock a commit.
//   - A failed commit (disk full) changes nothing and the store stays usable.
//   - If the file is removed or replaced while it is open for writing, methods return [ErrReplaced], until it is put
//     back.
//   - If a record turns out to be damaged while the file is open, Snapshot sets the file aside and goes on with the new
//     one. If the file is cut short or its pages cannot be read any more, methods return [ErrDamaged] instead of
//     crashing. From then on the store answers nothing else; opening it again sets the file aside.
//   - The size is limited to 1 GiB: 50,000 users of 6 KB each, twice, since a commit that changes
//     all of them writes a copy of every page before it frees the old ones. The file never shrinks.
package state
