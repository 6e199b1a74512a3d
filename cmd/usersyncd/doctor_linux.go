package main

import (
	"golang.org/x/sys/unix"
)

// silentKinds are file systems that do not tell, or not always, of what another machine changes.
var silentKinds = map[int64]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB",
	unix.FUSE_SUPER_MAGIC: "FUSE", unix.V9FS_MAGIC: "9P", unix.CEPH_SUPER_MAGIC: "Ceph", unix.AFS_SUPER_MAGIC: "AFS",
}

// fileSystem says what kind of file system a path is on, if it is one of those that do not tell of changes, and how many
// bytes may yet be written there. The same are of other machines, where a lock may not hold. ok is false where that
// cannot be told.
func fileSystem(path string) (kind string, silent bool, free uint64, ok bool) {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return "", false, 0, false
	}
	kind, silent = silentKinds[int64(uint32(st.Type))] // 32 bits, whatever the platform makes of them
	return kind, silent, st.Bavail * uint64(st.Bsize), true
}

// mayWrite reports whether files may be made in a directory, without making one.
func mayWrite(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }
