package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestGreeting: what a handshake says is weir's own, and as much as the server
// behind it can do, once that is known.
func TestGreeting(t *testing.T) {
	const (
		lists = `"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}`
		odd   = `"extensions":{"com.example/odd":{"z":9007199254740993,"a":1.0}},"experimental":{"vendor/x":{"z":9007199254740993,"a":[]}}`
	)
	tests := []struct {
		host, server string
		want         string // the capabilities
	}{
		{"2024-11-05", "legacy", `{` + lists + `,` + odd + `}`},
		{upstreamtest.Legacy, "legacy", `{` + lists + `,"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}},` + odd + `}`},
		{upstreamtest.Legacy, "modern", `{` + lists + `,` + odd + `}`},
		{upstreamtest.Modern, "legacy", `{` + lists + `,` + odd + `}`},
		{upstreamtest.Modern, "modern", `{` + lists + `,` + strings.Replace(odd, `}},"exp`, `},"io.modelcontextprotocol/tasks":{}},"exp`, 1) + `}`},
	}
	for _, test := range tests {
		l := leg{test.host, test.server, "stdio"}
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			p := testPlaces(t)
			config := "policy: {default: execute}\nservers: {u: " + l.serve(t, p) + "}\n"
			t.Run("first start", func(t *testing.T) { openSession(t, test.host, p.weir(t, config)).tools(t) })
			m := greeting(t, test.host, p.weir(t, config))
			if diff := cmp.Diff(test.want, string(jsonrpc.Find(m.Fields, "capabilities"))); diff != "" {
				t.Errorf("capabilities (-want +got):\n%s", diff)
			}
			instructions, err := jsonrpc.String(jsonrpc.Find(m.Fields, "instructions"))
			if err != nil || !strings.Contains(instructions, "Ask <it> kindly. é") || !strings.Contains(instructions, oneWeir.prefix()) {
				t.Errorf("instructions: got %q, %v", instructions, err)
			}
			if !strings.Contains(string(m.Raw), `erverInfo":{"name":"weir"`) {
				t.Errorf("got %s, want it to say that it is weir", m.Raw)
			}
		})
	}
}

// greeting is what the server says of itself, first thing.
func greeting(t *testing.T, version string, cmd *exec.Cmd) *jsonrpc.Message {
	t.Helper()
	h, err := startHost(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	s := &session{host: h, version: version}
	if s.isModern() {
		return s.request(t, "server/discover", "")
	}
	return s.request(t, "initialize", `"protocolVersion":"`+version+`","capabilities":{},"clientInfo":{"name":"host","version":"1"}`)
}
