//go:build !unix

package catalog

import (
	"fmt"
	"io"
	"os"
	"time"
)

// readFile returns a regular file of at most maxFile bytes, and when it was
// last modified. On Windows nothing that waits has a place in folders. It was built
// and vetted, and not run.
func readFile(path string) (data []byte, modified time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, modified, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, modified, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, modified, errNoSuchFile
	}
	// Files are replaced, never written to: the size stays.
	data = make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, modified, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return data, info.ModTime(), nil
}
