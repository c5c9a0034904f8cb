package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
	"github.com/weir-mcp/weir/upstream/upstreamtest/reference"
)

// A leg is one way from a host to the reference server.
type leg struct {
	host      string // the revision that the host speaks
	server    string // the era that the server speaks: "legacy" or "modern"
	transport string // between weir and the server; twoMore, or one of tableTransports
}

// twoMore stands for two more weirs, and stdio, between weir and the server.
const twoMore = "two more weirs"

// oneWeir is the way where the server stands behind one.
var oneWeir = way{"u"}

// way is how the leg leads to the server.
func (l leg) way() way {
	if l.transport == twoMore {
		return way{"u", "v", "w"}
	}
	return oneWeir
}

func (l leg) String() string {
	return fmt.Sprintf("%s host, %s server over %s", l.host, l.server, l.transport)
}

// pair is the eras of host and server: LL, LM, ML or MM.
func (l leg) pair() string {
	pair := "L"
	if l.host >= upstreamtest.Modern {
		pair = "M"
	}
	return pair + strings.ToUpper(l.server[:1])
}

// inWeirsWords is what weir says in place of the server, as it is on this leg:
// the weir that says so is the one next to the server, but where something is
// unknown, which the one next to the host finds out.
func (l leg) inWeirsWords(text string) string {
	server := l.way()[len(l.way())-1]
	return strings.NewReplacer(`u__`, l.way().prefix(), `"u"`, `"`+server+`"`, `\"u\"`, `\"`+server+`\"`).Replace(text)
}

// script is a server of the leg's era, and of no other.
func (l leg) script() upstreamtest.Script {
	if l.server == "modern" {
		return upstreamtest.Script{Versions: []string{upstreamtest.Modern}}
	}
	return upstreamtest.Script{Versions: []string{upstreamtest.Legacy, "2025-06-18", "2025-03-26", "2024-11-05"}}
}

var (
	tableHosts      = []string{"2024-11-05", "2025-06-18", upstreamtest.Legacy, upstreamtest.Modern}
	tableServers    = []string{"legacy", "modern"}
	tableTransports = []string{"memory", "stdio", "http", "http stream", "sse", "websocket", twoMore}
)

// allLegs are all that there are: HTTP+SSE is of the legacy era.
func allLegs() []leg {
	var legs []leg
	for _, host := range tableHosts {
		for _, server := range tableServers {
			for _, transport := range tableTransports {
				if transport != "sse" || server == "legacy" {
					legs = append(legs, leg{host, server, transport})
				}
			}
		}
	}
	return legs
}

// direct is a host on a server that speaks the host's revision and no other.
func direct(t *testing.T, version, capabilities string) *session {
	t.Helper()
	return directly(t, version, capabilities, reference.New(upstreamtest.Script{Versions: []string{version}}))
}

func directly(t *testing.T, version, capabilities string, server *upstreamtest.Server) *session {
	t.Helper()
	conn := server.Pipe()
	return openStream(t, version, capabilities, conn, conn)
}

// openStream is a host on a stream within the process.
func openStream(t *testing.T, version, capabilities string, out io.WriteCloser, in io.Reader) *session {
	t.Helper()
	w := newWire(out)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.read(in)
	}()
	t.Cleanup(func() {
		_ = out.Close()
		<-ended
	})
	s := &session{host: &host{wire: w}, version: version, capabilities: capabilities}
	s.greet(t)
	return s
}

// open is a host on weir, behind which is the server of the leg.
func (l leg) open(t *testing.T, capabilities string) *session {
	t.Helper()
	if l.transport == "memory" {
		return inMemory(t, l.host, capabilities, reference.New(l.script()))
	}
	p := testPlaces(t)
	h, err := startHost(p.weir(t, "policy: {default: execute}\nservers: {u: "+l.serve(t, p)+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	s := &session{host: h, version: l.host, capabilities: capabilities}
	s.greet(t)
	return s
}

// serve serves the reference server and returns how it is configured.
func (l leg) serve(t *testing.T, p places) (config string) {
	t.Helper()
	script := l.script()
	script.SSE = l.transport == "http stream"
	if l.transport == "stdio" || l.transport == twoMore {
		file := filepath.Join(p.home, "script.json")
		if err := script.Save(file); err != nil {
			t.Fatal(err)
		}
		config = fmt.Sprintf("{command: reference, args: [%q]}", file)
		for _, name := range slices.Backward(l.way()[1:]) {
			config = serveBehind(t, p, name, config)
		}
		return config
	}
	server := reference.New(script)
	switch l.transport {
	case "sse":
		return fmt.Sprintf("{url: %q, transport: sse}", web(t, upstreamtest.HTTPWithSSE(server)))
	case "websocket":
		handler := upstreamtest.WebSocket(server)
		t.Cleanup(handler.Close)
		return fmt.Sprintf("{url: %q}", strings.Replace(web(t, handler), "http", "ws", 1))
	}
	return fmt.Sprintf("{url: %q}", web(t, server))
}

// serveBehind configures one more weir, in which the server has this name.
func serveBehind(t *testing.T, p places, name, server string) (config string) {
	t.Helper()
	file := filepath.Join(p.home, name+".yaml")
	if err := os.WriteFile(file, []byte("policy: {default: execute}\nservers: {"+name+": "+server+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("{command: weir, args: [serve, --config, %q]}", file)
}

func web(t *testing.T, handler http.Handler) (url string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// referenceMain is the command "reference": the server as a child.
func referenceMain() { os.Exit(reference.Main(os.Args[1])) }

// inMemory is a host on weir in the process of the test, before this server.
func inMemory(t *testing.T, host, capabilities string, server *upstreamtest.Server) *session {
	t.Helper()
	store, _ := catalog.OpenStore(t.Context(), "") // good without a folder
	a := aggregator.New(aggregator.Config{
		Policy: policy.AllowAll(), Store: store, Version: "test", Log: zerolog.Nop(),
		Dialers: map[string]upstream.Dialer{"memory": memoryDialer(server)},
		Servers: []aggregator.Server{{
			Config: upstream.Config{Name: "u", Transport: "memory", Identity: []byte("u")}, Prefix: "u",
		}},
	})
	t.Cleanup(a.Close)
	hostIn, toHost := io.Pipe()
	fromHost, hostOut := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- a.Serve(context.Background(), fromHost, toHost)
		_ = toHost.Close()
	}()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return openStream(t, host, capabilities, hostOut, hostIn)
}

func memoryDialer(server *upstreamtest.Server) upstream.Dialer {
	return func(_ context.Context, _ upstream.Config, recv transport.Receiver) (transport.Conn, error) {
		near, far := transport.Memory()
		go func() {
			defer far.Close()
			// How it ended the other side sees.
			_ = server.ServeLines(context.Background(), far.Input(), far.Output(), io.Discard)
		}()
		return transport.NewLines(near, recv, upstream.DefaultMessageLimit), nil
	}
}
