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
// Bytes read from a stream belong to the [Reader] until its next call, except
// that a line of [Large] bytes or more has memory of its own and may be kept.
// The [Writer] copies what is smaller than Large and keeps what is larger, so
// that a large payload is never copied on its way through. When nobody reads it
// any more its [Loan] may be ended, and the next large line is read into the
// same memory.
//
// A line that outgrows the buffer is scanned while it comes: the scanner asks
// the Reader for more where it has come to the end of what is there. A pipe is
// written and read by turns, so that the scan of one part falls into the time in
// which the next is written. It is the same scanner with the same recursion, and
// nothing of a message is passed on before all of it has proved valid.
//
// # Why an own scanner
//
// BenchmarkScan measures validating a message and finding its members, against
// github.com/go-json-experiment/json/jsontext (which finds members) and
// encoding/json.Valid (which does not, nor checks UTF-8). Time of each as a
// multiple of ours, the least of several runs, amd64:
//
//	                                jsontext   encoding/json
//	a call of 150 bytes                  1.6             2.3
//	a list of 100 tools                  1.2             4
//	10 MB of code, full of escapes       1.5             4
//	10 MB of base64                      2.7            11
//	10 MB of Japanese                    6.5             9
//	10 MB of Russian                     2.3             2.3
//
// The tests hold the scanner against both as oracles. It accepts what they
// accept with these settings: names may repeat, escaped lone surrogates pass,
// bytes that are not UTF-8 do not, and nesting ends at [MaxDepth].
package jsonrpc
