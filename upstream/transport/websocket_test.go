package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// pairWebSocket connects to a server inside a synctest bubble, which serve is
// the whole of. end closes the connection and waits until nothing is left.
func pairWebSocket(t *testing.T, serve func(server *websocket.Conn)) (c *WebSocket, r inspector, end func()) {
	t.Helper()
	r = newInspector()
	c, end = pairWebSocketFor(t, r, serve)
	return c, r, end
}

// pairWebSocketFor is pairWebSocket for a receiver.
func pairWebSocketFor(t *testing.T, r Receiver, serve func(server *websocket.Conn)) (c *WebSocket, end func()) {
	t.Helper()
	near, far := net.Pipe()
	listener := &oneConn{conn: far, closed: make(chan struct{})}
	var served sync.WaitGroup
	handled := make(chan struct{})
	server := &http.Server{
		ErrorLog: discardLog(),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			defer close(handled)
			conn, err := new(websocket.Upgrader).Upgrade(w, req, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			serve(conn)
		}),
	}
	served.Go(func() { _ = server.Serve(listener) })
	dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
	conn, resp, err := dialer.DialContext(t.Context(), "ws://localhost/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	c = newWebSocket(conn, r, httpLimit)
	return c, func() {
		c.Close()
		<-c.Done()
		<-handled // no server waits for what it has upgraded
		server.Close()
		served.Wait()
	}
}

// oneConn is a listener that accepts one connection.
type oneConn struct {
	mu     sync.Mutex
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	l.mu.Lock()
	conn := l.conn
	l.conn = nil
	l.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.IPAddr{} }

// readAll reads until the connection ends, and says how.
func readAll(conn *websocket.Conn) (messages []string, err error) {
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return messages, err
		}
		messages = append(messages, string(message))
	}
}

func TestWebSocketReceive(t *testing.T) {
	large := `{"jsonrpc":"2.0","id":1,"result":"` + strings.Repeat("x", httpLimit-40) + `"}`
	long := strings.Repeat("x", 10*frameBuffer)
	tooLong := errors.New("message is longer than 4096 bytes")
	binary := errors.New("message came in a binary frame, want text")
	tests := []struct {
		name string
		send func(*websocket.Conn)
		want []arrival // before a last message; Err is compared by its text
	}{
		{"a message", text(answer7), []arrival{{Raw: answer7}}},
		{"at the limit", text(large), []arrival{{Raw: large}}},
		{"in many lines", text(strings.ReplaceAll(answer7, ",", "\r\n,")), []arrival{{Raw: strings.ReplaceAll(answer7, ",", "\t\t,")}}},
		{
			"line end in a string", text("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"a\nb\"}"),
			[]arrival{{ID: "7", Err: errors.New("invalid JSON at byte 35: control character in a string")}},
		},
		{"two messages in a frame", text(answer7 + "\n" + answer7), []arrival{{ID: "", Err: errors.New("invalid JSON at byte 57: text after the value")}}},
		{"a batch", text("[" + answer7 + "," + answer7 + "]"), []arrival{{Raw: answer7}, {Raw: answer7}}},
		{"empty frames", texts("", " ", "\n"), nil},
		{"no JSON", text("hello"), []arrival{{Err: errors.New("invalid JSON at byte 0: want a value")}}},
		{"over the limit", text(`{"id":7,"x":"` + long + `"}`), []arrival{{ID: "7", Err: tooLong}}},
		{"over the limit, id last", text(`{"x":"` + long + `","id":7}`), []arrival{{ID: "7", Err: tooLong}}},
		{"binary", binaryFrame(answer7), []arrival{{ID: "7", Err: binary}}},
		{"binary, no JSON", binaryFrame("\xff\n\n\x00"), []arrival{{Err: binary}}},
		{"binary over the limit", binaryFrame(`{"x":"` + long + `","id":7}`), []arrival{{ID: "7", Err: tooLong}}},
		{"not UTF-8", text("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"\xff\"}"), []arrival{{ID: "7", Err: errors.New("invalid JSON at byte 34: text is not UTF-8")}}},
		{"in fragments", func(conn *websocket.Conn) {
			w, _ := conn.NextWriter(websocket.TextMessage)
			for i := range answer7 {
				_, _ = io.WriteString(w, answer7[i:i+1])
				_, _ = w.Write(make([]byte, 0))
				_ = conn.WriteControl(websocket.PingMessage, nil, time.Time{})
			}
			w.Close()
		}, []arrival{{Raw: answer7}}},
	}
	const last = `{"jsonrpc":"2.0","method":"last"}`
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, r, end := pairWebSocket(t, func(server *websocket.Conn) {
					var reading sync.WaitGroup
					reading.Go(func() { _, _ = readAll(server) })
					tt.send(server)
					text(last)(server)
					reading.Wait()
				})
				synctest.Wait()
				if diff := cmp.Diff(append(tt.want, arrival{Raw: last}), r.rest(), cmp.Comparer(sameText)); diff != "" {
					t.Errorf("deliveries (-want +got):\n%s", diff)
				}
				if err := c.Err(); err != nil {
					t.Errorf("the connection is lost: %v", err)
				}
				end()
			})
		})
	}
}

func text(message string) func(*websocket.Conn) { return texts(message) }

func texts(messages ...string) func(*websocket.Conn) {
	return func(conn *websocket.Conn) {
		for _, m := range messages {
			_ = conn.WriteMessage(websocket.TextMessage, []byte(m))
		}
	}
}

func binaryFrame(message string) func(*websocket.Conn) {
	return func(conn *websocket.Conn) { _ = conn.WriteMessage(websocket.BinaryMessage, []byte(message)) }
}

// Each message is one text frame, whatever its size, in the order of Send.
func TestWebSocketSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var kinds []int
		c, _, end := pairWebSocket(t, func(server *websocket.Conn) {
			for {
				kind, message, err := server.ReadMessage()
				if err != nil {
					return
				}
				got, kinds = append(got, string(message)), append(kinds, kind)
			}
		})
		var want []string
		var b jsonrpc.Batch
		for i := range 20 {
			pieces := [][]byte{fmt.Appendf(nil, `{"n":%d,`, i), bytes.Repeat([]byte("x"), i*i*i*20), []byte("}")}
			if err := c.Send(&b, &Outgoing{Pieces: pieces}); err != nil {
				t.Fatal(err)
			}
			want = append(want, string(bytes.Join(pieces, nil)))
		}
		b.Flush()
		synctest.Wait()
		if !cmp.Equal(want, got) {
			t.Errorf("the server got %d messages that differ from the %d sent", len(got), len(want))
		}
		for _, kind := range kinds {
			if kind != websocket.TextMessage {
				t.Errorf("a frame of kind %d", kind)
			}
		}
		if !c.Abandon(1) {
			t.Error("Abandon: got false, want the server to be told")
		}
		end()
	})
}

// A server that does not read takes nothing else down.
func TestWebSocketCongested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c, r, end := pairWebSocket(t, func(server *websocket.Conn) {
			text(answer7)(server)
			_ = server.WriteControl(websocket.PingMessage, []byte("one"), time.Time{})
			_ = server.WriteControl(websocket.PingMessage, []byte("two"), time.Time{})
			text(answer7)(server)
			<-release
			_, _ = readAll(server)
		})
		out := &Outgoing{Pieces: [][]byte{bytes.Repeat([]byte("z"), 1<<20)}}
		var err error
		for sent := 0; err == nil && sent < 100; sent++ {
			err = c.Send(nil, out)
		}
		if !errors.Is(err, ErrCongested) {
			t.Errorf("got %v, want %v", err, ErrCongested)
		}
		synctest.Wait()
		if got := len(r.rest()); got != 2 {
			t.Errorf("got %d messages, want 2: they do not wait for the writer", got)
		}
		close(release)
		synctest.Wait()
		if err := c.Send(nil, line(answer7)); err != nil {
			t.Errorf("after the server has read: %v", err)
		}
		end()
	})
}

func TestWebSocketPings(t *testing.T) {
	// Each server says for how long it is there; silence of weir's is none.
	answering := func(server *websocket.Conn) { _, _ = readAll(server) }
	silent := func(server *websocket.Conn) {
		server.SetPingHandler(func(string) error { return nil })
		_, _ = readAll(server)
	}
	busy := func(server *websocket.Conn) {
		server.SetPingHandler(func(string) error { return nil })
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = readAll(server) })
		defer reading.Wait()
		for server.WriteMessage(websocket.TextMessage, []byte(answer7)) == nil {
			<-time.After(time.Minute)
		}
	}
	slow := func(server *websocket.Conn) { // one message, a byte a minute
		server.SetPingHandler(func(string) error { return nil })
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = readAll(server) })
		defer reading.Wait()
		_, err := server.NetConn().Write([]byte{0x81, 120, '"'})
		for err == nil {
			<-time.After(time.Minute)
			_, err = server.NetConn().Write([]byte{'x'})
		}
	}
	deaf := func(server *websocket.Conn) {
		<-time.After(time.Hour)
	}
	for _, tt := range []struct {
		name  string
		serve func(*websocket.Conn)
		lost  bool
	}{{"answering", answering, false}, {"silent", silent, true}, {"busy", busy, false}, {"slow", slow, false}, {"deaf", deaf, true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _, end := pairWebSocket(t, tt.serve)
				began := time.Now()
				select {
				case <-c.Lost():
				case <-time.After(30 * time.Minute):
				}
				lived := time.Since(began)
				if tt.lost && (lived != silenceLimit || !errors.Is(c.Err(), ErrSilent)) {
					t.Errorf("got %v after %v, want %v after %v", c.Err(), lived, ErrSilent, silenceLimit)
				}
				if !tt.lost && c.Err() != nil {
					t.Errorf("lost after %v: %v", lived, c.Err())
				}
				end()
			})
		})
	}
}

// asking is a receiver that waits for something for a while.
type asking struct {
	inspector
	until time.Time
}

func (a asking) Busy() bool { return time.Now().Before(a.until) }

// A server that works on something for hours without a sign of life is not taken
// to be gone, but one that then is silent still. It gets pings, and no message.
func TestWebSocketBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var got []string
		c, end := pairWebSocketFor(t, asking{newInspector(), began.Add(3*time.Hour + time.Second)}, func(server *websocket.Conn) {
			server.SetPingHandler(func(string) error { return nil })
			got, _ = readAll(server)
		})
		<-c.Lost()
		if lived := time.Since(began); lived != 3*time.Hour+pingInterval || !errors.Is(c.Err(), ErrSilent) {
			t.Errorf("lost after %v: %v", lived, c.Err())
		}
		end()
		if len(got) > 0 {
			t.Errorf("got messages %q, want none", got)
		}
	})
}

// Of the server's pings the last is answered, with what it holds.
func TestWebSocketPongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pongs []string
		_, _, end := pairWebSocket(t, func(server *websocket.Conn) {
			server.SetPongHandler(func(payload string) error {
				pongs = append(pongs, payload)
				return nil
			})
			var reading sync.WaitGroup
			reading.Go(func() { _, _ = readAll(server) })
			_ = server.WriteControl(websocket.PingMessage, []byte("one"), time.Time{})
			<-time.After(time.Second)
			_ = server.WriteControl(websocket.PingMessage, []byte("two"), time.Time{})
			reading.Wait()
		})
		<-time.After(10 * time.Second)
		end()
		if diff := cmp.Diff([]string{"one", "two"}, pongs); diff != "" {
			t.Errorf("pongs (-want +got):\n%s", diff)
		}
	})
}

// The end is told to the server, which has little time for its part.
func TestWebSocketClose(t *testing.T) {
	for _, tt := range []struct {
		name  string
		serve func(*websocket.Conn)
		takes time.Duration
	}{
		{"polite", func(server *websocket.Conn) {
			if _, err := readAll(server); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				panic(err)
			}
		}, 0},
		{"impolite", func(server *websocket.Conn) {
			server.SetCloseHandler(func(int, string) error { return nil })
			_, _ = readAll(server)
			<-time.After(time.Hour)
		}, closeTime},
		{"deaf", func(*websocket.Conn) { <-time.After(time.Hour) }, closeTime},
		{"flooding", func(server *websocket.Conn) {
			server.SetCloseHandler(func(int, string) error { return nil })
			go func() { _, _ = readAll(server) }()
			for server.WriteMessage(websocket.TextMessage, []byte(answer7)) == nil {
				<-time.After(time.Millisecond)
			}
		}, closeTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _, end := pairWebSocket(t, tt.serve)
				synctest.Wait()
				began := time.Now()
				c.Close()
				c.Close()
				<-c.Lost()
				<-c.Done()
				if took := time.Since(began); took != tt.takes {
					t.Errorf("it took %v, want %v", took, tt.takes)
				}
				if err := c.Err(); !errors.Is(err, ErrClosed) {
					t.Errorf("got %v, want %v", err, ErrClosed)
				}
				if err := c.Send(nil, line(answer7)); !errors.Is(err, ErrClosed) {
					t.Errorf("sending: got %v, want %v", err, ErrClosed)
				}
				end()
			})
		})
	}
}

// The server ends the connection: with a code, or without.
func TestWebSocketLost(t *testing.T) {
	code := func(code int, why string) func(*websocket.Conn) {
		return func(server *websocket.Conn) {
			_ = server.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Time{})
			_, _ = readAll(server)
		}
	}
	for _, tt := range []struct {
		name  string
		serve func(*websocket.Conn)
		want  string
	}{
		{"normal", code(websocket.CloseNormalClosure, ""), ErrPeerClosed.Error()},
		{"going away", code(websocket.CloseGoingAway, ""), ErrPeerClosed.Error()},
		{"without a code", code(websocket.CloseNoStatusReceived, ""), ErrPeerClosed.Error()},
		{"with a reason", code(websocket.ClosePolicyViolation, "no \x1b[31mway"), `server has closed the connection: code 1008 "no \x1b[31mway"`},
		{"of its own", code(4001, "log in"), `server has closed the connection: code 4001 "log in"`},
		{"broken off", func(server *websocket.Conn) { server.NetConn().Close() }, "connection broke off"},
		{"broken off in a message", func(server *websocket.Conn) {
			_, _ = server.NetConn().Write([]byte("\x81\x0aabc"))
		}, "connection broke off"},
		{"against the protocol", func(server *websocket.Conn) {
			go func() { _, _ = readAll(server) }()
			_, _ = server.NetConn().Write([]byte("\xff\x00"))
		}, "websocket: RSV1 set, RSV2 set, RSV3 set, bad opcode 15"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, r, end := pairWebSocket(t, tt.serve)
				<-c.Lost()
				if err := c.Err(); err == nil || err.Error() != tt.want {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if rest := r.rest(); rest != nil {
					t.Errorf("also got %+v", rest)
				}
				end()
			})
		})
	}
}

// webSocketServer returns the ws:// address of a server that ends with the test.
func webSocketServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	return strings.Replace(newServer(t, handler), "http", "ws", 1)
}

func TestWebSocketDial(t *testing.T) {
	upgradeTo := func(subprotocols ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			header := http.Header{}
			if len(subprotocols) > 0 {
				header.Set("Sec-WebSocket-Protocol", subprotocols[0])
			}
			conn, err := new(websocket.Upgrader).Upgrade(w, req, header)
			if err != nil {
				return
			}
			defer conn.Close()
			asked := fmt.Sprintf(`{"jsonrpc":"2.0","method":"%s, %s"}`, req.Header.Get("Sec-Websocket-Protocol"), req.Header.Get("Authorization"))
			text(asked)(conn)
			_, _ = readAll(conn)
		}
	}
	for _, tt := range []struct {
		name, subprotocol string
		serve             http.HandlerFunc
		asked             string // what the server says it was asked for, "" if the dial fails
		err               string
	}{
		{"selected", "mcp", upgradeTo("mcp"), "mcp, Bearer x", ""},
		{"none selected", "mcp", upgradeTo(), "mcp, Bearer x", ""},
		{"other wanted", "mcp.v1", upgradeTo("mcp.v1"), "mcp.v1, Bearer x", ""},
		{"none wanted", "", upgradeTo(), ", Bearer x", ""},
		{"other selected", "mcp", upgradeTo("soap"), "", `selected the subprotocol "soap"`},
		{"one selected, none wanted", "", upgradeTo("mcp"), "", `selected the subprotocol "mcp"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newInspector()
			c, err := DialWebSocket(t.Context(), WebSocketConfig{
				URL: webSocketServer(t, tt.serve), Subprotocol: tt.subprotocol, Limit: httpLimit,
				Header: http.Header{"Authorization": {"Bearer x"}, "Sec-Websocket-Protocol": {"evil"}, "Connection": {"close"}},
			}, r)
			if tt.asked == "" {
				if _, ok := errors.AsType[*DialError](err); !ok || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want a DialError with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := r.next(t).Raw, fmt.Sprintf(`{"jsonrpc":"2.0","method":%q}`, tt.asked); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			finish(t, c)
		})
	}
}

func TestWebSocketRefused(t *testing.T) {
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			http.Error(w, strings.Repeat("because ", 1000), code)
		}
	}
	for _, tt := range []struct {
		name   string
		serve  http.HandlerFunc
		status int // 0 for a DialError
		text   string
	}{
		{"401", status(401, "Www-Authenticate", "Bearer x"), 401, "HTTP 401"},
		{"403", status(403), 403, "HTTP 403"},
		{"404", status(404), 404, "HTTP 404"},
		{"426", status(426), 426, "HTTP 426"},
		{"429", status(429, "Retry-After", "7"), 429, "HTTP 429"},
		{"503", status(503), 503, "HTTP 503"},
		{"redirect", status(302, "Location", "https://evil.example/"), 302, `redirect to another origin, "https://evil.example:443"`},
		{"200", status(200), 0, "HTTP 200, but did not become a WebSocket"},
		{"101 of another kind", status(101, "Upgrade", "other", "Connection", "Upgrade"), 0, "HTTP 101, but did not become a WebSocket"},
		{"broken off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DialWebSocket(t.Context(), WebSocketConfig{URL: webSocketServer(t, tt.serve) + "?token=secret", Limit: httpLimit}, newInspector())
			if err == nil || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want an error with %q", err, tt.text)
			}
			got, ok := errors.AsType[*StatusError](err)
			if _, dial := errors.AsType[*DialError](err); dial != (tt.status == 0) || ok == dial {
				t.Fatalf("got %T", err)
			}
			if !ok {
				return
			}
			if got.Code != tt.status || !bytes.HasPrefix(got.Body, []byte("because")) || len(got.Body) > statusBodyLimit {
				t.Errorf("got %d with %d bytes, want %d", got.Code, len(got.Body), tt.status)
			}
			if tt.status == 401 && (len(got.Challenge) != 1 || got.Challenge[0] != "Bearer x") {
				t.Errorf("challenge: got %q", got.Challenge)
			}
			if tt.status == 429 && got.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After: got %v", got.RetryAfter)
			}
		})
	}
}

func TestWebSocketUnreachable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = discardLog()
	secure.StartTLS()
	defer secure.Close()
	for _, tt := range []struct{ url, text string }{
		{"ws://" + closed.Addr().String() + "/?token=secret", "refused"},
		{"wss://host.invalid/?token=secret", "host.invalid"},
		{"wss" + strings.TrimPrefix(secure.URL, "https") + "/?token=secret", "certificate"},
		{"https://localhost/?token=secret", "must begin with wss:// or ws://"},
		{"ws://server.example/?token=secret", "ws:// is for this machine only"},
		{"ws://10.0.0.1/?token=secret", "ws:// is for this machine only"},
		{"ws://localhost.evil.example/?token=secret", "ws:// is for this machine only"},
		{"ws://[::1/?token=secret", "missing ']'"},
	} {
		_, err := DialWebSocket(t.Context(), WebSocketConfig{URL: tt.url, Limit: httpLimit}, newInspector())
		if _, ok := errors.AsType[*DialError](err); !ok || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %T %v, want a DialError with %q", tt.url, err, err, tt.text)
		}
	}
}

// A server that takes the connection and says nothing is given up when nobody
// waits for it any more, and nothing stays behind.
func TestWebSocketDialCancelled(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 1)) // the request is on its way
		cancel(stop)
		_, err = io.Copy(io.Discard, conn)
		ended <- err
	}()
	began := time.Now()
	_, err = DialWebSocket(ctx, WebSocketConfig{URL: "ws://" + listener.Addr().String(), Limit: httpLimit}, newInspector())
	if _, ok := errors.AsType[*DialError](err); !ok || !errors.Is(err, stop) {
		t.Errorf("got %v, want a DialError for %v", err, stop)
	}
	if err := <-ended; err != nil {
		t.Errorf("the connection: got %v, want its end", err)
	}
	if took := time.Since(began); took > upgradeTime/2 {
		t.Errorf("it took %v", took)
	}
}

// The socket of a connection ends with it, and so does every goroutine.
func TestWebSocketLeavesNothing(t *testing.T) {
	ended := make(chan error, 1)
	url := webSocketServer(t, func(w http.ResponseWriter, req *http.Request) {
		conn, err := new(websocket.Upgrader).Upgrade(w, req, nil)
		if err != nil {
			ended <- err
			return
		}
		_, _ = readAll(conn)
		_, err = conn.NetConn().Read(make([]byte, 1))
		ended <- err
	})
	c, err := DialWebSocket(t.Context(), WebSocketConfig{URL: url, Subprotocol: "mcp", Limit: httpLimit}, newInspector())
	if err != nil {
		t.Fatal(err)
	}
	post(t, c, legacy(1, "ping"))
	finish(t, c)
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("the socket: got %v, want EOF", err)
	}
}

var _ Conn = (*WebSocket)(nil)
