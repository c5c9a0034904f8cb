// Package upstreamtest is a scripted MCP server, for tests: an upstream that
// does what a [Script] says, however wrong that is. It speaks the legacy era
// (up to 2025-11-25), the modern one (2026-07-28), or both, over every transport.
//
// The same script runs in memory ([Server.Pipe]), over Streamable HTTP
// ([Server] is an http.Handler), over HTTP+SSE ([HTTPWithSSE]), over WebSocket
// ([WebSocket]) and as a child process ([Command], with [Child] first in
// TestMain). HTTPWithSSE and WebSocket serve any [LineServer].
//
// What a script does not rule, the server answers as a well-behaved one would,
// and more strictly than most: it refuses requests whose headers or _meta are
// not what the specification wants. It shares no code with weir's own
// transports, only the parser of messages.
package upstreamtest
