package aggregator

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// taskServer makes tasks as the core of 2025-11-25 has them.
func taskServer() upstreamtest.Script {
	return upstreamtest.Script{
		Capabilities: raw(`{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}`),
		Tools: raws(`{"name":"long","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}`,
			`{"name":"echo","inputSchema":{"type":"object"}}`),
		Rules: []upstreamtest.Rule{
			{On: "tools/call long", Do: []upstreamtest.Step{
				{Reply: raw(`{"task":{"taskId":"t1","status":"working","ttl":9007199254740993,"vendor":1.0},"_meta":{"x":1}}`)},
				{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":1}}`)},
				{Send: raw(`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t1","status":"working","z":1}}`)},
			}},
			{On: "tasks/get", Do: []upstreamtest.Step{{Reply: raw(`{"taskId":"t1","status":"completed","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}`)}}},
			{On: "tasks/cancel", Do: []upstreamtest.Step{{Reply: raw(`{"taskId":"t1","status":"cancelled"}`)}}},
			{On: "tasks/list", Do: []upstreamtest.Step{{Reply: raw(`{"tasks":[{"taskId":"t1","status":"completed"}]}`)}}},
			{On: "tasks/result", Do: []upstreamtest.Step{
				{Send: raw(`{"jsonrpc":"2.0","id":5,"method":"elicitation/create","params":{"message":"m","requestedSchema":{},"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}}`)},
				{Await: "response 5"},
				{Reply: raw(`{"content":[{"type":"text","text":"done"}],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}`)},
			}},
		},
	}
}

// taskIDOf returns the task id in a line, wherever it stands.
func taskIDOf(t *testing.T, line string) string {
	t.Helper()
	_, rest, ok := strings.Cut(line, `"taskId":"`)
	if !ok {
		t.Fatalf("no task in %s", line)
	}
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// TestTasksOfOneEra: tasks of the core pass between legacy hosts and servers,
// under ids of weir's own.
func TestTasksOfOneEra(t *testing.T) {
	bubble(t, "core", func(t *testing.T) {
		server, h := one(t, taskServer())
		h.send(legacy.capable()...)
		got := h.send(legacy.request("1", "tools/call", `"name":"up__long","arguments":{},"task":{"ttl":60000}`, `"progressToken":"p"`))
		if len(got) != 3 {
			t.Fatalf("got %q, want the task, progress and status", got)
		}
		id := taskIDOf(t, got[0])
		if id == "t1" || len(id) < 22 {
			t.Errorf("host sees the id %q", id)
		}
		named := func(text string) string { return strings.ReplaceAll(text, "t1", id) }
		want(t, "call", got,
			named(result("1", `"task":{"taskId":"t1","status":"working","ttl":9007199254740993,"vendor":1.0},"_meta":{"x":1}`)),
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`,
			named(`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t1","status":"working","z":1}}`))
		ask := func(id, method, member string) []string { return h.send(legacy.request(id, method, member, "")) }
		want(t, "get", ask("2", "tasks/get", `"taskId":"`+id+`"`),
			named(result("2", `"taskId":"t1","status":"completed","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}`)))
		want(t, "list", ask("3", "tasks/list", ""), named(result("3", `"tasks":[{"taskId":"t1","status":"completed"}]`)))
		want(t, "cancel", ask("4", "tasks/cancel", `"taskId":"`+id+`"`), named(result("4", `"taskId":"t1","status":"cancelled"`)))
		want(t, "result, question first", ask("5", "tasks/result", `"taskId":"`+id+`"`),
			named(`{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"[up] m","requestedSchema":{},"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}}`))
		want(t, "result", h.send(named(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}}`)),
			named(result("5", `"content":[{"type":"text","text":"done"}],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}`)))
		want(t, "answer", answersTo(server),
			`{"jsonrpc":"2.0","id":5,"result":{"action":"accept","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}}`)
		for _, r := range server.Received("tasks/get") {
			if !strings.Contains(string(r.Message), `"taskId":"t1"`) {
				t.Errorf("server was asked %s", r.Message)
			}
		}
	})
	bubble(t, "ids of nobody", func(t *testing.T) {
		server, h := one(t, taskServer())
		h.send(legacy.capable()...)
		for _, id := range []string{"t1", "", "AAAA", strings.Repeat("A", 200)} {
			got := h.send(legacy.request("1", "tasks/get", `"taskId":"`+id+`"`, ""))
			if len(got) != 1 || !strings.Contains(got[0], `"code":-32602`) {
				t.Errorf("task %q: got %q, want -32602", id, got)
			}
		}
		if n := len(server.Received("tasks/get")); n != 0 {
			t.Errorf("server was asked %d times", n)
		}
	})
	bubble(t, "of the host, for the server that began it", func(t *testing.T) {
		sampling := `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"task":{}}}`
		poll := `{"jsonrpc":"2.0","id":2,"method":"tasks/get","params":{"taskId":"h1"}}`
		first, second := taskServer(), taskServer()
		first.Rules = []upstreamtest.Rule{{On: "tools/call echo", Do: []upstreamtest.Step{
			{Send: raw(sampling)}, {Await: "response 1"}, {Send: raw(poll)}, {Await: "response 2"}, {Default: true},
		}}}
		second.Rules = []upstreamtest.Rule{{On: "tools/call echo", Do: []upstreamtest.Step{{Send: raw(poll)}, {Await: "response 2"}, {Default: true}}}}
		servers := map[string]*upstreamtest.Server{"a": upstreamtest.New(first), "b": upstreamtest.New(second)}
		_, h := start(t, config(t, servers, "a", "b"))
		h.send(legacy.capable()...)
		h.send(legacy.call("1", "a__echo", "{}"))
		got := h.send(`{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"h1","status":"working"}}}`)
		if len(got) != 1 || !strings.Contains(got[0], `"method":"tasks/get","params":{"taskId":"h1"}`) {
			t.Fatalf("got %q, want the server's question about its task", got)
		}
		h.send(`{"jsonrpc":"2.0","id":2,"result":{"taskId":"h1","status":"working"}}`)
		got = h.send(legacy.call("2", "b__echo", "{}"))
		if len(got) != 1 || !strings.Contains(got[0], `"id":2,"result"`) {
			t.Errorf("got %q: the other server must not ask the host about it", got)
		}
		if told := answersTo(servers["b"]); len(told) != 1 || !strings.Contains(told[0], "-32602") {
			t.Errorf("the other server was told %q", told)
		}
	})
}

// TestTasksBetweenEras: weir waits for the end of a task that the host's era has
// no word for.
func TestTasksBetweenEras(t *testing.T) {
	bubble(t, "modern host, task of the core", func(t *testing.T) {
		server, h := one(t, taskServer())
		h.send(modern.capable()...)
		h.send(modern.capableCall("1", "up__long", ""))
		pass(gatherTime)
		requests, state := inputRequired(t, h.received())
		if requests != `{"q1":{"method":"elicitation/create","params":{"message":"[up] m","requestedSchema":{}}}}` {
			t.Errorf("got %s", requests)
		}
		got := h.send(modern.capableCall("2", "up__long", resumeWith(`{"q1":{"action":"accept"}}`, state)))
		if len(got) != 1 || !strings.Contains(got[0], `"text":"done"`) || strings.Contains(got[0], "t1") {
			t.Errorf("got %q, want the result without the task", got)
		}
		if call := string(server.Received("tools/call")[0].Message); !strings.Contains(call, `"task":{}`) {
			t.Errorf("server got %s", call)
		}
	})
	bubble(t, "older host", func(t *testing.T) {
		_, h := one(t, taskServer())
		h.send(strings.Replace(legacy.capable()[0], "2025-11-25", "2025-06-18", 1), initialized)
		got := h.send(legacy.call("1", "up__long", "{}"))
		if len(got) != 1 || !strings.Contains(got[0], "elicitation/create") {
			t.Fatalf("got %q, want the question", got)
		}
		got = h.send(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}`)
		if len(got) != 1 || !strings.Contains(got[0], `"text":"done"`) {
			t.Errorf("got %q, want the result", got)
		}
	})
	bubble(t, "cancelled", func(t *testing.T) {
		server, h := one(t, taskServer())
		h.send(strings.Replace(legacy.capable()[0], "2025-11-25", "2025-06-18", 1), initialized)
		h.send(legacy.call("1", "up__long", "{}"))
		h.send(cancelled("1"))
		if n := len(server.Received("tasks/cancel")); n != 1 {
			t.Errorf("server was asked %d times to cancel the task, want once", n)
		}
	})
	bubble(t, "legacy host, task of the extension", func(t *testing.T) {
		script := upstreamtest.Script{
			Versions: []string{upstreamtest.Modern},
			Tools:    raws(`{"name":"long","inputSchema":{"type":"object"}}`),
			Rules: []upstreamtest.Rule{
				{On: "tools/call long", Nth: 1, Do: []upstreamtest.Step{{Error: raw(`{"code":-32021,"message":"m","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}`)}}},
				{On: "tools/call long", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"task","taskId":"t9","status":"working","pollIntervalMs":500}`)}}},
				{On: "tasks/get", Nth: 1, Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","taskId":"t9","status":"input_required","inputRequests":{"k":{"method":"roots/list"}},"pollIntervalMs":500}`)}}},
				{On: "tasks/get", Nth: 2, Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","taskId":"t9","status":"input_required","inputRequests":{"k":{"method":"roots/list"}}}`)}}},
				{On: "tasks/get", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","taskId":"t9","status":"completed","result":{"content":[{"type":"text","text":"done"}],"n":9007199254740993}}`)}}},
				{On: "tasks/update", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete"}`)}}},
			},
		}
		server, h := one(t, script)
		h.send(legacy.capable()...)
		h.send(legacy.call("1", "up__long", "{}"))
		pass(500 * time.Millisecond)
		want(t, "question", h.received(), `{"jsonrpc":"2.0","id":1,"method":"roots/list"}`)
		h.send(`{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}`)
		pass(5 * time.Second)
		want(t, "result", h.received(), result("1", `"content":[{"type":"text","text":"done"}],"n":9007199254740993`))
		update := server.Received("tasks/update")
		if len(update) != 1 || !strings.Contains(string(update[0].Message), `"taskId":"t9","inputResponses":{"k":{"roots":[]}}`) {
			t.Errorf("server was updated %d times", len(update))
		}
	})
}

// TestTaskIDs: an id says whose it is, always the same, and cannot be made up.
func TestTaskIDs(t *testing.T) {
	sealer := newTaskSealer(make([]byte, 32))
	sealed := sealer.seal("up", "t1")
	if again := sealer.seal("up", "t1"); again != sealed {
		t.Errorf("got %q and then %q for one task", sealed, again)
	}
	if server, id, ok := sealer.open(sealed); !ok || server != "up" || id != "t1" {
		t.Errorf("opened as %q, %q, %v", server, id, ok)
	}
	for i := range sealed {
		changed := []byte(sealed)
		changed[i] ^= 4
		if server, id, ok := sealer.open(string(changed)); ok && (server != "up" || id != "t1") {
			t.Errorf("changed at %d: opened as %q, %q", i, server, id)
		}
	}
	if _, _, ok := newTaskSealer([]byte(strings.Repeat("k", 32))).open(sealed); ok {
		t.Error("opened with another key")
	}
	if !json.Valid([]byte(`"` + sealed + `"`)) {
		t.Errorf("%q has to be escaped", sealed)
	}
}

// TestTasksOfOthers: who shares the servers with another key knows no tasks by
// that one's ids, and by its own those of an earlier weir.
func TestTasksOfOthers(t *testing.T) {
	dir := t.TempDir()
	weirOf := func(who policy.Principal) *Aggregator {
		cfg := config(t, nil)
		store, err := catalog.OpenStore(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Store, cfg.Principal = store, who
		a := New(cfg)
		t.Cleanup(a.Close)
		return a
	}
	phone := policy.Principal{Key: "phone"}
	id := weirOf(phone).tasks.seal("up", "t1")
	for _, tt := range []struct {
		who   policy.Principal
		knows bool
	}{
		{phone, true},
		{policy.Principal{Key: "phone", Profile: "work"}, true},
		{policy.Principal{Key: "laptop"}, false},
		{policy.Principal{}, false},
	} {
		if _, _, ok := weirOf(tt.who).tasks.open(id); ok != tt.knows {
			t.Errorf("%+v: got %t, want %t", tt.who, ok, tt.knows)
		}
	}
}
