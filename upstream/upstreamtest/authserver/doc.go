// Package authserver is an authorization server for tests, with the protected
// resource before an MCP server. It is strict where weir must be right, and can
// misbehave in each way that weir must survive. It shares no code with weir's own
// side of authorization.
package authserver
