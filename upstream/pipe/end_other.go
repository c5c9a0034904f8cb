//go:build !unix

package pipe

import "os"

// An End is one end of a pipe. Here it is the system's file as it is: writing
// may wait. Closing may not wake a reader there; the end of the far side does, and a
// child's comes with the end of its group. It was built and vetted, and not run.
type End struct{ *os.File }

// New takes over a descriptor.
func New(fd uintptr) (*End, error) { return &End{os.NewFile(fd, "pipe")}, nil }

// Input makes a pipe to read from. The far end is for a child.
func Input() (near *End, far *os.File, err error) {
	r, w, err := os.Pipe()
	return &End{r}, w, err
}

// Output makes a pipe to write to. The far end is for a child.
func Output() (near *End, far *os.File, err error) {
	r, w, err := os.Pipe()
	return &End{w}, r, err
}

// Restore has nothing to put back.
func (e *End) Restore() error { return nil }

// Grow asks for room between writer and reader, which here is the system's own
// business.
func (e *End) Grow(int) {}
