package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// ErrNotFile is the error for what lies in the place of a file and is none: a
// folder, a pipe, a socket.
var ErrNotFile = errors.New("it is not a file")

// ReadFile returns what a file holds, which is not nil, and its permissions. What is
// no file, or is larger than limit bytes, is an error: it waits for no more than the
// disk.
func ReadFile(path string, limit int64) ([]byte, fs.FileMode, error) {
	failed := func(err error) ([]byte, fs.FileMode, error) {
		return nil, 0, &fs.PathError{Op: "reading", Path: path, Err: err}
	}
	file, err := os.OpenFile(path, os.O_RDONLY|noWaiting, 0)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return failed(ErrNotFile)
	case info.Size() > limit:
		return failed(tooLarge(limit))
	}
	data := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := data.ReadFrom(io.LimitReader(file, limit+1)); err != nil {
		return nil, 0, err
	}
	if int64(data.Len()) > limit { // it grows
		return failed(tooLarge(limit))
	}
	return data.Bytes(), info.Mode().Perm(), nil
}

func tooLarge(limit int64) error { return fmt.Errorf("it is larger than %d bytes", limit) }

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
