package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Limits of an attempt.
const (
	defaultLifetime = 10 * time.Minute
	redeemTime      = time.Minute
	readTime        = 10 * time.Second // for a request to be there
	goodbye         = 5 * time.Second  // for pages to be written, at the end

	maxConns  = 16
	maxHeader = 16 << 10
	maxQuery  = 16 << 10
	maxWrong  = 100 // answers that are not of this attempt
)

// callbackPath is the one path that the browser comes back to.
const callbackPath = "/callback"

// Options say what an [Attempt] is for. They hold no secrets.
type Options struct {
	Server string // required: the configured name, shown on the page
	Issuer string // required: of the authorization server, whose host is shown on the page

	Host     string        // as the redirect URI names this machine: "localhost"; "" is "127.0.0.1"
	Port     int           // a fixed port on this machine; 0 is Prefer, else any
	Prefer   int           // a port to try first, as a registration has it; 0 for none
	Lifetime time.Duration // 0 is 10 minutes

	// Authorize makes the URL for the user to visit, of that redirect URI and
	// state. Required. It is called once, before Begin returns.
	Authorize func(ctx context.Context, redirectURI, state string) (string, error)

	// Redeem makes tokens of an answer, which may be an error response; its
	// state is right, and state, iss, code and error are in it once at most. Its
	// error is for people: it is shown on the page, and ends the attempt.
	// Required. It is called once at most, in a goroutine of the attempt; ctx ends
	// with the attempt, or after a minute, and then Redeem must return. It must
	// not call Close.
	Redeem func(ctx context.Context, callback url.Values) error

	// Release is called once, when the attempt has ended and before Done is
	// closed. It must not call Close. It is not called if Begin fails. nil for none.
	Release func()
}

// An Attempt is one login that is under way: it listens on 127.0.0.1, and where
// its host is localhost on ::1 too, until a browser comes back with an answer, and
// ends by itself after its lifetime. It is safe for concurrent use.
type Attempt struct {
	o      Options
	shows  subject
	port   int
	url    string
	state  string
	cancel context.CancelFunc

	answers chan url.Values // holds the one that counts
	spoiled chan struct{}   // closed after too many wrong ones
	settled chan struct{}   // closed when err is known
	err     error           // set before settled is closed
	done    chan struct{}   // closed when nothing runs any more

	mu    sync.Mutex // guards the following
	taken string     // the query of the answer that counts; "" before it
	wrong int        // answers so far that were not of this attempt
}

// Begin listens, and has the URL made that the user must visit. ctx bounds no more
// than Begin itself. Somebody must Close the attempt, or wait until it is Done. The
// error is a *[PortError] where a fixed port cannot be had.
func Begin(ctx context.Context, o Options) (*Attempt, error) {
	ls, err := listen(ctx, cmp.Or(o.Host, loopback), o.Port, o.Prefer)
	if err != nil {
		return nil, err
	}
	a, err := begin(ctx, o, ls...)
	if err != nil {
		closeAll(ls)
		return nil, err
	}
	return a, nil
}

// begin takes listeners of one port.
func begin(ctx context.Context, o Options, ls ...net.Listener) (*Attempt, error) {
	at, ok := ls[0].Addr().(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("listening on %s: no port", ls[0].Addr())
	}
	a := &Attempt{
		o: o, shows: newSubject(o.Server, o.Issuer), port: at.Port, state: newState(),
		answers: make(chan url.Values, 1), spoiled: make(chan struct{}), settled: make(chan struct{}), done: make(chan struct{}),
	}
	visit, err := o.Authorize(ctx, a.Origin()+callbackPath, a.state)
	if err != nil {
		return nil, err
	}
	if err := checkURL(visit); err != nil {
		return nil, fmt.Errorf("the address to log in at: %w", err)
	}
	a.url = visit
	var life context.Context
	life, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go a.run(life, ls)
	return a, nil
}

// newState returns 256 random bits that nobody can guess (RFC 6749, section
// 10.10, wants 128).
func newState() string {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(bits[:])
}

// URL is what the user must visit. Whoever has it can log in under a name of their
// own, so it is for the user only; it holds nothing else that is secret.
func (a *Attempt) URL() string { return a.url }

// Port is where on this machine the attempt listens.
func (a *Attempt) Port() int { return a.port }

// Origin is how the address begins that the browser comes back to. A name may be
// resolved to another address than the one that is meant (RFC 8252, section 8.3),
// so it is an address unless the options want the name.
func (a *Attempt) Origin() string { return "http://" + a.host(cmp.Or(a.o.Host, loopback)) }

// Done is closed when the attempt has ended and nothing of it is left.
func (a *Attempt) Done() <-chan struct{} { return a.done }

// Err is how the attempt ended, once Done is closed: nil if the user is logged in,
// else what Redeem returned, [ErrAbandoned], [ErrExpired] or [ErrSpoiled].
func (a *Attempt) Err() error {
	select {
	case <-a.done:
		return a.err
	default:
		return nil
	}
}

// Close gives the attempt up, if it has not ended, and returns when nothing of it
// is left. It can be called any number of times.
func (a *Attempt) Close() {
	a.cancel()
	<-a.done
}

// Format hides the state, whatever the attempt is printed with.
func (a *Attempt) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "login to %q on port %d", a.o.Server, a.port)
}

// run is the life of the attempt. It owns all that runs for it.
func (a *Attempt) run(ctx context.Context, ls []net.Listener) {
	defer close(a.done)
	if a.o.Release != nil {
		defer a.o.Release()
	}
	defer a.cancel()

	listening := newReception(http.HandlerFunc(a.serve), ls)
	a.err = a.await(ctx)
	close(a.settled)
	listening.end()
}

// await returns how the attempt ends, when it does.
func (a *Attempt) await(ctx context.Context) error {
	end := time.NewTimer(cmp.Or(a.o.Lifetime, defaultLifetime))
	defer end.Stop()
	select {
	case answer := <-a.answers:
		return a.redeem(ctx, answer)
	case <-a.spoiled:
		return ErrSpoiled
	case <-end.C:
		return ErrExpired
	case <-ctx.Done():
		return ErrAbandoned
	}
}

func (a *Attempt) redeem(ctx context.Context, answer url.Values) error {
	limited, cancel := context.WithTimeout(ctx, redeemTime)
	defer cancel()
	err := a.o.Redeem(limited, answer)
	switch {
	case err == nil:
		return nil // even if it was given up meanwhile: the tokens are there
	case ctx.Err() != nil:
		return ErrAbandoned
	case limited.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		return errors.New("the authorization server did not answer in time")
	default:
		return err
	}
}
