package reference_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
	"github.com/weir-mcp/weir/upstream/upstreamtest/reference"
)

func TestMain(m *testing.M) {
	upstreamtest.Child()
	os.Exit(m.Run())
}

// A line is a client of one era that sends lines and keeps what comes.
type line struct {
	t       *testing.T
	out     io.Writer
	in      *bufio.Reader
	modern  bool
	clients string // capabilities, raw
}

func open(t *testing.T, version, capabilities string) *line {
	t.Helper()
	conn := reference.New(upstreamtest.Script{Versions: []string{version}}).Pipe()
	t.Cleanup(func() { _ = conn.Close() })
	l := &line{t: t, out: conn, in: bufio.NewReader(conn), modern: version >= upstreamtest.Modern, clients: capabilities}
	if !l.modern {
		l.send(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"` + version + `","capabilities":` + capabilities + `}}`)
		l.next()
		l.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	}
	return l
}

func (l *line) send(message string) {
	l.t.Helper()
	if _, err := io.WriteString(l.out, message+"\n"); err != nil {
		l.t.Fatal(err)
	}
}

// request sends a request; params are members.
func (l *line) request(method, params string) *jsonrpc.Message {
	l.t.Helper()
	if l.modern {
		params += `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":` + l.clients + `}`
	}
	l.send(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + strings.TrimPrefix(params, ",") + `}}`)
	return l.next()
}

func (l *line) next() *jsonrpc.Message {
	l.t.Helper()
	text, err := l.in.ReadBytes('\n')
	if err != nil {
		l.t.Fatal(err)
	}
	m := &jsonrpc.Message{}
	if err := m.Parse(text); err != nil {
		l.t.Fatalf("%v: %s", err, text)
	}
	return m
}

func wants(t *testing.T, m *jsonrpc.Message, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(string(m.Raw), part) {
			t.Errorf("got %s, want it to contain %s", m.Raw, part)
		}
	}
}

const everything = `{"roots":{},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}},"extensions":{"io.modelcontextprotocol/tasks":{}}}`

func TestAskingLegacy(t *testing.T) {
	l := open(t, upstreamtest.Legacy, everything)
	m := l.request("tools/call", `"name":"ask_thrice","arguments":{}`)
	for _, answer := range []string{`{"n":1E400}`, `{"n":2}`, `{"n":3}`} {
		wants(t, m, `"method":"elicitation/create"`, `"mode":"form"`)
		l.send(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + answer + `}`)
		m = l.next()
	}
	wants(t, m, `"id":1,"result"`, `"last":{"n":3}`)

	m = l.request("prompts/get", `"name":"ask"`)
	l.send(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"error":{"code":-1,"message":"no"}}`)
	wants(t, l.next(), `{\"error\":{\"code\":-1,\"message\":\"no\"}}`)

	m = l.request("tools/call", `"name":"ask_in_vain"`)
	wants(t, l.next(), `"method":"notifications/cancelled","params":{"requestId":`+string(m.ID))
	wants(t, l.next(), `"id":1,"result"`)
}

func TestAskingModern(t *testing.T) {
	l := open(t, upstreamtest.Modern, everything)
	const call = `"name":"ask_thrice","arguments":{"a":1.0}`
	m := l.request("tools/call", call)
	for _, answer := range []string{`{"n":1E400}`, `{"n":2}`, `{"n":3}`} {
		wants(t, m, `"resultType":"input_required"`, `"k":{"method":"elicitation/create"`)
		m = l.request("tools/call", call+`,"inputResponses":{"k":`+answer+`},"requestState":`+string(jsonrpc.Find(m.Fields, "requestState")))
	}
	wants(t, m, `"resultType":"complete"`, `"last":{"n":3}`)

	m = l.request("tools/call", `"name":"pause"`)
	for range 2 {
		wants(t, m, `"resultType":"input_required","requestState"`)
		m = l.request("tools/call", `"name":"pause","requestState":`+string(jsonrpc.Find(m.Fields, "requestState")))
	}
	wants(t, m, `"resultType":"complete"`)
}

// A state that was changed, left out, or is another request's is refused.
func TestStateIsKept(t *testing.T) {
	l := open(t, upstreamtest.Modern, everything)
	const responses = `,"inputResponses":{"form":{"action":"accept"}}`
	state := string(jsonrpc.Find(l.request("tools/call", `"name":"ask_form","arguments":{"a":1}`).Fields, "requestState"))
	for _, retry := range []string{
		`"name":"ask_form","arguments":{"a":1}` + responses,
		`"name":"ask_form","arguments":{"a":1.0}` + responses + `,"requestState":` + state,
		`"name":"ask_two","arguments":{"a":1}` + responses + `,"requestState":` + state,
		`"name":"ask_form","arguments":{"a":1}` + responses + `,"requestState":` + strings.Replace(state, `"e`, `"f`, 1),
		`"name":"ask_form","arguments":{"a":1}` + responses + `,"requestState":""`,
		`"name":"ask_forgetfully"` + responses + `,"requestState":"x"`,
	} {
		wants(t, l.request("tools/call", retry), `"code":-32602`)
	}
	wants(t, l.request("tools/call", `"name":"ask_form","arguments":{"a":1}`+responses+`,"requestState":`+state), `"answers":[{"action":"accept"}]`)
	wants(t, l.request("tools/call", `"name":"ask_forgetfully"`+responses), `"answers":[{"action":"accept"}]`)
}

func TestCapabilitiesAreMissing(t *testing.T) {
	tests := []struct{ declared, tool, legacy, modern string }{
		{`{"elicitation":{"url":{}}}`, "ask_form", "lacks elicitation form", `"requiredCapabilities":{"elicitation":{"form":{}}}`},
		{`{"elicitation":{}}`, "ask_url", "lacks elicitation url", `"requiredCapabilities":{"elicitation":{"url":{}}}`},
		{`{"sampling":{}}`, "ask_model_tools", "lacks sampling tools", `"requiredCapabilities":{"sampling":{"tools":{}}}`},
		{`{}`, "ask_roots", "lacks roots", `"requiredCapabilities":{"roots":{}}`},
	}
	for _, test := range tests {
		wants(t, open(t, upstreamtest.Legacy, test.declared).request("tools/call", `"name":"`+test.tool+`"`), test.legacy)
		wants(t, open(t, upstreamtest.Modern, test.declared).request("tools/call", `"name":"`+test.tool+`"`), test.modern)
	}
}

func TestLegacyTasks(t *testing.T) {
	l := open(t, upstreamtest.Legacy, everything)
	wants(t, l.request("tools/call", `"name":"task_only"`), `"code":-32601`)
	wants(t, l.request("tools/call", `"name":"echo","task":{}`), `"code":-32601`)

	m := l.request("tools/call", `"name":"task_ask","arguments":{"a":1.0},"task":{"ttl":5}`)
	id := string(jsonrpc.Find(members(t, jsonrpc.Find(m.Fields, "task")), "taskId"))
	wants(t, m, `"status":"working"`, `"ttl":5`)
	wants(t, l.request("tasks/get", `"taskId":`+id), `"status":"input_required"`)
	wants(t, l.request("tasks/list", ``), `"taskId":`+id)
	m = l.request("tasks/result", `"taskId":`+id)
	wants(t, m, `"method":"elicitation/create"`, `related-task":{"taskId":`+id)
	l.send(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"action":"accept"}}`)
	wants(t, l.next(), `"arguments":{"a":1.0},"answer":{"action":"accept"}`, `related-task":{"taskId":`+id)
	wants(t, l.request("tasks/cancel", `"taskId":`+id), `"code":-32602`)

	id = string(jsonrpc.Find(members(t, jsonrpc.Find(l.request("tools/call", `"name":"task_fail","task":{}`).Fields, "task")), "taskId"))
	wants(t, l.request("tasks/get", `"taskId":`+id), `"status":"working"`)
	wants(t, l.request("tasks/get", `"taskId":`+id), `"status":"failed"`)
	wants(t, l.request("tasks/result", `"taskId":`+id), `"code":7`)
}

func TestModernTasks(t *testing.T) {
	wants(t, open(t, upstreamtest.Modern, `{}`).request("tools/call", `"name":"task_only"`), `"code":-32021`, `{"extensions":{"io.modelcontextprotocol/tasks":{}}}`)

	l := open(t, upstreamtest.Modern, everything)
	m := l.request("tools/call", `"name":"task_ask","arguments":{"a":1.0}`)
	wants(t, m, `"resultType":"task"`, `"status":"working"`, `"ttlMs":null`)
	id := string(jsonrpc.Find(m.Fields, "taskId"))
	wants(t, l.request("tasks/get", `"taskId":`+id), `"status":"input_required"`, `"inputRequests":{"<k>":{"method":"elicitation/create"`)
	wants(t, l.request("tasks/update", `"taskId":`+id+`,"inputResponses":{"<k>":{"action":"decline"}}`), `"result":{"resultType":"complete","_meta"`)
	wants(t, l.request("tasks/get", `"taskId":`+id), `"status":"completed"`, `"result":{"resultType":"complete","content"`, `"answer":{"action":"decline"}`)
	wants(t, l.request("tasks/get", `"taskId":"x"`), `"code":-32602`)

	id = string(jsonrpc.Find(l.request("tools/call", `"name":"task_hold"`).Fields, "taskId"))
	wants(t, l.request("subscriptions/listen", `"notifications":{"taskIds":["x",`+id+`],"toolsListChanged":false,"resourceSubscriptions":["deaf:1","ref:///a"]}`),
		`"notifications":{"taskIds":[`+id+`],"resourceSubscriptions":["ref:///a"]}`)
	l.request("tasks/cancel", `"taskId":`+id)
}

// Everything listed is JSON, and what is paged is whole.
func TestLists(t *testing.T) {
	for version, tools := range map[string]int{upstreamtest.Legacy: 41, upstreamtest.Modern: 41} {
		l := open(t, version, everything)
		for member, list := range map[string]struct {
			method string
			count  int
		}{
			"tools": {"tools/list", tools}, "prompts": {"prompts/list", 3},
			"resources": {"resources/list", 7}, "resourceTemplates": {"resources/templates/list", 3},
		} {
			count := 0
			for params := ""; ; {
				m := l.request(list.method, params)
				items, err := jsonrpc.ParseArray(nil, jsonrpc.Find(m.Fields, member))
				if err != nil {
					t.Fatalf("%s: %v: %s", list.method, err, m.Raw)
				}
				count += len(items)
				cursor := jsonrpc.Find(m.Fields, "nextCursor")
				if cursor == nil {
					break
				}
				params = `"cursor":` + string(cursor)
			}
			if count != list.count {
				t.Errorf("%s in %s: got %d items, want %d", list.method, version, count, list.count)
			}
			wants(t, l.request(list.method, `"cursor":"no such"`), `"code":-32602`)
		}
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func members(t *testing.T, raw []byte) []jsonrpc.Member {
	t.Helper()
	all, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return all
}

// The declarations are JSON in every revision.
func TestHandshake(t *testing.T) {
	for _, version := range []string{"2024-11-05", "2025-06-18", upstreamtest.Legacy, upstreamtest.Modern} {
		conn := reference.New(upstreamtest.Script{Versions: []string{version}}).Pipe()
		l := &line{t: t, out: conn, in: bufio.NewReader(conn), modern: version >= upstreamtest.Modern, clients: "{}"}
		method, params := "initialize", `"protocolVersion":"`+version+`","capabilities":{}`
		if l.modern {
			method, params = "server/discover", ""
		}
		m := l.request(method, params)
		if capabilities := jsonrpc.Find(m.Fields, "capabilities"); !json.Valid(capabilities) {
			t.Errorf("%s: got %s", version, m.Raw)
		}
		wants(t, m, `"title":"Reference <é>"`, `"instructions":"Ask <it> kindly. é"`)
		_ = conn.Close()
	}
}
