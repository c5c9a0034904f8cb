package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// messageLimit is the longest message that is read, in bytes.
const messageLimit = 64 << 20

// Serve answers the client on one byte stream (2025-11-25, stdio) until in
// ends, out fails or ctx ends. It returns when no request is running any more.
// To end it by ctx, the caller closes in as well.
func (s *Server) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := jsonrpc.NewWriter(out)
	defer w.Close()
	t := stream{
		server:  s,
		running: newRunning(),
		send:    func(message []byte) { _ = w.Queue(nil, message) }, // a Writer that failed ends the loop
	}
	err := t.read(ctx, jsonrpc.NewReader(in, messageLimit, nil), w)
	cancel()
	t.calls.Wait()
	w.Drain()
	return err
}

// A stream is one client on one byte stream.
type stream struct {
	server  *Server
	running *running
	calls   sync.WaitGroup
	send    sender
	parsed  jsonrpc.Message
}

func (t *stream) read(ctx context.Context, r *jsonrpc.Reader, w *jsonrpc.Writer) error {
	for ctx.Err() == nil && w.Err() == nil {
		line, err := r.Next()
		if tooLong, ok := errors.AsType[*jsonrpc.LineTooLongError](err); ok {
			t.send(failure(tooLong.ID, &callError{mcp.INVALID_REQUEST, err.Error()}))
			continue
		}
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading from the client: %w", err)
		}
		t.take(ctx, line)
	}
	return nil
}

func (t *stream) take(ctx context.Context, line []byte) {
	m := &t.parsed
	switch err := m.Parse(line); {
	case errors.Is(err, jsonrpc.ErrBatch):
		t.takeBatch(ctx, line)
	case err != nil:
		t.send(failure(invalidID(line, m), invalid(err)))
	case m.Kind == jsonrpc.Notification:
		t.running.notice(m)
	case m.Kind == jsonrpc.Request:
		t.start(ctx, newRequest(m, t.send))
	}
}

// takeBatch takes the messages of an array one by one (2025-03-26 has them).
func (t *stream) takeBatch(ctx context.Context, line []byte) {
	messages, err := jsonrpc.ParseArray(nil, line)
	if err != nil || len(messages) == 0 {
		t.send(failure(nil, &callError{mcp.INVALID_REQUEST, "empty batch"}))
		return
	}
	for _, message := range messages {
		if first := bytes.TrimLeft(message, " \t\r"); first[0] == '[' {
			t.send(failure(nil, &callError{mcp.INVALID_REQUEST, "batch within a batch"}))
			continue
		}
		t.take(ctx, message)
	}
}

// start answers at once what takes no time, so that it is answered even when
// the client closes the stream right behind it.
func (t *stream) start(ctx context.Context, r *request) {
	if !t.server.takesTime(r) {
		t.send(t.server.answer(context.WithoutCancel(ctx), r))
		return
	}
	ctx, end := t.running.begin(ctx, r.id)
	t.calls.Go(func() {
		defer end()
		if response := t.server.answer(ctx, r); response != nil {
			t.send(response)
		}
	})
}

// running holds the requests that can be cancelled, by their raw ids.
type running struct {
	mu     sync.Mutex
	cancel map[string]context.CancelFunc // guarded by mu
}

func newRunning() *running {
	return &running{cancel: make(map[string]context.CancelFunc)}
}

// begin notes a request; end forgets it.
func (r *running) begin(ctx context.Context, id []byte) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancel[string(id)] = cancel
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.cancel, string(id))
		cancel()
	}
}

// notice obeys a cancellation; no other notification has a meaning here.
func (r *running) notice(m *jsonrpc.Message) {
	if string(m.Method) != "notifications/cancelled" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if cancel := r.cancel[string(jsonrpc.Find(m.Fields, "requestId"))]; cancel != nil {
		cancel()
	}
}

func invalid(err error) error {
	if _, ok := errors.AsType[*jsonrpc.InvalidError](err); ok {
		return &callError{mcp.INVALID_REQUEST, err.Error()}
	}
	return &callError{mcp.PARSE_ERROR, err.Error()}
}

func invalidID(line []byte, m *jsonrpc.Message) []byte {
	if m.ID != nil {
		return m.ID
	}
	return jsonrpc.FindID(line)
}
