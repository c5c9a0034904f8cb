// Package jsonrpc is the wire: JSON-RPC 2.0 messages as raw bytes, the lines
// they travel in, and the writer that sends them. It lies under both sides of
// weir and knows no MCP.
//
// # Design
//
// A message is validated once, by one scan, when it is read. The scan leaves
// behind where its members lie; from then on a message is never built again
// from decoded values. What has to change (an id, a name, a token) is replaced
// in place by a splice, and all other bytes pass as they came: key order,
// number literals, escapes, unknown and repeated members.
//
// The scanner is our own. BenchmarkScan measures it against
// github.com/go-json-experiment/json/jsontext and encoding/json on a small
// call, a list of tools and a 10 MB result; the tests hold it against both as
// oracles, and the fuzz target never found a disagreement that is not written
// down there.
//
// Bytes read from a stream belong to the [Reader] until its next call, except
// that a line of [Large] bytes or more has memory of its own and may be kept.
// The [Writer] copies what is smaller than Large and keeps what is larger, so
// that a large payload is never copied on its way through.
package jsonrpc
