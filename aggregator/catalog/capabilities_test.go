package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClaims(t *testing.T) {
	const (
		anything = `{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}}`
		tasks    = `{"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}},"sampling":{}}}}`
		modernly = `{"extensions":{"io.modelcontextprotocol/tasks":{"x":1}}}`
	)
	offering := func(modern bool, capabilities string) *Lists {
		return &Lists{Modern: modern, Capabilities: []byte(capabilities), Tools: List{Fetched: noon}}
	}
	legacy := func(capabilities string) *Lists { return offering(false, capabilities) }
	modern := func(capabilities string) *Lists { return offering(true, capabilities) }
	extensions := func(texts ...string) (lists []*Lists) {
		for _, text := range texts {
			lists = append(lists, legacy(`{"extensions":`+text+`}`))
		}
		return lists
	}
	for _, tt := range []struct {
		name     string
		lists    []*Lists
		revision string
		want     string
	}{
		{"no server", nil, "2025-11-25", `{}`},
		{"nothing", []*Lists{legacy(`{}`)}, "2025-11-25", `{}`},
		{"tools only", []*Lists{legacy(`{"tools":{}}`)}, "2024-11-05", `{"tools":{"listChanged":true}}`},
		{"each its own", []*Lists{legacy(`{"prompts":{}}`), modern(`{"completions":{"x":1}}`), legacy(`{"resources":{"subscribe":false}}`), legacy(`{"logging":{}}`)}, "2026-07-28", `{"prompts":{"listChanged":true},"resources":{"listChanged":true},"completions":{},"logging":{}}`},
		{"one subscribes", []*Lists{legacy(`{"resources":{}}`), modern(`{"resources":{"subscribe":true}}`)}, "2025-11-25", `{"resources":{"subscribe":true,"listChanged":true}}`},
		{"never asked", []*Lists{nil, legacy(`{}`)}, "2025-11-25", anything[:len(anything)-1] + `,"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}`},
		{"never asked, older host", []*Lists{nil, legacy(`{}`)}, "2025-06-18", anything},
		{"only failed", []*Lists{{Failure: Failure{Kind: "timeout"}}}, "2026-07-28", anything[:len(anything)-1] + `,"extensions":{"io.modelcontextprotocol/tasks":{}}}`},
		{"not objects", []*Lists{legacy(`{"tools":true,"prompts":null,"Resources":{},"logging":[],"extensions":[],"experimental":7}`), legacy(`[]`), legacy(``)}, "2025-11-25", `{}`},

		{"tasks", []*Lists{legacy(tasks)}, "2025-11-25", `{"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}`},
		{"tasks of several", []*Lists{legacy(`{"tasks":{"list":{}}}`), legacy(`{"tasks":{"requests":{"tools":{"call":{}}}}}`)}, "2025-11-25", `{"tasks":{"list":{},"requests":{"tools":{"call":{}}}}}`},
		{"tasks for an older host", []*Lists{legacy(tasks)}, "2025-06-18", `{}`},
		{"tasks for a modern host", []*Lists{legacy(tasks)}, "2026-07-28", `{}`},
		{"core tasks of a modern server", []*Lists{modern(tasks)}, "2025-11-25", `{}`},
		{"the extension for a modern host", []*Lists{modern(modernly)}, "2026-07-28", `{"extensions":{"io.modelcontextprotocol/tasks":{}}}`},
		{"the extension for a legacy host", []*Lists{modern(modernly)}, "2025-11-25", `{}`},
		{"the extension of a legacy server", []*Lists{legacy(modernly)}, "2026-07-28", `{}`},

		{"extensions", extensions(`{"a/x":{"n":1e400},"b/y":{}}`, `{"c/z":{}}`), "2025-11-25", `{"extensions":{"a/x":{"n":1e400},"b/y":{},"c/z":{}}}`},
		{"equal settings", extensions(`{"a/x":{"n":1}}`, `{"a/x":{"n":1}}`), "2025-11-25", `{"extensions":{"a/x":{"n":1}}}`},
		{"settings that differ", extensions(`{"a/x":{"n":1},"b/y":{}}`, `{"a/x":{"n":2}}`, `{"a/x":{"n":1}}`), "2026-07-28", `{"extensions":{"b/y":{}}}`},
		{"ui differs", extensions(`{"io.modelcontextprotocol/ui":{}}`, `{"io.modelcontextprotocol/ui":{"n":1}}`, `{"io.modelcontextprotocol/ui":{"n":2}}`), "2025-11-25", `{"extensions":{"io.modelcontextprotocol/ui":{"n":1}}}`},
		{"no settings", extensions(`{"a/x":null,"b/y":[],"c/z":{"long":"` + strings.Repeat("x", maxSettings) + `"}}`), "2025-11-25", `{}`},
		{"twice", extensions(`{"a/x":{"n":1},"a\/x":{"n":2}}`), "2025-11-25", `{"extensions":{"a/x":{"n":1}}}`},
		{"experimental", []*Lists{legacy(`{"experimental":{"x":{}}}`), modern(`{"experimental":{"x":{},"y":{"n":1}}}`), legacy(`{"experimental":{"y":{}}}`)}, "2025-11-25", `{"experimental":{"x":{}}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claims := mergeLists(tt.lists...).Claims(func(string) bool { return true })
			if diff := cmp.Diff(tt.want, string(claims.Append(nil, tt.revision))); diff != "" {
				t.Errorf("capabilities differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClaimsOfPermittedServers(t *testing.T) {
	s := mergeLists(nil, &Lists{Capabilities: []byte(`{"tools":{}}`), Tools: List{Fetched: noon}})
	claims := s.Claims(func(server string) bool { return server == "b" })
	if got := string(claims.Append(nil, "2025-11-25")); got != `{"tools":{"listChanged":true}}` {
		t.Errorf("got %s, want what the second server has", got)
	}
}

func TestExtensionsAreBounded(t *testing.T) {
	var text strings.Builder
	for i := range 2 * maxExtensions {
		fmt.Fprintf(&text, `,"x/%d":{}`, i)
	}
	o := readOffer([]byte(`{"extensions":{` + text.String()[1:] + `}}`))
	if len(o.extensions) != maxExtensions {
		t.Errorf("got %d extensions, want %d", len(o.extensions), maxExtensions)
	}
}
