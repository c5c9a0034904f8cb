// Package transport carries JSON-RPC messages to and from one MCP server:
// over the pipes of a child process, Streamable HTTP, HTTP+SSE, WebSocket or
// memory. It knows how messages travel and which headers go with them; what
// they mean, which era a server speaks and whether a call may be repeated is for
// package upstream to say.
package transport

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Conn is one connection to a server. Its methods may be called from any
// goroutine.
type Conn interface {
	// Send hands a message over and returns without waiting for the server. An
	// error means that nothing was sent. What goes wrong later, the Receiver
	// learns. Where the transport writes lines it does so when b is flushed.
	Send(b *jsonrpc.Batch, out *Outgoing) error

	// Abandon gives up the request with this id. It reports whether the server
	// is still to be told by notifications/cancelled; false means that the
	// transport has its own way and has taken it.
	Abandon(id uint64) (tell bool)

	// Established tells the outcome of the handshake: the protocol revision,
	// and whether it is modern (2026-07-28 on). Before, a transport may send
	// handshake messages only.
	Established(version string, modern bool)

	// Close begins the end and returns at once; Done is closed when nothing is
	// left of the connection: no goroutine, child process, descriptor.
	Close()
	Done() <-chan struct{}

	// Lost is closed when the connection can carry nothing more, before or
	// without Close. Err then says why.
	Lost() <-chan struct{}
	Err() error
}

// Outgoing is a message on its way to the server.
type Outgoing struct {
	// Pieces are, one after the other, one JSON-RPC message without a line
	// end. A piece smaller than jsonrpc.Large may be reused after Send; a
	// larger one must not change any more.
	Pieces [][]byte

	Method string // of a request or notification, "" for a response
	ID     uint64 // of a request, else 0

	// Name and Params are for the headers of modern HTTP (2026-07-28, Streamable
	// HTTP): the tool or prompt name or the resource URI for Mcp-Name, and the
	// Mcp-Param-* headers, which must not change any more. Others ignore them.
	Name   string
	Params http.Header

	// Thread orders messages that are no requests: those of one thread arrive in
	// the order in which they were sent, also where each goes its own way. "" is
	// none.
	Thread string

	// Version is the protocol revision that this message's _meta names; ""
	// in the legacy era.
	Version string
}

// A Receiver takes what a connection delivers. Messages of one stream come in
// order and from one goroutine; a connection may have several streams. No
// method may block.
type Receiver interface {
	// Receive takes a message; m is good until it returns, one of jsonrpc.Large
	// bytes or more until who took it ends its Loan. It holds no line ends. origin is the request on whose own stream the message came, 0 where the transport
	// cannot tell.
	Receive(b *jsonrpc.Batch, m *jsonrpc.Message, origin uint64)

	// Malformed tells of a message that could not be used: no JSON, no JSON-RPC
	// or too long. id is the raw id if one was found in it, else nil. If it is
	// that of a request, nothing else ends that request.
	Malformed(b *jsonrpc.Batch, id []byte, err error)

	// Failed ends a request: no answer to it will come. out is the connection's
	// own copy, and the receiver's from then on.
	Failed(out *Outgoing, err error)

	// Missed tells that a legacy server may have said something unasked that nobody
	// heard: the stream for that had ended, with no event to go on from, and is open
	// again. What it says from now on is heard.
	Missed()

	// Stderr takes one line that a child process wrote to its standard error.
	Stderr(line []byte)
}

// ErrSessionLost is the error of a legacy request that the server refused
// because it does not know the session any more (HTTP 404; 2025-11-25,
// Streamable HTTP, session management). The request was not executed; the way
// on is a new connection.
var ErrSessionLost = errors.New("server has forgotten the session")

// ErrCongested refuses a message because the server does not read what was
// sent before.
var ErrCongested = errors.New("server does not read its input")

// ErrClosed is the error of a connection after Close.
var ErrClosed = errors.New("connection is closed")

// A StatusError is an HTTP answer that is no MCP answer.
type StatusError struct {
	Code       int
	RetryAfter time.Duration // from Retry-After; 0 without one
	Challenge  []string      // the WWW-Authenticate headers
	Body       []byte        // the first bytes of the body, for the log
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("server answered HTTP %d %s", e.Code, http.StatusText(e.Code))
}

// A BrokenError is a request whose bytes went out, wholly or in part, and whose
// answer did not come: it may have been executed.
type BrokenError struct{ Err error }

func (e *BrokenError) Error() string { return "connection broke before the answer: " + e.Err.Error() }
func (e *BrokenError) Unwrap() error { return e.Err }

// A RefusedError is a request that was surely not executed, though it may have
// left: there were no credentials for it, or the server would not have those it
// came with. A RoundTripper that authenticates returns it in place of an answer,
// and nothing here makes another error of it.
type RefusedError struct {
	Err       error
	Temporary bool // the same request may do better later, with nobody's help
}

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// undelivered is the error of a request that got no answer and was surely not
// executed.
func undelivered(err error) error {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused
	}
	return &DialError{withoutURL(err)}
}

// A DialError is a connection that could not be made: nothing was sent.
type DialError struct{ Err error }

func (e *DialError) Error() string { return e.Err.Error() }
func (e *DialError) Unwrap() error { return e.Err }
