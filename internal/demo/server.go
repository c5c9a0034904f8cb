package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Server answers MCP requests. It is safe for concurrent use.
type Server struct {
	info  mcp.Implementation
	tools []tool
}

// New returns a server that calls itself name and has the demo tools.
func New(name, version string) *Server {
	return &Server{
		info:  mcp.Implementation{Name: name, Version: version},
		tools: demoTools(),
	}
}

// A sender takes messages for the client, each whole and without a line end.
type sender func(message []byte)

// A request is one call from a client, in the era it came in.
type request struct {
	id       []byte
	method   string
	params   []jsonrpc.Member
	revision string // from params._meta; "" in the legacy era
	progress []byte // the raw progress token; nil if the client wants none
	send     sender
}

// newRequest reads what all methods need. m stays the caller's.
func newRequest(m *jsonrpc.Message, send sender) *request {
	r := &request{
		id:     bytes.Clone(m.ID),
		method: string(m.Method),
		send:   send,
	}
	r.params, _ = jsonrpc.ParseObject(nil, bytes.Clone(m.Params))
	meta, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(r.params, "_meta"))
	r.progress = jsonrpc.Find(meta, "progressToken")
	r.revision, _ = jsonrpc.String(jsonrpc.Find(meta, mcp.MetaKeyProtocolVersion))
	return r
}

func (r *request) modern() bool { return mcp.IsModernProtocol(r.revision) }

// text returns a member of params that is a string, or "".
func (r *request) text(key string) string {
	text, _ := jsonrpc.String(jsonrpc.Find(r.params, key))
	return text
}

// answer carries out a request and returns the response. It returns nil when
// ctx ended first: a cancelled request is not answered (2025-11-25,
// cancellation).
func (s *Server) answer(ctx context.Context, r *request) []byte {
	result, err := s.dispatch(ctx, r)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return failure(r.id, err)
	}
	if r.modern() {
		result.SetResultType(mcp.ResultTypeComplete)
		result.EnsureResultMeta().SetMetaField(mcp.MetaKeyServerInfo, s.info)
	}
	body, err := json.Marshal(result)
	if err != nil {
		return failure(r.id, err)
	}
	return slices.Concat([]byte(`{"jsonrpc":"2.0","id":`), r.id, []byte(`,"result":`), body, []byte{'}'})
}

func (s *Server) dispatch(ctx context.Context, r *request) (mcp.ResultMetadata, error) {
	if r.revision != "" && r.revision != mcp.LATEST_PROTOCOL_VERSION {
		return nil, &mcp.UnsupportedProtocolVersionError{Version: r.revision, Supported: mcp.ValidProtocolVersions}
	}
	switch r.method {
	case "tools/list":
		return s.listTools(r), nil
	case "tools/call":
		return s.callTool(ctx, r)
	}
	switch {
	case r.modern() && r.method == "server/discover":
		return s.discover(), nil
	case r.method == "server/discover":
		return nil, &callError{mcp.INVALID_PARAMS, "params._meta must name the protocol version"}
	case r.modern():
	case r.method == "initialize":
		return s.initialize(r), nil
	case r.method == "ping":
		return &mcp.Result{}, nil
	}
	return nil, &callError{mcp.METHOD_NOT_FOUND, fmt.Sprintf("Method not found: %s", r.method)}
}

func (s *Server) initialize(r *request) mcp.ResultMetadata {
	return &mcp.InitializeResult{
		ProtocolVersion: mcp.NegotiateLegacyVersion(r.text("protocolVersion")),
		Capabilities:    capabilities(),
		ServerInfo:      s.info,
		Instructions:    instructions,
	}
}

func (s *Server) discover() mcp.ResultMetadata {
	result := &mcp.DiscoverResult{
		SupportedVersions: mcp.ValidProtocolVersions,
		Capabilities:      capabilities(),
		Instructions:      instructions,
	}
	result.SetCacheHints(listTTL, mcp.CacheScopePublic)
	return result
}

func (s *Server) listTools(r *request) mcp.ResultMetadata {
	result := &mcp.ListToolsResult{}
	for _, t := range s.tools {
		result.Tools = append(result.Tools, t.definition)
	}
	if r.modern() {
		result.SetCacheHints(listTTL, mcp.CacheScopePublic)
	}
	return result
}

// takesTime reports whether a request is one to be answered later.
func (s *Server) takesTime(r *request) bool {
	t := s.find(r.text("name"))
	return r.method == "tools/call" && t != nil && t.takesTime
}

func (s *Server) find(name string) *tool {
	for i := range s.tools {
		if s.tools[i].definition.Name == name {
			return &s.tools[i]
		}
	}
	return nil
}

func (s *Server) callTool(ctx context.Context, r *request) (mcp.ResultMetadata, error) {
	t := s.find(r.text("name"))
	if t == nil {
		return nil, &callError{mcp.INVALID_PARAMS, "Unknown tool: " + r.text("name")}
	}
	arguments, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(r.params, "arguments"))
	result, err := t.run(ctx, &call{arguments: arguments, request: r})
	if err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	return result, nil
}

const (
	instructions = "A few harmless tools to try weir with."
	listTTL      = 60_000 // milliseconds
)

func capabilities() mcp.ServerCapabilities {
	return mcp.ServerCapabilities{Tools: &struct {
		ListChanged bool `json:"listChanged,omitempty"`
	}{}}
}

// A callError is answered as a JSON-RPC error.
type callError struct {
	code    int
	message string
}

func (e *callError) Error() string { return e.message }

// failure returns the error response for err; a nil id makes one without.
func failure(id []byte, err error) []byte {
	details := mcp.JSONRPCErrorDetails{Code: mcp.INTERNAL_ERROR, Message: err.Error()}
	if call, ok := errors.AsType[*callError](err); ok {
		details.Code = call.code
	}
	if version, ok := errors.AsType[*mcp.UnsupportedProtocolVersionError](err); ok {
		details = version.JSONRPCError().Error
	}
	body, err := json.Marshal(details)
	if err != nil {
		body = []byte(`{"code":-32603,"message":"unencodable error"}`)
	}
	head := []byte(`{"jsonrpc":"2.0",`)
	if id != nil {
		head = slices.Concat(head, []byte(`"id":`), id, []byte{','})
	}
	return slices.Concat(head, []byte(`"error":`), body, []byte{'}'})
}
