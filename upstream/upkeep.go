package upstream

import (
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// upkeep makes a request of weir's own whose answer changes nothing: what it
// asks for is asked for again in the next connection.
func (c *connection) upkeep(method string, params ...jsonrpc.Member) {
	c.upkeepThen(func() {}, method, params...)
}

// upkeepThen is upkeep that calls then when the request has ended.
func (c *connection) upkeepThen(then func(), method string, params ...jsonrpc.Member) {
	c.tend(method, &caretaker{c, method, then}, params...)
}

// tend makes a request of upkeep whose outcome sink takes.
func (c *connection) tend(method string, sink Sink, params ...jsonrpc.Member) {
	call := &Call{Method: method, Params: params, Timeout: c.u.cfg.ListTimeout, upkeep: true, Sink: sink}
	if err := c.send(nil, call); err != nil {
		call.done(nil, Answer{Err: err})
	}
}

// caretaker is the Sink of a request of upkeep.
type caretaker struct {
	c      *connection
	method string
	then   func()
}

// Progress implements Sink.
func (*caretaker) Progress(*jsonrpc.Batch, *jsonrpc.Message) {}

// Done implements Sink.
func (k *caretaker) Done(_ *jsonrpc.Batch, a Answer) {
	k.c.logUnrestored(k.method, a)
	k.then()
}

func (c *connection) logUnrestored(method string, a Answer) {
	err := a.Err
	if err == nil && a.Message.Kind == jsonrpc.Failure {
		err = parseError(a.Message.Fields, a.Message.Error)
	}
	if err != nil {
		c.u.log.Debug().Err(err).Str("method", method).Msg("not restored")
	}
}
