package pins

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weir-mcp/weir/aggregator/canonical"
	"github.com/weir-mcp/weir/upstream/state"
)

// A Store keeps the pins of servers in a folder of state, one file for each. It
// is safe for concurrent use, by many processes.
type Store struct {
	folder state.Folder
}

// NewStore returns the store in a folder. In one without a place nothing is
// pinned, and nothing can be.
func NewStore(folder state.Folder) *Store { return &Store{folder: folder} }

// Load returns what is pinned of a server: an empty Book if nothing is. The
// error says what is wrong with the file that is there: ErrDamaged if it cannot be
// understood.
func (s *Store) Load(server string) (*Book, error) {
	file, err := s.folder.Read(fileName(server))
	if err == nil {
		var b *Book
		if b, err = decode(file); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("reading the pins of %q in %q: %w", server, s.Path(server), err)
}

func decode(file []byte) (*Book, error) {
	if file == nil {
		return newBook(time.Time{}, nil), nil
	}
	return decodeBook(file)
}

// Path is where the pins of a server lie, or would; "" if the store has no place.
func (s *Store) Path(server string) string { return s.folder.Path(fileName(server)) }

// A Stamp tells one content of a file from most others, for little.
type Stamp struct {
	modified time.Time
	size     int64
}

// Stamp returns that of the pins of a server as they are now. It never waits for
// other processes.
func (s *Store) Stamp(server string) Stamp {
	info, err := os.Stat(s.Path(server))
	if err != nil {
		return Stamp{}
	}
	return Stamp{modified: info.ModTime(), size: info.Size()}
}

// Pin accepts the definitions of those items of which nothing is pinned, and
// returns what is pinned then: others may have been faster. It waits for other
// processes, 5 s at most, and for the disk. With ErrFull nothing was pinned.
func (s *Store) Pin(ctx context.Context, server string, items []Item, now time.Time) (*Book, error) {
	return s.update(ctx, "pinning", server, func(b *Book) (*Book, error) {
		all, seen := slices.Clip(b.pins), make(map[Key]bool)
		for _, item := range items {
			if b.Latest(item.Key) == nil && !seen[item.Key] {
				seen[item.Key] = true
				all = append(all, pinOf(item, now))
			}
		}
		return newBook(since(b, now), all), nil
	})
}

// ErrMoved is the error of Approve for items whose pins are not those that the
// user was shown any more.
var ErrMoved = errors.New("other definitions were approved meanwhile")

// An Approval is a definition that the user has seen and accepts, and the digest
// of that with which it was compared: zero if there was none.
type Approval struct {
	Item
	Before canonical.Digest
}

// Approve accepts definitions, to the byte as they were shown. If one of them was
// compared with something that is not the latest pin any more, nothing is
// accepted and the error is ErrMoved. It waits as Pin does.
func (s *Store) Approve(ctx context.Context, server string, shown []Approval, now time.Time) error {
	_, err := s.update(ctx, "approving", server, func(b *Book) (*Book, error) {
		all, count := make([]Pin, 0, len(b.pins)+len(shown)), make(map[Key]int)
		for _, a := range shown {
			if latest := b.Latest(a.Key); latest == nil && a.Before != (canonical.Digest{}) || latest != nil && latest.Digest != a.Before {
				return nil, fmt.Errorf("%s: %w", a.Key, ErrMoved)
			}
			p := pinOf(a.Item, now)
			p.Approved = true
			all = append(all, p)
			count[a.Key]++
		}
		for _, p := range b.pins {
			if count[p.Key]++; count[p.Key] <= maxAccepted {
				all = append(all, p)
			}
		}
		return newBook(since(b, now), all), nil
	})
	return err
}

// SetAside renames a file that cannot be understood, so that pinning begins
// anew, and returns its new name. One that can be is left alone: then the name is
// "".
func (s *Store) SetAside(ctx context.Context, server string, now time.Time) (path string, err error) {
	unlock, err := s.folder.Lock(ctx, fileName(server))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := s.Load(server); err == nil {
		return "", nil
	}
	path = s.Path(server) + now.UTC().Format(".damaged-20060102-150405")
	if err := os.Rename(s.Path(server), path); err != nil {
		return "", err
	}
	return path, nil
}

// Forget drops all that is pinned of a server. It waits as Pin does.
func (s *Store) Forget(ctx context.Context, server string) error {
	if s.Stamp(server) == (Stamp{}) {
		return nil // no folder is made for nothing
	}
	unlock, err := s.folder.Lock(ctx, fileName(server))
	if err != nil {
		return fmt.Errorf("forgetting the pins of %q: %w", server, err)
	}
	defer unlock()
	if err := os.Remove(s.Path(server)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forgetting the pins of %q: %w", server, err)
	}
	return nil
}

// update replaces what is pinned of a server.
func (s *Store) update(ctx context.Context, doing, server string, change func(*Book) (*Book, error)) (after *Book, err error) {
	err = s.folder.Update(ctx, fileName(server), func(old []byte) ([]byte, error) {
		before, err := decode(old)
		if err != nil {
			return nil, err
		}
		if after, err = change(before); err != nil {
			return nil, err
		}
		return encodeBook(after)
	})
	if err != nil {
		return nil, fmt.Errorf("%s definitions of %q in %q: %w", doing, server, s.Path(server), err)
	}
	return after, nil
}

func since(b *Book, now time.Time) time.Time {
	if b.Since.IsZero() {
		return now
	}
	return b.Since
}

// pinOf is the pin of a definition. What is too large or nested too deep to be
// looked at later is not kept here either.
func pinOf(item Item, now time.Time) Pin {
	p := Pin{Key: item.Key, Digest: canonical.DigestOf(item.Raw), At: now}
	if _, err := canonical.Text(nil, item.Raw); err == nil && len(item.Raw) <= maxDefinition {
		p.Definition = item.Raw
	}
	return p
}

// fileName is the name of the file of a server. A name that a file system could
// take for another, or for no file, is told by its digest.
func fileName(server string) string {
	const safe = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	if server == "" || len(server) > 64 || strings.Trim(server, safe) != "" {
		sum := sha256.Sum256([]byte(server))
		server = "." + hex.EncodeToString(sum[:])
	}
	return "pins-" + server + ".json"
}
