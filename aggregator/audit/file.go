package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/weir-mcp/weir/upstream/state"
)

const (
	defaultMaxSize = 10 << 20
	defaultKeep    = 5
	lockExt        = ".lock"
)

// A file is the one that is appended to, of one process. It is not safe for
// concurrent use; other processes may use the same.
type file struct {
	path string
	own  bool // as Config.OwnFolder
	max  int64
	keep int

	open   *os.File // nil if none is
	opened os.FileInfo
	larger int64 // how large it may grow before the next try to rotate it
	torn   bool  // what stands last may be half a line
}

func newFile(cfg Config) *file {
	f := &file{path: cfg.Path, own: cfg.OwnFolder, max: cfg.MaxSize, keep: cfg.Keep}
	if f.max == 0 {
		f.max = defaultMaxSize
	}
	if f.keep == 0 {
		f.keep = defaultKeep
	}
	f.larger = f.max
	return f
}

// write appends lines at once. It returns how many bytes of them are in the file
// as whole lines.
func (f *file) write(lines []byte) (whole int, err error) {
	if err := f.ready(); err != nil {
		return 0, err
	}
	if f.torn {
		// What is half a line stays alone on it. Readers skip empty lines.
		if _, err := f.open.Write([]byte{'\n'}); err != nil {
			f.close()
			return 0, err
		}
		f.torn = false
	}
	n, err := f.open.Write(lines)
	if err != nil {
		f.torn = n > 0 && lines[n-1] != '\n'
		f.close() // whatever is wrong with it, another try begins anew
	}
	return bytes.LastIndexByte(lines[:n], '\n') + 1, err
}

func (f *file) close() {
	if f.open != nil {
		_ = f.open.Close()
	}
	f.open = nil
}

// ready makes sure that the file is open, is the one at its path still, and is
// not too long.
func (f *file) ready() error {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f.reopen()
	case err != nil:
		return err
	case f.open == nil || !os.SameFile(info, f.opened):
		if err := f.reopen(); err != nil {
			return err
		}
		info = f.opened
	}
	if info.Mode().IsRegular() && info.Size() >= f.larger {
		return f.rotate(info.Size())
	}
	return nil
}

func (f *file) reopen() error {
	f.close()
	if err := f.makeFolder(); err != nil {
		return err
	}
	if info, err := os.Stat(f.path); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return fmt.Errorf("%s: it is not a file", f.path) // opening it could wait for ever
	}
	open, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	info, err := open.Stat()
	if err == nil && f.own && info.Mode().IsRegular() && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		err = open.Chmod(0o600)
	}
	if err != nil {
		_ = open.Close()
		return err
	}
	f.open, f.opened, f.larger = open, info, f.max
	f.torn = f.torn || endsTorn(open, info)
	return nil
}

func (f *file) makeFolder() error {
	dir := filepath.Dir(f.path)
	if f.own {
		return state.Closed(dir)
	}
	return os.MkdirAll(dir, 0o700)
}

// endsTorn reports whether the last line of a file has no end: whoever wrote it
// had none either.
func endsTorn(open *os.File, info os.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err := open.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// rotate puts the file aside and begins another one, unless somebody else is
// doing so or has done so. Where it cannot be done the file grows, and a while
// later it is tried again: Windows renames no file that another process has
// open.
func (f *file) rotate(size int64) error {
	f.close()
	f.putAside()
	if err := f.reopen(); err != nil {
		return err
	}
	if f.opened.Size() >= f.max {
		f.larger = size + f.max/10
	}
	return nil
}

func (f *file) putAside() {
	lock, err := state.NewLock(f.path + lockExt)
	if err != nil {
		return
	}
	defer func() { _ = lock.Close() }() // which releases it
	if locked, err := lock.TryLock(); err != nil || !locked {
		return
	}
	info, err := os.Stat(f.path)
	if err != nil || info.Size() < f.max {
		return
	}
	for i := f.keep - 1; i > 0; i-- {
		_ = os.Rename(rotated(f.path, i), rotated(f.path, i+1)) // it may not be there
	}
	_ = os.Rename(f.path, rotated(f.path, 1)) // if not, it grows
}

// rotated is the path of a file that was put aside, 1 being the last one.
func rotated(path string, i int) string { return path + "." + strconv.Itoa(i) }
