package prelude

import "golang.org/x/sys/unix"

// growPipe asks for room in a pipe, so that a long list goes out in few writes. A
// user may have too many pipes for that.
func growPipe(fd, size int) { _, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, size) }

// send writes bytes of a file as far as goes without waiting. They go past this
// process: neither end of a pipe needs memory for them.
func send(out, file int, at int64, size int) (int, error) {
	return unix.Sendfile(out, file, &at, size)
}
