package resident

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// GiveBackProgram takes the pages of the program's own file out of the process's
// memory, its code among them, and returns how many bytes that may be at most.
// Others may run meanwhile: who touches a page has it again. Nothing is given back
// that differs from the file.
func GiveBackProgram() (int, error) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, fmt.Errorf("finding the program: %w", err)
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, fmt.Errorf("reading what is mapped: %w", err)
	}
	defer smaps.Close()
	spans, err := unchanged(smaps, program)
	if err != nil {
		return 0, fmt.Errorf("reading what is mapped: %w", err)
	}
	size := 0
	for _, s := range spans {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, s.start, s.end-s.start, syscall.MADV_DONTNEED); errno != 0 {
			return size, fmt.Errorf("giving back what is mapped: %w", errno)
		}
		size += int(s.end - s.start)
	}
	return size, nil
}

// A span is part of the address space.
type span struct{ start, end uintptr }

// unchanged returns the parts of a process's memory, as proc(5) tells of it in
// smaps, that are of this file, may not be written to, and are as they are there:
// a debugger may have changed some, and who linked the program for any address.
func unchanged(smaps io.Reader, file string) ([]span, error) {
	var spans []span
	var at *span // of the lines that come
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) < 2:
		case !strings.HasSuffix(fields[0], ":"):
			var err error
			if at, err = mapping(fields, file); err != nil {
				return nil, err
			}
		case at != nil && fields[0] == "Anonymous:" && fields[1] == "0":
			spans = append(spans, *at)
		}
	}
	return spans, lines.Err()
}

// mapping reads the line that a mapping begins with; nil if it is not of the file
// or may be written to.
func mapping(fields []string, file string) (*span, error) {
	const path = 5 // address, permissions, offset, device and inode stand before it
	if len(fields) <= path || strings.Join(fields[path:], " ") != file || strings.Contains(fields[1], "w") {
		return nil, nil //nolint:nilnil // there is none
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, err := strconv.ParseUint(from, 16, strconv.IntSize)
	end, errEnd := strconv.ParseUint(to, 16, strconv.IntSize)
	if err := errors.Join(err, errEnd); err != nil {
		return nil, err
	}
	return &span{start: uintptr(start), end: uintptr(end)}, nil
}
