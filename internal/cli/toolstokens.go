package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/internal/formats"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// tokensShow returns what prints the costs of tools, as they are sent to an API:
// Anthropic's, if none is named.
func (a *app) tokensShow(v toolsView, formatGiven bool) (toolsShow, error) {
	style := formats.Style{API: formats.Anthropic, Strict: v.strict}
	if formatGiven {
		api, ok := formats.Parse(v.format)
		if !ok {
			return nil, usageError("--tokens goes with --format openai, openai-responses, anthropic or gemini, not %s", v.format)
		}
		style.API = api
	}
	if v.strict && !style.API.HasStrict() {
		return nil, usageError("%s has no strict schemas", style.API)
	}
	return func(g *gateway, tools []listedTool) {
		costs := g.costs(style, tools)
		if v.json {
			a.printCostsJSON(costs)
			return
		}
		a.printCosts(costs)
	}, nil
}

// costs are what tools cost, the dearest first.
type costs struct {
	servers []cost
	tools   []cost
	total   int
}

type cost struct {
	name   string
	server string // of a tool
	tools  int    // of a server
	tokens int
}

func (g *gateway) costs(style formats.Style, tools []listedTool) costs {
	definitions, _ := style.Define(formatTools(tools))
	var all costs
	for _, d := range definitions {
		tokens := formats.Tokens(d.Raw)
		e, _ := g.aggregator.Explain(aggregator.Use{Kind: catalog.Tools, Name: d.Tool})
		all.tools = append(all.tools, cost{name: d.Tool, server: e.Server, tokens: tokens})
		all.addServer(e.Server, tokens)
		all.total += tokens
	}
	dearest := func(a, b cost) int { return cmp.Compare(b.tokens, a.tokens) }
	slices.SortStableFunc(all.servers, dearest)
	slices.SortStableFunc(all.tools, dearest)
	return all
}

func (c *costs) addServer(name string, tokens int) {
	i := slices.IndexFunc(c.servers, func(s cost) bool { return s.name == name })
	if i < 0 {
		i = len(c.servers)
		c.servers = append(c.servers, cost{name: name})
	}
	c.servers[i].tools++
	c.servers[i].tokens += tokens
}

func (a *app) printCosts(c costs) {
	p := a.paint()
	tools := table{head: []string{"TOKENS", "TOOL"}}
	for _, t := range c.tools {
		tools.rows = append(tools.rows, []cell{number(t.tokens), {t.name, p.bold}})
	}
	tools.print(a.Stdout, p, a.width())
	fmt.Fprintln(a.Stdout)
	servers := table{head: []string{"TOKENS", "TOOLS", "SERVER"}}
	for _, s := range c.servers {
		servers.rows = append(servers.rows, []cell{number(s.tokens), plain(strconv.Itoa(s.tools)), {s.name, p.bold}})
	}
	servers.print(a.Stdout, p, a.width())
	fmt.Fprintln(a.Stdout, p.dim(fmt.Sprintf("about %s for %s", plural(c.total, "token", "tokens"), plural(len(c.tools), "tool", "tools"))))
}

// number is a number in a column of numbers, right-aligned.
func number(n int) cell { return plain(fmt.Sprintf("%6d", n)) }

func (a *app) printCostsJSON(c costs) {
	text := []byte(`{"tokens":` + strconv.Itoa(c.total) + `,"servers":[`)
	for i, s := range c.servers {
		if i > 0 {
			text = append(text, ',')
		}
		text = jsonrpc.AppendString(append(text, "\n"+`{"server":`...), s.name)
		text = fmt.Appendf(text, `,"tools":%d,"tokens":%d}`, s.tools, s.tokens)
	}
	text = append(text, `],"tools":[`...)
	for i, t := range c.tools {
		if i > 0 {
			text = append(text, ',')
		}
		text = jsonrpc.AppendString(append(text, "\n"+`{"tool":`...), t.name)
		text = jsonrpc.AppendString(append(text, `,"server":`...), t.server)
		text = fmt.Appendf(text, `,"tokens":%d}`, t.tokens)
	}
	printLine(a.Stdout, string(append(text, "\n]}"...)))
}
