package upstream

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const (
	legacyVersion = upstreamtest.Legacy
	modernVersion = upstreamtest.Modern

	initResult     = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s"}}`
	discoverResult = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}`
)

// The handshakes over lines: what is asked, and what follows from the answers
// (protocol revisions 2025-11-25, lifecycle; 2026-07-28, versioning).
func TestHandshake(t *testing.T) {
	both := []string{modernVersion, legacyVersion}
	refuse := func(code string) []step { return []step{{Error: raw(`{"code":` + code + `,"message":"no"}`)}} }
	tests := []struct {
		name     string
		host     Peer
		hint     string // the remembered era
		protocol string
		versions []string
		rules    []rule

		version string // spoken; "" if the handshake fails
		kind    Kind   // of that failure
		asked   string // i and d, in the order they came; x where the connection was made anew
	}{
		{name: "legacy host, legacy server", host: legacyHost, version: legacyVersion, asked: "i"},
		{name: "legacy host, both", host: legacyHost, versions: both, version: legacyVersion, asked: "i"},
		{name: "legacy host, modern server", host: legacyHost, versions: both[:1], version: modernVersion, asked: "id"},
		{name: "modern host, legacy server", host: modernHost, version: legacyVersion, asked: "di"},
		{name: "modern host, both", host: modernHost, versions: both, version: modernVersion, asked: "d"},
		{name: "modern host, modern server", host: modernHost, versions: both[:1], version: modernVersion, asked: "d"},

		{name: "old host", host: Peer{Version: "2024-11-05"}, versions: []string{legacyVersion, "2024-11-05"}, version: "2024-11-05", asked: "i"},
		{name: "server counters", host: legacyHost, versions: []string{"2025-03-26"}, version: "2025-03-26", asked: "i"},
		{
			name: "server counters with nonsense", host: legacyHost, kind: KindProtocol, asked: "i",
			rules: []rule{on("initialize", step{Reply: raw(`{"protocolVersion":"2031-01-01","capabilities":{}}`)})},
		},
		{
			name: "server counters with the modern revision", host: legacyHost, versions: both[:1], version: modernVersion, asked: "id",
			rules: []rule{on("initialize", step{Reply: raw(`{"protocolVersion":"2026-07-28","capabilities":{}}`)})},
		},
		{
			name: "server names older revisions", host: legacyHost, versions: []string{"2025-06-18"}, version: "2025-06-18", asked: "ii",
			rules: []rule{nth(1, "initialize", step{Error: raw(`{"code":-32602,"message":"no","data":{"supported":["2024-11-05","2025-06-18"]}}`)})},
		},
		{
			name: "no answer worth the name", host: legacyHost, kind: KindProtocol, asked: "i",
			rules: []rule{on("initialize", step{Reply: raw(`[]`)})},
		},

		{name: "hint legacy spares the probe", host: modernHost, hint: legacyVersion, versions: both, version: legacyVersion, asked: "i"},
		{name: "hint modern", host: legacyHost, hint: modernVersion, versions: both, version: modernVersion, asked: "d"},
		{name: "stale hint modern", host: legacyHost, hint: modernVersion, version: legacyVersion, asked: "di"},
		{name: "stale hint legacy", host: modernHost, hint: legacyVersion, versions: both[:1], version: modernVersion, asked: "id"},
		{name: "pinned legacy", host: modernHost, protocol: "2025-06-18", versions: []string{modernVersion, "2025-06-18"}, version: "2025-06-18", asked: "i"},
		{name: "pinned modern", host: legacyHost, protocol: modernVersion, versions: both, version: modernVersion, asked: "d"},
		{name: "pinned wrongly", host: legacyHost, protocol: legacyVersion, versions: both[:1], kind: KindProtocol, asked: "i"},

		{name: "method not found", host: modernHost, rules: []rule{on("server/discover", refuse("-32601")...)}, version: legacyVersion, asked: "di"},
		{name: "invalid params", host: modernHost, rules: []rule{on("server/discover", refuse("-32602")...)}, version: legacyVersion, asked: "di"},
		{name: "own error", host: modernHost, rules: []rule{on("server/discover", refuse("-32000")...)}, version: legacyVersion, asked: "di"},
		{name: "version refused without data", host: modernHost, rules: []rule{on("server/discover", refuse("-32022")...)}, version: legacyVersion, asked: "di"},
		{
			name: "version refused, legacy named", host: modernHost, version: legacyVersion, asked: "di",
			rules: []rule{on("server/discover", step{Error: raw(`{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}`)})},
		},
		{
			name: "version refused, newer named", host: modernHost, kind: KindProtocol, asked: "d",
			rules: []rule{on("server/discover", step{Error: raw(`{"code":-32022,"message":"no","data":{"supported":["2027-01-01"]}}`)})},
		},
		{
			name: "version refused, and named", host: modernHost, versions: both, version: modernVersion, asked: "dd",
			rules: []rule{nth(1, "server/discover", step{Error: raw(`{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}`)})},
		},
		{
			name: "version refused, and named, again", host: modernHost, versions: both, kind: KindProtocol, asked: "dd",
			rules: []rule{on("server/discover", step{Error: raw(`{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}`)})},
		},
		{
			name: "version refused, and named, late", host: modernHost, versions: both, version: modernVersion, asked: "did",
			rules: []rule{
				nth(1, "server/discover", step{Delay: delay(9 * time.Second)}, step{Error: raw(`{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}`)}),
				on("initialize"),
			},
		},
		{name: "modern error −32020", host: modernHost, rules: []rule{on("server/discover", refuse("-32020")...)}, kind: KindProtocol, asked: "d"},
		{name: "modern error −32021", host: modernHost, rules: []rule{on("server/discover", refuse("-32021")...)}, kind: KindProtocol, asked: "d"},
		{
			name: "discovers legacy only", host: modernHost, version: legacyVersion, asked: "di",
			rules: []rule{on("server/discover", step{Reply: raw(`{"supportedVersions":["2025-11-25"],"capabilities":{}}`)})},
		},
		{
			name: "discovers newer only", host: modernHost, kind: KindProtocol, asked: "d",
			rules: []rule{on("server/discover", step{Reply: raw(`{"supportedVersions":["2027-01-01"],"capabilities":{}}`)})},
		},
		{
			name: "answers anything", host: modernHost, version: legacyVersion, asked: "di",
			rules: []rule{on("server/discover", step{Reply: raw(`{}`)})},
		},
		{
			name: "refuses both", host: modernHost, kind: KindProtocol, asked: "di",
			rules: []rule{on("server/discover", refuse("-32601")...), on("initialize", refuse("-32601")...)},
		},
		{
			name: "refuses both, legacy host", host: legacyHost, kind: KindProtocol, asked: "id",
			rules: []rule{on("server/discover", refuse("-32601")...), on("initialize", refuse("-32601")...)},
		},
		{
			name: "refuses the one, discovers the other", host: legacyHost, kind: KindProtocol, asked: "id",
			rules: []rule{on("initialize", refuse("-32601")...), on("server/discover", step{Reply: raw(`{"supportedVersions":["2025-11-25"]}`)})},
		},

		{name: "ignores the probe", host: modernHost, rules: []rule{on("server/discover")}, version: legacyVersion, asked: "di"},
		{name: "ends on the probe", host: modernHost, rules: []rule{on("server/discover", step{Exit: true})}, version: legacyVersion, asked: "dxi"},
		{
			name: "ends on the probe, late", host: modernHost, version: legacyVersion, asked: "dixi",
			rules: []rule{on("server/discover", step{Delay: delay(5 * time.Second)}, step{Exit: true}), nth(1, "initialize")},
		},
		{
			name: "refuses the probe and ends on initialize", host: modernHost, version: legacyVersion, asked: "dixi",
			rules: []rule{on("server/discover", refuse("-32601")...), nth(1, "initialize", step{Exit: true})},
		},
		{
			name: "ends whatever it is asked", host: modernHost, kind: KindConnection, asked: "dxi",
			rules: []rule{on("server/discover", step{Exit: true}), on("initialize", step{Exit: true})},
		},
		{name: "ends on initialize", host: legacyHost, kind: KindConnection, asked: "i", rules: []rule{on("initialize", step{Exit: true})}},

		{
			name: "starts slowly, modern", host: modernHost, versions: both, version: modernVersion, asked: "di",
			rules: []rule{
				on("server/discover", step{Delay: delay(9 * time.Second)}, step{Default: true}),
				on("initialize", step{Delay: delay(7 * time.Second)}, step{Default: true}),
			},
		},
		{
			name: "starts slowly, legacy", host: modernHost, version: legacyVersion, asked: "di",
			rules: []rule{
				on("server/discover", append([]step{{Delay: delay(9 * time.Second)}}, refuse("-32601")...)...),
				on("initialize", step{Delay: delay(7 * time.Second)}, step{Default: true}),
			},
		},
		{
			name: "answers the probe after initialize", host: modernHost, versions: both, version: legacyVersion, asked: "di",
			rules: []rule{on("server/discover", step{Delay: delay(9 * time.Second)}, step{Reply: raw(discoverResult)})},
		},
		{
			name: "refuses initialize, discovers late", host: modernHost, versions: both, version: modernVersion, asked: "di",
			rules: []rule{
				on("server/discover", step{Delay: delay(9 * time.Second)}, step{Default: true}),
				on("initialize", refuse("-32600")...),
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newServer(script{Versions: test.versions, Rules: test.rules, Tools: tools("echo")})
				dialled := dialLog{dial: dialMemory(server)}
				u := open(t, Config{Protocol: test.protocol}, dialled.open, test.host)
				if test.hint != "" {
					u.Remember(test.hint == modernVersion)
				}
				facts, err := u.Connect(t.Context())
				if test.version == "" {
					fault(t, err, test.kind, false)
				} else if err != nil || facts.Version != test.version || facts.Modern != (test.version == modernVersion) {
					t.Errorf("got %+v, %v, want revision %s", facts, err, test.version)
				}
				if got := strings.Join(dialled.asked, ""); got != test.asked {
					t.Errorf("got handshakes %q, want %q", got, test.asked)
				}
				if test.version == "" {
					return
				}
				u.mustCall(t, "echo")
				<-time.After(time.Minute) // late answers find nobody
				u.mustCall(t, "echo")
				if n, want := len(server.Received("notifications/initialized")), test.version != modernVersion; (n == 1) != want {
					t.Errorf("got %d times notifications/initialized", n)
				}
				if got := server.Received("notifications/cancelled"); len(got) != 0 {
					t.Errorf("the server was told %s", got)
				}
				if st := u.Status(); st.State != Ready {
					t.Errorf("got state %q, want ready", st.State)
				}
			})
		})
	}
}

// dialLog keeps which handshakes are asked for.
type dialLog struct {
	dial  Dialer
	dials int
	asked []string
}

func (l *dialLog) open(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
	if l.dials++; l.dials > 1 {
		l.asked = append(l.asked, "x")
	}
	conn, err := l.dial(ctx, cfg, recv)
	return loggedConn{conn, l}, err
}

// The probe's patience is 3 s; a server that never answers costs no more.
func TestProbePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := openScript(t, script{Rules: []rule{on("server/discover")}}, modernHost)
		began := time.Now()
		u.mustCall(t, "echo")
		if took := time.Since(began); took != probeTime {
			t.Errorf("the first call took %v, want %v", took, probeTime)
		}
	})
}

// What was found is remembered for the next connection.
func TestEraIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{
			Tools: tools("echo", "die"), Rules: []rule{on("tools/call die", step{Exit: true})},
		}, modernHost)
		u.mustCall(t, "echo")
		fault(t, u.call(t, "die", "").err, KindConnection, true)
		u.mustCall(t, "echo")
		if got := methods(server, "server/discover", "initialize"); got != "server/discover initialize initialize" {
			t.Errorf("got %s", got)
		}
	})
}

// A server that gives the revision up is asked anew; what it refused was not
// executed.
func TestOutdated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{
			Versions: []string{modernVersion, legacyVersion},
			Rules: []rule{
				nth(1, "tools/call echo", step{Error: raw(`{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}`)}),
				nth(2, "server/discover", step{Error: raw(`{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}`)}),
			},
		}, modernHost)
		if f := fault(t, u.call(t, "echo", "").err, KindProtocol, false); !f.Retryable {
			t.Error("got not retryable")
		}
		synctest.Wait()
		if d := u.mustCall(t, "echo"); d.modern {
			t.Error("got the modern era")
		}
		if got := methods(server, "server/discover", "initialize"); got != "server/discover server/discover initialize" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("listing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{
				Versions: []string{modernVersion},
				Rules:    []rule{nth(1, "tools/list", step{Error: raw(`{"code":-32022,"message":"no"}`)})},
			}, modernHost)
			_, err := u.ListTools(t.Context())
			fault(t, err, KindProtocol, false)
			synctest.Wait()
			if list, err := u.ListTools(t.Context()); err != nil || len(list.Items) != 1 {
				t.Errorf("got %d tools, %v, want 1", len(list.Items), err)
			}
			if n := len(server.Received("server/discover")); n != 2 {
				t.Errorf("got %d handshakes, want 2", n)
			}
		})
	})
}

// loggedConn notes the handshakes that are sent over it.
type loggedConn struct {
	transport.Conn
	log *dialLog
}

func (c loggedConn) Send(b *jsonrpc.Batch, out *transport.Outgoing) error {
	if shorthand := map[string]string{"initialize": "i", "server/discover": "d"}[out.Method]; shorthand != "" {
		c.log.asked = append(c.log.asked, shorthand)
	}
	return c.Conn.Send(b, out)
}
