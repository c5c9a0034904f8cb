package customtools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// maxRunning is how many calls may run at once.
const maxRunning = 64

// server answers one client.
type server struct {
	tools     []Tool
	processes Processes
	resolve   Resolver
	client    *http.Client

	complain func(line []byte) // to the log

	stream transport.Stream
	out    *jsonrpc.Writer
	calls  sync.WaitGroup

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // guarded by mu; by raw id
}

// errEnding is why calls end with the connection.
var errEnding = errors.New("weir ends the connection")

// serve answers until the stream ends, and returns when no call is running any
// more.
func (s *server) serve(limit int) {
	ctx, cancel := context.WithCancelCause(context.Background())
	s.out = jsonrpc.NewWriter(s.stream.Output())
	lines := jsonrpc.NewReader(s.stream.Input(), limit, nil)
	var m jsonrpc.Message
	for {
		line, err := lines.Next()
		if _, tooLong := errors.AsType[*jsonrpc.LineTooLongError](err); tooLong {
			continue // weir sends none
		}
		if err != nil {
			break
		}
		if m.Parse(line) == nil {
			s.take(ctx, &m)
		}
	}
	cancel(errEnding)
	s.calls.Wait()
	s.stream.Close()
	s.out.Close()
	s.client.CloseIdleConnections()
}

// A request is one that the client has made.
type request struct {
	id     []byte
	method string
	params []jsonrpc.Member
	modern bool
}

func (s *server) take(ctx context.Context, m *jsonrpc.Message) {
	switch {
	case m.Kind == jsonrpc.Notification && string(m.Method) == "notifications/cancelled":
		s.cancel(jsonrpc.Find(m.Fields, "requestId"))
	case m.Kind == jsonrpc.Request:
		r := &request{id: bytes.Clone(m.ID), method: string(m.Method)}
		r.params, _ = jsonrpc.ParseObject(nil, bytes.Clone(m.Params))
		meta, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(r.params, "_meta"))
		version, _ := jsonrpc.String(jsonrpc.Find(meta, mcp.MetaKeyProtocolVersion))
		r.modern = version == mcp.LATEST_PROTOCOL_VERSION
		s.answer(ctx, r)
	}
}

func (s *server) answer(ctx context.Context, r *request) {
	switch {
	case r.method == "tools/call":
		s.begin(ctx, r)
	case r.method == "tools/list":
		s.reply(r, append(append([]byte(`{"tools":[`), s.definitions()...), ']'), true)
	case r.method == "server/discover" && r.modern:
		versions := []byte(`{"supportedVersions":["` + mcp.LATEST_PROTOCOL_VERSION + `"`)
		for _, v := range legacyVersions {
			versions = append(versions, `,"`+v+`"`...)
		}
		s.reply(r, append(versions, `],"capabilities":{"tools":{}}`...), true)
	case r.method == "initialize" && !r.modern:
		s.initialize(r)
	case r.method == "ping" && !r.modern:
		s.reply(r, []byte(`{`), false)
	default:
		s.refuse(r, mcp.METHOD_NOT_FOUND, "Method not found: "+r.method)
	}
}

var legacyVersions = []string{"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}

func (s *server) initialize(r *request) {
	version, _ := jsonrpc.String(jsonrpc.Find(r.params, "protocolVersion"))
	if !slices.Contains(legacyVersions, version) {
		version = legacyVersions[0]
	}
	s.reply(r, []byte(`{"protocolVersion":"`+version+`","capabilities":{"tools":{}},"serverInfo":`+serverInfo), false)
}

const serverInfo = `{"name":"weir-custom-tools","version":"1"}`

func (s *server) definitions() []byte {
	var list [][]byte
	for i := range s.tools {
		list = append(list, s.tools[i].Definition())
	}
	return bytes.Join(list, []byte(","))
}

// begin starts a call on a goroutine of its own.
func (s *server) begin(ctx context.Context, r *request) {
	name, _ := jsonrpc.String(jsonrpc.Find(r.params, "name"))
	i := slices.IndexFunc(s.tools, func(t Tool) bool { return t.Name == name })
	if i < 0 {
		s.refuse(r, mcp.INVALID_PARAMS, "Unknown tool: "+name)
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	if !s.note(r, cancel) {
		cancel(nil)
		s.replyCall(r, outcome{failure: "Too many custom tools run at once.", kind: "rate_limited", retryable: true}, name)
		return
	}
	s.calls.Go(func() {
		defer s.forget(r)
		defer cancel(nil)
		done := s.call(ctx, &s.tools[i], jsonrpc.Find(r.params, "arguments"))
		if ctx.Err() == nil { // a cancelled request is not answered (2025-11-25, cancellation)
			s.replyCall(r, done, name)
		}
	})
}

func (s *server) note(r *request, cancel context.CancelCauseFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running) >= maxRunning {
		return false
	}
	s.running[string(r.id)] = cancel
	return true
}

func (s *server) forget(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, string(r.id))
}

var errCancelled = errors.New("the call was cancelled")

func (s *server) cancel(id []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[string(id)]; cancel != nil {
		cancel(errCancelled)
	}
}

// An outcome is what became of a call.
type outcome struct {
	text    string
	failure string // "" for a success

	// Of a failure of weir's own, no tool's: its kind as hosts know it.
	kind          string
	maybeExecuted bool
	retryable     bool
}

var errTimeUp = errors.New("time is up")

// call does what the tool is for.
func (s *server) call(ctx context.Context, t *Tool, raw []byte) outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, t.timeout(), errTimeUp)
	defer cancel()
	args, err := t.Input.check(raw)
	if err != nil {
		return failed("", err, t)
	}
	var text string
	if t.Command != nil {
		text, err = t.Command.run(ctx, args, s.processes, s.resolve, s.complain)
	} else {
		text, err = t.Request.run(ctx, args, s.client, s.resolve)
	}
	if err == nil {
		return outcome{text: text}
	}
	if unusable, ok := errors.AsType[*unusableError](err); ok && unusable.err != nil {
		s.complain(fmt.Appendf(nil, "tool %q: %v", t.Name, unusable.err))
	}
	return failed(text, err, t)
}

// failed puts an error into words for the host.
func failed(text string, err error, t *Tool) outcome {
	o := outcome{text: text, failure: err.Error()}
	refused, isRefused := errors.AsType[*refusedError](err)
	unusable, isUnusable := errors.AsType[*unusableError](err)
	switch {
	case isRefused:
		o.failure = fmt.Sprintf("Tool %q was not run: %s", t.Name, refused.text)
		o.kind = "validation"
	case isUnusable:
		o.failure = fmt.Sprintf("Tool %q was not run: %s. The user can see why in weir's log.", t.Name, unusable.text)
		o.kind = "configuration"
	case errors.Is(err, errTimeUp):
		o.failure = fmt.Sprintf("Tool %q took longer than %v and was ended.", t.Name, t.timeout())
		o.kind, o.maybeExecuted = "timeout", true
	default:
		if _, ok := errors.AsType[*unansweredError](err); ok {
			o.kind, o.maybeExecuted, o.retryable = "connection", true, true
		}
	}
	return o
}

// replyCall writes the result of a call.
func (s *server) replyCall(r *request, o outcome, tool string) {
	out := []byte(`{"content":[`)
	if o.text != "" || o.failure == "" {
		out = jsonrpc.AppendString(append(out, `{"type":"text","text":`...), o.text)
		out = append(out, '}')
	}
	if o.failure == "" {
		s.reply(r, append(out, ']'), false)
		return
	}
	if o.text != "" {
		out = append(out, ',')
	}
	out = jsonrpc.AppendString(append(out, `{"type":"text","text":`...), o.failure)
	out = append(out, `}],"isError":true`...)
	if o.kind == "" {
		s.reply(r, out, false)
		return
	}
	s.replyWith(r, out, false, o.data(tool))
}

// data is the value of "weir/error".
func (o *outcome) data(tool string) []byte {
	out := jsonrpc.AppendString([]byte(`{"kind":"`+o.kind+`","server":"`+Name+`","tool":`), tool)
	out = strconv.AppendBool(append(out, `,"retryable":`...), o.retryable)
	if o.maybeExecuted {
		out = append(out, `,"maybeExecuted":true`...)
	}
	return append(out, '}')
}

// reply writes a result whose object is open at its end. Of what can be kept the
// modern era wants to know for how long.
func (s *server) reply(r *request, result []byte, kept bool) { s.replyWith(r, result, kept, nil) }

func (s *server) replyWith(r *request, result []byte, kept bool, failure []byte) {
	members := [][]byte{}
	if r.modern {
		members = append(members, []byte(`"resultType":"complete"`))
		if kept {
			members = append(members, []byte(`"ttlMs":86400000,"cacheScope":"private"`))
		}
	}
	var meta [][]byte
	if r.modern {
		meta = append(meta, []byte(`"`+mcp.MetaKeyServerInfo+`":`+serverInfo))
	}
	if failure != nil {
		meta = append(meta, append([]byte(`"weir/error":`), failure...))
	}
	if meta != nil {
		members = append(members, slices.Concat([]byte(`"_meta":{`), bytes.Join(meta, []byte(",")), []byte("}")))
	}
	rest := bytes.Join(members, []byte(","))
	if len(rest) > 0 && len(result) > 1 {
		result = append(result, ',')
	}
	_ = s.out.Queue(nil, []byte(`{"jsonrpc":"2.0","id":`), r.id, []byte(`,"result":`), result, rest, []byte("}}")) // who has gone needs no answer
}

func (s *server) refuse(r *request, code int, message string) {
	text := jsonrpc.AppendString(nil, message)
	_ = s.out.Queue(nil, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%s}}`, r.id, code, text))
}
