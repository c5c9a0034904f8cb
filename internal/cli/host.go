package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// hostRevision is the protocol revision that weir's own commands speak.
const hostRevision = "2025-11-25"

// hostMessageLimit is the longest message that a command takes, in bytes.
const hostMessageLimit = 256 << 20

// A host speaks to weir as a desktop assistant does: raw, over a byte stream.
// It is safe for concurrent use.
type host struct {
	in     io.ReadCloser
	out    io.WriteCloser
	writer *jsonrpc.Writer
	reader sync.WaitGroup

	mu         sync.Mutex
	last       uint64                  // guarded by mu
	pending    map[string]*pendingCall // guarded by mu; by the id as it stands on the wire
	err        error                   // guarded by mu; why there are no more answers
	onProgress func(params []byte)     // guarded by mu
}

type pendingCall struct {
	done   chan struct{}
	result []byte
	err    error
}

// A replyError is a JSON-RPC error that came as an answer.
type replyError struct {
	Code    int
	Message string
	Raw     []byte // the whole error object
}

func (e *replyError) Error() string { return e.Message }

var errHostClosed = errors.New("connection to weir is closed")

// newHost starts a goroutine that reads from in. close ends it, and closes
// both streams.
func newHost(in io.ReadCloser, out io.WriteCloser) *host {
	h := &host{
		in:      in,
		out:     out,
		writer:  jsonrpc.NewWriter(out),
		pending: make(map[string]*pendingCall),
	}
	h.reader.Go(h.read)
	return h
}

// close ends the connection: its other end reads EOF. It returns when nothing
// is left of it here.
func (h *host) close() {
	h.fail(errHostClosed)
	_ = h.out.Close()
	_ = h.in.Close()
	h.writer.Close()
	h.reader.Wait()
}

// call sends a request and waits for its result. params may be nil. An error
// that weir answers is a [*replyError]. When ctx ends first, the request is
// cancelled.
func (h *host) call(ctx context.Context, method string, params []byte) (result []byte, err error) {
	id, p, err := h.begin()
	if err != nil {
		return nil, err
	}
	h.send(id, method, params)
	select {
	case <-p.done:
		return p.result, p.err
	case <-ctx.Done():
		h.notify("notifications/cancelled", fmt.Appendf(nil, `{"requestId":%s}`, id))
		h.finish(id, nil, context.Cause(ctx))
		return nil, context.Cause(ctx)
	}
}

func (h *host) notify(method string, params []byte) { h.send("", method, params) }

// setProgress has f called with the params of each progress notification, one
// at a time.
func (h *host) setProgress(f func(params []byte)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.onProgress = f
}

func (h *host) begin() (id string, _ *pendingCall, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return "", nil, h.err
	}
	h.last++
	id = strconv.FormatUint(h.last, 10)
	p := &pendingCall{done: make(chan struct{})}
	h.pending[id] = p
	return id, p, nil
}

func (h *host) finish(id string, result []byte, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.pending[id]; p != nil {
		delete(h.pending, id)
		p.result, p.err = result, err
		close(p.done)
	}
}

// fail ends all calls, now and later, with err.
func (h *host) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return
	}
	h.err = err
	for id, p := range h.pending {
		delete(h.pending, id)
		p.err = err
		close(p.done)
	}
}

// send writes a request, or a notification if id is "". That a stream is gone
// shows at the reader.
func (h *host) send(id, method string, params []byte) {
	line := []byte(`{"jsonrpc":"2.0"`)
	if id != "" {
		line = append(append(line, `,"id":`...), id...)
	}
	line = jsonrpc.AppendString(append(line, `,"method":`...), method)
	if params != nil {
		line = append(append(line, `,"params":`...), params...)
	}
	_ = h.writer.Queue(nil, append(line, '}'))
}

func (h *host) read() {
	r := jsonrpc.NewReader(h.in, hostMessageLimit, nil)
	var m jsonrpc.Message
	for {
		line, err := r.Next()
		if err != nil {
			h.fail(fmt.Errorf("reading from weir: %w", unexpectedEOF(err)))
			return
		}
		if err := m.Parse(line); err != nil {
			h.fail(fmt.Errorf("reading from weir: %w: %.200q", err, line))
			return
		}
		h.receive(&m)
	}
}

func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (h *host) receive(m *jsonrpc.Message) {
	switch m.Kind {
	case jsonrpc.Response:
		h.finish(string(m.ID), bytes.Clone(m.Result), nil)
	case jsonrpc.Failure:
		h.finish(string(m.ID), nil, newReplyError(m))
	case jsonrpc.Notification:
		h.noticeProgress(m)
	case jsonrpc.Request:
		h.refuse(m)
	case jsonrpc.Invalid: // what cannot be parsed does not come here
	}
}

func newReplyError(m *jsonrpc.Message) *replyError {
	e := &replyError{Raw: bytes.Clone(m.Error)}
	e.Message, _ = jsonrpc.String(jsonrpc.Find(m.Fields, "message"))
	e.Code, _ = strconv.Atoi(string(jsonrpc.Find(m.Fields, "code")))
	return e
}

func (h *host) noticeProgress(m *jsonrpc.Message) {
	if string(m.Method) != "notifications/progress" {
		return
	}
	h.mu.Lock()
	f := h.onProgress
	h.mu.Unlock()
	if f != nil {
		f(m.Params)
	}
}

// refuse answers a request from weir: this host declares no capabilities, so
// there is only ping to answer.
func (h *host) refuse(m *jsonrpc.Message) {
	answer := []byte(`,"error":{"code":-32601,"message":"Method not found"}}`)
	if string(m.Method) == "ping" {
		answer = []byte(`,"result":{}}`)
	}
	_ = h.writer.Queue(nil, slices.Concat([]byte(`{"jsonrpc":"2.0","id":`), m.ID, answer))
}
