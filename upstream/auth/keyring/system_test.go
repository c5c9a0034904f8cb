package keyring

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zalando/go-keyring"
)

// fakeBackend is a keyring that waits before it answers, if wait is not nil.
type fakeBackend struct {
	wait    chan struct{}
	fail    error
	panic   bool
	mu      sync.Mutex
	secrets map[string]string
	asked   int
}

func (f *fakeBackend) begin() error {
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	if f.wait != nil {
		<-f.wait
	}
	if f.panic {
		panic("hunter2")
	}
	return f.fail
}

func (f *fakeBackend) Get(service, account string) (string, error) {
	if err := f.begin(); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	secret, ok := f.secrets[service+"/"+account]
	if !ok {
		return "", keyring.ErrNotFound
	}
	return secret, nil
}

func (f *fakeBackend) Set(service, account, secret string) error {
	if err := f.begin(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets[service+"/"+account] = secret
	return nil
}

func (f *fakeBackend) Delete(service, account string) error {
	if _, err := f.Get(service, account); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.secrets, service+"/"+account)
	return nil
}

func newTestRing(f *fakeBackend) *system {
	f.secrets = map[string]string{}
	return &system{backend: f, ready: func() error { return nil }, calls: &line{turn: make(chan struct{}, 1)}}
}

func TestRing(t *testing.T) {
	r := newTestRing(&fakeBackend{})
	if _, err := r.Get(t.Context(), "weir", "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want %v", err, ErrNotFound)
	}
	if err := r.Set(t.Context(), "weir", "a", "hunter2"); err != nil {
		t.Error(err)
	}
	if got, err := r.Get(t.Context(), "weir", "a"); got != "hunter2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := r.Delete(t.Context(), "weir", "a"); err != nil {
		t.Error(err)
	}
	if err := r.Delete(t.Context(), "weir", "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want %v", err, ErrNotFound)
	}
}

// TestRingThatHangs has a prompt that nobody answers, and then somebody does.
func TestRingThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBackend{wait: make(chan struct{})}
		r := newTestRing(f)
		begun := time.Now()
		queued := make(chan error, 1)
		go func() {
			synctest.Wait() // the call below has its turn
			_, err := r.Get(t.Context(), "weir", "b")
			queued <- err
		}()
		_, err := r.Get(t.Context(), "weir", "a")
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != Timeout {
			t.Errorf("got %v after %v, want %v after %v", err, time.Since(begun), ErrUnavailable, Timeout)
		}
		if err := <-queued; !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want %v", err, ErrUnavailable)
		}
		begun = time.Now()
		for range 100 {
			if err := r.Set(t.Context(), "weir", "a", "hunter2"); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want %v", err, ErrUnavailable)
			}
		}
		if time.Since(begun) != 0 || f.asked != 1 {
			t.Errorf("waited %v with %d calls under way, want one that has been left", time.Since(begun), f.asked)
		}
		close(f.wait)
		synctest.Wait()
		if err := r.Set(t.Context(), "weir", "a", "hunter2"); err != nil {
			t.Errorf("got %v once the prompt was answered", err)
		}
	})
}

func TestRingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBackend{wait: make(chan struct{})}
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("host is gone")
		go func() {
			synctest.Wait()
			cancel(gone)
		}()
		if _, err := newTestRing(f).Get(ctx, "weir", "a"); !errors.Is(err, gone) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want %v", err, gone)
		}
		close(f.wait)
	})
}

// TestLeavingWhatHasEnded has a caller that leaves just when its call has ended,
// while the next one is on.
func TestLeavingWhatHasEnded(t *testing.T) {
	l := &line{turn: make(chan struct{}, 1)}
	done := make(chan answer, 1)
	done <- answer{}
	l.leave(done)
	if l.stuck() {
		t.Error("a call that has ended is left")
	}
	l.leave(make(chan answer))
	l.leave(done)
	if !l.stuck() {
		t.Error("a call that was left is not, since another has ended")
	}
}

func TestRingThatFails(t *testing.T) {
	r := newTestRing(&fakeBackend{fail: errors.New("prompt \x1b[31mdismissed\n" + strings.Repeat("x", 1000))})
	_, err := r.Get(t.Context(), "weir", "acme/token")
	if !errors.Is(err, ErrUnavailable) || strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 400 {
		t.Errorf("got %q", err)
	}
	if want := `reading "weir/acme/token" in the keyring: no keyring can be used: prompt [31mdismissedxxx`; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s…", err, want)
	}
	r = newTestRing(&fakeBackend{panic: true})
	if err := r.Set(t.Context(), "weir", "a", "hunter2"); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want %v", err, ErrUnavailable)
	}
	if r.calls.stuck() {
		t.Error("what has panicked is not over")
	}
}

func TestNamesAndSecretsThatAreRefused(t *testing.T) {
	f := &fakeBackend{}
	r := newTestRing(f)
	for _, name := range []string{"", "a\nb", "a\x00b", "\xff", strings.Repeat("x", 256)} {
		if _, err := r.Get(t.Context(), "weir", name); err == nil || errors.Is(err, ErrUnavailable) {
			t.Errorf("%q: got %v", name, err)
		}
		if _, err := r.Get(t.Context(), name, "a"); err == nil || errors.Is(err, ErrUnavailable) {
			t.Errorf("%q: got %v", name, err)
		}
	}
	large := strings.Repeat("s3cret", MaxSecret)
	if err := r.Set(t.Context(), "weir", "a", large); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
	if f.asked != 0 {
		t.Errorf("the keyring was asked %d times", f.asked)
	}
}

func TestRingThatIsNotReady(t *testing.T) {
	f := &fakeBackend{}
	r := newTestRing(f)
	r.ready = func() error { return errors.New("no bus") }
	if _, err := r.Get(t.Context(), "weir", "a"); !errors.Is(err, ErrUnavailable) || f.asked != 0 {
		t.Errorf("got %v after asking %d times, want %v", err, f.asked, ErrUnavailable)
	}
}
