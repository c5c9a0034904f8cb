package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// This file is what users of other gateways complain of where a server is slow, gone
// or odd. That a refused login is tried again for ever is in turnaway_test.go, that
// an idle server is pinged in silence_test.go.

// amnesiac is a server over HTTP that, once told to, does not know its sessions any
// more and says so in its own way, to every request but initialize.
type amnesiac struct {
	next    http.Handler
	deny    func(w http.ResponseWriter, id string)
	pings   bool // answers them all the same: only its tool has lost something
	denied  atomic.Int64
	forgets atomic.Bool
}

func (a *amnesiac) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	var m jsonrpc.Message
	parsed := m.Parse(body) == nil
	switch {
	case !parsed, !a.forgets.Load(), m.Kind != jsonrpc.Request, a.pings && string(m.Method) == "ping":
	case string(m.Method) == "initialize":
		a.forgets.Store(false)
	default:
		a.denied.Add(1)
		a.deny(w, string(m.ID))
		return
	}
	a.next.ServeHTTP(w, r)
}

// Elsewhere a server that was restarted answers "Session not found" in a way that
// nobody matches, and every call fails from then on.
func TestForgottenSessionInAllItsVariants(t *testing.T) {
	says := func(status int, mediaType, text string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, id string) {
			w.Header().Set("Content-Type", mediaType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.ReplaceAll(text, "$id", id))
		}
	}
	const js, stream = "application/json", "text/event-stream"
	failure := func(id, message string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32600,"message":"` + message + `"}}`
	}
	tests := map[string]func(http.ResponseWriter, string){
		"404":                              says(404, js, ""),
		"404 with an error":                says(404, js, failure("null", "Session not found")),
		"400 of the TypeScript SDK":        says(400, js, failure("null", "Bad Request: No valid session ID provided")),
		"400 of the Python SDK":            says(400, js, failure(`"server-error"`, "Bad Request: No valid session ID provided")),
		"400 in words":                     says(400, "text/html; charset=utf-8", "Invalid or missing session ID"),
		"200 with an error":                says(200, js, failure("$id", "Session not found")),
		"200 with an error without its id": says(200, js, failure("null", "Session not found")),
		"200 as a stream":                  says(200, stream, "event: message\ndata: "+failure("$id", "Unknown session")+"\n\n"),
		"500 with an error":                says(500, js, failure("$id", "session has expired")),
	}
	for name, deny := range tests {
		t.Run(name, func(t *testing.T) {
			server := newServer(script{Tools: tools("echo")})
			a := &amnesiac{next: server, deny: deny}
			u := openHTTP(t, Config{}, a, legacyHost)
			u.mustCall(t, "echo")
			a.forgets.Store(true)
			for i := range 3 {
				if d := u.call(t, "echo", ""); d.err != nil || strings.Contains(d.raw, "error") {
					t.Errorf("call %d: got %s, %v", i, d.raw, d.err)
				}
			}
			if n := len(server.Received("tools/call")); n != 4 || a.denied.Load() == 0 {
				t.Errorf("got %d calls, %d denied, want 4, each made once", n, a.denied.Load())
			}
			if n := len(server.Received("initialize")); n != 2 {
				t.Errorf("got %d sessions, want 2", n)
			}
		})
	}
	// A tool may have sessions of its own.
	t.Run("of a tool", func(t *testing.T) {
		server := newServer(script{Tools: tools("echo")})
		a := &amnesiac{next: server, deny: tests["200 with an error"], pings: true}
		u := openHTTP(t, Config{}, a, legacyHost)
		u.mustCall(t, "echo")
		a.forgets.Store(true)
		if d := u.call(t, "echo", ""); d.err != nil || !strings.Contains(d.raw, "Session not found") {
			t.Errorf("got %s, %v, want what the tool says", d.raw, d.err)
		}
		a.forgets.Store(false)
		u.mustCall(t, "echo")
		if n := len(server.Received("initialize")); n != 1 || a.denied.Load() != 1 {
			t.Errorf("got %d sessions, %d denied, want one of each", n, a.denied.Load())
		}
	})
}

// Elsewhere a server that answers 405 to the GET of its stream, as it may, is asked
// again and again, and all hosts are told each time that lists have changed.
func TestServerWithoutStreamIsAskedOnce(t *testing.T) {
	for _, status := range []int{http.StatusMethodNotAllowed, http.StatusNotFound, http.StatusNotImplemented} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var gets atomic.Int64
				server := newServer(script{Tools: tools("echo"), Capabilities: raw(all)})
				_, rt := serveInBubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodGet {
						gets.Add(1)
						w.WriteHeader(status)
						return
					}
					server.ServeHTTP(w, r)
				}))
				u := open(t, Config{Transport: HTTP, URL: "http://server/mcp"}, func(_ context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
					return transport.NewStreamable(transport.HTTPConfig{URL: cfg.URL, RoundTripper: rt, Limit: cfg.MessageLimit}, recv), nil
				}, legacyHost)
				u.mustCall(t, "echo")
				<-time.After(time.Hour)
				u.mustCall(t, "echo")
				if n := gets.Load(); n != 1 {
					t.Errorf("got %d GETs in an hour, want 1", n)
				}
				if told, states := u.events.told(), u.states(); len(told) > 0 || len(states) != 2 {
					t.Errorf("got notifications %q, states %q", told, states)
				}
			})
		})
	}
}

// Elsewhere a ping that waits behind a long call is taken for a sign that the server
// is gone, and the call is ended with the connection. Here whatever else times out,
// the call is answered.
func TestLongCallOutlivesAllThatWaitsBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openConfig(t, Config{Timeout: time.Minute}, script{Tools: tools("long", "echo"), Rules: []rule{
			on("tools/call long", step{Await: "go"}, step{Default: true}), on("tools/call echo"), on("tools/list"),
		}}, legacyHost)
		long := newSink()
		call := toolCall(long, "long", "")
		call.Timeout = -1
		u.Do(nil, call)
		for range 20 {
			fault(t, u.call(t, "echo", "").err, KindTimeout, true)
			_, err := u.ListTools(t.Context())
			fault(t, err, KindTimeout, false)
		}
		long.none(t)
		server.Release("go")
		if d := long.wait(t); d.err != nil {
			t.Error(d.err)
		}
		if got := methods(server, "initialize", "ping"); got != "initialize" {
			t.Errorf("got %s, want one handshake and no ping", got)
		}
	})
}

// Elsewhere health checks shake hands anew with a server that has done so, calls
// each get a process of their own that knows of no login, and each refresh of a list
// opens one more session that nobody closes. Here all of it is one connection.
func TestOneConnectionForAll(t *testing.T) {
	for _, by := range []string{Stdio, HTTP, SSE, WebSocket} {
		t.Run(by, func(t *testing.T) {
			server := newServer(script{Tools: tools("echo")})
			var u fixture
			switch by {
			case Stdio:
				u = open(t, Config{}, dialMemory(server), legacyHost)
			case HTTP:
				u = openHTTP(t, Config{}, server, legacyHost)
			default:
				u = openBy(t, by, server, legacyHost)
			}
			var users sync.WaitGroup
			for range 10 {
				users.Go(func() {
					if d := u.call(t, "echo", ""); d.err != nil {
						t.Error(d.err)
					}
					if _, err := u.ListTools(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			users.Wait()
			if got := methods(server, "initialize", "ping"); got != "initialize" {
				t.Errorf("got %s, want one handshake", got)
			}
		})
	}
}

// Elsewhere a server that is down when it is first needed stays down until somebody
// switches it off and on.
func TestServerThatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reluctant{from: 4, next: dialMemory(newServer(script{Tools: tools("echo")}))}
		u := open(t, Config{Eager: true}, r.dial, legacyHost)
		<-time.After(time.Minute)
		u.wantState(t, Ready)
		u.mustCall(t, "echo")
	})
}

// Elsewhere each try to connect that fails leaves processes behind, those of npx
// above all: a launcher that has forked, and a server that will not begin.
func TestFailedHandshakesLeaveNoProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("processes are found in /proc")
	}
	noLeak(t)
	const servers, tries = 20, 5
	u := open(t, Config{
		Transport: Stdio, Command: "/bin/sh",
		Args: []string{"-c", `sleep 600 & (sleep 600 &) ; read line; echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no"}}'; read rest`},
	}, nil, legacyHost)
	token := u.set.guardian.Token()
	var failing sync.WaitGroup
	for i := range servers {
		cfg := u.cfg
		cfg.Name = fmt.Sprint("u", i)
		other := u.set.Add(cfg)
		failing.Go(func() {
			for range tries {
				if _, err := other.connect(t.Context()); err == nil {
					t.Error("got a connection, want none")
				}
			}
			<-other.ending
		})
	}
	failing.Wait()
	if left := processesWith("WEIR_CHILD=" + token); len(left) > 0 {
		t.Errorf("got %d processes after %d tries, want none: %q", len(left), servers*tries, left)
	}
}

func processesWith(variable string) (found []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		environ, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && strings.Contains("\x00"+string(environ), "\x00"+variable+"\x00") {
			command, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
			found = append(found, fmt.Sprint(e.Name(), " ", strings.ReplaceAll(string(command), "\x00", " ")))
		}
	}
	return found
}

// stubbornEnd is a connection that takes all the time it gets to end.
type stubbornEnd struct {
	transport.Conn
	done chan struct{}
	once sync.Once
}

func (c *stubbornEnd) Done() <-chan struct{} { return c.done }

func (c *stubbornEnd) Terminate(grace time.Duration) {
	c.Close()
	c.once.Do(func() { time.AfterFunc(grace, func() { close(c.done) }) })
}

// Elsewhere the end of many stubborn servers takes as long as all of them in a row.
// Here they all get their time at once.
func TestStubbornServersEndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(script{Tools: tools("echo")})
		dial := dialMemory(server)
		u := open(t, Config{}, func(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
			conn, err := dial(ctx, cfg, recv)
			return &stubbornEnd{Conn: conn, done: make(chan struct{})}, err
		}, legacyHost)
		for i := range 20 {
			cfg := u.cfg
			cfg.Name = fmt.Sprint("u", i)
			other := fixture{u.set.Add(cfg), u.set, u.events}
			other.mustCall(t, "echo")
		}
		began := time.Now()
		u.set.Close()
		if took := time.Since(began); took != lastGrace {
			t.Errorf("got the end after %v, want %v", took, lastGrace)
		}
	})
}
