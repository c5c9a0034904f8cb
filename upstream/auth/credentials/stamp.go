package credentials

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// Stamp tells the logins of an endpoint and an account, as they are kept now, from
// what they were before any change by whatever process. It looks at the files
// without opening them, and asks neither the keyring nor for a lock.
func (s *Store) Stamp(endpoint, account string) string {
	list := endpointName(endpoint, account)
	var b strings.Builder
	for _, name := range s.lists.names(s, list) {
		if info, err := os.Lstat(s.folder.Path(name)); err == nil {
			b.WriteString(name)
			b.WriteString(versionOf(info))
		}
	}
	return b.String()
}

// versionOf tells a file from those before it in its place. Each was made while
// the one before was there, so they differ by inode, if not by what the clock of
// the file system can tell.
func versionOf(info fs.FileInfo) string {
	return fmt.Sprintf(" %x %x %x;", info.ModTime().UnixNano(), info.Size(), inode(info))
}

// maxLists is of how many endpoints the lists are remembered.
const maxLists = 1000

// lists remembers what the lists of endpoints hold, since they hardly ever change.
type lists struct {
	mu    sync.Mutex
	known map[string]knownList
}

type knownList struct {
	version string
	names   []string
}

// names returns what a list holds; nothing if it cannot be read.
func (l *lists) names(s *Store, list string) []string {
	info, err := os.Lstat(s.folder.Path(list))
	if err != nil {
		return nil
	}
	version := versionOf(info) // of before it is read
	l.mu.Lock()
	known := l.known[list]
	l.mu.Unlock()
	if known.version == version {
		return known.names
	}
	file, err := s.folder.Read(list)
	if err != nil {
		return nil
	}
	names := parseNames(file)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= maxLists {
		l.known = map[string]knownList{}
	}
	l.known[list] = knownList{version, names}
	return names
}
