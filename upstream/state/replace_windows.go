package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
)

// ReplaceFileAs is ReplaceFile with other permissions, of which Windows knows
// only whether the file may be written. The rename, which replaces on Windows too,
// fails while a reader has the old file open: it waits for readers, 1 s at most. It
// was built and vetted, and not run; the errors it waits for are those that MoveFileEx
// is documented to give.
func ReplaceFileAs(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), temporaryOf(filepath.Base(path)))
	if err != nil {
		return replacing(path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return replacing(path, err)
}

// rename waits for those who read what is to be replaced.
func rename(from, to string) error {
	const tries, pause = 50, 20 * time.Millisecond
	for range tries - 1 {
		err := os.Rename(from, to)
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return err
		}
		<-time.After(pause)
	}
	return os.Rename(from, to)
}
