package aggregator

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/aggregator/search"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is weir's own tools by which hosts come to tools that are not in the
// list: one finds them, one tells of them, and one is the way to call them.

// How many tools are found at once.
const (
	fewFound  = 5 // where the host does not say
	mostFound = 20
)

// A finder finds tools by words. It is made when it is first asked.
type finder struct {
	once  sync.Once
	index *search.Index
}

// find returns the tools, for the principal, that fit a query best, best first. What
// is for apps only is nothing that a model would look for.
func (v *view) find(query string, limit int) []*catalog.Route {
	v.tools.finder.once.Do(func() { v.tools.finder.index = indexOf(v.tools.all) })
	hits := v.tools.finder.index.Find(query, limit)
	found := make([]*catalog.Route, 0, len(hits))
	for _, hit := range hits {
		found = append(found, v.tools.all[hit.At])
	}
	return found
}

// indexOf is the tools as hosts see them.
func indexOf(routes []*catalog.Route) *search.Index {
	var b search.Builder
	var room []byte
	for _, route := range routes {
		if route.AppOnly() {
			b.Begin() // so that the places are those of the routes
			continue
		}
		room = route.AppendDefinition(room[:0], catalog.Shape{})
		b.Tool(route.Server, room)
	}
	return b.Index()
}

// seen is a view once the first lists are in.
func (c *call) seen(ctx context.Context) (*view, error) {
	if !c.s.a.firstLists(ctx) {
		return nil, context.Cause(ctx)
	}
	c.s.out.WaitBelow(maxUnwritten)
	return c.s.view(), nil
}

func readFind(a *ownArguments) deed {
	query := a.need("query")
	limit := a.number("limit", fewFound, mostFound)
	return deed{look: func(ctx context.Context, c *call) (said, error) {
		v, err := c.seen(ctx)
		if err != nil {
			return said{}, err
		}
		return v.tellFound(query, v.find(query, limit)), nil
	}}
}

// tellFound tells of what was found. The members are few: the whole is for
// weir__describe_tool.
func (v *view) tellFound(query string, found []*catalog.Route) said {
	var b strings.Builder
	of := v.lists[catalog.Tools].shown() + v.tools.left
	if len(found) == 0 {
		fmt.Fprintf(&b, "No tool fits %q. Say what is to be done in other words. There are %d tools, of these servers: %s.",
			clip(query), of, joined(v.serversShown()))
	}
	structured := []byte(`{"tools":[`)
	for i, route := range found {
		line := briefOf(route)
		if i > 0 {
			b.WriteByte('\n')
			structured = append(structured, ',')
		}
		fmt.Fprintf(&b, "%s (server %s): %s", route.Exposed, route.Server, line)
		structured = jsonrpc.AppendObject(structured, []jsonrpc.Member{
			jsonrpc.NewMember("name", jsonrpc.AppendString(nil, route.Exposed)),
			jsonrpc.NewMember("server", jsonrpc.AppendString(nil, route.Server)),
			jsonrpc.NewMember("description", jsonrpc.AppendString(nil, line)),
		})
	}
	structured = strconv.AppendInt(append(structured, `],"of":`...), int64(of), 10)
	return said{text: b.String(), structured: append(structured, '}')}
}

// serversShown are the names of the servers that are there for the principal.
func (v *view) serversShown() (names []string) {
	for _, s := range v.servers {
		if v.shows(s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

// maxBrief is how many bytes of a description are shown with what was found.
const maxBrief = 200

// briefOf is the description of a tool in a line, as far as there is room: its first
// paragraph.
func briefOf(route *catalog.Route) string {
	members, err := jsonrpc.ParseObject(nil, route.AppendDefinition(nil, catalog.Shape{}))
	if err != nil {
		return ""
	}
	for _, key := range []string{"description", "title"} {
		text, err := jsonrpc.String(jsonrpc.Find(members, key))
		text, _, _ = strings.Cut(strings.TrimSpace(text), "\n\n")
		if text = strings.Join(strings.Fields(text), " "); err == nil && text != "" {
			return shortened(text, maxBrief)
		}
	}
	return ""
}

// shortened cuts a text behind a word so that it has no more than limit bytes.
func shortened(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit {
		return text
	}
	cut := limit - len(ellipsis)
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	if space := strings.LastIndexByte(text[:cut], ' '); space > limit/2 {
		cut = space
	}
	return text[:cut] + ellipsis
}

// readDescribe tells of one tool what the list would. It stands in the text alone:
// hosts that give their models both would give it twice.
func readDescribe(a *ownArguments) deed {
	name := a.need("name")
	return deed{look: func(ctx context.Context, c *call) (said, error) {
		v, err := c.seen(ctx)
		if err != nil {
			return said{}, err
		}
		definition := v.definitionOf(name, catalog.Shape{Legacy: !c.modern, Polled: true})
		if definition == nil {
			return said{}, &ChangeError{
				Kind: upstream.KindToolNotFound,
				Text: fmt.Sprintf("Unknown tool: %s. weir__find_tools finds tools by what they do.", clip(name)),
			}
		}
		return said{text: string(definition)}, nil
	}}
}

// definitionOf is a tool that is there for the principal, found as a call would find
// it; nil if there is none.
func (v *view) definitionOf(name string, in catalog.Shape) []byte {
	if short, ok := strings.CutPrefix(name, namespace.Reserved); ok {
		t := ownToolOf(short)
		if t == nil || !v.judgeOwn(t, policy.Request{Listing: true}).Listed() {
			return nil
		}
		return t.definition()
	}
	route := v.ifListed(v.tool(name))
	if route == nil || v.held.withholds(route) {
		return nil
	}
	return route.AppendDefinition(nil, in)
}

// callTool is the tool that calls another.
const callTool = "call_tool"

// rawCallTool is its name as nearly everybody writes it.
const rawCallTool = `"` + namespace.Reserved + callTool + `"`

// readCall reads a call of another tool. A call that may be made never comes to it:
// direct has made it the call of that tool.
func readCall(a *ownArguments) deed {
	a.readCall()
	return deed{prepare: func(*session) (deed, error) {
		return deed{}, &ChangeError{
			Kind: upstream.KindAuthorization,
			Text: "A rule of weir's policy wants an approval for weir__call_tool, whatever it calls, and none can be given for that: " +
				"the rule has to name the tools that are called. Only the user can change it.",
		}
	}}
}

// readCall returns the name and the arguments of the tool that is to be called, both
// raw; nil for no arguments.
func (a *ownArguments) readCall() (name, arguments []byte) {
	if a.need("name") == namespace.Reserved+callTool {
		a.fail("name: it cannot be %s itself", namespace.Reserved+callTool)
	}
	if arguments = a.raw("arguments"); arguments != nil && !isObject(arguments) {
		a.fail("arguments: want an object, as weir__describe_tool says for the tool")
	}
	return jsonrpc.Find(a.members, "name"), arguments
}

// direct makes a call of weir__call_tool the call that it stands for, before anything
// else is done with it: from then on nothing tells the two apart. One that is wrong
// or not allowed stays what it is, and is refused as that.
func (s *session) direct(r *request) {
	t, v := ownToolOf(callTool), s.view()
	outer := jsonrpc.Find(r.params, "arguments")
	verdict := v.judgeOwn(t, policy.Request{Arguments: outer})
	if verdict.Level < t.needs || verdict.Ask {
		return
	}
	args := readOwnArguments(outer)
	name, arguments := args.readCall()
	if args.wrong() != "" {
		return
	}
	params := make([]jsonrpc.Member, 0, len(r.params))
	for _, m := range r.params {
		switch string(m.Key) {
		case "name":
			m.Value = name
		case "arguments":
			if m.Value = arguments; arguments == nil {
				continue
			}
		}
		params = append(params, m)
	}
	r.params = params
}

// callsAnother reports whether params are those of a call of weir__call_tool.
func callsAnother(params []jsonrpc.Member) bool {
	name := jsonrpc.Find(params, toolCall.member)
	switch {
	case len(name) < len(rawCallTool):
		return false
	case len(name) == len(rawCallTool):
		return string(name) == rawCallTool
	case bytes.IndexByte(name, '\\') < 0:
		return false
	}
	text, err := jsonrpc.String(name)
	return err == nil && text == namespace.Reserved+callTool
}
