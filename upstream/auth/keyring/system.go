package keyring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/zalando/go-keyring"
)

// process is where all calls of this process stand in line: go-keyring has one
// connection for all of it, so what hangs for one Ring hangs for each.
var process = line{turn: make(chan struct{}, 1)}

// backend is a keyring whose calls may take for ever.
type backend interface {
	Get(service, account string) (string, error)
	Set(service, account, secret string) error
	Delete(service, account string) error
}

// desktop is the backend of this system.
type desktop struct{}

func (desktop) Get(service, account string) (string, error) { return keyring.Get(service, account) }
func (desktop) Set(service, account, secret string) error {
	return keyring.Set(service, account, secret)
}
func (desktop) Delete(service, account string) error { return keyring.Delete(service, account) }

// system is a backend in bounded time.
type system struct {
	backend backend
	ready   func() error // says what is missing before the backend is asked
	calls   *line
}

func (s *system) Get(ctx context.Context, service, account string) (secret string, err error) {
	secret, err = s.ask(ctx, service, account, func() (string, error) { return s.backend.Get(service, account) })
	return secret, name("reading", service, account, err)
}

func (s *system) Set(ctx context.Context, service, account, secret string) error {
	if len(secret) > MaxSecret {
		return name("writing", service, account, fmt.Errorf("it is larger than %d bytes", MaxSecret))
	}
	_, err := s.ask(ctx, service, account, func() (string, error) { return "", s.backend.Set(service, account, secret) })
	return name("writing", service, account, err)
}

func (s *system) Delete(ctx context.Context, service, account string) error {
	_, err := s.ask(ctx, service, account, func() (string, error) { return "", s.backend.Delete(service, account) })
	return name("deleting", service, account, err)
}

func (s *system) ask(ctx context.Context, service, account string, call func() (string, error)) (string, error) {
	for _, part := range []string{service, account} {
		if err := check(part); err != nil {
			return "", err
		}
	}
	if err := s.ready(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if _, ends := ctx.Deadline(); !ends {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, Timeout)
		defer cancel()
	}
	secret, err := s.calls.do(ctx, call)
	return secret, classify(err)
}

// check refuses what a command line (macOS) or a bus (Linux) could take for
// something else.
func check(text string) error {
	switch {
	case text == "":
		return errors.New("the name of a secret must have a service and an account")
	case len(text) > 255 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("the name of a secret must be up to 255 bytes without control characters")
	}
	return nil
}

func name(doing, service, account string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q in the keyring: %w", doing, service+"/"+account, err)
}

// classify keeps the text of an error, not its value: that is another package's.
func classify(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, keyring.ErrNotFound):
		return ErrNotFound
	}
	return fmt.Errorf("%w: %s (if it is locked, unlock it)", ErrUnavailable, clip(err.Error()))
}

// clip bounds what a program on the bus says of its failure.
func clip(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// A line lets one call through at a time.
type line struct {
	turn chan struct{} // has room for one: whose turn it is

	mu   sync.Mutex
	left bool // the call whose turn it is has nobody who waits for it
}

// answer is what a call has given.
type answer struct {
	secret string
	err    error
}

// do makes a call when it is its turn, and waits for it until ctx ends.
func (l *line) do(ctx context.Context, call func() (string, error)) (string, error) {
	if l.stuck() {
		return "", fmt.Errorf("%w: it has not answered an earlier call (a prompt of it may be waiting for you)", ErrUnavailable)
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return "", silent(ctx)
	}
	done := make(chan answer, 1)
	go func() { // ends with the call, or the process
		a := guarded(call)
		done <- a
		l.end()
	}()
	select {
	case a := <-done:
		return a.secret, a.err
	case <-ctx.Done():
		l.leave(done)
		return "", silent(ctx)
	}
}

func silent(ctx context.Context) error {
	return fmt.Errorf("%w: it does not answer (it may be locked; unlock it, or answer its prompt): %w", ErrUnavailable, context.Cause(ctx))
}

func (l *line) stuck() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left
}

// leave notes that nobody waits for the call any more, unless it has ended.
func (l *line) leave(done <-chan answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(done) == 0 {
		l.left = true
	}
}

func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = false
	<-l.turn
}

// guarded is a call that cannot bring weir down: go-keyring trusts what stands on
// the bus, and has nothing for a bus that goes away while it waits for a prompt.
func guarded(call func() (string, error)) (a answer) {
	defer func() {
		if recover() != nil {
			a = answer{err: fmt.Errorf("%w: it has answered with something else", ErrUnavailable)}
		}
	}()
	secret, err := call()
	return answer{secret, err}
}
