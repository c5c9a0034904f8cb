package config

import (
	"hash/maphash"
	"os"
	"slices"
)

// Sources are the files that a Load has read, and what it found there, and the
// variables of the environment that it has looked up. The zero value is for
// [Options]; a nil *Sources takes note of nothing.
type Sources struct {
	read      []reading
	variables []string
	fleeting  []string // of the variables, those that only the environment has
}

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

// lookedUp adds a variable. fleeting is that nothing but the environment of this
// process has it.
func (s *Sources) lookedUp(name string, fleeting bool) {
	if s == nil {
		return
	}
	s.variables = append(s.variables, name)
	if fleeting {
		s.fleeting = append(s.fleeting, name)
	}
}

// Fleeting are the variables whose values came from the environment and stand
// nowhere else: another process may not have them.
func (s *Sources) Fleeting() []string {
	names := slices.Clone(s.fleeting)
	slices.Sort(names)
	return slices.Compact(names)
}

// Variables are the names of those that were looked up, whether they are set or
// not. Those that say where the configuration is are not among them.
func (s *Sources) Variables() []string {
	names := slices.Clone(s.variables)
	slices.Sort(names)
	return slices.Compact(names)
}

// Again reads the files once more and gives what is in each to visit, if that is
// what was in it before; err is why it cannot be read, as before. It reports false
// where one has changed, is not a file, or visit does not want to go on.
func (s *Sources) Again(visit func(path string, limit int64, data []byte, err error) bool) bool {
	for _, before := range s.read {
		if info, err := os.Stat(before.path); err == nil && !info.Mode().IsRegular() {
			return false
		}
		data, err := readFile(before.path, before.limit)
		if newReading(before.path, before.limit, data, err) != before || !visit(before.path, before.limit, data, err) {
			return false
		}
	}
	return true
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
