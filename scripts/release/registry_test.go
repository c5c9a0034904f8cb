package main

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRegistration: server.json holds what its schema and registries want of each
// member that it has.
func TestRegistration(t *testing.T) {
	text, err := indented(newRegistration("0.1.0", []byte("bundle")))
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
  "name": "io.github.weir-mcp/weir",
  "title": "weir",
  "description": "One MCP server in front of many: one roof, your policy, there at once",
  "version": "0.1.0",
  "repository": {
    "url": "https://github.com/weir-mcp/weir",
    "source": "github"
  },
  "packages": [
    {
      "registryType": "mcpb",
      "identifier": "https://github.com/weir-mcp/weir/releases/download/v0.1.0/weir_0.1.0.mcpb",
      "version": "0.1.0",
      "fileSha256": "` + sumOf("bundle") + `",
      "transport": {
        "type": "stdio"
      }
    }
  ]
}
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, rule := range map[string]struct {
		text    string
		longest int
		pattern string
	}{
		"name":        {"io.github.weir-mcp/weir", 200, `^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$`},
		"description": {oneLine, 100, `.`},
		"sum":         {sumOf("bundle"), 64, `^[a-f0-9]{64}$`},
		"identifier":  {newRegistration("0.1.0", nil).Packages[0].Identifier, 255, `^https://.*mcp`},
	} {
		if len(rule.text) > rule.longest || !regexp.MustCompile(rule.pattern).MatchString(rule.text) {
			t.Errorf("%s: %q is longer than %d, or not as %s", name, rule.text, rule.longest, rule.pattern)
		}
	}
}
