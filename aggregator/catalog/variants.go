package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Variants returns all lists that are stored of a server, each as some sort of
// host was told them: the most recently listed first. There may be none. The
// error says what is wrong with the file that is there.
func (s *Store) Variants(key Key, now time.Time) ([]*Lists, error) {
	if !s.Usable() {
		return nil, nil
	}
	sections, err := s.read(s.path(key), now)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errOlder) {
		return nil, nil
	}
	var all []*Lists
	for i := 0; err == nil && i < len(sections); i++ {
		var l *Lists
		if l, err = sections[i].lists(); err == nil && l.Known() {
			l.undate(now)
			all = append(all, l)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("loading the stored lists of %q: %w", key.Server, err)
	}
	return all, nil
}
