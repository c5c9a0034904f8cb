// Package reference is an MCP server for tests that has every feature of the
// protocol, in the legacy era (up to 2025-11-25) and the modern one (2026-07-28),
// or only in one of them. What it sends is the same in each run, and odd wherever
// that is legal: unknown members, numbers that no float holds, vendor _meta,
// unknown content.
//
// # Design
//
// It is a handler of a scripted server, and so is served over everything that
// one is served over, and can misbehave by the script's rules.
//
// A tool that asks its client something is written once, as if the answer came
// at once (call.ask). In the legacy era it does: the question goes out as a
// request and the call waits. In the modern era the call ends with
// input_required, and runs again from its beginning when the client retries it;
// what was answered before comes out of requestState. That is sealed, and bound
// to the request: a client, or what stands between, that changes either is
// refused.
//
// What a tool has done that shows only elsewhere (a cancellation that arrived,
// the roots that a client told after they changed) another tool tells.
package reference
