package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// definition is a tool of common size, half a kilobyte.
func definition(i int) []byte {
	return fmt.Appendf(nil, `{"name":"tool_%d","title":"Tool %d","description":"%s","inputSchema":{"type":"object",`+
		`"properties":{"path":{"type":"string","description":"The path of the file"},"limit":{"type":"integer","minimum":0,"maximum":100}},`+
		`"required":["path"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"destructiveHint":false}}`,
		i, i, strings.Repeat("Reads things. ", 12))
}

func fiftyServers(tb testing.TB) (keys []Key, servers []Server) {
	tb.Helper()
	for i := range 50 {
		lists := &Lists{
			Version:      "2025-11-25",
			ServerInfo:   []byte(`{"name":"server","version":"1.0.0"}`),
			Capabilities: []byte(`{"tools":{"listChanged":true}}`),
			Tools:        List{Fetched: noon},
		}
		for k := range 20 {
			lists.Tools.Items = append(lists.Tools.Items, item(tb, string(definition(k))))
		}
		name := fmt.Sprintf("server%d", i)
		keys = append(keys, Key{Server: name, Identity: []byte("command")})
		servers = append(servers, Server{Server: namespace.Server{Name: name, Prefix: name}, Lists: lists})
	}
	return keys, servers
}

// BenchmarkLoad50 is what a start with 50 servers of 20 tools each reads; and
// what of that, on one core, it costs to validate the definitions again.
func BenchmarkLoad50(b *testing.B) {
	dir := b.TempDir()
	keys, servers := fiftyServers(b)
	s := open(b, dir)
	for i, key := range keys {
		if err := s.Save(b.Context(), key, modern, servers[i].Lists, noon); err != nil {
			b.Fatal(err)
		}
	}
	wanted := make([]Wanted, len(keys))
	for i, key := range keys {
		wanted[i] = Wanted{key, modern}
	}
	var found []Found
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			open(b, dir)
		}
	})
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			found = s.LoadAll(wanted, noon)
		}
	})
	b.Run("validate", func(b *testing.B) {
		for b.Loop() {
			for i := range found {
				for _, item := range found[i].Lists.Tools.Items {
					if !jsonrpc.Valid(item.raw) {
						b.Fatal("got invalid JSON")
					}
				}
			}
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	_, servers := fiftyServers(b)
	var snapshot *Snapshot
	b.Run("merge", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			snapshot = Merge(namespace.Rules{}, servers)
		}
	})
	b.Run("append", func(b *testing.B) {
		var list []byte
		for b.Loop() {
			list = AppendList(list[:0], Tools, snapshot.Routes(Tools), Shape{})
		}
		b.SetBytes(int64(len(list)))
	})
	b.Run("same", func(b *testing.B) {
		other := Merge(namespace.Rules{}, servers)
		for b.Loop() {
			if !Same(snapshot.Routes(Tools), other.Routes(Tools)) {
				b.Fatal("got different lists, want the same")
			}
		}
	})
	b.Run("resolve", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if snapshot.Resolve("server7__tool_3", permitAll) == nil {
				b.Fatal("got no route, want one")
			}
		}
	})
}
