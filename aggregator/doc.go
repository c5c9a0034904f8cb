// Package aggregator is the host side of weir: to the host one MCP server, of
// both eras, behind which stand many.
//
// # Objects
//
// An [Aggregator] has the upstreams, the catalog of what they list, and the
// policy. A session is one host on one byte stream. The Aggregator can serve
// several sessions; nothing of a host's is kept outside its session.
//
// # The path of a call
//
// The session's reader takes a line, scans it once, and finds the method in
// the table of methods.go. For tools/call it resolves the exposed name in the
// snapshot, asks the policy, and gives the members of params, with the name
// exchanged, to the upstream. That all happens on the reader's goroutine, which
// never waits; the request has its entry in the session's table of calls in
// flight from then until exactly one of three ends it: the answer, a
// cancellation, the end of the session. Progress and the answer are spliced
// (token, id) and queued by the goroutine that reads the upstream, so that
// their order is the upstream's.
//
// What waits, waits elsewhere: a call for its upstream's connection in package
// upstream, a request that needs the first lists on a goroutine of its own.
//
// # Questions
//
// A server of the legacy era asks by requests, one of the modern era by
// answering input_required (questions.go says whom it means). Where host and
// server are of one era the question passes. Between the eras a call goes on
// after an answer that is not yet the host's: rounds.go asks a legacy host what
// a modern server wants to know, and calls again with its answers; parked.go
// keeps a legacy server's call open while a modern host is asked, and gives the
// answers of the host's next request to the call that waits. A call is thus not
// the same as a request of the host: it is the server's work, and may have no
// request for a while. taskbridge.go waits in the same way for the end of tasks.
//
// What hosts keep for weir is sealed (seal.go): the requestState of a parked
// call, good once and in this process; the ids of tasks, good for ever.
//
// # Logins
//
// A request that a server has refused for want of a login has not been executed.
// It stays in the table and waits (loginfirst.go): the host's user is asked to open
// the page (loginlink.go), or weir opens it, once for all requests that need the
// same login (logins.go), and then the work is made again. weir__login
// (loginown.go) is listed as long as a server wants a login that is there for the
// principal.
//
// # A host that does not read
//
// The reader does not wait for the host either, which may be one that reads only
// when it has written. What upstreams send waits on their own goroutines when
// too much is unread, so that each holds one message more at most. What the
// reader itself answers then is counted, and a host that goes on asking and
// reads nothing is at its end.
//
// # Lists
//
// The catalog is loaded from disk when the host's first message tells its era,
// and is the answer from then on. Refreshing goes on behind it (refresh.go); a
// change is pushed only if what this host sees has changed (push.go).
package aggregator
