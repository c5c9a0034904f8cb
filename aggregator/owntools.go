package aggregator

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
)

// This file is weir's own tools as hosts are shown them.

// An ownTool is one of weir's own.
type ownTool struct {
	short string       // policies call it so
	needs policy.Level // to be called
	able  ability      // what it takes for it to be there

	definition func() []byte // raw; encoded when it is first asked for
}

// An ability is what weir can do as it was made, and as things stand.
type ability uint8

const (
	always       ability = iota
	administered         // the configuration can be changed
	approving            // people can approve
	searching            // tools may be out of the list
	wanted               // a server wants a login: so it is for who sees that server
	countAbilities
)

type abilities [countAbilities]bool

func (a *Aggregator) abilities() abilities {
	return abilities{always: true, administered: a.cfg.Admin != nil, approving: a.cfg.Approvals != nil}
}

const (
	serversTool = "servers"
	loginTool   = "login"
)

func (t *ownTool) name() string { return namespace.Reserved + t.short }

// ownTools are all of them, in the order of lists.
var ownTools = []*ownTool{
	own("find_tools", policy.Execute, searching,
		"Find tools",
		"Finds tools, of all servers behind weir, by what they do. Most are in no list: look here before you say that something cannot be done. "+
			"weir__describe_tool tells the arguments of one that was found.",
		looking(),
		mcp.WithString("query", mcp.Required(), mcp.Description("What is to be done, in a few words.")),
		mcp.WithInteger("limit", mcp.Min(1), mcp.Max(mostFound), mcp.DefaultNumber(fewFound), mcp.Description("How many tools at most."))),
	own("describe_tool", policy.Execute, searching,
		"Describe a tool",
		"Returns the whole definition of a tool, with the schema of its arguments. weir__call_tool calls it.",
		looking(),
		mcp.WithString("name", mcp.Required(), mcp.Description("The tool, as weir__find_tools names it."))),
	own(callTool, policy.Execute, searching,
		"Call a tool",
		"Calls a tool that weir__find_tools has found. What it does, and may destroy, is that tool's: see weir__describe_tool.",
		changing(true, true, false),
		mcp.WithString("name", mcp.Required(), mcp.Description("The tool, as weir__find_tools names it.")),
		mcp.WithObject("arguments", mcp.Description("The tool's own arguments."), mcp.AdditionalProperties(true))),
	own(serversTool, policy.Execute, always,
		"Servers behind weir",
		"Lists the MCP servers that weir is configured with: state, protocol revision, how much it lists, and what is wrong with each that does not work.",
		looking()),
	own("explain", policy.Execute, always,
		"Explain the policy",
		"Says what weir's policy makes of a call, and which rule decides. Nothing is called.",
		looking(),
		mcp.WithString("name", mcp.Required(), mcp.Description("The tool, prompt or resource URI, as it is listed.")),
		mcp.WithString("kind", mcp.Enum("tool", "prompt", "resource"), mcp.Description("What it is; a tool if this is left out.")),
		mcp.WithObject("arguments", mcp.Description("The arguments of the call."), mcp.AdditionalProperties(true))),
	own(loginTool, policy.Execute, wanted,
		"Log in to a server",
		"Lets the user log in to an MCP server behind weir that wants it: offers the page, or opens it in the user's browser, and waits a while. "+
			"It is here only while a login is needed.",
		changing(false, true, true),
		mcp.WithString("server", mcp.Description("The server's name in weir's configuration; it may be left out if only one wants a login."))),
	own("add_server", policy.Admin, administered,
		"Add a server",
		"Adds an MCP server to weir's configuration: a command that weir starts, or a URL that it connects to. "+
			"The user is always asked to approve it. All values are literal: references such as ${NAME} are not expanded.",
		changing(true, true, false),
		mcp.WithString("name", mcp.Required(), mcp.Description("Its name: a-z, 0-9, _ and -, at most 32 characters.")),
		mcp.WithString("command", mcp.Description("The program to start; this or url.")),
		mcp.WithArray("args", mcp.WithStringItems(), mcp.Description("The program's arguments.")),
		texts("env", "Variables added to the program's environment."),
		mcp.WithString("cwd", mcp.Description("The folder that the program starts in.")),
		mcp.WithString("url", mcp.Description("Where the server is; this or command.")),
		mcp.WithString("transport", mcp.Enum("stdio", "http", "sse", "websocket"), mcp.Description("How it is reached; by command or url if this is left out.")),
		texts("headers", "Headers sent with every request to url."),
		mcp.WithString("description", mcp.Description("What it is for."))),
	own("remove_server", policy.Admin, administered,
		"Remove a server", "Takes a server, and its aliases, out of weir's configuration. What it is working on may go on for 30 s.",
		changing(true, false, false), serverName()),
	own("enable", policy.Admin, administered,
		"Enable a server", "Uses a server of weir's configuration that is switched off.",
		changing(false, false, true), serverName()),
	own("disable", policy.Admin, administered,
		"Disable a server", "Switches a server of weir's configuration off. What it is working on may go on for 30 s.",
		changing(true, false, true), serverName()),
	own("restart", policy.Admin, always,
		"Restart a server", "Ends a server and starts it anew. What it is working on may go on for 30 s with the old one.",
		changing(true, false, false), serverName()),
	own("alias", policy.Admin, administered,
		"Give a server another name", "Adds an alias of a server to weir's configuration. One that a rule of a policy matches is refused.",
		changing(false, false, false),
		mcp.WithString("alias", mcp.Required(), mcp.Description("The new name.")), serverName()),
	own("reload", policy.Admin, administered,
		"Reload the configuration", "Reads weir's configuration again. One that cannot be used changes nothing, and it is said why.",
		changing(false, false, true)),
	own("approve_pin", policy.Admin, approving,
		"Accept a changed definition",
		"Accepts the definition of a tool that its server has changed since it was first seen. The user is always asked to approve it.",
		changing(false, false, true), serverName(),
		mcp.WithString("tool", mcp.Required(), mcp.Description("The tool, as its server calls it."))),
}

func own(
	short string, needs policy.Level, able ability,
	title, description string, options ...mcp.ToolOption,
) *ownTool {
	t := &ownTool{short: short, needs: needs, able: able}
	t.definition = sync.OnceValue(func() []byte {
		all := append([]mcp.ToolOption{
			mcp.WithDescription(description), mcp.WithTitleAnnotation(title), mcp.WithSchemaAdditionalProperties(false),
		}, options...)
		return encoded(mcp.NewTool(t.name(), all...))
	})
	return t
}

// looking are the hints of a tool that changes nothing.
func looking() mcp.ToolOption {
	return func(t *mcp.Tool) {
		for _, hint := range []mcp.ToolOption{
			mcp.WithReadOnlyHintAnnotation(true), mcp.WithDestructiveHintAnnotation(false),
			mcp.WithIdempotentHintAnnotation(true), mcp.WithOpenWorldHintAnnotation(false),
		} {
			hint(t)
		}
	}
}

// changing are the hints of one that changes something.
func changing(destructive, open, idempotent bool) mcp.ToolOption {
	return func(t *mcp.Tool) {
		for _, hint := range []mcp.ToolOption{
			mcp.WithReadOnlyHintAnnotation(false), mcp.WithDestructiveHintAnnotation(destructive),
			mcp.WithIdempotentHintAnnotation(idempotent), mcp.WithOpenWorldHintAnnotation(open),
		} {
			hint(t)
		}
	}
}

func serverName() mcp.ToolOption {
	return mcp.WithString("server", mcp.Required(), mcp.Description("The server's name in weir's configuration."))
}

func texts(name, description string) mcp.ToolOption {
	return mcp.WithObject(name, mcp.Description(description), mcp.AdditionalProperties(map[string]any{"type": "string"}))
}

// encoded is a value of weir's own making as JSON.
func encoded(value any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err) // it is weir's own
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// ownToolOf is the tool that policies call so; nil if there is none.
func ownToolOf(short string) *ownTool {
	i := slices.IndexFunc(ownTools, func(t *ownTool) bool { return t.short == short })
	if i < 0 {
		return nil
	}
	return ownTools[i]
}

// appendOwnTools puts weir's own definitions at the end of a "tools" member, in
// which others stand unless alone.
func appendOwnTools(tools []byte, alone bool, listed []*ownTool) []byte {
	tools = tools[:len(tools)-1]
	for i, t := range listed {
		if i > 0 || !alone {
			tools = append(tools, ',')
		}
		tools = append(tools, t.definition()...)
	}
	return append(tools, ']')
}

// joined is names for people; none if there are none.
func joined(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
