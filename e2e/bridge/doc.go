// Package bridge lets clients that speak Streamable HTTP talk to a server that
// speaks stdio: weir, in the official conformance suite, whose clients know
// HTTP only.
//
// It is to be trusted to hide nothing: lines pass as they come, ids and tokens
// included, and what the server does wrong (a line that is no message, an
// answer to no request, a bad end) is kept as a problem, for Close to tell. It
// repairs nothing either. What is its own is what belongs to HTTP: sessions,
// streams, headers, and statuses.
//
// # Processes
//
// In the legacy era (up to 2025-11-25), each session is a process. In the
// modern one (2026-07-28) all requests go to one, whoever sends them, except
// that a request whose id is in flight there goes to another: ids are unique in
// a process, and to change them would be to take a part in what is tested.
//
// # Which stream
//
// The lines of a stdio server do not all say which request they belong to. An
// answer has its id, progress its token, a notification of a subscription its
// subscriptionId. Of the rest, a modern server sends log messages only, to a
// request that asked for them; where several did, the oldest gets them. A legacy
// server's requests and logs go to the one request in flight, if there is one
// only, and else, as what it says of its lists and resources does always, on the
// stream that the client gets with GET, where they wait for it.
//
// Streams cannot be resumed.
package bridge
