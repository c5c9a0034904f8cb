// Package upstream is the far side of weir: one [Upstream] for each configured
// MCP server, and a [Set] of them. It dials, finds out the era, shakes hands,
// correlates calls with answers, and says in typed errors what went wrong and
// whether a call may have run. It knows nothing of exposed names, policy or
// the host; whoever calls it gives original names and takes raw answers.
//
// # Life
//
// An upstream is idle until something is asked of it (or, if eager, until the
// Set is opened). Its supervisor then dials and shakes hands; calls that came
// meanwhile wait, at most for the connect timeout. Once ready, a call is
// written by the goroutine that makes it, and answered by the goroutine that
// reads the connection: no goroutine and no lock stands in between but the
// table of pending calls. When a connection is lost, each call on it ends with
// an error that says it may have run; the next call dials again. A server that
// cannot be reached, or that is lost time after time before it has answered
// anything, is let alone for a while that grows, and calls fail at once.
//
// What was surely not executed is made again, once: a call that the transport
// did not take since it had just ended; one that met a forgotten session, in
// one new session for all of them, while those that the server took before are
// still answered in the old one; one whose headers a modern server refuses,
// with those of a fresh definition of the tool.
//
// # Credentials
//
// Requests over HTTP go through what authenticates them ([auth.Authenticator]),
// and what becomes of them is watched. Where somebody must log in, or the server
// will not have the credentials there are, the upstream needs a login, or has
// failed: nothing is sent any more until other credentials are there, which is
// looked at without the server. What the server had accepted before goes on. A
// request that got no token, or was refused with the one it had, was not executed.
//
// # Questions
//
// A legacy server may ask its client: for input of a person or a model, for the
// roots. The [Handler] gets each such request as a [Question] and answers it at
// any time. While one is open, the calls it holds up cannot time out. It ends
// with its answer, or is withdrawn when the server or the connection gives it
// up, whichever comes first.
//
// # What is kept
//
// The log level, the subscriptions to resources and the tasks that are watched
// hold over connections. A legacy server is told level and subscriptions again
// in each new one, before anything else. A modern one has one subscription with
// all that is wanted of it: when that changes a new stream replaces the old one
// once it tells, so that nothing is missed; what came twice is the handler's to
// see. While a server is to tell something, a lost connection is made again
// though nobody asks.
//
// When a stream was lost and tells again, its lists are announced as changed, and
// when the first of a connection tells, those that were asked for before: whatever
// changed in between, nobody would have heard of. For the same reason each resource
// that is followed is announced as updated, once, when a server tells of it again:
// in a new connection, on a new stream after one that ended, or after it was asked
// for in vain. A legacy server over HTTP that was without its stream for a while has
// both announced, unless it goes on behind an event of the last one.
//
// # Locks
//
// An Upstream's mu comes before a connection's mu. Nothing is sent and no Sink
// or Handler called under either. A call moves between connections under the
// Upstream's mu; whoever takes it out of a table of pending calls ends it.
//
// # Eras
//
// A server that speaks both eras is spoken to in the host's, so that nothing
// needs translating (see [Peer]). The outcome can be remembered and given back
// as a hint, which spares the probe.
package upstream
