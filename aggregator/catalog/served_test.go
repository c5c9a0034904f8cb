package catalog

import (
	"testing"
	"time"

	"github.com/weir-mcp/weir/aggregator/namespace"
)

func TestHints(t *testing.T) {
	const announcing = `{"tools":{"listChanged":true}}`
	hinted := func(ttl time.Duration, scope string) *Lists {
		l := listsOf(t, "read")
		l.Tools.TTL, l.Tools.Scope = ttl, scope
		return l
	}
	unhinted := func(modern bool, capabilities string) *Lists {
		return &Lists{Modern: modern, Capabilities: []byte(capabilities), Tools: List{Fetched: noon}}
	}
	tests := []struct {
		name  string
		lists []*Lists
		after time.Duration
		ttl   time.Duration
		scope string
	}{
		{"no server", nil, 0, pushedTTL, ScopePublic},
		{"modern", []*Lists{hinted(time.Hour, ScopePublic)}, time.Minute, 59 * time.Minute, ScopePublic},
		{"least of all", []*Lists{hinted(time.Hour, ScopePublic), hinted(time.Minute, ScopePublic)}, time.Second, 59 * time.Second, ScopePublic},
		{"run out", []*Lists{hinted(time.Minute, ScopePublic)}, time.Hour, 0, ScopePublic},
		{"never fresh", []*Lists{hinted(0, ScopePublic)}, 0, 0, ScopePublic},
		{"one private", []*Lists{hinted(time.Hour, ScopePublic), hinted(time.Hour, ScopePrivate)}, 0, time.Hour, ScopePrivate},
		{"unknown scope", []*Lists{hinted(time.Hour, "Public")}, 0, time.Hour, ScopePrivate},
		{"legacy that announces", []*Lists{unhinted(false, announcing)}, time.Hour, pushedTTL, ScopePrivate},
		{"legacy that announces, beside a longer hint", []*Lists{unhinted(false, announcing), hinted(time.Hour, ScopePublic)}, 0, pushedTTL, ScopePrivate},
		{"legacy that announces, beside a shorter hint", []*Lists{unhinted(false, announcing), hinted(time.Minute, ScopePublic)}, 0, time.Minute, ScopePrivate},
		{"legacy that does not", []*Lists{unhinted(false, `{"tools":{}}`), hinted(time.Hour, ScopePublic)}, 0, 0, ScopePrivate},
		{"modern without a hint", []*Lists{unhinted(true, `{"tools":{"listChanged":"true"}}`)}, 0, 0, ScopePrivate},
		{"without tools", []*Lists{unhinted(false, `{"prompts":{}}`), hinted(time.Hour, ScopePublic)}, 0, time.Hour, ScopePublic},
		{"never asked", []*Lists{nil, hinted(time.Hour, ScopePublic)}, 0, 0, ScopePublic},
		{"never answered", []*Lists{{Failure: Failure{Kind: "timeout"}}, hinted(time.Hour, ScopePublic)}, 0, 0, ScopePublic},
	}
	for _, test := range tests {
		ttl, scope := mergeLists(test.lists...).Hints(Tools, noon.Add(test.after))
		if ttl != test.ttl || scope != test.scope {
			t.Errorf("%s: got %v %s, want %v %s", test.name, ttl, scope, test.ttl, test.scope)
		}
		// What makes of the time what Hints makes of it: until then, so long at most.
		if until, most := mergeLists(test.lists...).Life(Tools); !until.IsZero() {
			if got := max(0, min(until.Sub(noon.Add(test.after)), most)); got != test.ttl {
				t.Errorf("%s: its life is %v, want %v", test.name, got, test.ttl)
			}
		} else if other, _ := mergeLists(test.lists...).Hints(Tools, noon.Add(test.after+time.Minute)); other != test.ttl {
			t.Errorf("%s: it has no life, and is good for %v, then for %v", test.name, test.ttl, other)
		}
	}
}

func mergeLists(lists ...*Lists) *Snapshot {
	var servers []Server
	for i, l := range lists {
		servers = append(servers, server(string(rune('a'+i)), l))
	}
	return Merge(namespace.Rules{}, servers)
}
