package doctor

import (
	"golang.org/x/sys/unix"
)

// remoteKinds are file systems that may not report what another machine changes, and whose locks may not hold there.
var remoteKinds = map[int64]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB",
	unix.FUSE_SUPER_MAGIC: "FUSE", unix.V9FS_MAGIC: "9P", unix.CEPH_SUPER_MAGIC: "Ceph", unix.AFS_SUPER_MAGIC: "AFS",
}

// fileSystem says which of remoteKinds a path is on, if any, and how many bytes are free there. known is false where that
// cannot be found.
func fileSystem(path string) (kind string, remote bool, free uint64, known bool) {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return "", false, 0, false
	}
	kind, remote = remoteKinds[int64(uint32(st.Type))] // 32 bits, whatever the platform makes of them
	return kind, remote, st.Bavail * uint64(st.Bsize), true
}

// mayWrite reports whether files may be made in a directory, without making one.
func mayWrite(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }
