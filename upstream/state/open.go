package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// ErrNotFile is the error for what lies in the place of a file and is none: a
// folder, a pipe, a socket.
var ErrNotFile = errors.New("it is not a file")

// openFile opens a file to be read, with its size. It refuses what is none: from
// a pipe it would wait without end.
func openFile(path string) (file *os.File, size int64, err error) {
	file, err = os.OpenFile(path, os.O_RDONLY|noWaiting, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "reading", Path: path, Err: ErrNotFile}
	}
	if err != nil {
		_ = file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// NewLock returns a lock between processes, the file at path, which is made when
// it is taken. It refuses what is there and is no file: to open it could take for
// ever.
func NewLock(path string) (*flock.Flock, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("locking %q: %w", path, ErrNotFile)
	}
	return flock.New(path, flock.SetPermissions(0o600)), nil
}
