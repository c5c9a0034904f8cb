package upstreamtest_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

func TestMain(m *testing.M) {
	upstreamtest.Child()
	os.Exit(m.Run())
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func TestDialogues(t *testing.T) {
	tests := []struct {
		name   string
		script upstreamtest.Script
		dialog string // "> " sent, "< " expected
	}{
		{"handshake", upstreamtest.Script{Name: "a", Instructions: "be kind"}, `
> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"a","version":"1.0.0"},"instructions":"be kind"}}
> {"jsonrpc":"2.0","method":"notifications/initialized"}
> {"jsonrpc":"2.0","id":1,"method":"ping"}
< {"jsonrpc":"2.0","id":1,"result":{}}
`},
		{"older version is countered", upstreamtest.Script{Versions: []string{"2025-06-18"}}, `
> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"scripted","version":"1.0.0"}}}
`},
		{"modern server refuses a handshake", upstreamtest.Script{Versions: []string{upstreamtest.Modern}}, `
> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}
< {"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28"],"requested":"2025-11-25"}}}
`},
		{"legacy server does not know discover", upstreamtest.Script{}, `
> {"jsonrpc":"2.0","id":0,"method":"server/discover","params":{` + modernMeta + `}}
< {"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"Method not found"}}
`},
		{"discover", upstreamtest.Script{Versions: []string{upstreamtest.Modern}, TTL: 5}, `
> {"jsonrpc":"2.0","id":"d","method":"server/discover","params":{` + modernMeta + `}}
< {"jsonrpc":"2.0","id":"d","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}},"ttlMs":5,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"scripted","version":"1.0.0"}}}}
`},
		{"pages", upstreamtest.Script{PageSize: 1, Tools: []json.RawMessage{[]byte(`{"name":"a"}`), []byte(`{"name":"b","x":"<1>"}`)}}, `
> {"jsonrpc":"2.0","id":1,"method":"tools/list"}
< {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}],"nextCursor":"1"}}
> {"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"1"}}
< {"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"b","x":"<1>"}]}}
> {"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"cursor":"7"}}
< {"jsonrpc":"2.0","id":3,"error":{"code":-32602,"message":"Invalid cursor"}}
`},
		{"call", upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("a")}}, `
> {"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"name":"a","arguments":{"n":1e400,"n":2}}}
< {"jsonrpc":"2.0","id":9007199254740993,"result":{"content":[{"type":"text","text":"a"}],"structuredContent":{"arguments":{"n":1e400,"n":2}}}}
> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"b"}}
< {"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"Unknown tool: b"}}
`},
		{"rules", upstreamtest.Script{Rules: []upstreamtest.Rule{
			{On: "tools/call p", Do: []upstreamtest.Step{
				{Send: []byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":$n}}`), Repeat: 2},
				{Reply: []byte(`{"got":"$arguments","pad":"$fill"}`), Fill: 3},
				{Reply: []byte(`"twice"`)},
			}},
			{On: "tools/call q", Nth: 2, Do: []upstreamtest.Step{{Text: "half a li"}, {Text: "ne\n"}, {Error: []byte(`{"code":1}`)}}},
			{On: "tools/call q", Do: []upstreamtest.Step{{Reply: []byte(`1`)}}},
		}}, `
> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"p","arguments":[],"_meta":{"progressToken":7}}}
< {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}
< {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":2}}
< {"jsonrpc":"2.0","id":1,"result":{"got":[],"pad":"xxx"}}
< {"jsonrpc":"2.0","id":1,"result":"twice"}
> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"p"}}
< {"jsonrpc":"2.0","id":2,"result":{"got":null,"pad":"xxx"}}
< {"jsonrpc":"2.0","id":2,"result":"twice"}
`},
		{"gates and cancellation", upstreamtest.Script{Rules: []upstreamtest.Rule{
			{On: "tools/call wait", Do: []upstreamtest.Step{{Await: "go"}, {Reply: []byte(`"went"`)}}},
			{On: "tools/call go", Do: []upstreamtest.Step{{Reply: []byte(`"go"`)}, {Release: "go"}}},
			{On: "tools/call late", Do: []upstreamtest.Step{{Await: "cancel"}, {Reply: []byte(`"late"`)}}},
			{On: "tools/call early", Do: []upstreamtest.Step{{Await: "never"}, {Reply: []byte(`"no"`)}, {Await: "cancel"}, {Reply: []byte(`"early"`)}}},
			{On: "tools/call hang", Do: nil},
		}}, `
> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait"}}
> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"hang"}}
> {"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"late"}}
> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}
< {"jsonrpc":"2.0","id":3,"result":"late"}
> {"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"early"}}
> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}
< {"jsonrpc":"2.0","id":5,"result":"early"}
> {"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"go"}}
< {"jsonrpc":"2.0","id":4,"result":"go"}
< {"jsonrpc":"2.0","id":1,"result":"went"}
`},
		{"change is announced", upstreamtest.Script{Rules: []upstreamtest.Rule{
			{On: "tools/call change", Do: []upstreamtest.Step{{Tools: []json.RawMessage{[]byte(`{"name":"new"}`)}}}},
		}}, `
> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}
< {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"scripted","version":"1.0.0"}}}
> {"jsonrpc":"2.0","method":"notifications/initialized"}
> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"change"}}
< {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}
> {"jsonrpc":"2.0","id":2,"method":"tools/list"}
< {"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"new"}]}}
`},
		{"no JSON", upstreamtest.Script{}, `
> {"jsonrpc":
< {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"invalid JSON at byte 11: text ends early"}}
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := upstreamtest.New(test.script).Pipe()
				defer conn.Close()
				speak(t, conn, test.dialog)
			})
		})
	}
}

func speak(t *testing.T, conn io.ReadWriter, dialog string) {
	t.Helper()
	lines := bufio.NewReader(conn)
	for line := range strings.Lines(strings.TrimSpace(dialog)) {
		line = strings.TrimRight(line, "\n")
		if text, ok := strings.CutPrefix(line, "> "); ok {
			if _, err := io.WriteString(conn, text+"\n"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimPrefix(line, "< ") + "\n"; got != want {
			t.Fatalf("got  %swant %s", got, want)
		}
	}
}

func TestListenStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := upstreamtest.New(upstreamtest.Script{Versions: []string{upstreamtest.Modern}})
		conn := s.Pipe()
		defer conn.Close()
		speak(t, conn, `
> {"jsonrpc":"2.0","id":"L","method":"subscriptions/listen","params":{`+modernMeta+`,"notifications":{"toolsListChanged":true}}}
< {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"},"notifications":{"toolsListChanged":true}}}`)
		go s.SetTools()
		speak(t, conn, `
< {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"}}}
> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"L"}}`)
		synctest.Wait()
		s.SetTools(upstreamtest.Tool("a")) // nobody listens: it would block
	})
}

func TestChild(t *testing.T) {
	program, env := upstreamtest.Command(t, upstreamtest.Script{
		Start: []upstreamtest.Step{{Stderr: "up"}},
		Rules: []upstreamtest.Rule{{On: "ping", Do: []upstreamtest.Step{{Bytes: []byte("\xff\n")}, {Exit: true, Code: 3}}}},
	})
	cmd := exec.CommandContext(t.Context(), program)
	for key, value := range maps.All(env) {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, `{"jsonrpc":"2.0","id":1,"method":"ping"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 3 {
		t.Errorf("got %v, want exit code 3", err)
	}
	if got, want := stdout.String(), "\xff\n"; got != want {
		t.Errorf("stdout: got %q, want %q", got, want)
	}
	if got, want := stderr.String(), "up\n"; got != want {
		t.Errorf("stderr: got %q, want %q", got, want)
	}
}

func TestHTTP(t *testing.T) {
	const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`
	modernCall := map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?w6Q=?="}
	tests := []struct {
		name   string
		script upstreamtest.Script
		header map[string]string
		body   string
		code   int
		kind   string
		answer string // what it contains
	}{
		{"no session", upstreamtest.Script{}, nil, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 400, "application/json", "-32000"},
		{"lost session", upstreamtest.Script{}, map[string]string{"Mcp-Session-Id": "x"}, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 404, "", ""},
		{"initialize", upstreamtest.Script{}, nil, initialize, 200, "application/json", `"id":0,"result"`},
		{"as a stream", upstreamtest.Script{SSE: true}, nil, initialize, 200, "text/event-stream", "event: message\ndata: {"},
		{"indented", upstreamtest.Script{SSE: true, Indent: true}, nil, initialize, 200, "text/event-stream", "\ndata: \t\"id\": 0,\n"},
		{"no version", upstreamtest.Script{}, nil, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":""}}`, 200, "application/json", "-32602"},
		{"status", upstreamtest.Script{Rules: []upstreamtest.Rule{{On: "initialize", Do: []upstreamtest.Step{{Status: 503}}}}}, nil, initialize, 503, "", ""},
		{
			"modern",
			upstreamtest.Script{Versions: []string{upstreamtest.Modern}, Tools: []json.RawMessage{upstreamtest.Tool("ä")}},
			modernCall,
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ä",` + modernMeta + `}}`, 200, "application/json", `"resultType":"complete"`,
		},
		{
			"modern, wrong header",
			upstreamtest.Script{Versions: []string{upstreamtest.Modern}},
			modernCall,
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a",` + modernMeta + `}}`, 400, "application/json", "-32020",
		},
		{
			"modern, unknown tool",
			upstreamtest.Script{Versions: []string{upstreamtest.Modern}},
			modernCall,
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ä",` + modernMeta + `}}`, 400, "application/json", "-32602",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(upstreamtest.New(test.script))
			defer server.Close()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Accept", "application/json, text/event-stream")
			for key, value := range test.header {
				request.Header.Set(key, value)
			}
			response, err := server.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.code {
				t.Errorf("status: got %d, want %d", response.StatusCode, test.code)
			}
			if got := response.Header.Get("Content-Type"); got != test.kind {
				t.Errorf("content type: got %q, want %q", got, test.kind)
			}
			if !strings.Contains(string(body), test.answer) {
				t.Errorf("got %q, want it to contain %q", body, test.answer)
			}
		})
	}
}
