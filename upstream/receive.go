package upstream

import (
	"errors"
	"strconv"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// isOpen waits until the transport is dialled, since a server may speak before
// the dialer has returned. It reports whether the dial succeeded.
func (c *connection) isOpen() bool {
	if c.open.Load() {
		return true // nearly always: to look whether a channel is closed takes its lock
	}
	<-c.dialled
	c.open.Store(c.t != nil)
	return c.t != nil
}

// Receive implements transport.Receiver.
func (c *connection) Receive(b *jsonrpc.Batch, m *jsonrpc.Message, origin uint64) {
	if !c.isOpen() {
		return
	}
	switch m.Kind {
	case jsonrpc.Response, jsonrpc.Failure:
		c.answer(b, m, origin)
	case jsonrpc.Notification:
		c.notification(b, m, origin)
	case jsonrpc.Request:
		c.request(b, m, origin)
	case jsonrpc.Invalid: // never comes here
	}
}

func (c *connection) answer(b *jsonrpc.Batch, m *jsonrpc.Message, origin uint64) {
	call, sent := c.takeAnswered(m.ID)
	switch {
	case call == nil:
		c.u.noise.stray(m.ID)
	case c.modern() && m.Kind == jsonrpc.Failure:
		c.modernError(b, call, m)
	default:
		c.noteTask(m)
		if call.Progress && isTask(m) && !c.modern() {
			c.keepProgress(call)
		}
		call.done(b, Answer{Message: m, Modern: c.modern()})
		if sent && origin == 0 && call.isSpent() {
			call.Spent(call)
		}
	}
}

// takeAnswered is take for an answer with this raw id. sent is false while whoever
// sends the call may still read it: ids can be guessed, and answered too early.
func (c *connection) takeAnswered(rawID []byte) (call *Call, sent bool) {
	id, ok := number(rawID)
	if !ok {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	call = c.pending.At(id)
	if call == nil || call.held {
		return nil, false
	}
	c.useful = c.useful || !call.upkeep
	c.remove(id)
	return call, call.sent
}

// modernError deals with the errors of a modern server that are about weir's
// part of the request and mean nothing to the host (2026-07-28, basic, error
// codes). The handshake reads them by itself.
func (c *connection) modernError(b *jsonrpc.Batch, call *Call, m *jsonrpc.Message) {
	code := string(jsonrpc.Find(m.Fields, "code"))
	switch {
	case call.Method == discoverMethod:
		call.done(b, Answer{Message: m, Modern: true})
	case code == strconv.Itoa(codeHeader):
		c.u.amend(b, call)
	case code == strconv.Itoa(codeVersion):
		c.outdate()
		call.done(b, Answer{Modern: true, Err: c.u.outdated()})
	default:
		call.done(b, Answer{Message: m, Modern: true})
	}
}

const progressMethod = "notifications/progress"

func (c *connection) notification(b *jsonrpc.Batch, m *jsonrpc.Message, origin uint64) {
	switch string(m.Method) {
	case progressMethod:
		c.progress(b, m)
	case "notifications/cancelled":
		c.cancelled(b, m)
	case "notifications/subscriptions/acknowledged":
		c.acknowledge(m, origin)
	default:
		if c.modern() && !c.isTold(m, origin) {
			return
		}
		c.u.set.handler.Notification(c.u, b, m, c.pendingCall(origin))
	}
}

// cancelled takes the server's word that it has given up: a subscription in the
// modern era, a question of its own in the legacy one.
func (c *connection) cancelled(b *jsonrpc.Batch, m *jsonrpc.Message) {
	if c.modern() {
		c.listenEnded(m)
		return
	}
	c.questionCancelled(b, m)
}

func (c *connection) pendingCall(id uint64) *Call {
	if id == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending.At(id)
}

func (c *connection) progress(b *jsonrpc.Batch, m *jsonrpc.Message) {
	token, ok := number(jsonrpc.Find(m.Fields, MetaProgress))
	if !ok {
		return
	}
	if call := c.restarted(token); call != nil {
		call.progress(b, m)
	} else if call := c.lastingCall(token); call != nil {
		call.progress(b, m)
	}
}

// request takes a request of the server. ping is liveness (2025-11-25, basic,
// ping). A modern server has nothing else to ask (2026-07-28, basic).
func (c *connection) request(b *jsonrpc.Batch, m *jsonrpc.Message, origin uint64) {
	switch {
	case string(m.Method) == "ping":
		c.respond(b, m.ID, `,"result":`, []byte("{}"))
	case c.modern():
		c.u.unasked.Do(func() {
			c.u.log.Warn().Bytes("method", clip(m.Method)).Msg("server makes requests, which a modern one must not")
		})
		c.respond(b, m.ID, `,"error":`, errorObject(codeInvalidRequest, "servers make no requests in this protocol revision"))
	default:
		c.question(b, m, origin)
	}
}

// Malformed implements transport.Receiver: it fails exactly the call whose
// answer could not be used.
func (c *connection) Malformed(b *jsonrpc.Batch, id []byte, err error) {
	if !c.isOpen() {
		return
	}
	call, _ := c.takeAnswered(id)
	if call == nil {
		c.u.noise.malformed(err)
		return
	}
	c.u.log.Warn().Err(err).Str("method", call.Method).Msg("answer cannot be used")
	call.done(b, Answer{Modern: c.modern(), Err: unusable(c.u.cfg.Name, err)})
}

// Failed implements transport.Receiver.
func (c *connection) Failed(out *transport.Outgoing, err error) {
	call := c.take(out.ID)
	if call == nil {
		return
	}
	// A server that forgets its session refuses only what comes then. What it had
	// taken before, and what breaks afterwards for that reason, may have run.
	_, broken := errors.AsType[*transport.BrokenError](err)
	if errors.Is(err, transport.ErrSessionLost) && !broken {
		c.u.resend(call, out, c)
		return
	}
	call.done(nil, Answer{Modern: c.modern(), Err: c.u.failure(sent(err))})
}

// sent makes sure that an error of a request that the transport had taken is
// not understood as one of a request that was never sent, or never executed.
func sent(err error) error {
	_, unsent := errors.AsType[*transport.DialError](err)
	_, refused := errors.AsType[*transport.RefusedError](err)
	_, answered := errors.AsType[*transport.StatusError](err)
	if unsent || refused || answered {
		return err
	}
	return &transport.BrokenError{Err: err}
}

// Busy reports whether the server works on something that somebody waits for: then
// its silence ends nothing but that, when its time is up.
func (c *connection) Busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isBusy()
}

// Stderr implements transport.Receiver.
func (c *connection) Stderr(line []byte) { c.u.noise.stderr(line) }

// number reads an id or token as we write them: a canonical decimal.
func number(raw []byte) (uint64, bool) {
	if len(raw) == 0 || len(raw) > 19 || raw[0] == '0' {
		return 0, false
	}
	var n uint64
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// clip shortens foreign bytes for the log.
func clip(p []byte) []byte { return p[:min(len(p), 80)] }
