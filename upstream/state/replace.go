package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ReplaceFile puts a file, 0600, in the place of path. Readers find the old one
// or the new one, whole, also after a loss of power: it waits for the disk.
func ReplaceFile(path string, data []byte) error { return ReplaceFileAs(path, data, 0o600) }

// ReplaceCached is ReplaceFile for what has a checksum and can be had again. It
// does not wait until the disk has it, which takes some disks longer than weir
// has when its host ends: after a loss of power the file may be empty, or torn, or
// the old one.
func ReplaceCached(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), temporaryOf(filepath.Base(path)))
	if err != nil {
		return replacing(path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return replacing(path, err)
}

// replacing says which file could not be replaced; nil if it could. Without the
// name of the temporary one, which is another each time, the same trouble reads
// the same.
func replacing(path string, err error) error {
	if err == nil {
		return nil
	}
	cause := err
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		cause = e.Err
	} else if e, ok := errors.AsType[*os.LinkError](err); ok {
		cause = e.Err
	}
	return &fs.PathError{Op: "replacing", Path: path, Err: cause}
}

// temporaryOf is what the name of a file begins with that is to take the place of
// another one. Digits follow.
func temporaryOf(name string) string { return "." + name }

// IsTemporaryOf reports whether a file is one that was to take the place of another
// one. If nobody holds that one's lock, its writer has not lived to do so.
func IsTemporaryOf(file, name string) bool {
	digits, ok := strings.CutPrefix(file, temporaryOf(name))
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}
