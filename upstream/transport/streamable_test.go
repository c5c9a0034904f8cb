package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const httpLimit = 4 << 10

// arrival is a call of the Receiver.
type arrival struct {
	Raw    string // of Receive
	Origin uint64
	ID     string // of Malformed
	Err    error  // of Malformed and Failed
	Failed uint64 // the request
	Missed bool
}

// inspector is a Receiver that keeps what it is told.
type inspector struct{ got chan arrival }

func newInspector() inspector { return inspector{make(chan arrival, 4096)} }

func (r inspector) Receive(_ *jsonrpc.Batch, m *jsonrpc.Message, origin uint64) {
	r.got <- arrival{Raw: string(m.Raw), Origin: origin}
}

func (r inspector) Malformed(_ *jsonrpc.Batch, id []byte, err error) {
	r.got <- arrival{ID: string(id), Err: err}
}

func (r inspector) Failed(out *Outgoing, err error) { r.got <- arrival{Failed: out.ID, Err: err} }

func (r inspector) Missed() { r.got <- arrival{Missed: true} }

func (r inspector) Stderr([]byte) { panic("no child here") }

func (r inspector) next(t *testing.T) arrival {
	t.Helper()
	select {
	case d := <-r.got:
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was delivered")
		return arrival{}
	}
}

// rest returns what is left after the connection is done.
func (r inspector) rest() (left []arrival) {
	for {
		select {
		case d := <-r.got:
			left = append(left, d)
		default:
			return left
		}
	}
}

func legacy(id uint64, method string) *Outgoing {
	if id == 0 {
		return &Outgoing{Method: method, Pieces: [][]byte{fmt.Appendf(nil, `{"jsonrpc":"2.0","method":%q}`, method)}}
	}
	return &Outgoing{Method: method, ID: id, Pieces: [][]byte{fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q`, id, method), []byte(`}`)}}
}

func modern(id uint64, method string) *Outgoing {
	out := legacy(id, method)
	out.Version = "2026-07-28"
	return out
}

func post(t *testing.T, c Conn, out *Outgoing) {
	t.Helper()
	if err := c.Send(nil, out); err != nil {
		t.Fatalf("sending %q: %v", out.Method, err)
	}
}

// connectHTTP opens a connection to a server that answers by handler; both end with
// the test.
func connectHTTP(t *testing.T, handler http.HandlerFunc) (*Streamable, inspector) {
	t.Helper()
	return connectTo(t, HTTPConfig{URL: newServer(t, handler), Limit: httpLimit})
}

// newServer returns the URL of a server that ends with the test.
func newServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/mcp"
}

func connectTo(t *testing.T, config HTTPConfig) (*Streamable, inspector) {
	t.Helper()
	r := newInspector()
	s := NewStreamable(config, r)
	t.Cleanup(func() { finish(t, s) })
	return s, r
}

// finish closes a connection and checks that nothing is left of it.
func finish(t *testing.T, c Conn) {
	t.Helper()
	c.Close()
	select {
	case <-c.Done():
	case <-time.After(10 * time.Second):
		t.Error("the connection does not end")
	}
	// Who closes Done has a last step to do.
	late := time.After(10 * time.Second)
	for left := goroutineLeft(); left != ""; left = goroutineLeft() {
		select {
		case <-time.After(time.Millisecond):
		case <-late:
			t.Errorf("a goroutine is left in %s", left)
			return
		}
	}
}

// goroutineLeft says where a goroutine of a connection is; "" if there is none.
func goroutineLeft() string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, ours := range []string{
		"transport.(*exchange)", "transport.(*listener)", "transport.(*Streamable).listen",
		"transport.(*delivery)", "transport.(*SSE)", "transport.(*crew)", "transport.(*Lines)", "transport.(*frames)",
	} {
		if bytes.Contains(stacks, []byte(ours)) {
			return ours
		}
	}
	return ""
}

// writeJSON answers with a status and a JSON body.
func writeJSON(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)
}

// writeStream answers with an event stream and sends it out.
func writeStream(w http.ResponseWriter, events string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, events)
	w.(http.Flusher).Flush()
}

const answer7 = `{"jsonrpc":"2.0","id":7,"result":{"n":9007199254740993}}`

// A server says anything it likes to request 7; that request ends, once.
func TestStreamableAnswers(t *testing.T) {
	const notice = `{"jsonrpc":"2.0","method":"notifications/progress"}`
	answered := arrival{Raw: answer7, Origin: 7}
	long := strings.Repeat("x", httpLimit)
	tests := []struct {
		name  string
		serve http.HandlerFunc
		want  []arrival // Err is compared by its text
	}{
		{"JSON", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, answer7) }, []arrival{answered}},
		{
			"JSON with spaces", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, "\n"+answer7+" \n") },
			[]arrival{{Raw: answer7, Origin: 7}},
		},
		{"JSON in many lines", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 200, strings.ReplaceAll(answer7, ",", ",\r\n"))
		}, []arrival{{Raw: strings.ReplaceAll(answer7, ",", ",\t\t"), Origin: 7}}},
		{"line end in a string", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 200, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"a\nb\"}")
		}, []arrival{{ID: "7", Err: errors.New("invalid JSON at byte 35: control character in a string")}}},
		{"type with parameters and capitals", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "Application/JSON; charset=UTF-8; charset")
			_, _ = io.WriteString(w, answer7)
		}, []arrival{answered}},
		{
			"batch", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, "["+notice+",1,"+answer7+"]") },
			[]arrival{{Raw: notice, Origin: 7}, {Err: errors.New("invalid message: want an object")}, answered},
		},
		{"stream", func(w http.ResponseWriter, _ *http.Request) {
			writeStream(w, ": hello\n\nevent: message\ndata: "+notice+"\n\nevent: other\ndata: x\n\ndata: "+answer7+"\n\n")
		}, []arrival{{Raw: notice, Origin: 7}, answered}},
		{"batch in a stream", func(w http.ResponseWriter, _ *http.Request) {
			writeStream(w, "data: ["+notice+",\ndata: "+answer7+"]\n\n")
		}, []arrival{{Raw: notice, Origin: 7}, answered}},
		{"stream that goes on after the answer", func(w http.ResponseWriter, r *http.Request) {
			writeStream(w, "data: "+answer7+"\n\n")
			<-r.Context().Done()
		}, []arrival{answered}},
		{"trickle", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, c := range []byte("data: " + answer7 + "\r\n\r\n") {
				_, _ = w.Write([]byte{c})
				w.(http.Flusher).Flush()
			}
		}, []arrival{answered}},
		{
			"error", func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, 200, `{"jsonrpc":"2.0","id":7,"error":{"code":1}}`)
			},
			[]arrival{{Raw: `{"jsonrpc":"2.0","id":7,"error":{"code":1}}`, Origin: 7}},
		},
		{
			"error with 400", func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, 400, `{"jsonrpc":"2.0","id":7,"error":{"code":1}}`)
			},
			[]arrival{{Raw: `{"jsonrpc":"2.0","id":7,"error":{"code":1}}`, Origin: 7}},
		},
		{"error with 404", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"jsonrpc":"2.0","id":7,"error":{"code":-32601}}`, 404)
		}, []arrival{{Raw: `{"jsonrpc":"2.0","id":7,"error":{"code":-32601}}`, Origin: 7}}},
		{
			"error without an id", func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, 400, ` { "jsonrpc":"2.0","error":{"id":1}}`)
			},
			[]arrival{{Raw: `{"id":7, "jsonrpc":"2.0","error":{"id":1}}`, Origin: 7}},
		},
		{"error with id null", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 500, `{"jsonrpc":"2.0","error":{"code":-32000},"id": null}`)
		}, []arrival{{Raw: `{"jsonrpc":"2.0","error":{"code":-32000},"id": 7}`, Origin: 7}}},
		{
			"error for another", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 400, `{"jsonrpc":"2.0","id":8,"error":{}}`) },
			[]arrival{{Failed: 7, Err: errors.New("server answered HTTP 400 Bad Request")}},
		},
		{
			"wrong id", func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, 200, `{"jsonrpc":"2.0","id":"7","result":{}}`)
			},
			[]arrival{{Raw: `{"jsonrpc":"2.0","id":"7","result":{}}`, Origin: 7}, {Failed: 7, Err: &BrokenError{errNoAnswer}}},
		},
		{
			"answered twice", func(w http.ResponseWriter, _ *http.Request) {
				writeStream(w, strings.Repeat("data: "+answer7+"\n\n", 2))
			},
			[]arrival{answered, answered},
		},
		{
			"empty stream", func(w http.ResponseWriter, _ *http.Request) { writeStream(w, "") },
			[]arrival{{Failed: 7, Err: &BrokenError{errNoAnswer}}},
		},
		{
			"stream without the answer", func(w http.ResponseWriter, _ *http.Request) { writeStream(w, "data: "+notice+"\n\n") },
			[]arrival{{Raw: notice, Origin: 7}, {Failed: 7, Err: &BrokenError{errNoAnswer}}},
		},
		{"stream that dies", func(w http.ResponseWriter, _ *http.Request) {
			writeStream(w, "data: "+answer7+"\n")
			panic(http.ErrAbortHandler)
		}, []arrival{{Failed: 7, Err: &BrokenError{io.ErrUnexpectedEOF}}}},
		{"JSON that dies", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			writeJSON(w, 200, answer7)
		}, []arrival{{Failed: 7, Err: &BrokenError{io.ErrUnexpectedEOF}}}},
		{
			"202", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) },
			[]arrival{{Failed: 7, Err: &BrokenError{errNoAnswer}}},
		},
		{
			"no JSON", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, `{"id":7,`) },
			[]arrival{{ID: "7", Err: errors.New("invalid JSON at byte 8: want a member name")}},
		},
		{
			"neither JSON nor an id", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, `oops`) },
			[]arrival{{Err: errors.New("invalid JSON at byte 0: want a value")}, {Failed: 7, Err: &BrokenError{errors.New("invalid JSON at byte 0: want a value")}}},
		},
		{
			"no JSON-RPC, with the id", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, `{"id":7}`) },
			[]arrival{{ID: "7", Err: errors.New(`invalid message: want "jsonrpc":"2.0"`)}},
		},
		{
			"JSON over the limit", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, long+long) },
			[]arrival{{ID: "7", Err: errors.New("message is longer than 4096 bytes")}},
		},
		{"event over the limit, with the id", func(w http.ResponseWriter, _ *http.Request) {
			writeStream(w, `data: {"id":7,"x":"`+long+"\"}\n\ndata: "+notice+"\n\n")
		}, []arrival{{ID: "7", Err: errors.New("message is longer than 4096 bytes")}, {Raw: notice, Origin: 7}}},
		{"event over the limit, id last", func(w http.ResponseWriter, _ *http.Request) {
			writeStream(w, `data: {"x":"`+long+"\",\"id\":7}\n\ndata: "+notice+"\n\n")
		}, []arrival{{ID: "7", Err: errors.New("message is longer than 4096 bytes")}, {Raw: notice, Origin: 7}}},
		{"event over the limit, no id", func(w http.ResponseWriter, _ *http.Request) {
			writeStream(w, `data: {"x":"`+long+"\"}\n\ndata: "+notice+"\n\n")
		}, []arrival{
			{Err: errors.New("message is longer than 4096 bytes")},
			{Raw: notice, Origin: 7},
			{Failed: 7, Err: &BrokenError{errors.New("message is longer than 4096 bytes")}},
		}},
		{
			"HTML", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<!doctype html><p>Hello") },
			[]arrival{{Failed: 7, Err: errors.New(`want an answer in JSON or an event stream, got "text/html": server answered HTTP 200 OK`)}},
		},
		{
			"500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", 500) },
			[]arrival{{Failed: 7, Err: errors.New("server answered HTTP 500 Internal Server Error")}},
		},
		{"endless header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Much", strings.Repeat("x", 1<<20))
			writeJSON(w, 200, answer7)
		}, []arrival{{Failed: 7, Err: &BrokenError{errors.New("net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 262144 bytes; aborted")}}}},
		{
			"hang up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			[]arrival{{Failed: 7, Err: &BrokenError{io.EOF}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, r := connectHTTP(t, tt.serve)
			post(t, s, modern(7, "tools/call"))
			var got []arrival
			for range tt.want {
				got = append(got, r.next(t))
			}
			finish(t, s)
			got = append(got, r.rest()...)
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(sameText)); diff != "" {
				t.Errorf("deliveries (-want +got):\n%s", diff)
			}
		})
	}
}

func sameText(a, b error) bool {
	if a == nil || b == nil {
		return (a == nil) == (b == nil)
	}
	return a.Error() == b.Error()
}

func TestStreamableStatusErrors(t *testing.T) {
	tests := []struct {
		name  string
		serve http.HandlerFunc
		want  StatusError
	}{
		{"too many", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3")
			http.Error(w, "slow down", http.StatusTooManyRequests)
		}, StatusError{Code: 429, RetryAfter: 3 * time.Second, Body: []byte("slow down\n")}},
		{"credentials", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer scope="a"`)
			writeJSON(w, 401, `{"jsonrpc":"2.0","id":7,"error":{}}`)
		}, StatusError{Code: 401, Challenge: []string{`Bearer scope="a"`}, Body: []byte(`{"jsonrpc":"2.0","id":7,"error":{}}`)}},
		{"step up", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope"`)
			writeJSON(w, 403, `{"jsonrpc":"2.0","id":7,"error":{}}`)
		}, StatusError{Code: 403, Challenge: []string{`Bearer error="insufficient_scope"`}, Body: []byte(`{"jsonrpc":"2.0","id":7,"error":{}}`)}},
		{"much text", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			_, _ = io.WriteString(w, strings.Repeat("x", 9000))
		}, StatusError{Code: 502, Body: bytes.Repeat([]byte("x"), statusBodyLimit)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, r := connectHTTP(t, tt.serve)
			post(t, s, legacy(7, "tools/call"))
			err := r.next(t).Err
			got, ok := errors.AsType[*StatusError](err)
			if !ok {
				t.Fatalf("got %v, want a StatusError", err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 8, 22, 10, 0, 0, 0, time.UTC)
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"120", 2 * time.Minute},
		{"-1", 0},
		{"1.5", 0},
		{"soon", 0},
		{"99999999999999999", 24 * time.Hour},
		{"Sat, 22 Aug 2026 10:00:30 GMT", 30 * time.Second},
		{"Sat, 22 Aug 2026 09:00:00 GMT", 0},
		{"Sat, 22 Aug 2099 09:00:00 GMT", 24 * time.Hour},
	}
	for _, tt := range tests {
		if got := retryAfter(tt.value, now); got != tt.want {
			t.Errorf("retryAfter(%q): got %v, want %v", tt.value, got, tt.want)
		}
	}
}

// Whether a failed request may have been executed is exact: a DialError when no
// byte left, a BrokenError from then on.
func TestStreamableSentOrNot(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = discardLog()
	secure.StartTLS()
	defer secure.Close()
	for name, url := range map[string]string{
		"refused":             "http://" + closed.Addr().String() + "/?token=secret",
		"no such host":        "http://host.invalid/?token=secret",
		"no TLS":              strings.Replace(plain.URL, "http", "https", 1) + "/?token=secret",
		"unknown certificate": secure.URL + "/?token=secret",
		"unknown scheme":      "gopher://localhost/?token=secret",
	} {
		t.Run(name, func(t *testing.T) {
			s, r := connectTo(t, HTTPConfig{URL: url, Limit: httpLimit})
			post(t, s, legacy(7, "ping"))
			err := r.next(t).Err
			if _, ok := errors.AsType[*DialError](err); !ok {
				t.Errorf("got %T %v, want a DialError", err, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error tells a secret: %v", err)
			}
		})
	}
	s, _ := connectTo(t, HTTPConfig{URL: "http://[::1/?token=secret", Limit: httpLimit})
	if err := s.Send(nil, legacy(7, "ping")); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("sending to a broken URL: got %v, want an error without the URL", err)
	}
}

// A server that takes a request off a connection in use and hangs up may have
// executed it: nobody asks again.
func TestStreamableNeverRepeats(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			var calls atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.Proto != version {
					t.Errorf("got %s, want %s", r.Proto, version)
				}
				if calls.Add(1) > 1 {
					panic(http.ErrAbortHandler)
				}
				writeJSON(w, 200, answer7)
			}))
			server.EnableHTTP2 = version == "HTTP/2.0"
			server.Config.ErrorLog = discardLog()
			server.StartTLS()
			defer server.Close()
			rt := NewRoundTripper()
			rt.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
			rt.ForceAttemptHTTP2 = server.EnableHTTP2
			defer rt.CloseIdleConnections()
			s, r := connectTo(t, HTTPConfig{URL: server.URL, RoundTripper: rt, Limit: httpLimit, Header: http.Header{"Idempotency-Key": {"x"}}})
			post(t, s, legacy(7, "tools/call"))
			r.next(t)
			post(t, s, legacy(8, "tools/call"))
			if err := r.next(t).Err; !isBroken(err) {
				t.Errorf("got %v, want a BrokenError", err)
			}
			if got := calls.Load(); got != 2 {
				t.Errorf("server saw %d requests, want 2", got)
			}
		})
	}
}

func isBroken(err error) bool {
	_, ok := errors.AsType[*BrokenError](err)
	return ok
}

func TestStreamableRedirects(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	tests := []struct {
		name string
		code int
		to   string
		want string // part of the error; "" for the answer
	}{
		{"307 within the origin", 307, "/there", ""},
		{"308 within the origin", 308, "/there", ""},
		{"302 within the origin", 302, "/there", "redirect that would change the request"},
		{"303 within the origin", 303, "/there", "redirect that would change the request"},
		{"307 in a circle", 307, "/mcp", "one of too many"},
		{"307 to another origin", 307, other.URL + "/mcp?token=secret", "redirect to another origin"},
		{"307 to nowhere", 307, "", "redirect without a usable target"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, r := connectHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/there" {
					body, _ := io.ReadAll(r.Body)
					writeJSON(w, 200, strings.Replace(string(body), `"method":"ping"`, `"result":{}`, 1))
					return
				}
				if tt.to != "" {
					w.Header().Set("Location", tt.to)
				}
				w.WriteHeader(tt.code)
			})
			post(t, s, legacy(7, "ping"))
			got := r.next(t)
			if tt.want == "" {
				if want := (arrival{Raw: `{"jsonrpc":"2.0","id":7,"result":{}}`, Origin: 7}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				return
			}
			status, ok := errors.AsType[*StatusError](got.Err)
			if !ok || status.Code != tt.code || !strings.Contains(got.Err.Error(), tt.want) || strings.Contains(got.Err.Error(), "secret") {
				t.Errorf("got %v, want a StatusError with %q", got.Err, tt.want)
			}
		})
	}
	if got := elsewhere.Load(); got != 0 {
		t.Errorf("the other origin saw %d requests, want none", got)
	}
}

// A batch takes many times its own memory to take apart, so it has a limit too.
func TestStreamableLongBatch(t *testing.T) {
	server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, "["+strings.Repeat("1,", batchLimit/2)+"1]")
	})
	s, r := connectTo(t, HTTPConfig{URL: server, Limit: 2 * batchLimit})
	post(t, s, modern(7, "tools/list"))
	if got := r.next(t); got.Err == nil || got.Failed != 0 {
		t.Errorf("got %+v, want Malformed", got)
	}
	if got := r.next(t); got.Failed != 7 || !isBroken(got.Err) {
		t.Errorf("got %+v, want Failed with a BrokenError", got)
	}
	finish(t, s)
	if rest := r.rest(); rest != nil {
		t.Errorf("also got %+v", rest[:1])
	}
}

// One huge event fails by itself; the stream goes on, and memory stays small.
func TestStreamableHugeEvent(t *testing.T) {
	s, r := connectHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		writeStream(w, "data: {\"x\":\"")
		chunk := bytes.Repeat([]byte("x"), 1<<20)
		for range 100 {
			_, _ = w.Write(chunk)
		}
		writeStream(w, "\",\ndata: \"id\":1}\n\ndata: "+answer7+"\n\n")
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	post(t, s, modern(7, "tools/call"))
	if got := r.next(t); got.Err == nil || got.ID != "1" {
		t.Errorf("got %+v, want Malformed with id 1", got)
	}
	if got := r.next(t); got.Raw != answer7 {
		t.Errorf("got %+v, want the answer", got)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
		t.Errorf("%d bytes were allocated for an event over the limit", grown)
	}
}

func TestStreamableManyInFlight(t *testing.T) {
	const many = 256
	var inside atomic.Int32
	all := make(chan struct{})
	s, r := connectHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if inside.Add(1) == many {
			close(all)
		}
		<-all
		writeJSON(w, 200, strings.Replace(string(body), `"method":"ping"`, `"result":{}`, 1))
	})
	for id := range uint64(many) {
		post(t, s, legacy(id+1, "ping"))
	}
	seen := make(map[uint64]bool)
	for range many {
		got := r.next(t)
		if got.Raw != fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{}}`, got.Origin) || seen[got.Origin] {
			t.Fatalf("got %+v", got)
		}
		seen[got.Origin] = true
	}
}

// Each write to a connection may wake the server by itself.
func TestStreamableWritesSmallMessageAtOnce(t *testing.T) {
	url := newServer(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, answer7) })
	var written writeCounter
	rt := NewRoundTripper()
	dial := rt.DialContext
	rt.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		written.Conn = conn
		return &written, err
	}
	s, r := connectTo(t, HTTPConfig{URL: url, Limit: httpLimit, RoundTripper: rt})
	out := legacy(7, "ping") // of two pieces
	for n := range int32(3) {
		post(t, s, out)
		if got := r.next(t); got.Raw != answer7 {
			t.Fatalf("got %+v", got)
		}
		if got := written.writes.Load(); got != n+1 {
			t.Errorf("after %d messages: got %d writes", n+1, got)
		}
	}
}

type writeCounter struct {
	net.Conn
	writes atomic.Int32
}

func (c *writeCounter) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// Small pieces may be reused after Send, and Failed gives them back as they were.
func TestStreamableKeepsPieces(t *testing.T) {
	release := make(chan struct{})
	bodies := make(chan string, 1)
	s, r := connectHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		body, _ := io.ReadAll(r.Body)
		bodies <- fmt.Sprint(r.ContentLength, len(r.TransferEncoding), string(body))
		w.WriteHeader(500)
	})
	large := bytes.Repeat([]byte(" "), jsonrpc.Large)
	out := &Outgoing{ID: 7, Method: "ping", Pieces: [][]byte{[]byte(`{"a":`), large, []byte(`1}`)}}
	want := `{"a":` + string(large) + `1}`
	post(t, s, out)
	out.Pieces[0][0], out.Pieces[2][0], out.ID = 'x', 'x', 0
	close(release)
	if got := <-bodies; got != fmt.Sprint(len(want), 0, want) {
		t.Errorf("got body %.60q of %d bytes", got, len(got))
	}
	if got := r.next(t); got.Failed != 7 {
		t.Errorf("got %+v, want Failed with 7", got)
	}
}

func TestStreamableModernHeaders(t *testing.T) {
	headers := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header.Clone()
		w.Header().Set("Mcp-Session-Id", "not in this era")
		writeJSON(w, 200, answer7)
	}))
	defer server.Close()
	s, r := connectTo(t, HTTPConfig{URL: server.URL, Limit: httpLimit, Header: http.Header{
		"authorization": {"Bearer x"}, "X-Two": {"1", "2"},
		"MCP-PROTOCOL-VERSION": {"9"}, "Mcp-Method": {"evil"}, "mcp-name": {"evil"}, "Mcp-Param-Region": {"evil"},
		"Mcp-Session-Id": {"evil"}, "Accept": {"text/html"}, "Content-Type": {"text/plain"}, "Content-Length": {"1"}, "Last-Event-ID": {"1"},
	}})
	tests := []struct {
		out  *Outgoing
		want http.Header
	}{
		{&Outgoing{Method: "server/discover"}, http.Header{"Mcp-Method": {"server/discover"}}},
		{
			&Outgoing{Method: "tools/call", Name: "köln", Params: http.Header{"Mcp-Param-Zone": {"z"}}},
			http.Header{"Mcp-Method": {"tools/call"}, "Mcp-Name": {"=?base64?a8O2bG4=?="}, "Mcp-Param-Zone": {"z"}},
		},
		{&Outgoing{Method: "resources/read", Name: "file:///a b"}, http.Header{"Mcp-Method": {"resources/read"}, "Mcp-Name": {"file:///a b"}}},
	}
	s.Established("2026-07-28", true)
	for _, tt := range tests {
		tt.out.ID, tt.out.Version, tt.out.Pieces = 7, "2026-07-28", [][]byte{[]byte(`{}`)}
		post(t, s, tt.out)
		r.next(t)
		for key, value := range map[string][]string{
			"Accept": {"application/json, text/event-stream"}, "Content-Type": {"application/json"}, "Content-Length": {"2"},
			"Mcp-Protocol-Version": {"2026-07-28"}, "Authorization": {"Bearer x"}, "X-Two": {"1", "2"}, "User-Agent": {"Go-http-client/1.1"},
		} {
			tt.want[key] = value
		}
		if diff := cmp.Diff(tt.want, <-headers); diff != "" {
			t.Errorf("headers of %s (-want +got):\n%s", tt.out.Method, diff)
		}
	}
}

// Closing the stream is how a modern request is cancelled.
func TestStreamableAbandonModern(t *testing.T) {
	begun, cancelled := make(chan struct{}), make(chan struct{})
	s, r := connectHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		writeStream(w, ":\n\n")
		close(begun)
		<-r.Context().Done()
		close(cancelled)
	})
	post(t, s, modern(7, "tools/call"))
	<-begun
	if s.Abandon(7) {
		t.Error("got true, want false: nothing is left to tell")
	}
	<-cancelled
	if s.Abandon(7) || s.Abandon(8) {
		t.Error("got true for a request that is not there")
	}
	finish(t, s)
	if rest := r.rest(); rest != nil {
		t.Errorf("got %+v after Abandon, want nothing", rest)
	}
}

func TestStreamableClose(t *testing.T) {
	begun := make(chan struct{})
	s, r := connectHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(begun)
		<-r.Context().Done()
	})
	post(t, s, legacy(7, "tools/call"))
	<-begun
	select {
	case <-s.Lost():
		t.Error("lost before Close")
	default:
	}
	s.Close()
	s.Close()
	<-s.Lost()
	<-s.Done()
	if err := s.Err(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if got := r.next(t); got.Failed != 7 || !isBroken(got.Err) || !errors.Is(got.Err, ErrClosed) {
		t.Errorf("got %+v, want Failed with a BrokenError for ErrClosed", got)
	}
	if err := s.Send(nil, legacy(8, "ping")); !errors.Is(err, ErrClosed) {
		t.Errorf("sending after Close: got %v, want ErrClosed", err)
	}
	s.Established("2025-11-25", false)
}

// The connections of a connection end with it.
func TestStreamableLeavesNoSocket(t *testing.T) {
	states := make(chan http.ConnState, 16)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, answer7) }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) { states <- state }
	server.Start()
	defer server.Close()
	s, r := connectTo(t, HTTPConfig{URL: server.URL, Limit: httpLimit})
	post(t, s, modern(7, "ping"))
	r.next(t)
	finish(t, s)
	for state := range states {
		if state == http.StateClosed {
			return
		}
	}
}

var _ Conn = (*Streamable)(nil)

// bubbleServer answers requests inside a synctest bubble.
type bubbleServer func(*http.Request) (*http.Response, error)

func (f bubbleServer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f(req)
	if err != nil {
		return nil, err
	}
	resp.Request = req
	// net/http ends a body that is still open when the request's context does.
	if body, ok := resp.Body.(*io.PipeReader); ok {
		context.AfterFunc(req.Context(), func() { _ = body.CloseWithError(req.Context().Err()) })
	}
	return resp, nil
}

// connectBubble opens a connection to a server that answers the handshake, and
// all else by serve.
func connectBubble(serve bubbleServer) (*Streamable, inspector) {
	rt := bubbleServer(func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodPost {
			return serve(req)
		}
		body, _ := io.ReadAll(req.Body)
		switch {
		case bytes.Contains(body, []byte(`"initialize"`)):
			resp := respond(200, typeJSON, initializeResult)
			resp.Header.Set("Mcp-Session-Id", sessionID)
			return resp, nil
		case bytes.Contains(body, []byte(initializedMethod)):
			return respond(202, "", ""), nil
		}
		return serve(req)
	})
	r := newInspector()
	return NewStreamable(HTTPConfig{URL: "http://server", RoundTripper: rt, Limit: httpLimit}, r), r
}

func respond(code int, contentType, body string) *http.Response {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

// hold is an event stream that stays open after its first events.
func hold(events string) *http.Response {
	reader, writer := io.Pipe()
	go func() { _, _ = io.WriteString(writer, events) }()
	resp := respond(200, typeStream, "")
	resp.Body = reader
	return resp
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
