package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weir-mcp/weir/upstream/state"
)

const (
	keyName = "key"
	keySize = 32
)

var errNoKey = errors.New("key is not there or not whole")

// readOrMakeKey returns the random key of this user. However many processes
// start together for the first time, they get the same one.
func (s *Store) readOrMakeKey(ctx context.Context) ([]byte, error) {
	path := filepath.Join(s.dir, keyName)
	key, err := readKey(path)
	if !errors.Is(err, errNoKey) {
		return key, err
	}
	err = s.locked(ctx, func() error {
		key, err = readKey(path)
		if !errors.Is(err, errNoKey) {
			return err
		}
		key = make([]byte, keySize)
		_, _ = rand.Read(key) // never fails
		return state.ReplaceFile(path, key)
	})
	return key, err
}

func readKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(key) != keySize {
		return nil, errNoKey
	}
	return key, err
}
