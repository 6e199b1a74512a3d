package watch

import "golang.org/x/sys/unix"

// silent are the file systems that change without events, by their type in statfs(2): others write to them, on another
// machine or in another process, or the kernel itself does (inotify(7)).
var silent = map[uint32]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "SMB",
	unix.FUSE_SUPER_MAGIC: "FUSE", unix.V9FS_MAGIC: "9P", unix.CEPH_SUPER_MAGIC: "Ceph", unix.AFS_SUPER_MAGIC: "AFS", unix.AFS_FS_MAGIC: "AFS",
	unix.CODA_SUPER_MAGIC: "Coda", unix.OCFS2_SUPER_MAGIC: "OCFS2", 0x01161970: "GFS2", 0x0bd00bd0: "Lustre", 0x786f4256: "VirtualBox",
	unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs",
}

// SilentFileSystem returns the name of the file system of a path if its changes may cause no events; "" if they always do,
// or it is not known.
func SilentFileSystem(path string) string {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return ""
	}
	return silent[uint32(fs.Type)]
}
