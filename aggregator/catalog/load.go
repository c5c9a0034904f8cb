package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Found is what a Store has for one server.
type Found struct {
	Lists *Lists // nil if there is nothing
	Exact bool   // whether they are of the variant that was asked for
	Err   error  // why something that is there could not be used; for the log
}

// A Wanted says whose lists are to be loaded, and for what sort of host.
type Wanted struct {
	Key
	Variant
}

// LoadAll returns what there is for each of wanted, in their order: the
// exact variant; else the nearest that has lists, of the same era first, and
// then the most recent. Only where no variant has lists is it one with nothing
// but a failure. now is for the files' time of last use.
func (s *Store) LoadAll(wanted []Wanted, now time.Time) []Found {
	found := make([]Found, len(wanted))
	if !s.Usable() {
		return found
	}
	var next atomic.Int32
	var readers sync.WaitGroup
	for range min(len(wanted), runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			paths := s.newPaths()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(wanted) {
					return
				}
				found[i] = s.load(paths.of(wanted[i].Key), wanted[i], now)
			}
		})
	}
	readers.Wait()
	return found
}

func (s *Store) load(path string, of Wanted, now time.Time) Found {
	sections, err := s.read(path, now)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errOlder) {
		return Found{}
	}
	if err != nil {
		return Found{Err: fmt.Errorf("loading the stored lists of %q: %w", of.Server, err)}
	}
	nearest := pick(sections, of.Variant)
	if nearest == nil {
		return Found{}
	}
	lists, err := nearest.lists()
	if err != nil {
		return Found{Err: fmt.Errorf("loading the stored lists of %q: %w", of.Server, err)}
	}
	lists.undate(now)
	return Found{Lists: lists, Exact: nearest.variant == of.Variant}
}

// undate takes away the times that lie ahead of now. A wrong clock has set them,
// or this one is wrong: either way nothing follows from them but that the server
// told a list once.
func (l *Lists) undate(now time.Time) {
	for k := range Kind(Kinds) {
		if of := l.Of(k); of.Fetched.After(now) {
			of.Fetched = longAgo
		}
	}
	if l.Failure.At.After(now) {
		l.Failure.At = longAgo
	}
}

// longAgo is a time that every clock has left behind, also one that begins in
// 1970.
var longAgo = time.Unix(-1<<31, 0)

// Undated reports whether a time of Lists is one that only a wrong clock can have
// set: from long before there was any server.
func Undated(t time.Time) bool { return t.Before(century) }

var century = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// pick returns the first of the sections that serve a variant best; nil if
// there is none.
func pick(sections []section, v Variant) (best *section) {
	for i := range sections {
		if best == nil || sections[i].fitness(v) > best.fitness(v) {
			best = &sections[i]
		}
	}
	return best
}

// fitness is how well a section serves a variant.
func (s *section) fitness(v Variant) int {
	switch {
	case s.known && s.variant == v:
		return 4
	case s.known && s.variant.Modern == v.Modern:
		return 3
	case s.known:
		return 2
	case s.variant == v:
		return 1
	}
	return 0
}

var errNoSuchFile = fmt.Errorf("%w: no file of at most %d bytes", ErrDamaged, maxFile)

// read returns the sections of a file. The error is fs.ErrNotExist if there is
// none.
func (s *Store) read(path string, now time.Time) ([]section, error) {
	data, modified, err := readFile(path)
	if err != nil {
		return nil, err
	}
	// A file that is only read shows it from time to time, or it would be swept.
	if now.Sub(modified) > touch {
		_ = os.Chtimes(path, now, now) // in a folder that cannot be written nobody sweeps
	}
	return decodeFile(data)
}
