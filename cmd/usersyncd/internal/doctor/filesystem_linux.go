package doctor

import "golang.org/x/sys/unix"

// freeSpace says how many bytes are free where a path is. known is false where that cannot be found.
func freeSpace(path string) (free uint64, known bool) {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}

// mayWrite reports whether files may be made in a directory, without making one.
func mayWrite(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }
