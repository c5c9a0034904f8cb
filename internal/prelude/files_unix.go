//go:build unix

package prelude

import (
	"errors"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Supported reports whether records can be used on this system.
const Supported = true

var errNotOwn = errors.New("it is not the user's alone")

// stampOf returns the stamp of a file, or of what a link leads to.
func stampOf(path string) (stamp, error) {
	var info unix.Stat_t
	err := unix.Stat(path, &info)
	return newStamp(&info), err
}

func newStamp(info *unix.Stat_t) stamp {
	return stamp{
		device: uint64(info.Dev), inode: uint64(info.Ino), size: uint64(info.Size), //nolint:unconvert,nolintlint // they differ between systems
		modified: unix.TimespecToNsec(info.Mtim), changed: unix.TimespecToNsec(info.Ctim),
	}
}

// holds reports whether the files are all as they were. The way to their folder is
// gone once.
func (f *folder) holds() bool {
	at, err := open(f.path)
	if err != nil {
		return false
	}
	defer unix.Close(at) //nolint:errcheck // nothing was written
	for i := range f.files {
		its := &f.files[i]
		var info unix.Stat_t
		err := unix.Fstatat(at, its.name, &info, 0)
		if its.found && (err != nil || newStamp(&info) != its.stamp) || !its.found && !errors.Is(err, unix.ENOENT) {
			return false
		}
	}
	return true
}

// readRegular reads a regular file of at most limit bytes.
func readRegular(path string, limit int) ([]byte, error) {
	f, err := openFile(path, limit)
	if err != nil {
		return nil, err
	}
	defer f.close()
	return f.readAll()
}

// An openedFile is a regular file that is read.
type openedFile struct {
	fd   int
	size int64
	own  bool // nobody else may read or write it
}

func openFile(path string, limit int) (*openedFile, error) {
	fd, err := open(path)
	if err != nil {
		return nil, err
	}
	var info unix.Stat_t
	err = unix.Fstat(fd, &info)
	if err == nil && (info.Mode&unix.S_IFMT != unix.S_IFREG || info.Size > int64(limit)) {
		err = fs.ErrInvalid
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &openedFile{fd, info.Size, isOwn(&info)}, nil
}

// openOwn is openFile for what nobody else can read or write.
func openOwn(path string, limit int) (*openedFile, error) {
	f, err := openFile(path, limit)
	if err == nil && !f.own {
		f.close()
		return nil, errNotOwn
	}
	return f, err
}

func (f *openedFile) close() { _ = unix.Close(f.fd) }

// readAll reads all of it. It is an error if it grows or shrinks meanwhile.
func (f *openedFile) readAll() ([]byte, error) {
	data := make([]byte, f.size+1) // one more shows that it has grown
	n, err := f.readAt(data, 0)
	if err == nil && int64(n) != f.size {
		err = io.ErrUnexpectedEOF
	}
	return data[:min(n, int(f.size))], err
}

// readAt fills b from there on, as far as there is anything.
func (f *openedFile) readAt(b []byte, at int64) (n int, err error) {
	for n < len(b) {
		m, err := unix.Pread(f.fd, b[n:], at+int64(n))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return n, err
		case m == 0:
			return n, nil
		default:
			n += m
		}
	}
	return n, nil
}

// readOwn reads a file of the user's alone.
func readOwn(path string, limit int) ([]byte, error) {
	f, err := openOwn(path, limit)
	if err != nil {
		return nil, err
	}
	defer f.close()
	return f.readAll()
}

// open does not wait for the other end of what is a pipe.
func open(path string) (fd int, err error) {
	for {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

func isOwn(info *unix.Stat_t) bool {
	return int(info.Uid) == unix.Geteuid() && info.Mode&0o077 == 0
}

// isOwnFolder reports whether there is a folder that nobody else can look or write
// into.
func isOwnFolder(path string) bool {
	var info unix.Stat_t
	return unix.Lstat(path, &info) == nil && info.Mode&unix.S_IFMT == unix.S_IFDIR && isOwn(&info)
}
