package upstreamtest

import (
	"context"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Handler makes a scripted server one that can do more: it stands in for the
// answers of the server's own to what no rule rules, but for the handshake,
// server/discover and ping.
type Handler interface {
	// Capabilities is what the server declares in this revision, a raw object.
	Capabilities(version string) []byte

	// Handle deals with one message. Requests come on a goroutine each;
	// notifications, and the client's responses, on the one that reads them,
	// which must not wait. initialize is shown for what it tells of the client.
	// Handle returns false to leave the message to the server.
	Handle(x Exchange) bool
}

// NewWith returns a server for the script, with a handler.
func NewWith(script Script, h Handler) *Server {
	s := New(script)
	s.handler = h
	return s
}

// handled shows the message to the handler, if there is one.
func (x *exchange) handled() bool {
	return x.server.handler != nil && x.server.handler.Handle(Exchange{x})
}

// An Exchange is one message of a client, and the way back.
type Exchange struct{ x *exchange }

// Message returns the message, which stays as it is.
func (e Exchange) Message() *jsonrpc.Message { return &e.x.message }

// Name returns params.name, "" without one.
func (e Exchange) Name() string { return e.x.name }

// Header returns a header of the HTTP request, decoded; false where there is no
// HTTP request.
func (e Exchange) Header(name string) (value string, ok bool) {
	return decodeHeader(e.x.header.Get(name)), e.x.header != nil
}

// Client returns the client that has sent the message. Over HTTP in the modern
// era each message has one of its own.
func (e Exchange) Client() *Client { return e.x.client }

// Context ends when the client has cancelled the request, or is gone.
func (e Exchange) Context() context.Context { return e.x.ctx }

// Modern reports whether the message is of the modern era.
func (e Exchange) Modern() bool { return e.x.isModern() }

// Version returns the revision in which the client speaks.
func (e Exchange) Version() string {
	if e.Modern() {
		return e.x.version
	}
	return e.x.client.agreed()
}

// Send sends a message on the stream of the request, before its answer.
func (e Exchange) Send(message string) { e.x.way.send([]byte(message)) }

// SendRaw sends bytes that are perhaps no message: on lines as they are, over
// Streamable HTTP in an event stream, which they then are a part of.
func (e Exchange) SendRaw(text string) { e.x.way.raw([]byte(text)) }

// Stderr writes a line to the standard error of a child; others have none.
func (e Exchange) Stderr(line string) { e.x.way.stderr(line) }

// Break ends the connection as a crash would, and over HTTP the handler with it:
// it need not return.
func (e Exchange) Break() { e.x.way.end(1) }

// Reply answers the request with a raw result.
func (e Exchange) Reply(result string) { e.x.reply("result", []byte(result)) }

// Fail answers the request with an error; data is raw, "" for none.
func (e Exchange) Fail(code int, message, data string) { e.x.fail(code, message, data) }

// FailRaw answers the request with a raw error.
func (e Exchange) FailRaw(value string) { e.x.reply("error", []byte(value)) }

// ServerInfo returns the raw description of the server.
func (e Exchange) ServerInfo() string { return e.x.serverInfo() }

// Hints returns the members that a modern answer to a list or a read has for
// those who keep it.
func (e Exchange) Hints() string { return e.x.hints() }

// Push sends a legacy client a message that belongs to none of its requests.
// Where it listens to none, the message waits until it does.
func (c *Client) Push(message string) {
	c.pushing.Lock()
	defer c.pushing.Unlock()
	if c.push == nil {
		c.backlog = append(c.backlog, []byte(message))
		return
	}
	c.push.way.send([]byte(message))
}

// attach makes l the way for what is pushed.
func (c *Client) attach(l *listener) {
	c.pushing.Lock()
	defer c.pushing.Unlock()
	c.push = l
	for _, message := range c.backlog {
		l.way.send(message)
	}
	c.backlog = nil
}

// detach is called when l leads nowhere any more.
func (c *Client) detach(l *listener) {
	c.pushing.Lock()
	defer c.pushing.Unlock()
	if c.push == l {
		c.push = nil
	}
}
