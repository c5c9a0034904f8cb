//go:build unix

package live

import (
	"io/fs"
	"os"
	"syscall"
)

// belongsToUser reports whether a folder is the user's, and closed to others.
func belongsToUser(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Getuid()) && info.Mode().Perm()&0o077 == 0
}
