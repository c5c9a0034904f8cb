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

// initialize shakes hands.
func (h *host) initialize(ctx context.Context) (*greeting, error) {
	params := fmt.Appendf(nil, `{"protocolVersion":%s,"capabilities":{},"clientInfo":{"name":"weir-cli","version":%s}}`,
		quoted(hostRevision), quoted(version))
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
	var tools []listedTool
	var params []byte
	for range maxPages {
		result, err := h.call(ctx, "tools/list", params)
		if err != nil {
			return nil, fmt.Errorf("listing tools: %w", err)
		}
		members, err := jsonrpc.ParseObject(nil, result)
		if err != nil {
			return nil, fmt.Errorf("listing tools: %w", err)
		}
		entries, err := jsonrpc.ParseArray(nil, jsonrpc.Find(members, "tools"))
		if err != nil {
			return nil, fmt.Errorf("listing tools: %w", err)
		}
		for _, raw := range entries {
			tools = append(tools, newListedTool(raw))
		}
		cursor := jsonrpc.Find(members, "nextCursor")
		if cursor == nil {
			return tools, nil
		}
		params = fmt.Appendf(nil, `{"cursor":%s}`, cursor)
	}
	return nil, fmt.Errorf("listing tools: more than %d pages", maxPages)
}

func newListedTool(raw []byte) listedTool {
	members, _ := jsonrpc.ParseObject(nil, raw)
	t := listedTool{
		Raw:         raw,
		Name:        textOf(members, "name"),
		Description: textOf(members, "description"),
		InputSchema: jsonrpc.Find(members, "inputSchema"),
	}
	if t.Description == "" {
		t.Description = textOf(members, "title")
	}
	return t
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
