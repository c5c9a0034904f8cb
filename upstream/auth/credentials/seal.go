package credentials

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/keyring"
	"github.com/weir-mcp/weir/upstream/state"
)

// What the keyring holds of ours.
const (
	keyService = "weir"
	keyAccount = "credentials"
)

// keyLock is held while a key is made.
const keyLock = "keyring"

const (
	ringTime  = 10 * time.Second // for the keyring, before something is written without
	writeRest = time.Minute      // before one that has failed is asked again, for something to be written
	readRest  = 2 * time.Second  // and for something to be read: by who waited meanwhile
)

var errNoRing = fmt.Errorf("%w: there is none", keyring.ErrUnavailable)

// A sealer seals and opens what is kept, under a key in the keyring. It asks the
// keyring when it must, and keeps the key.
type sealer struct {
	folder state.Folder
	ring   keyring.Ring // nil for none

	turn chan struct{} // has room for one: who asks the keyring

	mu     sync.Mutex
	key    *key      // nil if it has not been had
	failed time.Time // when the keyring last did not give it
	why    error     // it did not
}

func newSealer(folder state.Folder, ring keyring.Ring) *sealer {
	return &sealer{folder: folder, ring: ring, turn: make(chan struct{}, 1)}
}

// key is a key that files are sealed under.
type key struct {
	id   string // tells keys apart
	aead cipher.AEAD
}

// parseKey reads what the keyring holds.
func parseKey(secret string) (*key, error) {
	raw, err := base64.StdEncoding.DecodeString(secret)
	if err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("%w: what it has as %s/%s is no key of weir's", keyring.ErrUnavailable, keyService, keyAccount)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(append([]byte("weir, name of a key\x00"), raw...))
	return &key{id: hex.EncodeToString(id[:8]), aead: aead}, nil
}

// bound is what a sealed body belongs to.
func (k *key) bound(name string) []byte {
	return fmt.Appendf(nil, "weir credentials %d %s %s", fileVersion, k.id, name)
}

// seal makes a file of a body: plain without a key.
func (k *key) seal(name string, body []byte) ([]byte, error) {
	e := envelope{Version: fileVersion, Plain: body}
	if k != nil {
		e.Key, e.Plain = k.id, nil
		e.Sealed = k.aead.Seal(nil, nil, body, k.bound(name)) //nolint:gosec // this AEAD makes the nonce itself
	}
	file, err := json.Marshal(&e)
	if err == nil && len(file) > maxFile {
		err = fmt.Errorf("it would be larger than %d bytes", maxFile)
	}
	return file, err
}

func (k *key) open(name string, e *envelope) ([]byte, error) {
	body, err := k.aead.Open(nil, nil, e.Sealed, k.bound(name))
	if err != nil {
		return nil, damaged("it is not as it was sealed")
	}
	return body, nil
}

// forWriting returns the key to seal under, made if there is none yet; nil if what
// is written has to be plain. It takes 10 s at most, and does not end with ctx:
// what is written must not be lost, nor lie open for that.
func (s *sealer) forWriting(ctx context.Context) *key {
	if k := s.known(""); k != nil || s.ring == nil || s.resting(writeRest) != nil {
		return k
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ringTime)
	defer cancel()
	k, err := s.fetch(ctx, "")
	if errors.Is(err, keyring.ErrNotFound) {
		k, err = s.makeKey(ctx)
	}
	if err != nil {
		return nil
	}
	return k
}

// body returns what a file holds, and whether it was sealed.
func (s *sealer) body(ctx context.Context, name string, file []byte) (body []byte, sealed bool, err error) {
	e, err := parseEnvelope(file)
	if err != nil || e.Sealed == nil {
		if err == nil {
			body = e.Plain
		}
		return body, false, err
	}
	k, err := s.named(ctx, e.Key)
	if err != nil {
		return nil, true, err
	}
	body, err = k.open(name, e)
	return body, true, err
}

// named returns the key of that name. The one that is known may have been
// replaced, by a keyring that began anew.
func (s *sealer) named(ctx context.Context, id string) (*key, error) {
	if k := s.known(id); k != nil {
		return k, nil
	}
	k, err := s.fetch(ctx, id)
	switch {
	case errors.Is(err, keyring.ErrNotFound), err == nil && k.id != id:
		return nil, fmt.Errorf("%w that the keyring does not have any more; log in anew (weir login)", ErrSealed)
	case err != nil:
		return nil, fmt.Errorf("%w that cannot be had now; unlock the keyring, or log in anew (weir login): %w", ErrSealed, err)
	}
	return k, nil
}

// known returns the key if it has been had and has that name; "" is any.
func (s *sealer) known(id string) *key {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil && (id == "" || s.key.id == id) {
		return s.key
	}
	return nil
}

// resting is why the keyring has not given the key, if that is not longer ago.
func (s *sealer) resting(rest time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil && time.Since(s.failed) < rest {
		return s.why
	}
	return nil
}

// fetch asks the keyring for the key, unless somebody has while it waited for its
// turn: however many logins are wanted, the user is asked once to unlock.
func (s *sealer) fetch(ctx context.Context, id string) (*key, error) {
	if s.ring == nil {
		return nil, errNoRing
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: it does not answer: %w", keyring.ErrUnavailable, context.Cause(ctx))
	}
	if k := s.known(id); k != nil {
		return k, nil
	}
	if err := s.resting(readRest); err != nil {
		return nil, err
	}
	secret, err := s.ring.Get(ctx, keyService, keyAccount)
	if err != nil {
		return nil, s.note(ctx, nil, err)
	}
	k, err := parseKey(secret)
	return k, s.note(ctx, k, err)
}

// note keeps the key, or why there was none to be had. That nobody wanted to wait
// for it any more says nothing about the keyring.
func (s *sealer) note(ctx context.Context, k *key, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.key, s.why = k, nil
	case !errors.Is(err, keyring.ErrNotFound) && !errors.Is(ctx.Err(), context.Canceled):
		s.failed, s.why = time.Now(), err
	}
	return err
}

// makeKey puts a new key into the keyring, unless another process has been
// faster. It counts only once the keyring gives it back.
func (s *sealer) makeKey(ctx context.Context) (*key, error) {
	unlock, err := s.folder.Hold(ctx, keyLock)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if k, err := s.fetch(ctx, ""); !errors.Is(err, keyring.ErrNotFound) {
		return k, err
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	secret := base64.StdEncoding.EncodeToString(raw[:])
	if err := s.ring.Set(ctx, keyService, keyAccount, secret); err != nil {
		return nil, s.note(ctx, nil, err)
	}
	return s.fetch(ctx, "")
}
