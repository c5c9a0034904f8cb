package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-mcp/weir/upstream/state"
)

// TestHarmlessAlias: an alias that any policy of the file has a word about, whoever
// it is for, is refused.
func TestHarmlessAlias(t *testing.T) {
	const text = `servers:
  prod-a: {command: x}
  b: {command: y}
aliases: {pa: prod-a}
policy:
  default: deny
  servers: {allow: ["*"], deny: ["old-*"]}
  rules:
    - {server: "prod-*", level: execute}
    - {server: claimed, tool: t, level: read}
    - {server: pa, level: read}
policies:
  other: {default: deny, servers: {allow: [gated]}}
keys: [{name: k, sha256: "0000000000000000000000000000000000000000000000000000000000000000", policy: {default: deny, rules: [{server: keyed, level: admin}]}}]
`
	tests := map[AddAlias]string{
		{"free", "b"}:        "",
		{"prod-b", "b"}:      "prod-*",
		{"claimed", "b"}:     "claimed",
		{"old-b", "b"}:       "old-*",
		{"gated", "b"}:       "gated",
		{"keyed", "b"}:       "keyed",
		{"prod-2", "prod-a"}: "", // it has the rule already
	}
	for change, pattern := range tests {
		path := filepath.Join(t.TempDir(), "mcp.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := EditFile(t.Context(), Options{Path: path}, HarmlessAlias{change}, state.At(t.TempDir()))
		refused, _ := errors.AsType[*AliasError](err)
		if pattern == "" && err != nil || pattern != "" && (refused == nil || refused.Pattern != pattern || refused.Pos.Line == 0) {
			t.Errorf("%+v: got %v, want %q", change, err, pattern)
		}
	}
}
