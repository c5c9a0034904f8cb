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
	call := &Call{Method: method, Params: params, Timeout: c.u.cfg.ListTimeout, upkeep: true}
	call.Sink = &caretaker{c, method, then}
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
	err := a.Err
	if err == nil && a.Message.Kind == jsonrpc.Failure {
		err = parseError(a.Message.Fields, a.Message.Error)
	}
	if err != nil {
		k.c.u.log.Debug().Err(err).Str("method", k.method).Msg("not restored")
	}
	k.then()
}
