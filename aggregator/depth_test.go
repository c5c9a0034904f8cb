package aggregator

import (
	"cmp"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/aggregator/overrides"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// nested is arrays or objects, so many levels of them.
func nested(levels int, objects bool) string {
	if objects {
		return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels)
	}
	return strings.Repeat("[", levels) + strings.Repeat("]", levels)
}

// TestDepth: what is nested deep, by a host or a server, is passed or refused, and
// whatever looks into it comes back.
func TestDepth(t *testing.T) {
	const (
		passes = jsonrpc.MaxDepth - 10
		bomb   = 100_000
	)
	const tooDeep = "too deep nesting in arguments"
	looks := map[string]string{"condition": tooDeep, "override": tooDeep} // "" = passes
	features := map[string]func(*testing.T, *Config){
		"plain": func(*testing.T, *Config) {},
		"condition": func(t *testing.T, c *Config) {
			c.Policy = policyOf(t, `{default: execute, rules: [{server: up, tool: echo, level: deny, when: 'args.x == "no"'}]}`)
		},
		"validate": func(_ *testing.T, c *Config) { c.Servers[0].Validate = true },
		"override": func(_ *testing.T, c *Config) {
			c.Servers[0].Overrides = map[string]*overrides.Override{"echo": {Fixed: []overrides.Argument{{Name: "org", Value: []byte(`"acme"`)}}}}
		},
		"redact": func(_ *testing.T, c *Config) { c.Servers[0].Redact = []string{"all"} },
		"approval": func(t *testing.T, c *Config) {
			c.Policy, c.Approvals = policyOf(t, `{default: execute, rules: [{server: up, tool: echo, ask: true}]}`), newApprovals(t).store()
		},
		"max_result": func(_ *testing.T, c *Config) { c.Servers[0].Limits.ResultBytes = 8 << 10 },
	}
	for name, feature := range features {
		for _, e := range []era{legacy, modern} {
			bubble(t, name+", "+e.String(), func(t *testing.T) {
				script := echoScript()
				script.Versions = e.versions()
				deep := func(levels int) upstreamtest.Step {
					return upstreamtest.Step{Text: `{"jsonrpc":"2.0","id":"$id","result":{"resultType":"complete","content":[],"structuredContent":` + nested(levels, true) + "}}\n"}
				}
				script.Tools = raws(`{"name":"echo","inputSchema":{"type":"object","properties":{"x":` + strings.Repeat(`{"items":`, 3000) + "{}" + strings.Repeat("}", 3000) + `}}}`)
				script.Tools = append(script.Tools, upstreamtest.Tool("deep"), upstreamtest.Tool("bomb"))
				script.Rules = append([]upstreamtest.Rule{
					{On: "tools/call deep", Do: []upstreamtest.Step{deep(passes)}}, {On: "tools/call bomb", Do: []upstreamtest.Step{deep(bomb)}},
				}, script.Rules...)
				cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up")
				feature(t, &cfg)
				_, h := start(t, cfg)
				h.send(e.open()...)
				if got := h.send(e.request("0", "tools/list", "", "")); len(got) != 1 || !strings.Contains(got[0], "up__echo") {
					t.Fatalf("got %.200q, want the tools", got)
				}
				answered := func(what, id string, got []string, part string) {
					t.Helper()
					if len(got) != 1 || !strings.Contains(got[0], `"id":`+id+`,`) || !strings.Contains(got[0], part) {
						t.Errorf("%s: got %d answers, %.300q, want %q", what, len(got), got, part)
					}
				}
				for _, objects := range []bool{false, true} {
					answered("arguments", "1", h.send(e.call("1", "up__echo", `{"x":`+nested(passes, objects)+"}")), cmp.Or(looks[name], `"result"`))
					answered("a bomb", "2", h.send(e.call("2", "up__echo", `{"x":`+nested(bomb, objects)+"}")), "nested too deep")
				}
				answered("a result", "3", h.send(e.call("3", "up__deep", "{}")), `"result"`)
				answered("a bomb of the server", "4", h.send(e.call("4", "up__bomb", "{}")), `"kind":"serialization"`)
				answered("afterwards", "5", h.send(e.call("5", "up__deep", "{}")), `"result"`)
			})
		}
	}
}
