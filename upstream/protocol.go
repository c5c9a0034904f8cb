package upstream

import (
	"slices"
	"strconv"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// ModernVersion is the modern revision that weir speaks.
const ModernVersion = "2026-07-28"

// LatestLegacy is the newest revision with a handshake.
const LatestLegacy = "2025-11-25"

var legacyVersions = []string{"2024-11-05", "2025-03-26", "2025-06-18", LatestLegacy}

// LegacyVersion reports whether v is a revision with a handshake that weir
// speaks.
func LegacyVersion(v string) bool { return slices.Contains(legacyVersions, v) }

// Versions returns all revisions that weir speaks, newest first.
func Versions() []string {
	all := append(slices.Clone(legacyVersions), ModernVersion)
	slices.Reverse(all)
	return all
}

// The keys of _meta that belong to one hop (2026-07-28, basic, _meta).
const (
	MetaVersion      = "io.modelcontextprotocol/protocolVersion"
	MetaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	MetaClientInfo   = "io.modelcontextprotocol/clientInfo"
	MetaLogLevel     = "io.modelcontextprotocol/logLevel"
	MetaServerInfo   = "io.modelcontextprotocol/serverInfo"
	MetaSubscription = "io.modelcontextprotocol/subscriptionId"
	MetaProgress     = "progressToken"
)

// Error codes that decide something here (2026-07-28, basic, error codes).
const (
	codeInvalidRequest = -32600
	codeInvalidParams  = -32602
	codeMethodNotFound = -32601
	codeInternal       = -32603
	codeVersion        = -32022
	codeCapability     = -32021
	codeHeader         = -32020
)

// A Peer is the host as far as upstreams see it: they are spoken to in its
// era if they can.
type Peer struct {
	Modern  bool
	Version string // the host's revision

	// Capabilities are what is declared for the host, a raw object: to servers
	// with a handshake, when they are connected, and to modern ones in those
	// requests that do not say it themselves. nil declares none.
	Capabilities []byte
}

func (p *Peer) capabilities() []byte {
	if p.Capabilities == nil {
		return []byte("{}")
	}
	return p.Capabilities
}

// parseError reads a JSON-RPC error object.
func parseError(fields []jsonrpc.Member, raw []byte) *ReplyError {
	code, _ := strconv.Atoi(string(jsonrpc.Find(fields, "code")))
	text, _ := jsonrpc.String(jsonrpc.Find(fields, "message"))
	return &ReplyError{Code: code, Message: text, Raw: slices.Clone(raw)}
}

func object(members ...jsonrpc.Member) []byte { return jsonrpc.AppendObject(nil, members) }

func quoted(text string) []byte { return jsonrpc.AppendString(nil, text) }
