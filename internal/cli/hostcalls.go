package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A greeting is what weir said to "initialize".
type greeting struct {
	Revision     string
	Name         string
	Version      string
	Instructions string
}

// ownClient is how weir's commands call themselves.
const ownClient = "weir-cli"

// initialize shakes hands.
func (h *host) initialize(ctx context.Context) (*greeting, error) {
	return h.initializeAs(ctx, ownClient)
}

// initializeAs is initialize of a host that calls itself so.
func (h *host) initializeAs(ctx context.Context, client string) (*greeting, error) {
	params := fmt.Appendf(nil, `{"protocolVersion":%s,"capabilities":{},"clientInfo":{"name":%s,"version":%s}}`,
		quoted(hostRevision), quoted(client), quoted(version))
	result, err := h.call(ctx, "initialize", params)
	if err != nil {
		return nil, fmt.Errorf("initializing: %w", err)
	}
	h.notify("notifications/initialized", nil)
	members, err := jsonrpc.ParseObject(nil, result)
	if err != nil {
		return nil, fmt.Errorf("initializing: %w", err)
	}
	info, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(members, "serverInfo"))
	return &greeting{
		Revision:     textOf(members, "protocolVersion"),
		Name:         textOf(info, "name"),
		Version:      textOf(info, "version"),
		Instructions: textOf(members, "instructions"),
	}, nil
}

// A listedTool is one entry of tools/list.
type listedTool struct {
	Raw         []byte // the entry as it came
	Name        string
	Description string // or the title if there is none
	InputSchema []byte // raw

	changed bool // since it was pinned
}

// maxPages bounds a list whose cursors never end.
const maxPages = 1000

// listTools asks for all pages of tools/list.
func (h *host) listTools(ctx context.Context) ([]listedTool, error) {
	entries, err := h.listAll(ctx, "tools/list", "tools")
	if err != nil {
		return nil, fmt.Errorf("listing tools: %w", err)
	}
	tools := make([]listedTool, len(entries))
	for i, raw := range entries {
		tools[i] = newListedTool(raw)
	}
	return tools, nil
}

// listAll asks for all pages of a list, and returns the entries that stand under a
// member of its results, as they came.
func (h *host) listAll(ctx context.Context, method, member string) (entries [][]byte, err error) {
	var params []byte
	for range maxPages {
		result, err := h.call(ctx, method, params)
		if err != nil {
			return nil, err
		}
		members, err := jsonrpc.ParseObject(nil, result)
		if err != nil {
			return nil, err
		}
		if entries, err = jsonrpc.ParseArray(entries, jsonrpc.Find(members, member)); err != nil {
			return nil, err
		}
		cursor := jsonrpc.Find(members, "nextCursor")
		if cursor == nil {
			return entries, nil
		}
		params = fmt.Appendf(nil, `{"cursor":%s}`, cursor)
	}
	return nil, fmt.Errorf("more than %d pages", maxPages)
}

func newListedTool(raw []byte) listedTool {
	members, _ := jsonrpc.ParseObject(nil, raw)
	return listedTool{
		Raw:         raw,
		Name:        textOf(members, "name"),
		Description: described(members),
		InputSchema: jsonrpc.Find(members, "inputSchema"),
	}
}

// described is the description of a definition, or the title if there is none.
func described(definition []jsonrpc.Member) string {
	if text := textOf(definition, "description"); text != "" {
		return text
	}
	return textOf(definition, "title")
}

// callTool calls a tool; arguments are a raw JSON object. If progress is not
// nil, it is called with the params of each progress notification.
func (h *host) callTool(ctx context.Context, name string, arguments []byte, progress func(params []byte)) (*toolResult, error) {
	params := jsonrpc.AppendString([]byte(`{"name":`), name)
	params = append(append(params, `,"arguments":`...), arguments...)
	if progress != nil {
		h.setProgress(progress)
		params = append(params, `,"_meta":{"progressToken":"cli"}`...)
	}
	raw, err := h.call(ctx, "tools/call", append(params, '}'))
	if err != nil {
		return nil, err
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	content, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(members, "content"))
	return &toolResult{
		Raw:        raw,
		Content:    content,
		Structured: jsonrpc.Find(members, "structuredContent"),
		IsError:    string(jsonrpc.Find(members, "isError")) == "true",
	}, nil
}

// A toolResult is what a tool answered.
type toolResult struct {
	Raw        []byte
	Content    [][]byte // the raw content blocks
	Structured []byte   // raw; nil without one
	IsError    bool
}

// failure returns the server and the kind of a failure that is weir's own; "" of a
// server's.
func (r *toolResult) failure() (server, kind string) {
	result, _ := jsonrpc.ParseObject(nil, r.Raw)
	meta, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(result, "_meta"))
	failure, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(meta, "weir/error"))
	return textOf(failure, "server"), textOf(failure, "kind")
}

// text returns the text blocks, one to a line.
func (r *toolResult) text() string {
	var texts []string
	for _, raw := range r.Content {
		block, _ := jsonrpc.ParseObject(nil, raw)
		texts = append(texts, textOf(block, "text"))
	}
	return strings.Join(texts, "\n")
}

func textOf(members []jsonrpc.Member, key string) string {
	text, _ := jsonrpc.String(jsonrpc.Find(members, key))
	return text
}
