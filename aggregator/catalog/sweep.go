package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/state"
)

// writeTime is longer than any write takes.
const writeTime = time.Hour

// sweep removes the files of servers that no weir has used for long, and what
// processes that were killed while writing left behind. It is called under the
// lock, so no file is renewed meanwhile. What cannot be removed stays: the next
// process tries again.
//
// Files of a time ahead of now are left alone, for the clock may be the wrong one:
// the next write of them sets their time right.
func (s *Store) sweep(now time.Time) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if err == nil && leftOver(entry.Name(), now.Sub(info.ModTime())) {
			_ = os.Remove(filepath.Join(s.dir, entry.Name()))
		}
	}
}

// leftOver reports whether a file of that age is of no use any more.
func leftOver(name string, age time.Duration) bool {
	server, its, lists := strings.Cut(name, anyLists)
	switch {
	case strings.HasPrefix(name, "."):
		return (lists || state.IsTemporaryOf(name, keyName)) && age.Abs() > writeTime
	case server == "" || !lists || isNewer(its):
		return false
	}
	return age > keep
}
