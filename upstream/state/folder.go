package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

// MaxFile is how large a file of state may be, in bytes.
const MaxFile = 16 << 20

// ErrNoFolder is the error of a Folder without a place on the disk.
var ErrNoFolder = errors.New("no folder for weir's state is known")

const (
	lockExt   = ".lock"
	lockWait  = 5 * time.Second // for other processes
	lockRetry = 5 * time.Millisecond
)

// A Folder is where files of state lie. It is safe for concurrent use, by many
// processes. The zero Folder has no place: reading finds nothing there, and
// writing fails.
type Folder struct {
	dir string
}

// At returns the folder at dir, which is made with the first write.
func At(dir string) Folder { return Folder{dir: dir} }

// UserFolder is where weir's state lies for the user whose environment getenv
// reads: weir in $XDG_STATE_HOME, else the platform's place.
func UserFolder(getenv func(string) string) (Folder, error) {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return At(filepath.Join(dir, "weir")), nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return Folder{}, fmt.Errorf("%w: %w", ErrNoFolder, err)
		}
		return At(filepath.Join(dir, "weir", "state")), nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return Folder{}, ErrNoFolder
	}
	return At(filepath.Join(home, ".local", "state", "weir")), nil
}

// Path is where a file of the folder lies; "" if the folder has no place.
func (f Folder) Path(name string) string {
	if f.dir == "" {
		return ""
	}
	return filepath.Join(f.dir, name)
}

// Make makes the folder, so that nobody else can look or write into it.
// Windows does that by where the folder lies.
func (f Folder) Make() error {
	if f.dir == "" {
		return ErrNoFolder
	}
	return Closed(f.dir)
}

// Closed makes sure that dir is there and that nobody else can look or write
// into it.
func Closed(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(dir, 0o700)
}

// Read returns what a file holds; nil if there is none. What is no file, or is
// larger than MaxFile, is an error and is not read: whatever lies there, it does
// not wait for more than the disk.
func (f Folder) Read(name string) ([]byte, error) {
	if f.dir == "" {
		return nil, nil
	}
	data, _, err := ReadFile(f.Path(name), MaxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Names are those of all that lies in the folder, in order; none if it is not
// there.
func (f Folder) Names() ([]string, error) {
	if f.dir == "" {
		return nil, nil
	}
	dir, err := os.Open(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// Update puts what change makes of a file in its place; nil removes it, and
// what is equal to the old one is not written. No other process changes the
// file in the meantime. It waits for those 5 s at most, and for the disk.
func (f Folder) Update(ctx context.Context, name string, change func(old []byte) ([]byte, error)) error {
	if err := f.Make(); err != nil {
		return err
	}
	unlock, err := f.Lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := f.Read(name)
	if err != nil {
		return err
	}
	fresh, err := change(old)
	switch {
	case err != nil:
		return err
	case fresh == nil && old == nil:
		return nil
	case fresh == nil:
		return os.Remove(f.Path(name))
	case old != nil && string(old) == string(fresh):
		return nil
	}
	f.sweep(name)
	return ReplaceFile(f.Path(name), fresh)
}

// sweep removes what writers of a file have left that did not live to put it in
// its place. The caller holds the lock of its name.
func (f Folder) sweep(name string) {
	names, _ := f.Names() // at worst they stay
	for _, left := range names {
		if IsTemporaryOf(left, name) {
			_ = os.Remove(f.Path(left))
		}
	}
}

// Lock keeps other processes, and other callers in this one, from the lock of
// that name until unlock is called. It waits 5 s at most. The system releases
// the lock of a process that ends, however it ends.
func (f Folder) Lock(ctx context.Context, name string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	return f.Hold(ctx, name)
}

// Hold is Lock for what others may take their time with: it waits until ctx ends.
func (f Folder) Hold(ctx context.Context, name string) (unlock func(), err error) {
	lock, err := f.lock(name)
	if err != nil {
		return nil, err
	}
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("locking %q: %w", lock.Path(), err)
	}
	return func() { _ = lock.Close() }, nil
}

// TryLock is Lock without waiting; unlock is nil if somebody else has the lock.
func (f Folder) TryLock(name string) (unlock func(), err error) {
	lock, err := f.lock(name)
	if err != nil {
		return nil, err
	}
	taken, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("locking %q: %w", lock.Path(), err)
	case !taken:
		return nil, nil
	}
	return func() { _ = lock.Close() }, nil
}

func (f Folder) lock(name string) (*flock.Flock, error) {
	if err := f.Make(); err != nil {
		return nil, err
	}
	return NewLock(f.Path(name) + lockExt)
}
