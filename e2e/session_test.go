package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A session is a raw host that speaks one revision with one server: what it
// returns are the bytes that came.
type session struct {
	*host
	version      string
	capabilities string // what the host declares, raw; "" = {}
	last         int
}

// openSession starts the command and, in the legacy era, shakes hands. The
// server is ended with the test, and must end well.
func openSession(t *testing.T, version string, cmd *exec.Cmd) *session {
	t.Helper()
	h, err := startHost(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	s := &session{host: h, version: version}
	s.greet(t)
	return s
}

// greet shakes hands, in the era that does.
func (s *session) greet(t *testing.T) {
	t.Helper()
	if s.isModern() {
		return
	}
	s.request(t, "initialize", `"protocolVersion":"`+s.version+`","capabilities":`+s.declared()+`,"clientInfo":{"name":"host","version":"1"}`)
	s.notify(t, "notifications/initialized", "")
}

func (s *session) declared() string {
	if s.capabilities == "" {
		return "{}"
	}
	return s.capabilities
}

func (s *session) isModern() bool { return s.version >= upstreamtest.Modern }

// params completes the members of a request's params. meta are members of its
// _meta.
func (s *session) params(members, meta string) string {
	if s.isModern() {
		meta = join(`"io.modelcontextprotocol/protocolVersion":"`+s.version+`","io.modelcontextprotocol/clientInfo":{"name":"host","version":"1"},"io.modelcontextprotocol/clientCapabilities":`+s.declared(), meta)
	}
	if meta != "" {
		members = join(members, `"_meta":{`+meta+`}`)
	}
	return "{" + members + "}"
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "," + b
}

// begin sends a request and returns its id.
func (s *session) begin(t *testing.T, method, members, meta string) string {
	t.Helper()
	s.last++
	id := strconv.Itoa(s.last)
	if err := s.send(`{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":` + s.params(members, meta) + `}`); err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *session) notify(t *testing.T, method, members string) {
	t.Helper()
	if err := s.send(`{"jsonrpc":"2.0","method":"` + method + `","params":{` + members + `}}`); err != nil {
		t.Fatal(err)
	}
}

// end waits for the answer to a request.
func (s *session) end(t *testing.T, id string) *jsonrpc.Message {
	t.Helper()
	line, err := s.answer(id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := parse(line)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s *session) request(t *testing.T, method, members string) *jsonrpc.Message {
	t.Helper()
	return s.end(t, s.begin(t, method, members, ""))
}

// call calls a tool; arguments are raw JSON.
func (s *session) call(t *testing.T, name, arguments string) *jsonrpc.Message {
	t.Helper()
	return s.request(t, "tools/call", `"name":`+string(jsonrpc.AppendString(nil, name))+`,"arguments":`+arguments)
}

// tools returns the raw definitions in their order.
func (s *session) tools(t *testing.T) []string { return toolsOf(t, s.request) }

type requester func(t *testing.T, method, members string) *jsonrpc.Message

func toolsOf(t *testing.T, request requester) []string {
	t.Helper()
	var tools []string
	members := ""
	for {
		m := request(t, "tools/list", members)
		if m.Kind != jsonrpc.Response {
			t.Fatalf("tools/list: %s", m.Raw)
		}
		list, err := jsonrpc.ParseArray(nil, jsonrpc.Find(m.Fields, "tools"))
		if err != nil {
			t.Fatalf("tools/list: %v: %s", err, m.Raw)
		}
		for _, tool := range list {
			tools = append(tools, string(tool))
		}
		cursor := jsonrpc.Find(m.Fields, "nextCursor")
		if cursor == nil {
			return tools
		}
		members = `"cursor":` + string(cursor)
	}
}

// expose puts a prefix before the name in each raw definition, and changes
// nothing else.
func expose(t *testing.T, prefix string, definitions []string) []string {
	t.Helper()
	exposed := make([]string, len(definitions))
	for i, definition := range definitions {
		raw := []byte(definition)
		fields, err := jsonrpc.ParseObject(nil, raw)
		if err != nil {
			t.Fatal(err)
		}
		name := jsonrpc.AppendString(nil, prefix+nameOf(t, definition))
		exposed[i] = string(jsonrpc.Splice(nil, raw, jsonrpc.Edit{At: jsonrpc.Find(fields, "name"), With: name}))
	}
	return exposed
}

func nameOf(t *testing.T, definition string) string {
	t.Helper()
	fields, err := jsonrpc.ParseObject(nil, []byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	name, err := jsonrpc.String(jsonrpc.Find(fields, "name"))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// outcome is what an answer says: its result or its error, as it came, but for
// the members that belong to the hop it has come over. Those are: resultType,
// ttlMs and cacheScope, and _meta's serverInfo (2026-07-28), which weir adds for
// a modern host and has no use for with a legacy one.
func outcome(t *testing.T, m *jsonrpc.Message) string {
	t.Helper()
	if m.Kind == jsonrpc.Failure {
		return "error " + string(m.Error)
	}
	var kept []jsonrpc.Member
	for _, member := range m.Fields {
		switch string(member.Key) {
		case "resultType", "ttlMs", "cacheScope":
			continue
		case "_meta":
			if member.Value = withoutServerInfo(t, member.Value); member.Value == nil {
				continue
			}
		}
		kept = append(kept, member)
	}
	return "result " + string(jsonrpc.AppendObject(nil, kept))
}

func withoutServerInfo(t *testing.T, meta []byte) []byte {
	t.Helper()
	members, err := jsonrpc.ParseObject(nil, meta)
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.DeleteFunc(members, func(m jsonrpc.Member) bool {
		return string(m.Key) == "io.modelcontextprotocol/serverInfo"
	})
	if len(kept) == 0 {
		return nil
	}
	return jsonrpc.AppendObject(nil, kept)
}

// command makes one of the test binary's own commands, or another, with the
// environment of the test's places and nothing more.
func (p places) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for key, value := range maps.All(p.environment()) {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	cmd.Dir = p.home
	return cmd
}

// weir writes the configuration and makes the command that serves it. Its
// context outlives the test's: a session ends it by closing its input.
func (p places) weir(t *testing.T, config string) *exec.Cmd {
	t.Helper()
	file := filepath.Join(p.config, "mcp.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := p.command(context.Background(), "weir", "serve")
	cmd.Env = append(cmd.Env, "WEIR_CONFIG="+file)
	return cmd
}

// A webSession is a raw host of the legacy era over Streamable HTTP.
type webSession struct {
	url     string
	version string // after initialize
	session string
	last    int
}

func openWebSession(t *testing.T, url, version string) *webSession {
	t.Helper()
	s := &webSession{url: url}
	s.request(t, "initialize", `"protocolVersion":"`+version+`","capabilities":{},"clientInfo":{"name":"host","version":"1"}`)
	s.version = version
	s.post(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return s
}

func (s *webSession) request(t *testing.T, method, members string) *jsonrpc.Message {
	t.Helper()
	s.last++
	body := s.post(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s}}`, s.last, method, members))
	for line := range bytes.Lines(body) {
		data := bytes.TrimSpace(bytes.TrimPrefix(line, []byte("data:")))
		if m, err := parse(data); err == nil && string(m.ID) == strconv.Itoa(s.last) && m.Method == nil {
			return m
		}
	}
	t.Fatalf("%s: no answer in %s", method, body)
	return nil
}

func (s *webSession) post(t *testing.T, message string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	if s.session != "" {
		request.Header.Set("Mcp-Session-Id", s.session)
	}
	if s.version != "" {
		request.Header.Set("MCP-Protocol-Version", s.version)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if id := response.Header.Get("Mcp-Session-Id"); id != "" {
		s.session = id
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
