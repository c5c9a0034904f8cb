package aggregator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what weir's own tools do.

// deed is what a call with these arguments comes to.
func (t *ownTool) deed(a *ownArguments) deed {
	switch t.short {
	case "find_tools":
		return readFind(a)
	case "describe_tool":
		return readDescribe(a)
	case callTool:
		return readCall(a)
	case serversTool:
		return readServers(a)
	case "explain":
		return readExplain(a)
	case loginTool:
		return readLogin(a)
	case "add_server":
		return readAdd(a)
	case "remove_server":
		return readRemove(a)
	case "enable":
		return readEnable(a)
	case "disable":
		return readDisable(a)
	case "restart":
		return readRestart(a)
	case "alias":
		return readAlias(a)
	case "reload":
		return readReload(a)
	case "approve_pin":
		return readApprovePin(a)
	}
	panic("a tool without a deed: " + t.short)
}

func readServers(*ownArguments) deed {
	return deed{quick: true, run: func(_ context.Context, s *session) (string, error) {
		text := s.a.describeServers()
		if ways := s.view().instructsToFind(); ways != "" {
			text += "\n" + ways
		}
		return text, nil
	}}
}

func readExplain(a *ownArguments) deed {
	u := Use{Name: a.need("name")}
	switch a.oneOf("kind", "tool", "prompt", "resource") {
	case "prompt":
		u.Kind = catalog.Prompts
	case "resource":
		u.Kind = catalog.Resources
	default:
		u.Kind = catalog.Tools
	}
	if u.Arguments = a.raw("arguments"); u.Arguments != nil && !isObject(u.Arguments) {
		a.fail("arguments: want an object")
	}
	u.Arguments = slices.Clone(u.Arguments)
	return deed{quick: true, run: func(_ context.Context, s *session) (string, error) { return s.view().explainTo(u), nil }}
}

// explainTo says what the policy makes of a use, to a host. What is not there for
// the principal is the same as what nobody has, but for who may change all of it.
func (v *view) explainTo(u Use) string {
	all := v.judgeOwn(ownToolOf("explain"), policy.Request{}).Level >= policy.Admin
	e, there := v.explainShown(u)
	if all {
		var err error
		e, err = v.explain(u)
		there = err == nil
	}
	if !there {
		return fmt.Sprintf("%q is not there for you: nobody has it, or the policy denies it.", clip(u.Name))
	}
	return e.words(u)
}

// explainShown is explain for what is there for the principal, found as a call
// would find it.
func (v *view) explainShown(u Use) (e Explanation, there bool) {
	if own, ok := strings.CutPrefix(u.Name, namespace.Reserved); ok {
		t := ownToolOf(own)
		if t == nil || u.Kind != catalog.Tools || !v.judgeOwn(t, policy.Request{Listing: true}).Listed() {
			return e, false
		}
		return Explanation{Server: policy.Own, Name: own, Verdict: v.judgeOwn(t, policy.Request{Arguments: u.Arguments})}, true
	}
	if u.Kind == catalog.Resources {
		server, uri := v.resource(u.Name)
		if server == nil {
			return e, false
		}
		return Explanation{Server: server.Name, Name: uri, Verdict: v.judgeURI(server.Name, uri)}, true
	}
	route := v.ifListed(v.tool(u.Name))
	if u.Kind == catalog.Prompts {
		route = v.prompt(u.Name)
	}
	if route == nil || v.held.withholds(route) {
		return e, false
	}
	return Explanation{
		Server: route.Server, Name: route.Item.Name(), Verdict: v.judge(route, u.Arguments), Definition: route.Item.Raw(),
	}, true
}

// words tell an explanation. Paths are left out.
func (e *Explanation) words(u Use) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q is the %s %q of server %q.\n", clip(u.Name), u.Kind, clip(e.Name), e.Server)
	switch {
	case !e.Listed():
		b.WriteString("It is denied")
	case e.Callable() || u.Kind != catalog.Tools && e.Level >= policy.Read:
		b.WriteString("It is allowed")
	case e.Best > e.Level:
		b.WriteString("It is listed, and not allowed with these arguments")
	default:
		b.WriteString("It is listed, and may not be used")
	}
	fmt.Fprintf(&b, ": %s%s.", e.Reason, inBrackets(shortPosition(e.Pos)))
	if e.Ask && e.Listed() {
		fmt.Fprintf(&b, "\nThe user is asked before: %s%s.", e.AskReason, inBrackets(shortPosition(e.AskPos)))
	}
	if e.Definition == nil && e.Server != policy.Own && u.Kind != catalog.Resources {
		b.WriteString("\nNo server lists it: it was judged by its name alone.")
	}
	return b.String()
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func readAdd(a *ownArguments) deed {
	c := &NewServer{
		Name: a.need("name"), Command: a.text("command"), Args: a.list("args"), Env: a.texts("env"), Cwd: a.text("cwd"),
		URL: a.text("url"), Transport: a.oneOf("transport", upstream.Stdio, upstream.HTTP, upstream.SSE, upstream.WebSocket),
		Headers: a.texts("headers"), Description: a.text("description"),
	}
	switch {
	case c.Command == "" && c.URL == "":
		a.fail("it needs a command or a url")
	case c.Command != "" && c.URL != "":
		a.fail("it has both a command and a url")
	case c.Command != "" && c.Headers != nil, c.URL != "" && (c.Args != nil || c.Env != nil || c.Cwd != ""):
		a.fail("args, env and cwd are for a command, headers for a url")
	case c.Transport != "" && (c.Transport == upstream.Stdio) != (c.Command != ""):
		a.fail("transport: %q does not go with what it has", c.Transport)
	}
	d := applying(Change{Add: c}, fmt.Sprintf("Server %q is added.", clip(c.Name)))
	d.why = func(v *view) string {
		what := "weir would start this program, as the user"
		if c.URL != "" {
			what = "weir would connect to this address"
		}
		return what + ", and the policy would say of it: " + v.wouldSay(c.Name)
	}
	return d
}

// wouldSay is all that the policy may say of a server that is not there yet, by its
// name.
func (v *view) wouldSay(server string) string {
	var all []string
	for _, verdict := range v.policy.Concerning(server) {
		if verdict.Ask {
			all = append(all, verdict.AskReason+inBrackets(shortPosition(verdict.AskPos)))
			continue
		}
		all = append(all, verdict.Reason+inBrackets(shortPosition(verdict.Pos)))
	}
	if more := len(all) - maxTold; more > 0 {
		all = append(all[:maxTold], fmt.Sprintf("and %d rules more", more))
	}
	return strings.Join(all, "; ")
}

// maxTold is how many rules a person is told of at once.
const maxTold = 20

func readRemove(a *ownArguments) deed {
	name := a.need("server")
	return applying(Change{Remove: name}, fmt.Sprintf("Server %q is removed.", clip(name)))
}

func readEnable(a *ownArguments) deed {
	name := a.need("server")
	return applying(Change{Enable: name}, fmt.Sprintf("Server %q is enabled.", clip(name)))
}

func readDisable(a *ownArguments) deed {
	name := a.need("server")
	return applying(Change{Disable: name}, fmt.Sprintf("Server %q is disabled.", clip(name)))
}

func readAlias(a *ownArguments) deed {
	c := &NewAlias{Alias: a.need("alias"), Server: a.need("server")}
	return applying(Change{Alias: c}, fmt.Sprintf("Server %q is also called %q now.", clip(c.Server), clip(c.Alias)))
}

// applying is the deed of a change in the configuration.
func applying(c Change, done string) deed {
	return deed{run: func(ctx context.Context, s *session) (string, error) {
		changes, err := s.a.cfg.Admin.Apply(ctx, c)
		if err != nil {
			return "", err
		}
		return done + " " + changes.words(), nil
	}}
}

func readReload(*ownArguments) deed {
	return deed{run: func(ctx context.Context, s *session) (string, error) {
		changes, err := s.a.cfg.Admin.Reload(ctx)
		if err != nil {
			return "", err
		}
		return "The configuration is read again. " + changes.words(), nil
	}}
}

func (c Changes) words() string {
	return fmt.Sprintf("Servers added: %s; changed: %s; removed: %s.", joined(c.Added), joined(c.Changed), joined(c.Removed))
}

func readRestart(a *ownArguments) deed {
	name := a.need("server")
	return deed{run: func(_ context.Context, s *session) (string, error) {
		if err := s.a.Restart(name); err != nil {
			return "", err
		}
		return fmt.Sprintf("Server %q is being started anew.", name), nil
	}}
}

func readApprovePin(a *ownArguments) deed {
	server, key := a.need("server"), pins.Key{Kind: pins.Tool, Name: a.need("tool")}
	return deed{prepare: func(s *session) (deed, error) { return s.a.acceptance(server, key) }}
}

// acceptance is the deed that accepts the definition of a tool as it is now. What a
// person is shown is what is accepted, to the byte.
func (a *Aggregator) acceptance(server string, key pins.Key) (deed, error) {
	s := a.world.Load().byName[server]
	if s == nil {
		return deed{}, noServer(server)
	}
	change, err := s.pinChange(key)
	if err != nil {
		return deed{}, err
	}
	accepted, pinned := pins.Approval{Item: change.Item}, []byte("null")
	if change.Before != nil {
		accepted.Before = change.Before.Digest
		if change.Before.Definition != nil {
			pinned = change.Before.Definition
		}
	}
	return deed{
		shown: jsonrpc.AppendObject(nil, []jsonrpc.Member{
			jsonrpc.NewMember("server", jsonrpc.AppendString(nil, server)),
			jsonrpc.NewMember("tool", jsonrpc.AppendString(nil, key.Name)),
			jsonrpc.NewMember("accepted before", pinned),
			jsonrpc.NewMember("now", change.Raw),
		}),
		why: func(*view) string { return "the server has changed this tool since it was accepted" },
		run: func(ctx context.Context, s *session) (string, error) {
			err := s.a.ApprovePins(ctx, server, []pins.Approval{accepted})
			if errors.Is(err, pins.ErrMoved) {
				err = &ChangeError{Kind: upstream.KindToolChanged, Text: "Another definition was accepted meanwhile. Nothing was done.", Err: err}
			}
			return fmt.Sprintf("The definition of tool %q of server %q is accepted.", clip(key.Name), server), err
		},
	}, nil
}

// pinChange is the change of an item that its server lists otherwise than it was
// accepted.
func (s *server) pinChange(key pins.Key) (*PinChange, error) {
	none := &ChangeError{
		Kind: upstream.KindToolNotFound,
		Text: fmt.Sprintf("Server %q lists no tool %q that has changed since it was accepted.", s.Name, clip(key.Name)),
	}
	if s.Pin == pins.Off {
		return nil, none
	}
	book, err := s.a.cfg.Pins.Load(s.Name)
	if err != nil {
		return nil, err
	}
	for _, item := range PinItems(s.current()) {
		if item.Key == key && book.Judge(item) == pins.Changed {
			return &PinChange{Server: s.Name, Item: item, Before: book.Latest(key)}, nil
		}
	}
	return nil, none
}
