package state

import (
	"errors"
	"os"
	"path/filepath"
)

// ReplaceFile puts a file in the place of path, by a rename, which replaces on
// Windows too but fails while a reader has the old file open. A checksum
// finds what a loss of power may leave.
func ReplaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
