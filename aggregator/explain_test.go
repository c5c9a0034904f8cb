package aggregator

import (
	"errors"
	"testing"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
)

func TestExplain(t *testing.T) {
	p, err := policy.Compile(policy.Config{
		Default: level(policy.Read),
		Rules: []policy.Rule{
			{Server: text("b"), Tool: text("delete_*"), Level: level(policy.Deny)},
			{Server: text("a"), Level: level(policy.Execute)},
		},
	}, policy.Servers{})
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, "by every name", func(t *testing.T) {
		a, _ := startListed(t, twoWithFiles(), p, "a", "b")
		for _, tt := range []struct {
			use    Use
			server string
			name   string
			level  policy.Level
		}{
			{Use{Name: "a__nowhere"}, "a", "nowhere", policy.Execute},
			{Use{Name: "b__delete_all"}, "b", "delete_all", policy.Deny},
			{Use{Name: "b__stat"}, "b", "stat", policy.Read},
			{Use{Server: "b", Name: "delete_x"}, "b", "delete_x", policy.Deny},
			{Use{Name: "weir__servers"}, "weir", "servers", policy.Deny},
			{Use{Kind: catalog.Prompts, Name: "a__p"}, "a", "p", policy.Execute},
			{Use{Kind: catalog.Resources, Server: "b", Name: "file:///x"}, "b", "file:///x", policy.Read},
		} {
			got, err := a.Explain(tt.use)
			if err != nil || got.Server != tt.server || got.Name != tt.name || got.Level != tt.level {
				t.Errorf("%+v: got %s of %s with %s, %v, want %s of %s with %s",
					tt.use, got.Name, got.Server, got.Level, err, tt.name, tt.server, tt.level)
			}
		}
		if got, err := a.Explain(Use{Name: "get", Server: "a"}); string(got.Definition) != definition("get") {
			t.Errorf("got definition %s, %v, want %s", got.Definition, err, definition("get"))
		}
		if _, err := a.Explain(Use{Name: "nobody"}); !errors.Is(err, ErrNoSuchName) {
			t.Errorf("got %v, want %v", err, ErrNoSuchName)
		}
	})
}
