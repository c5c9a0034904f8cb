package upstreamtest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A way leads back to the client on which a message came. Its methods may be
// called from any goroutine; errors mean that the client is gone, which is the
// reader's to notice.
type way interface {
	send(message []byte) // one message
	raw(text []byte)     // bytes that are perhaps none
	stderr(line string)
	status(code int)
	end(code int)
}

// An exchange is one request or notification, and what is done about it.
type exchange struct {
	server *Server
	client *Client
	way    way
	header http.Header // of the HTTP request, nil without one

	connection context.Context // ends with the connection
	ctx        context.Context // ends also when the client cancels the request; connection, before receive
	defiant    bool            // go on although the request is cancelled

	message   jsonrpc.Message
	name      string // params.name
	arguments []byte // params.arguments, raw; nil without
	token     []byte // params._meta.progressToken, raw; nil without
	version   string // the revision that params._meta names, "" without
}

func (s *Server) exchange(ctx context.Context, c *Client, w way) *exchange {
	return &exchange{server: s, client: c, way: w, connection: ctx, ctx: ctx}
}

// parse takes the message in. It answers what is none, and reports false.
func (x *exchange) parse(raw []byte) bool {
	if err := x.message.Parse(raw); err != nil {
		x.server.note("", x.header, raw)
		x.way.send([]byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":` + quote(err.Error()) + `}}`))
		return false
	}
	x.name, _ = jsonrpc.String(jsonrpc.Find(x.message.Fields, "name"))
	x.arguments = jsonrpc.Find(x.message.Fields, "arguments")
	meta, err := jsonrpc.ParseObject(nil, jsonrpc.Find(x.message.Fields, "_meta"))
	if err == nil {
		x.token = jsonrpc.Find(meta, "progressToken")
		x.version, _ = jsonrpc.String(jsonrpc.Find(meta, "io.modelcontextprotocol/protocolVersion"))
	}
	return true
}

// receive deals with the message that was parsed; fork runs what may take its
// time.
func (x *exchange) receive(fork func(func())) {
	method := string(x.message.Method)
	if x.message.Kind != jsonrpc.Request {
		x.server.note(method, x.header, x.message.Raw)
		x.noRequest()
		return
	}
	// Noted as a call before it is noted as received, so that a test may cancel
	// what it has seen arrive.
	ctx, end := x.client.begin(x.ctx, x.message.ID)
	x.ctx = ctx
	x.server.note(method, x.header, x.message.Raw)
	fork(func() {
		defer end()
		x.run()
	})
}

func (x *exchange) noRequest() {
	if x.message.Kind != jsonrpc.Notification {
		x.server.Release("response " + string(x.message.ID))
		x.handled()
		return
	}
	if string(x.message.Method) == "notifications/cancelled" {
		x.client.cancel(x.message.Params)
	}
	x.run()
}

func (x *exchange) run() {
	for _, step := range x.server.steps(string(x.message.Method), x.name) {
		if step.Await == "cancel" {
			select {
			case <-x.ctx.Done():
				x.defiant = true
			case <-x.connection.Done():
			}
		}
		// What is cancelled goes on behind the step that awaits that, if there is one,
		// however early the cancellation comes.
		if !x.over() && !x.do(step) {
			return
		}
	}
}

// over reports whether nothing more is to be done.
func (x *exchange) over() bool {
	return x.connection.Err() != nil || x.ctx.Err() != nil && !x.defiant
}

// do takes one step. It reports whether the way is there for another.
func (x *exchange) do(s Step) bool {
	switch {
	case s.Default:
		x.answer()
	case s.Tools != nil:
		x.server.SetTools(s.Tools...)
	case s.Release != "":
		x.server.Release(s.Release)
	case s.Forget:
		x.server.Forget()
	case s.Await != "" && s.Await != "cancel":
		x.await(s.Await)
	case s.Delay > 0:
		x.delay(time.Duration(s.Delay))
	case s.Status > 0:
		x.way.status(s.Status)
		return false
	case s.Exit:
		x.way.end(s.Code)
		return false
	default:
		x.emit(s)
	}
	return true
}

func (x *exchange) await(name string) {
	x.server.mu.Lock()
	gate := x.server.gate(name)
	x.server.mu.Unlock()
	x.wait(gate)
}

func (x *exchange) delay(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-x.connection.Done():
	case <-x.giveUp():
	}
}

func (x *exchange) wait(gate <-chan struct{}) {
	select {
	case <-gate:
	case <-x.connection.Done():
	case <-x.giveUp():
	}
}

// giveUp is closed when the client cancels, unless that is not to matter.
func (x *exchange) giveUp() <-chan struct{} {
	if x.defiant {
		return nil
	}
	return x.ctx.Done()
}

// emit writes what a step wants written, as often as it wants.
func (x *exchange) emit(s Step) {
	for n := 1; n <= max(s.Repeat, 1); n++ {
		switch {
		case s.Reply != nil:
			x.reply("result", x.fill(s, s.Reply, n))
		case s.Error != nil:
			x.reply("error", x.fill(s, s.Error, n))
		case s.Send != nil:
			if text := x.fill(s, s.Send, n); text != nil {
				x.way.send(oneLine(text))
			}
		case s.Text != "":
			if text := x.fill(s, []byte(s.Text), n); text != nil {
				x.way.raw(text)
			}
		case s.Bytes != nil:
			x.way.raw(s.Bytes)
		case s.Stderr != "":
			x.way.stderr(string(x.fill(s, []byte(s.Stderr), n)))
		}
		if x.over() {
			return
		}
	}
}

// fill puts the request's values in for the words that stand for them. It
// returns nil where one is missing.
func (x *exchange) fill(s Step, text []byte, n int) []byte {
	if bytes.Contains(text, []byte(`"$token"`)) && x.token == nil {
		return nil
	}
	for _, word := range []struct {
		key   string
		value []byte
	}{
		{`"$id"`, x.message.ID},
		{`"$token"`, x.token},
		{`"$params"`, orNull(x.message.Params)},
		{`"$arguments"`, orNull(x.arguments)},
		{`$fill`, bytes.Repeat([]byte("x"), s.Fill)},
		{`$n`, strconv.AppendInt(nil, int64(n), 10)},
	} {
		if bytes.Contains(text, []byte(word.key)) {
			text = bytes.ReplaceAll(text, []byte(word.key), word.value)
		}
	}
	return text
}

func orNull(raw []byte) []byte {
	if raw == nil {
		return []byte("null")
	}
	return raw
}

// reply answers the request; member is "result" or "error". A notification gets
// no answer.
func (x *exchange) reply(member string, value []byte) {
	if x.message.Kind != jsonrpc.Request || value == nil {
		return
	}
	value = oneLine(value)
	message := make([]byte, 0, len(value)+len(x.message.ID)+40)
	message = append(message, `{"jsonrpc":"2.0","id":`...)
	message = append(message, x.message.ID...)
	message = append(message, `,"`+member+`":`...)
	message = append(message, value...)
	x.way.send(append(message, '}'))
}

// oneLine takes the line ends out of a script's JSON, and nothing else that
// would matter.
func oneLine(raw []byte) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return raw
	}
	return b.Bytes()
}

func quote(text string) string { return string(jsonrpc.AppendString(nil, text)) }
