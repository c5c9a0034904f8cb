package config

import (
	"hash/maphash"
	"os"
	"slices"
)

// Sources are the files that a Load has read, and what it found there. The zero
// value is for [Options]; a nil *Sources takes note of nothing.
type Sources struct{ read []reading }

// A reading is one file at one time.
type reading struct {
	path  string
	limit int64  // bytes that are read of it
	sum   uint64 // of what was in it; 0 if it could not be read
	found bool
}

var sums = maphash.MakeSeed()

// Note adds a file that was read, of at most limit bytes: to what is in it, or to
// no avail.
func (s *Sources) Note(path string, limit int64, data []byte, err error) {
	if s != nil {
		s.read = append(s.read, newReading(path, limit, data, err))
	}
}

func newReading(path string, limit int64, data []byte, err error) reading {
	r := reading{path: path, limit: limit, found: err == nil}
	if r.found {
		r.sum = maphash.Bytes(sums, data)
	}
	return r
}

// Paths are where the files are, or would be.
func (s *Sources) Paths() []string {
	paths := make([]string, len(s.read))
	for i, source := range s.read {
		paths[i] = source.path
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// Changed reads the files again and reports whether anything else is in one of
// them now, it is there no more, or it has come. What is no file, such as a pipe,
// does not change: reading it could wait for ever, and would take it from others.
func (s *Sources) Changed() bool {
	return slices.ContainsFunc(s.read, func(before reading) bool {
		if info, err := os.Stat(before.path); err == nil && !info.Mode().IsRegular() {
			return false
		}
		data, err := readFile(before.path, before.limit)
		return newReading(before.path, before.limit, data, err) != before
	})
}
