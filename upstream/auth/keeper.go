package auth

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

// A Browser shows the user a page.
type Browser interface {
	Available() bool // there is a desktop to open it on
	Open(ctx context.Context, url string) error
}

// Options are what a Keeper works with.
type Options struct {
	Store   *credentials.Store // required
	Browser Browser            // nil for none
	Version string             // of weir
	Log     zerolog.Logger

	// Transport is how authorization servers are reached: its proxy and its TLS
	// settings count. nil is as the environment says.
	Transport *http.Transport
}

// A Keeper has what all servers of a process share in matters of OAuth. It is safe
// for concurrent use. Close it.
type Keeper struct {
	o Options

	ctx    context.Context //nolint:containedctx // the life of what runs on behind requests
	cancel context.CancelFunc
	behind sync.WaitGroup // what runs on behind requests

	mu       sync.Mutex
	closed   bool
	attempts map[place]*login.Attempt // those under way
}

// A place is what a login is found by before anything was asked.
type place struct{ endpoint, account string }

// closeTime is how long Close waits for answers that are due. A refresh token that
// is sent may be spent: to lose the answer is to lose the login.
const closeTime = 2 * time.Second

// NewKeeper returns a Keeper, which reads and asks nothing before it must.
func NewKeeper(o Options) *Keeper {
	k := &Keeper{o: o, attempts: map[place]*login.Attempt{}}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// Logins returns all that is stored, by whatever process.
func (k *Keeper) Logins(ctx context.Context) ([]*credentials.Login, error) {
	return k.o.Store.All(ctx)
}

// Close gives up the logins that are under way, waits for tokens that are being
// renewed, 2 s at most, and returns when nothing runs any more. Requests that need
// another token fail from then on.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	attempts := k.attempts
	k.attempts = nil
	k.mu.Unlock()

	patience := time.AfterFunc(closeTime, k.cancel)
	defer patience.Stop()
	for _, attempt := range attempts {
		attempt.Close()
	}
	k.behind.Wait()
	k.cancel()
}

// run does what must not end with the request that began it. It is false once the
// Keeper is closed.
func (k *Keeper) run(limit time.Duration, do func(ctx context.Context)) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return false
	}
	k.behind.Go(func() {
		ctx, cancel := context.WithTimeout(k.ctx, limit)
		defer cancel()
		do(ctx)
	})
	return true
}
