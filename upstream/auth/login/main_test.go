package login

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestMain makes the test binary the browser too.
func TestMain(m *testing.M) {
	if file := os.Getenv(browserVariable); file != "" {
		beBrowser(file)
	}
	os.Exit(m.Run())
}

// memory is a listener without a network, for bubbles.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemory() *memory {
	return &memory{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

const testPort = 4711

func (*memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: testPort} }

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.conns <- far:
		return near, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fixture is an attempt and what it told its owner.
type fixture struct {
	*Attempt
	memory   *memory
	released atomic.Int32
	redeemed chan url.Values // has room for more than may come
}

// open begins an attempt in memory. What is missing in o is filled in.
func open(t testing.TB, o Options) *fixture {
	t.Helper()
	f := &fixture{memory: newMemory(), redeemed: make(chan url.Values, 300)}
	if o.Server == "" {
		o.Server, o.Issuer = "github", "https://login.example.com/tenant"
	}
	if o.Authorize == nil {
		o.Authorize = func(_ context.Context, redirect, state string) (string, error) {
			return "https://login.example.com/authorize?redirect_uri=" + url.QueryEscape(redirect) + "&state=" + state, nil
		}
	}
	redeem := o.Redeem
	o.Redeem = func(ctx context.Context, answer url.Values) error {
		f.redeemed <- answer
		if redeem == nil {
			return nil
		}
		return redeem(ctx, answer)
	}
	o.Release = func() { f.released.Add(1) }
	a, err := begin(t.Context(), o, f.memory)
	if err != nil {
		t.Fatal(err)
	}
	f.Attempt = a
	t.Cleanup(a.Close)
	return f
}

// good is the query of an answer with the right state.
func (f *fixture) good(more string) string { return "code=the-code" + more + "&state=" + f.state }

// seen is what a browser got.
type seen struct {
	status int
	header http.Header
	body   string
}

// get asks as a browser does.
func (f *fixture) get(t testing.TB, query string) seen {
	t.Helper()
	s, err := f.ask(t, http.MethodGet, "/callback?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends any request; header may hold a Host.
func (f *fixture) ask(t testing.TB, method, target string, header map[string]string) (seen, error) {
	t.Helper()
	transport := &http.Transport{DialContext: f.memory.dial}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d%s", testPort, target), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header[name] = []string{value}
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return seen{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.Close {
		response.Header.Set("Connection", "close") // the client has taken it for itself
	}
	return seen{response.StatusCode, response.Header, string(body)}, err
}

// title is the outcome as the page's title has it.
func (s seen) title() string {
	_, after, _ := strings.Cut(s.body, "<title>")
	title, _, _ := strings.Cut(after, " – weir</title>")
	return title
}

func (s seen) holds(t testing.TB, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(s.body, text) {
			t.Errorf("the page has no %q:\n%s", text, s.body)
		}
	}
}

func (f *fixture) want(t testing.TB, redeemed int, err error) {
	t.Helper()
	<-f.Done()
	if got := f.Err(); got != err { //nolint:errorlint // the very error
		t.Errorf("got error %v, want %v", got, err)
	}
	if got := len(f.redeemed); got != redeemed {
		t.Errorf("redeemed %d times, want %d", got, redeemed)
	}
	if got := f.released.Load(); got != 1 {
		t.Errorf("released %d times, want 1", got)
	}
	if _, err := f.memory.dial(t.Context(), "", ""); err == nil {
		t.Error("the listener is open after the end")
	}
}
