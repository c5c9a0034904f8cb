package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// ReplaceFile puts a file in the place of path, by a rename, which replaces on
// Windows too but fails while a reader has the old file open. A checksum
// finds what a loss of power may leave.
func ReplaceFile(path string, data []byte) error { return ReplaceFileAs(path, data, 0o600) }

// ReplaceFileAs is ReplaceFile with other permissions, of which Windows knows
// only whether the file may be written.
func ReplaceFileAs(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
