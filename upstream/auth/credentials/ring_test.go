package credentials

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/keyring"
)

// testRing is a keyring in memory, that may be locked, or not answer.
type testRing struct {
	mu      sync.Mutex
	secrets map[string]string
	locked  bool          // fails at once
	hangs   chan struct{} // if not nil, it answers once that is closed
	forgets bool          // takes what it does not keep
	slow    time.Duration // before it answers
	gets    int
	sets    int
}

func newTestRing() *testRing { return &testRing{secrets: map[string]string{}} }

func (r *testRing) begin(ctx context.Context, count *int) error {
	r.mu.Lock()
	*count++
	locked, hangs := r.locked, r.hangs
	r.mu.Unlock()
	if r.slow > 0 {
		<-time.After(r.slow)
	}
	if locked {
		return fmt.Errorf("%w: it is locked", keyring.ErrUnavailable)
	}
	if hangs != nil {
		select {
		case <-hangs:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", keyring.ErrUnavailable, context.Cause(ctx))
		}
	}
	return nil
}

func (r *testRing) Get(ctx context.Context, service, account string) (string, error) {
	if err := r.begin(ctx, &r.gets); err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	secret, ok := r.secrets[service+"/"+account]
	if !ok {
		return "", keyring.ErrNotFound
	}
	return secret, nil
}

func (r *testRing) Set(ctx context.Context, service, account, secret string) error {
	if err := r.begin(ctx, &r.sets); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.forgets {
		r.secrets[service+"/"+account] = secret
	}
	return nil
}

func (r *testRing) Delete(context.Context, string, string) error {
	return errors.New("nobody deletes the key")
}

func (r *testRing) lock(locked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.locked = locked
}

func (r *testRing) asked() (gets, sets int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gets, r.sets
}
