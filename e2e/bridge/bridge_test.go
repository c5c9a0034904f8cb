package bridge

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

func TestMain(m *testing.M) {
	upstreamtest.Child()
	os.Exit(m.Run())
}

// A front is a bridge to a scripted server.
type front struct {
	url    string
	bridge *Bridge
	log    journal
}

// A journal is the log of a bridge, to wait for lines in.
type journal struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{} // closed, and replaced, with each line
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text = append(j.text, p...)
	close(j.changed)
	j.changed = make(chan struct{})
	return len(p), nil
}

// await waits until the journal has this text so many times, and returns it.
func (j *journal) await(t *testing.T, times int, text string) string {
	t.Helper()
	for {
		j.mu.Lock()
		all, changed := string(j.text), j.changed
		j.mu.Unlock()
		if strings.Count(all, text) >= times {
			return all
		}
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatalf("%s never came %d times:\n%s", text, times, all)
		}
	}
}

func serve(t *testing.T, script upstreamtest.Script) *front {
	t.Helper()
	program, env := upstreamtest.Command(t, script)
	f := &front{log: journal{changed: make(chan struct{})}}
	f.bridge = New(func() *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), program)
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
		for key, value := range env {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
		return cmd
	}, &f.log)
	server := httptest.NewServer(f.bridge)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// close ends the bridge and returns the problems there were.
func (f *front) close(t *testing.T) string {
	t.Helper()
	if err := f.bridge.Close(); err != nil {
		return err.Error()
	}
	return ""
}

// An exchange is an answer to one HTTP request.
type exchange struct {
	status   int
	kind     string // Content-Type
	session  string
	messages []string
}

// do makes an HTTP request. header has lines "Name: value".
func do(t *testing.T, ctx context.Context, method, url, body string, header ...string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	return http.DefaultClient.Do(r)
}

func (f *front) do(t *testing.T, method, body string, header ...string) exchange {
	t.Helper()
	r, err := do(t, t.Context(), method, f.url, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	e := exchange{status: r.StatusCode, kind: r.Header.Get("Content-Type"), session: r.Header.Get("Mcp-Session-Id")}
	if e.kind != "text/event-stream" {
		e.messages = []string{strings.TrimSpace(string(text))}
		return e
	}
	for line := range strings.Lines(string(text)) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			e.messages = append(e.messages, strings.TrimSpace(data))
		}
	}
	return e
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`

// open opens a legacy session and returns its header.
func (f *front) open(t *testing.T) string {
	t.Helper()
	e := f.do(t, http.MethodPost, initialize)
	if e.status != http.StatusOK || e.session == "" || len(e.messages) != 1 {
		t.Fatalf("initialize: %+v", e)
	}
	header := "Mcp-Session-Id: " + e.session
	if e := f.do(t, http.MethodPost, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, header); e.status != http.StatusAccepted {
		t.Fatalf("initialized: %+v", e)
	}
	return header
}

func toolCall(id, tool, meta string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":{},"_meta":{` + meta + `}}}`
}

const modernMeta = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}`

var modernCall = []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: t"}

func step(text string) upstreamtest.Step { return upstreamtest.Step{Send: json.RawMessage(text)} }

func reply(text string) upstreamtest.Step { return upstreamtest.Step{Reply: json.RawMessage(text)} }

func legacyScript(steps ...upstreamtest.Step) upstreamtest.Script {
	return upstreamtest.Script{
		Tools: []json.RawMessage{upstreamtest.Tool("t")},
		Rules: []upstreamtest.Rule{{On: "tools/call t", Do: steps}},
	}
}

func modernScript(steps ...upstreamtest.Step) upstreamtest.Script {
	s := legacyScript(steps...)
	s.Versions = []string{upstreamtest.Modern}
	return s
}

func TestLegacySession(t *testing.T) {
	f := serve(t, legacyScript(
		step(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":1}}`),
		step(`{"jsonrpc":"2.0","id":"q","method":"roots/list"}`),
		upstreamtest.Step{Await: `response "q"`},
		step(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`),
		reply(`{"content":[]}`),
	))
	session := f.open(t)
	r, err := do(t, t.Context(), http.MethodPost, f.url, toolCall("7", "t", `"progressToken":"p"`), session)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	var got []string
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		got = append(got, data)
		if strings.Contains(data, "roots/list") {
			e := f.do(t, http.MethodPost, `{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}`, session)
			if e.status != http.StatusAccepted {
				t.Fatalf("response: %+v", e)
			}
		}
	}
	want := []string{
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`,
		`{"jsonrpc":"2.0","id":"q","method":"roots/list"}`,
		`{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stream of the call (-want +got):\n%s", diff)
	}
	if got, want := f.listen(t, session), `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`; got != want {
		t.Errorf("stream of GET: got %s, want %s", got, want)
	}
	if e := f.do(t, http.MethodDelete, "", session); e.status != http.StatusNoContent {
		t.Errorf("DELETE: %+v", e)
	}
	if e := f.do(t, http.MethodPost, toolCall("8", "t", ""), session); e.status != http.StatusNotFound {
		t.Errorf("after DELETE: %+v", e)
	}
	if e := f.do(t, http.MethodPost, toolCall("9", "t", "")); e.status != http.StatusBadRequest {
		t.Errorf("without a session: %+v", e)
	}
	if problems := f.close(t); problems != "" {
		t.Error(problems)
	}
}

// listen opens the stream of GET and returns its first message.
func (f *front) listen(t *testing.T, session string) string {
	t.Helper()
	r, err := do(t, t.Context(), http.MethodGet, f.url, "", session)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return nextMessage(bufio.NewScanner(r.Body))
}

func TestModernStatuses(t *testing.T) {
	failure := func(code string) upstreamtest.Step {
		return upstreamtest.Step{Error: json.RawMessage(`{"code":` + code + `,"message":"no"}`)}
	}
	tests := []struct {
		name   string
		does   upstreamtest.Step
		status int
		kind   string
	}{
		{"a result", reply(`{"resultType":"complete","content":[]}`), 200, "text/event-stream"},
		{"unknown method", failure("-32601"), 404, "application/json"},
		{"bad params", failure("-32602"), 400, "application/json"},
		{"capability", failure("-32021"), 400, "application/json"},
		{"version", failure("-32022"), 400, "application/json"},
		{"internal", failure("-32603"), 200, "text/event-stream"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, modernScript(test.does))
			e := f.do(t, http.MethodPost, toolCall(`"a"`, "t", modernMeta), modernCall...)
			if e.status != test.status || e.kind != test.kind || len(e.messages) != 1 || !strings.Contains(e.messages[0], `"id":"a"`) {
				t.Errorf("got %+v, want status %d as %s", e, test.status, test.kind)
			}
			if problems := f.close(t); problems != "" {
				t.Error(problems)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	body := toolCall("1", "t", modernMeta)
	tests := []struct {
		name   string
		body   string
		header []string
		status int
	}{
		{"all right", body, modernCall, 200},
		{"encoded name", body, []string{modernCall[0], modernCall[1], "Mcp-Name: =?base64?dA==?="}, 200},
		{"no method", body, []string{modernCall[0], modernCall[2]}, 400},
		{"other method", body, []string{modernCall[0], "Mcp-Method: TOOLS/CALL", modernCall[2]}, 400},
		{"other name", body, []string{modernCall[0], modernCall[1], "Mcp-Name: u"}, 400},
		{"no name", body, modernCall[:2], 400},
		{"other version", body, []string{"Mcp-Protocol-Version: 2027-01-01", modernCall[1], modernCall[2]}, 400},
		{"no version", body, modernCall[1:], 400},
		{"no JSON", `{"jsonrpc":`, modernCall, 400},
		{"evil Host", body, append([]string{"Host: evil.example.com"}, modernCall...), 403},
		{"evil Origin", body, append([]string{"Origin: http://evil.example.com"}, modernCall...), 403},
		{"local Origin", body, append([]string{"Origin: http://localhost:1234"}, modernCall...), 200},
	}
	f := serve(t, modernScript(reply(`{"resultType":"complete","content":[]}`)))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if e := f.do(t, http.MethodPost, test.body, test.header...); e.status != test.status {
				t.Errorf("got %+v, want status %d", e, test.status)
			}
		})
	}
	if problems := f.close(t); problems != "" {
		t.Error(problems)
	}
}

// TestOneProcess: requests share a process unless their ids are the same.
func TestOneProcess(t *testing.T) {
	f := serve(t, modernScript(upstreamtest.Step{Await: "cancel"}))
	log := ""
	for number, id := range []string{"1", "2", "1"} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if r, err := do(t, ctx, http.MethodPost, f.url, toolCall(id, "t", modernMeta), modernCall...); err == nil {
				r.Body.Close()
			}
		}()
		defer func() {
			cancel()
			<-ended
		}()
		log = f.log.await(t, number+1, `"method":"tools/call"`)
	}
	var got []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"method":"tools/call"`) {
			process, _, _ := strings.Cut(line, " ")
			got = append(got, process)
		}
	}
	if diff := cmp.Diff([]string{"1", "1", "2"}, got); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
}

// TestStreams: with several requests in flight, each gets its own.
func TestStreams(t *testing.T) {
	f := serve(t, upstreamtest.Script{
		Versions: []string{upstreamtest.Modern},
		Tools:    []json.RawMessage{upstreamtest.Tool("t"), upstreamtest.Tool("u")},
		Rules: []upstreamtest.Rule{
			{On: "tools/call t", Do: []upstreamtest.Step{{Await: "go"}, reply(`{"resultType":"complete","content":[]}`)}},
			{On: "tools/call u", Do: []upstreamtest.Step{
				step(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"of t","progress":1}}`),
				step(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"of u"}}`),
				reply(`{"resultType":"complete","content":[]}`),
				{Release: "go"},
			}},
		},
	})
	first := make(chan exchange)
	go func() {
		first <- f.do(t, http.MethodPost, toolCall("1", "t", modernMeta+`,"progressToken":"of t"`), modernCall...)
	}()
	f.log.await(t, 1, `"method":"tools/call"`)
	meta := modernMeta + `,"io.modelcontextprotocol/logLevel":"info"`
	second := f.do(t, http.MethodPost, toolCall("2", "u", meta), modernCall[0], modernCall[1], "Mcp-Name: u")
	want := []string{
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"of t","progress":1}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}`,
	}
	if diff := cmp.Diff(want, (<-first).messages); diff != "" {
		t.Errorf("first stream (-want +got):\n%s", diff)
	}
	want = []string{
		`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"of u"}}`,
		`{"jsonrpc":"2.0","id":2,"result":{"resultType":"complete","content":[]}}`,
	}
	if diff := cmp.Diff(want, second.messages); diff != "" {
		t.Errorf("second stream (-want +got):\n%s", diff)
	}
	if problems := f.close(t); problems != "" {
		t.Error(problems)
	}
}

// TestSubscriptions: each stream gets what has its id.
func TestSubscriptions(t *testing.T) {
	script := modernScript(
		step(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"b"}}}`),
		reply(`{"resultType":"complete","content":[]}`),
	)
	acknowledge := step(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"$id"}}}`)
	script.Rules = append(script.Rules, upstreamtest.Rule{On: "subscriptions/listen", Do: []upstreamtest.Step{acknowledge, {Await: "cancel"}}})
	f := serve(t, script)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var streams []*bufio.Scanner
	for _, id := range []string{`"a"`, `"b"`} {
		body := `{"jsonrpc":"2.0","id":` + id + `,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{` + modernMeta + `}}}`
		r, err := do(t, ctx, http.MethodPost, f.url, body, "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: subscriptions/listen")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		lines := bufio.NewScanner(r.Body)
		if got := nextMessage(lines); !strings.Contains(got, `"io.modelcontextprotocol/subscriptionId":`+id) {
			t.Errorf("first message for %s: %s", id, got)
		}
		streams = append(streams, lines)
	}
	if e := f.do(t, http.MethodPost, toolCall("1", "t", modernMeta), modernCall...); e.status != http.StatusOK || len(e.messages) != 1 {
		t.Errorf("the call got %+v", e)
	}
	if got := nextMessage(streams[1]); !strings.Contains(got, "list_changed") {
		t.Errorf("the stream got %s", got)
	}
	cancel()
	f.log.await(t, 2, "notifications/cancelled")
	if problems := f.close(t); problems != "" {
		t.Error(problems)
	}
}

// nextMessage reads a stream up to its next message; "" at its end.
func nextMessage(lines *bufio.Scanner) string {
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			return data
		}
	}
	return ""
}

// TestGoneClient: in the modern era who goes away has cancelled.
func TestGoneClient(t *testing.T) {
	f := serve(t, modernScript(upstreamtest.Step{Await: "cancel"}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if r, err := do(t, ctx, http.MethodPost, f.url, toolCall("5", "t", modernMeta), modernCall...); err == nil {
			r.Body.Close()
		}
	}()
	f.log.await(t, 1, `"method":"tools/call"`)
	cancel()
	<-ended
	f.log.await(t, 1, `→ {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}`)
	if problems := f.close(t); problems != "" {
		t.Error(problems)
	}
}

// TestProblems: what the server does wrong does not get lost.
func TestProblems(t *testing.T) {
	done := reply(`{"resultType":"complete","content":[]}`)
	tests := []struct {
		name  string
		steps []upstreamtest.Step
		want  string
	}{
		{"no message", []upstreamtest.Step{{Text: "hello\n"}, done}, "the server said what is no message: hello"},
		{"an answer to nothing", []upstreamtest.Step{step(`{"jsonrpc":"2.0","id":99,"result":{}}`), done}, `belongs to no request: {"jsonrpc":"2.0","id":99`},
		{"a change nobody listens for", []upstreamtest.Step{step(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`), done}, "belongs to no request"},
		{"a bad end", []upstreamtest.Step{{Exit: true, Code: 3}}, "the server ended with exit status 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, modernScript(test.steps...))
			f.do(t, http.MethodPost, toolCall("1", "t", modernMeta), modernCall...)
			if problems := f.close(t); !strings.Contains(problems, test.want) {
				t.Errorf("got problems %q, want %q", problems, test.want)
			}
		})
	}
}

// TestDeadServer: a server that ends leaves nobody waiting.
func TestDeadServer(t *testing.T) {
	f := serve(t, modernScript(upstreamtest.Step{Exit: true}))
	if e := f.do(t, http.MethodPost, toolCall("1", "t", modernMeta), modernCall...); e.status != http.StatusBadGateway {
		t.Errorf("got %+v, want status 502", e)
	}
	f.close(t)
}
