package catalog

import (
	"testing"
	"time"

	"github.com/weir-mcp/weir/aggregator/namespace"
)

func TestToolsHints(t *testing.T) {
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
		ttl, scope := mergeLists(test.lists...).ToolsHints(noon.Add(test.after))
		if ttl != test.ttl || scope != test.scope {
			t.Errorf("%s: got %v %s, want %v %s", test.name, ttl, scope, test.ttl, test.scope)
		}
	}
}

func TestToolsServed(t *testing.T) {
	offering := func(capabilities string) *Lists {
		return &Lists{Capabilities: []byte(capabilities), Tools: List{Fetched: noon}}
	}
	tests := []struct {
		name                  string
		lists                 []*Lists
		has, announces, whole bool
	}{
		{"no server", nil, false, false, true},
		{"tools", []*Lists{offering(`{"tools":{}}`)}, true, false, true},
		{"one announces", []*Lists{offering(`{"tools":{}}`), offering(`{"tools":{"listChanged":true}}`)}, true, true, true},
		{"prompts only", []*Lists{offering(`{"prompts":{"listChanged":true}}`)}, false, false, true},
		{"other case", []*Lists{offering(`{"Tools":{"listChanged":true}}`)}, false, false, true},
		{"no object", []*Lists{offering(`{"tools":true}`), offering(`[]`), offering(``)}, false, false, true},
		{"one not asked", []*Lists{offering(`{"tools":{}}`), nil}, true, false, false},
		{"one only failed", []*Lists{{Failure: Failure{Kind: "timeout"}}}, false, false, false},
	}
	for _, test := range tests {
		s := mergeLists(test.lists...)
		has, announces := s.ToolsServed()
		if has != test.has || announces != test.announces || s.Whole() != test.whole {
			t.Errorf("%s: got %v, %v, whole %v, want %v, %v, %v", test.name, has, announces, s.Whole(), test.has, test.announces, test.whole)
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
