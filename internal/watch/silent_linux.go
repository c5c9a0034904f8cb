package watch

import (
	"slices"

	"golang.org/x/sys/unix"
)

// remote are file systems that are changed by others than this kernel, which
// knows of nothing then. Some of FUSE are not, and are looked at all the same.
var remote = []int64{
	unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC,
	unix.FUSE_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.CODA_SUPER_MAGIC,
}

// silent reports whether the system does not tell of all that happens in a folder.
func silent(folder string) bool {
	var info unix.Statfs_t
	return unix.Statfs(folder, &info) == nil && slices.Contains(remote, int64(info.Type)) //nolint:unconvert // its size differs
}
