package bridge

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The keys of _meta that the bridge looks at (2026-07-28).
const (
	keyVersion      = "io.modelcontextprotocol/protocolVersion"
	keyLogLevel     = "io.modelcontextprotocol/logLevel"
	keySubscription = "io.modelcontextprotocol/subscriptionId"
)

// meta is the raw value of a key in the _meta of params, or nil.
func meta(params []jsonrpc.Member, key string) []byte {
	members, err := jsonrpc.ParseObject(nil, jsonrpc.Find(params, "_meta"))
	if err != nil {
		return nil
	}
	return jsonrpc.Find(members, key)
}

func metaVersion(m *jsonrpc.Message) string {
	if m.Kind != jsonrpc.Request {
		return ""
	}
	version, err := jsonrpc.String(meta(m.Fields, keyVersion))
	if err != nil {
		return ""
	}
	return version
}

func (b *Bridge) postModern(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
	if m.Kind != jsonrpc.Request {
		http.Error(w, "only requests", http.StatusBadRequest)
		return
	}
	if what := mismatch(r.Header, m); what != "" {
		refuse(w, m.ID, codeHeaderMismatch, what)
		return
	}
	p, c, err := b.beginModern(m)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answerModern(w, r, c)
	// In this era the end of the stream is the cancellation, on stdio it is this.
	if p.drop(c) {
		line := []byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + c.id + `}}`)
		if err := p.send(line); err != nil {
			b.problem(err)
		}
	}
}

// beginModern sends a request to the first process in which its id is not in
// flight.
func (b *Bridge) beginModern(m *jsonrpc.Message) (*process, *call, error) {
	for i := 0; ; i++ {
		p, err := b.sharedProcess(i)
		if err != nil {
			return nil, nil, err
		}
		if c, err := p.begin(m); !errors.Is(err, errInFlight) {
			return p, c, err
		}
	}
}

// sharedProcess returns the process with this number, started if it is the
// first of them to be asked for.
func (b *Bridge) sharedProcess(i int) (*process, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i < len(b.shared) {
		return b.shared[i], nil
	}
	p, err := b.start(nil)
	if err != nil {
		return nil, err
	}
	b.shared = append(b.shared, p)
	return p, nil
}

// answerModern sends back all that belongs to a request. An error that comes
// first is the answer as such, since it has a status.
func answerModern(w http.ResponseWriter, r *http.Request, c *call) {
	s := stream{w: w}
	for line := c.lines.next(r.Context()); line != nil; line = c.lines.next(r.Context()) {
		if status := statusOf(line); !s.started && status != http.StatusOK {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write(line) // to a client that may be gone
			return
		}
		s.send(line)
	}
	if !s.started && r.Context().Err() == nil {
		http.Error(w, "the server has ended", http.StatusBadGateway)
	}
}

// statusOf is the HTTP status of an answer (2026-07-28, Streamable HTTP and the
// pages of the errors).
func statusOf(line []byte) int {
	m := &jsonrpc.Message{}
	if err := m.Parse(line); err != nil || m.Kind != jsonrpc.Failure {
		return http.StatusOK
	}
	code, err := strconv.Atoi(string(jsonrpc.Find(m.Fields, "code")))
	if err != nil {
		return http.StatusOK
	}
	switch code {
	case codeMethodNotFound:
		return http.StatusNotFound
	case codeInvalidParams, codeHeaderMismatch, codeNeedsCapability, codeBadVersion:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// mismatch says what is wrong with the headers of a request, or "". Those that
// repeat arguments (Mcp-Param-) are not looked at: that takes the definitions of
// the tools.
func mismatch(h http.Header, m *jsonrpc.Message) string {
	if got := h.Get(headerMethod); got != string(m.Method) {
		return headerMethod + " is " + strconv.Quote(got) + ", the method is " + strconv.Quote(string(m.Method))
	}
	if key := namedBy(string(m.Method)); key != "" {
		name, err := jsonrpc.String(jsonrpc.Find(m.Fields, key))
		got, ok := decodeHeader(h.Get(headerName))
		if err == nil && (!ok || got != name) {
			return headerName + " is " + strconv.Quote(h.Get(headerName)) + ", " + key + " is " + strconv.Quote(name)
		}
	}
	if version := metaVersion(m); version != "" && version != h.Get(headerVersion) {
		return headerVersion + " is " + strconv.Quote(h.Get(headerVersion)) + ", that of _meta is " + strconv.Quote(version)
	}
	return ""
}

// namedBy is the parameter that Mcp-Name repeats, or "".
func namedBy(method string) string {
	switch method {
	case "tools/call", "prompts/get":
		return "name"
	case "resources/read":
		return "uri"
	case "tasks/get", "tasks/update", "tasks/cancel":
		return "taskId"
	}
	return ""
}

// decodeHeader undoes the encoding of values that a header cannot hold.
func decodeHeader(value string) (string, bool) {
	encoded, ok := strings.CutPrefix(value, "=?base64?")
	if !ok {
		return value, true
	}
	encoded, ok = strings.CutSuffix(encoded, "?=")
	if !ok {
		return value, true
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	return string(text), err == nil
}
