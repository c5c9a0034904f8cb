package aggregator

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// The parts of what a host writes and reads, in both eras.
const (
	modernMeta = `"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientInfo":{"name":"host","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}`
	weirInfo   = `{"name":"weir","version":"test"}`
	serverMeta = `"_meta":{"io.modelcontextprotocol/serverInfo":` + weirInfo + `}`

	initialize  = `{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"host","version":"1"}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	noStore     = ""
)

// era is how the messages of a test are written.
type era int

const (
	legacy era = iota
	modern
)

func (e era) String() string { return [...]string{"legacy", "modern"}[e] }

func (e era) versions() []string {
	return [...][]string{{upstreamtest.Legacy}, {upstreamtest.Modern}}[e]
}

// open is what a host of this era sends first.
func (e era) open() []string {
	return [...][]string{
		{initialize, initialized},
		{`{"jsonrpc":"2.0","id":"init","method":"server/discover","params":{"_meta":{` + modernMeta + `}}}`},
	}[e]
}

// request is one of this era; params and meta are members, perhaps none.
func (e era) request(id, method, params, meta string) string {
	if e == modern {
		meta = join(meta, modernMeta)
	}
	if meta != "" {
		params = join(params, `"_meta":{`+meta+`}`)
	}
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":{` + params + `}}`
}

func (e era) call(id, tool, arguments string) string {
	return e.request(id, "tools/call", `"name":"`+tool+`","arguments":`+arguments, "")
}

func join(members ...string) string {
	members = append([]string(nil), members...)
	kept := members[:0]
	for _, m := range members {
		if m != "" {
			kept = append(kept, m)
		}
	}
	return strings.Join(kept, ",")
}

func cancelled(id string) string {
	return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `,"reason":"no <more>"}}`
}

// host drives a server of lines, as a host does.
type host struct {
	t     testing.TB
	in    *io.PipeWriter // what the server reads
	out   *io.PipeReader // what the server writes
	lines chan string
	ended chan error // what serve returned

	seen func(line string) // is told of each line that has come; nil for nobody
}

// newHost runs serve until the test ends. In a bubble only.
func newHost(t testing.TB, serve func(in io.Reader, out io.Writer) error) *host {
	t.Helper()
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	h := &host{t: t, in: inWrite, out: outRead, lines: make(chan string, 1<<16), ended: make(chan error, 1)}
	go func() {
		err := serve(inRead, outWrite)
		_ = inRead.Close()
		_ = outWrite.Close()
		h.ended <- err
	}()
	go func() {
		defer close(h.lines)
		r := bufio.NewReader(outRead)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			h.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	t.Cleanup(func() { h.close() })
	return h
}

// close ends the host's side and waits for the server.
func (h *host) close() {
	_ = h.in.Close()
	_ = h.out.Close()
	for range h.lines {
	}
}

// send writes lines and returns all that comes back until nothing moves.
func (h *host) send(lines ...string) []string {
	h.t.Helper()
	text := strings.Join(lines, "\n") + "\n"
	if _, err := io.WriteString(h.in, text); err != nil {
		h.t.Fatalf("sending %.100q: %v", text, err)
	}
	return h.received()
}

// received returns what has come and was not returned yet, once nothing moves.
func (h *host) received() []string {
	synctest.Wait()
	var got []string
	for {
		select {
		case line, ok := <-h.lines:
			if !ok {
				return got
			}
			got = append(got, line)
			if h.seen != nil {
				h.seen(line)
			}
		default:
			return got
		}
	}
}

// next waits for one line.
func (h *host) next() string {
	h.t.Helper()
	line, ok := <-h.lines
	if !ok {
		h.t.Fatal("stream has ended")
	}
	return line
}

// config is the configuration of a test: servers in the order given.
func config(t testing.TB, servers map[string]*upstreamtest.Server, names ...string) Config {
	t.Helper()
	store, _ := catalog.OpenStore(t.Context(), noStore) // good without a folder
	cfg := Config{
		Policy: policy.AllowAll(), Store: store, Version: "test", Log: zerolog.Nop(),
		Dialers: map[string]upstream.Dialer{"memory": memoryDialer(servers)},
	}
	for _, name := range names {
		cfg.Servers = append(cfg.Servers, Server{
			Config: upstream.Config{Name: name, Transport: "memory", Identity: []byte(name)}, Prefix: name,
		})
	}
	return cfg
}

// memoryDialer connects to scripted servers. One that is nil cannot be reached.
func memoryDialer(servers map[string]*upstreamtest.Server) upstream.Dialer {
	return func(_ context.Context, cfg upstream.Config, recv transport.Receiver) (transport.Conn, error) {
		server := servers[cfg.Name]
		if server == nil {
			return nil, &transport.DialError{Err: errors.New("secret /path/to/command")}
		}
		near, far := transport.Memory()
		go func() {
			defer far.Close()
			// How it ended the other side sees.
			_ = server.ServeLines(context.Background(), far.Input(), far.Output(), io.Discard)
		}()
		return transport.NewLines(near, recv, upstream.DefaultMessageLimit), nil
	}
}

// start opens a weir and a host on it, both until the test ends.
func start(t testing.TB, cfg Config) (*Aggregator, *host) {
	t.Helper()
	a := New(cfg)
	t.Cleanup(a.Close)
	return a, hostOf(t, a)
}

func hostOf(t testing.TB, a *Aggregator) *host {
	t.Helper()
	return newHost(t, func(in io.Reader, out io.Writer) error {
		return a.Serve(context.Background(), in, out)
	})
}

// one is start with a single server called "up".
func one(t testing.TB, script upstreamtest.Script) (*upstreamtest.Server, *host) {
	t.Helper()
	server := upstreamtest.New(script)
	_, h := start(t, config(t, map[string]*upstreamtest.Server{"up": server}, "up"))
	return server, h
}

// pass lets time pass; in a bubble only, where it costs none.
func pass(d time.Duration) {
	<-time.After(d)
}

// bubble runs f in a bubble of its own, which ends only when no goroutine is
// left.
func bubble(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		synctest.Test(t, f)
	})
}

func result(id, members string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{%s}}`, id, members)
}

func failure(id string, code int, message string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%q}}`, id, code, message)
}

func noTool(id, name string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"Unknown tool: %s","data":{"kind":"tool_not_found","server":"weir","tool":%q,"retryable":false}}}`, id, name, name)
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func raws(texts ...string) []json.RawMessage {
	out := make([]json.RawMessage, len(texts))
	for i, text := range texts {
		out[i] = raw(text)
	}
	return out
}
