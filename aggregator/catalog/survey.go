package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/state"
)

// A Stored is a file in the folder of a Store.
type Stored struct {
	Path  string
	Size  int64
	Used  time.Time // when it was used last, give or take a week
	Mode  fs.FileMode
	Lists bool  // it has lists of a server, in this format
	Left  bool  // it is left of a write that was cut off
	Err   error // why its lists cannot be used; ErrDamaged, wrapped, or of the disk
}

// maxSurveyed is how many files a Survey looks at.
const maxSurveyed = 10_000

// Survey looks at all that lies in the folder of a Store, and changes nothing.
func Survey(dir string, now time.Time) ([]Stored, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []Stored
	for _, entry := range entries[:min(len(entries), maxSurveyed)] {
		info, err := entry.Info()
		if err != nil || entry.IsDir() {
			continue
		}
		file := Stored{Path: filepath.Join(dir, entry.Name()), Size: info.Size(), Used: info.ModTime(), Mode: info.Mode()}
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, "."):
			isOurs := strings.Contains(name, anyLists) || state.IsTemporaryOf(name, keyName)
			file.Left = isOurs && info.Mode().IsRegular() && now.Sub(info.ModTime()) > writeTime
		case strings.HasSuffix(name, listsExt):
			file.Lists, file.Err = true, inspect(file.Path)
		}
		all = append(all, file)
	}
	return all, err
}

// inspect reads a file of lists as a server is served from it.
func inspect(path string) error {
	data, _, err := readFile(path)
	if err != nil {
		return err
	}
	sections, err := decodeFile(data)
	if err != nil {
		return err
	}
	for i := range sections {
		if _, err := sections[i].lists(); err != nil {
			return fmt.Errorf("%w: section %d: %w", ErrDamaged, i, err)
		}
	}
	return nil
}
