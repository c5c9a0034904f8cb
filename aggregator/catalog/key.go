package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/weir-mcp/weir/upstream/state"
)

const (
	keyName = "key"
	keySize = 32
)

var errNoKey = errors.New("key is not there or not whole")

// findKey finds the random key of this user. However many processes start
// together for the first time, they get the same one.
func (s *Store) findKey(ctx context.Context) error {
	key, err := readKey(filepath.Join(s.dir, keyName))
	if errors.Is(err, errNoKey) {
		return s.locked(ctx, s.agreeOnKey)
	}
	if err == nil {
		s.key.Store(&key)
	}
	return err
}

// agreeOnKey takes the key that is in the folder, and puts one there where none
// is: the user may have emptied the folder meanwhile. It is called under the lock.
func (s *Store) agreeOnKey() error {
	path := filepath.Join(s.dir, keyName)
	key, err := readKey(path)
	if errors.Is(err, errNoKey) {
		key = s.ownKey()
		err = state.ReplaceFile(path, key)
	}
	if err == nil {
		s.key.Store(&key)
	}
	return err
}

// ownKey is the key so far, or a new one.
func (s *Store) ownKey() []byte {
	if key := s.key.Load(); key != nil {
		return *key
	}
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	return key
}

func readKey(path string) ([]byte, error) {
	key, _, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) || err == nil && len(key) != keySize {
		return nil, errNoKey
	}
	return key, err
}
