package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// sweep removes the files of servers that have not been used for long, and what
// processes that were killed while writing left behind. It is called under the
// lock, so no file is renewed meanwhile. What cannot be removed stays: the next
// process tries again.
func (s *Store) sweep(now time.Time) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !sweepable(entry.Name()) {
			continue
		}
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > keep {
			_ = os.Remove(filepath.Join(s.dir, entry.Name()))
		}
	}
}

// sweepable reports whether a name is that of a server's file, or of a
// temporary one beside it.
func sweepable(name string) bool {
	return strings.HasSuffix(name, listsExt) ||
		strings.HasPrefix(name, ".") && strings.Contains(name, listsExt)
}
