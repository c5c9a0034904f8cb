package process

import (
	"bufio"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// stayOutOfMemory lets go of what the guardian needs only between its waits:
// free heap, and the pages of the program's file that starting has touched,
// most of them for packages that it has no use for. Those come back from the
// file by themselves.
func stayOutOfMemory() {
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, m := range fileMappings(maps) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED) // else they stay
	}
}

// A mapping is a range of memory.
type mapping struct{ from, to uintptr }

// fileMappings returns, of a listing as in /proc/self/smaps, the mappings that
// are nothing but a view of a file: read-only now, and never written before
// either, as the loader does with relocations.
func fileMappings(smaps io.Reader) []mapping {
	var found []mapping
	var current mapping
	isView := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 6 && strings.Contains(fields[0], "-"):
			isView = strings.HasPrefix(fields[1], "r-") && strings.HasPrefix(fields[5], "/") && current.parse(fields[0])
		case isView && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0":
			found = append(found, current)
		}
	}
	return found
}

// parse reads "from-to" in hexadecimal.
func (m *mapping) parse(bounds string) bool {
	low, high, _ := strings.Cut(bounds, "-")
	from, fromErr := strconv.ParseUint(low, 16, 64)
	to, toErr := strconv.ParseUint(high, 16, 64)
	m.from, m.to = uintptr(from), uintptr(to)
	return fromErr == nil && toErr == nil && from < to
}
