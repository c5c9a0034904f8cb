package catalog

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/upstream/state"
)

// A Store keeps the lists of servers in a folder, across processes: several
// weir may use it at once. It is safe for concurrent use. Without a usable
// folder it stores nothing, finds nothing, and is no hindrance.
//
// What a loss of power, a full disk or an accident to its files costs is lists
// that are asked for anew, never more.
type Store struct {
	dir string                 // "" for none
	key atomic.Pointer[[]byte] // nil: the folder cannot be used, so far

	writing chan struct{} // holds one token while this process writes
	swept   atomic.Bool
}

// A Key says whose lists are meant.
type Key struct {
	Server   string
	Identity []byte // everything in the configuration that could change the answer
}

// A Variant says for what sort of host they were listed: its era, and the
// capabilities that were declared for it, in any form that is the same for the
// same capabilities.
type Variant struct {
	Modern       bool
	Capabilities string
}

const (
	lockName  = "lock"
	anyLists  = ".lists" // in the name of a server's file, before the number of its format
	listsExt  = anyLists + number
	lockWait  = 5 * time.Second // for other processes
	lockRetry = 5 * time.Millisecond

	// keep is how long the file of a server stays that is not used any more,
	// touch how long one that is only read goes without a sign of use.
	keep  = 30 * 24 * time.Hour
	touch = 7 * 24 * time.Hour
)

var errNoFolder = errors.New("no cache folder is known")

// OpenStore returns the store in a folder, which is made if need be. The Store
// is good even with an error, which says why it goes on without the disk. Where
// the folder is new it may wait for other processes, 5 s at most.
func OpenStore(ctx context.Context, dir string) (*Store, error) {
	s := &Store{dir: dir, writing: make(chan struct{}, 1)}
	if dir == "" {
		return s, fmt.Errorf("storing lists: %w", errNoFolder)
	}
	if err := state.Closed(dir); err != nil {
		return s, fmt.Errorf("storing lists: %w", err)
	}
	if err := s.findKey(ctx); err != nil {
		return s, fmt.Errorf("storing lists in %q: %w", dir, err)
	}
	return s, nil
}

// Usable reports whether the folder can be used, as far as is known. A Save may
// find that it can be by then.
func (s *Store) Usable() bool { return s.key.Load() != nil }

// ErrTooLarge is the error of Save for lists that no file may hold.
var ErrTooLarge = fmt.Errorf("they are larger than %d bytes", maxFile)

// Save stores lists as the latest of a variant. Those of a failed try only add
// their Failure to the lists that are stored of the variant, if any are: another
// process may have newer ones. now is the time of the save.
//
// It waits for the writes of this process, for those of others (5 s at most),
// and for the disk: call it where nobody waits. After an error nothing has
// changed: another try may help, but for ErrTooLarge. Without any folder nothing
// is stored, and that is no error.
func (s *Store) Save(ctx context.Context, key Key, v Variant, l *Lists, now time.Time) error {
	if s.dir == "" {
		return nil
	}
	fresh := encodeSection(v, l)
	if firstLine+len(fresh.raw) > maxFile {
		return fmt.Errorf("storing the lists of %q: %w", key.Server, ErrTooLarge)
	}
	err := state.Closed(s.dir)
	if err == nil {
		err = s.locked(ctx, func() error { return s.merge(key, fresh, l.Failure, now) })
	}
	if err != nil {
		return fmt.Errorf("storing the lists of %q: %w", key.Server, err)
	}
	return nil
}

// merge puts a section into the file of a server, as it is now.
func (s *Store) merge(key Key, fresh section, failure Failure, now time.Time) error {
	if err := s.agreeOnKey(); err != nil {
		return err
	}
	path := s.path(key)
	sections, err := s.read(path, now)
	if err != nil {
		sections = nil // what cannot be read is replaced; load has told of it
	}
	if newer, ok := errors.AsType[*newerError](err); ok {
		putAside(path, newer.number)
	}
	file := encodeFile(merged(sections, fresh, failure))
	if err := state.ReplaceCached(path, file); err != nil {
		return err
	}
	if !s.swept.Swap(true) {
		s.sweep(now)
	}
	return nil
}

// putAside gives a file the name that one of its format has, unless there is such
// a one: then its version of weir has done without this.
func putAside(path, itsNumber string) {
	its := strings.TrimSuffix(path, number) + itsNumber
	if _, err := os.Lstat(its); errors.Is(err, fs.ErrNotExist) {
		_ = os.Rename(path, its) // if not, it is replaced
	}
}

// merged returns sections with a fresh one: the first of all, or after a failure
// where its variant stands, with the lists of before.
func merged(sections []section, fresh section, failure Failure) []section {
	at := slices.IndexFunc(sections, func(s section) bool { return s.variant == fresh.variant })
	switch {
	case !failure.Failed() && at < 0:
		return slices.Insert(sections, 0, fresh)
	case !failure.Failed():
		return slices.Insert(slices.Delete(sections, at, at+1), 0, fresh)
	case at < 0:
		return append(sections, fresh)
	}
	if before, err := sections[at].lists(); err == nil && before.Known() {
		before.Failure = failure
		fresh = encodeSection(fresh.variant, before)
	}
	sections[at] = fresh
	return sections
}

// locked runs write while no other goroutine and no other process writes.
func (s *Store) locked(ctx context.Context, write func() error) error {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for other writes: %w", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock, err := state.NewLock(filepath.Join(s.dir, lockName))
	if err != nil {
		return err
	}
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return fmt.Errorf("locking %q: %w", lock.Path(), err)
	}
	// The system releases the lock of a process that ends, however it ends.
	defer func() { _ = lock.Close() }()
	return write()
}

// Path is where the lists of a server lie, or would, in a Store that is usable.
func (s *Store) Path(key Key) string { return s.path(key) }

// path is where the lists of a server lie. The name tells nothing of the
// configuration to those who do not have the key.
func (s *Store) path(key Key) string { return s.newPaths().of(key) }

// paths makes the paths of many servers, one after another.
type paths struct {
	dir string
	mac hash.Hash
	sum [sha256.Size]byte
}

func (s *Store) newPaths() *paths {
	return &paths{dir: s.dir, mac: hmac.New(sha256.New, *s.key.Load())}
}

func (p *paths) of(key Key) string {
	p.mac.Reset()
	p.mac.Write([]byte(key.Server))
	p.mac.Write([]byte{0})
	p.mac.Write(key.Identity)
	return filepath.Join(p.dir, hex.EncodeToString(p.mac.Sum(p.sum[:0]))+listsExt)
}

// Secret returns 32 bytes that are the same in every weir of this user that has
// this Store, and different for each label. Without a key on disk they are
// random.
func (s *Store) Secret(label string) []byte {
	key := s.key.Load()
	if key == nil {
		secret := make([]byte, sha256.Size)
		_, _ = rand.Read(secret) // never fails
		return secret
	}
	mac := hmac.New(sha256.New, *key)
	mac.Write([]byte("secret of " + label))
	return mac.Sum(nil)
}
