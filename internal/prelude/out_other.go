//go:build unix && !linux

package prelude

import "golang.org/x/sys/unix"

// growPipe has no way to do so here.
func growPipe(int, int) {}

// send writes bytes of a file as far as goes without waiting.
func send(out, file int, at int64, size int) (int, error) {
	room := make([]byte, min(size, chunk))
	n, err := unix.Pread(file, room, at)
	if err != nil || n <= 0 {
		return n, err
	}
	return unix.Write(out, room[:n])
}
