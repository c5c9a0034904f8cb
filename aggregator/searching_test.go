package aggregator

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/aggregator/overrides"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

var searchTools = []string{"weir__find_tools", "weir__describe_tool", "weir__call_tool"}

// toolsIn are the names of a list of tools.
func toolsIn(t *testing.T, lines []string) (names []string) {
	t.Helper()
	var list struct {
		Result struct{ Tools []struct{ Name string } }
	}
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &list) != nil {
		t.Fatalf("got %q, want a list", lines)
	}
	for _, tool := range list.Result.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// saidIn is the text and what is structured of one result.
func saidIn(t *testing.T, lines []string) (text string, structured json.RawMessage, failed bool) {
	t.Helper()
	var got struct {
		Result struct {
			Content           []struct{ Text string }
			StructuredContent json.RawMessage
			IsError           bool
		}
	}
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &got) != nil || len(got.Result.Content) != 1 {
		t.Fatalf("got %q, want a result of one text", lines)
	}
	return got.Result.Content[0].Text, got.Result.StructuredContent, got.Result.IsError
}

// shelf is a server with so many tools and what is wanted besides.
func shelf(n int, more ...string) *upstreamtest.Server {
	var s upstreamtest.Script
	for i := range n {
		s.Tools = append(s.Tools, raw(fmt.Sprintf(`{"name":"t%d","inputSchema":{"type":"object"}}`, i)))
	}
	s.Tools = append(s.Tools, raws(more...)...)
	return upstreamtest.New(s)
}

// TestExposures: what is in the list, by how much room there is, who asks and how.
func TestExposures(t *testing.T) {
	all := func(n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("up__t%d", i))
		}
		return names
	}
	for _, tt := range []struct {
		name     string
		exposure Exposure
		maxTools int
		tools    int
		client   string
		want     []string
	}{
		{"all", ExposeAll, 0, 150, "Cursor", all(150)},
		{"all, with room", ExposeAll, 8, 8, "x", all(8)},
		{"all, one too many", ExposeAll, 8, 9, "x", append(all(5), searchTools...)},
		{"all, no room but for weir's own", ExposeAll, 3, 9, "x", searchTools},
		{"search", ExposeSearch, 0, 2, "x", searchTools},
		{"search, with room", ExposeSearch, 100, 2, "x", searchTools},
		{"search of nothing yet", ExposeSearch, 0, 0, "x", searchTools},
		{"auto, with room", ExposeAuto, 0, 100, "x", all(100)},
		{"auto, one too many", ExposeAuto, 0, 101, "x", searchTools},
		{"auto, Cursor", ExposeAuto, 0, 40, "cursor-vscode", all(40)},
		{"auto, Cursor, one too many", ExposeAuto, 0, 41, "cursor-vscode", searchTools},
		{"auto, VS Code", ExposeAuto, 0, 128, "Visual Studio Code", all(128)},
		{"auto, VS Code, one too many", ExposeAuto, 0, 129, "Visual Studio Code", searchTools},
		{"auto, max_tools before the host's", ExposeAuto, 3, 4, "Visual Studio Code", searchTools},
	} {
		for _, e := range []era{legacy, modern} {
			bubble(t, tt.name+", "+e.String(), func(t *testing.T) {
				cfg := config(t, map[string]*upstreamtest.Server{"up": shelf(tt.tools)}, "up")
				cfg.Expose, cfg.MaxTools = tt.exposure, tt.maxTools
				_, h := start(t, cfg)
				as := func(line string) string { return strings.ReplaceAll(line, `"name":"host"`, `"name":"`+tt.client+`"`) }
				for _, line := range e.open() {
					h.send(as(line))
				}
				if diff := cmp.Diff(tt.want, toolsIn(t, h.send(as(listRequest(e, "1"))))); diff != "" {
					t.Errorf("list (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestLeftOutIsThere: what is not in the list is found, described and called, by its
// name too; and where nothing is left out there is nothing to find it with.
func TestLeftOutIsThere(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			cfg := config(t, map[string]*upstreamtest.Server{"up": shelf(9, string(upstreamtest.Tool("hammer")))}, "up")
			cfg.MaxTools = 5
			_, h := start(t, cfg)
			h.send(e.open()...)
			if got := toolsIn(t, h.send(listRequest(e, "1"))); slices.Contains(got, "up__hammer") || len(got) != 5 {
				t.Fatalf("list: got %q", got)
			}
			if text, _, _ := saidIn(t, h.send(e.call("2", "weir__find_tools", `{"query":"a hammer"}`))); !strings.HasPrefix(text, "up__hammer (server up)") {
				t.Errorf("found: got %q", text)
			}
			for _, call := range []string{e.call("3", "up__hammer", "{}"), e.call("3", "weir__call_tool", `{"name":"up__hammer"}`)} {
				if text, _, failed := saidIn(t, h.send(call)); failed || text != "hammer" {
					t.Errorf("%s: got %q", call, text)
				}
			}
		})
	}
	bubble(t, "everything is in the list", func(t *testing.T) {
		_, h := start(t, config(t, map[string]*upstreamtest.Server{"up": shelf(1)}, "up"))
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		for _, name := range searchTools {
			want(t, name, h.send(legacy.call("2", name, `{"name":"up__t0","query":"x"}`)), noTool("2", name))
		}
	})
}

// TestFindTools: names, servers and a line for each, as text and structured.
func TestFindTools(t *testing.T) {
	const long = `{"name":"wash","description":"Wash  dishes\nwith soap.\n\nMore of it. ","inputSchema":{"type":"object"}}`
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			cfg := config(t, map[string]*upstreamtest.Server{"up": shelf(30, long, `{"name":"dish_rack","description":"`+strings.Repeat("word ", 100)+`","inputSchema":{"type":"object"}}`)}, "up")
			cfg.Expose = ExposeSearch
			_, h := start(t, cfg)
			h.send(e.open()...)
			text, structured, failed := saidIn(t, h.send(e.call("1", "weir__find_tools", `{"query":"washing the dishes"}`)))
			cut := strings.TrimSpace(strings.Repeat("word ", 39)) + "…"
			if want := "up__wash (server up): Wash dishes with soap.\nup__dish_rack (server up): " + cut; failed || text != want {
				t.Errorf("text: got %q, want %q", text, want)
			}
			want := `{"tools":[{"name":"up__wash","server":"up","description":"Wash dishes with soap."},{"name":"up__dish_rack","server":"up","description":"` + cut + `"}],"of":32}`
			if string(structured) != want {
				t.Errorf("structured: got %s, want %s", structured, want)
			}
			for limit, n := range map[string]int{`1`: 1, `7.0`: 7, `20`: 20} {
				text, _, _ := saidIn(t, h.send(e.call("2", "weir__find_tools", `{"query":"up","limit":`+limit+`}`)))
				if got := len(strings.Split(text, "\n")); got != n {
					t.Errorf("limit %s: got %d lines", limit, got)
				}
			}
			text, structured, failed = saidIn(t, h.send(e.call("3", "weir__find_tools", `{"query":"zebra"}`)))
			if failed || !strings.Contains(text, `No tool fits "zebra"`) || !strings.Contains(text, "of these servers: up.") || string(structured) != `{"tools":[],"of":32}` {
				t.Errorf("nothing found: got %q, %s", text, structured)
			}
			for _, wrong := range []string{`{}`, `{"query":""}`, `{"query":7}`, `{"query":"x","limit":0}`, `{"query":"x","limit":21}`, `{"query":"x","limit":"5"}`, `{"query":"x","limit":1.5}`, `{"query":"x","query":"y"}`, `{"query":"x","server":"up"}`} {
				if text, _, failed := saidIn(t, h.send(e.call("4", "weir__find_tools", wrong))); !failed || !strings.HasPrefix(text, "The arguments are wrong. ") {
					t.Errorf("%s: got %q", wrong, text)
				}
			}
		})
	}
}

// TestOnlyWhatIsSeenIsFound: what the policy denies, or is for apps, is neither found
// nor described, and answers as what nobody has.
func TestOnlyWhatIsSeenIsFound(t *testing.T) {
	const app = `{"name":"panel","inputSchema":{"type":"object"},"_meta":{"ui":{"visibility":["app"]}}}`
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			cfg := config(t, map[string]*upstreamtest.Server{"up": shelf(1, string(upstreamtest.Tool("secret")), app), "hid": shelf(3)}, "up", "hid")
			cfg.Expose = ExposeSearch
			cfg.Policy = ruled(t, policy.Rule{Server: text("up"), Tool: text("secret"), Level: level(policy.Deny)}, policy.Rule{Server: text("hid"), Level: level(policy.Deny)})
			_, h := start(t, cfg)
			h.send(e.open()...)
			for _, query := range []string{"secret", "panel", "hid"} {
				if got, structured, _ := saidIn(t, h.send(e.call("1", "weir__find_tools", `{"query":"`+query+`"}`))); string(structured) != `{"tools":[],"of":1}` || strings.Contains(got, "hid.") {
					t.Errorf("finding %s: got %q, %s", query, got, structured)
				}
			}
			unknown, _, failed := saidIn(t, h.send(e.call("2", "weir__describe_tool", `{"name":"up__nobody"}`)))
			denied, _, _ := saidIn(t, h.send(e.call("3", "weir__describe_tool", `{"name":"up__secret"}`)))
			if !failed || denied != strings.ReplaceAll(unknown, "up__nobody", "up__secret") {
				t.Errorf("described: got %q of what is denied, %q of what nobody has", denied, unknown)
			}
			want(t, "called", h.send(e.call("4", "weir__call_tool", `{"name":"up__secret"}`)), noTool("4", "up__secret"))
		})
	}
}

// TestDescribeTool: the definition as the list would have it.
func TestDescribeTool(t *testing.T) {
	const tool = `{"x":[1e2],"name":"wash","description":"d","inputSchema":{"type":"object","properties":{"a":{"type":"integer"}}}}`
	bubble(t, "", func(t *testing.T) {
		cfg := config(t, map[string]*upstreamtest.Server{"up": shelf(0, tool)}, "up")
		cfg.Expose = ExposeSearch
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		got, structured, failed := saidIn(t, h.send(legacy.call("1", "weir__describe_tool", `{"name":"up__wash"}`)))
		if want := strings.Replace(tool, "wash", "up__wash", 1); failed || got != want || structured != nil {
			t.Errorf("got %s and %s, want %s", got, structured, want)
		}
		if got, _, _ := saidIn(t, h.send(legacy.call("2", "weir__describe_tool", `{"name":"weir__find_tools"}`))); got != string(ownToolOf("find_tools").definition()) {
			t.Errorf("weir's own: got %s", got)
		}
	})
}

// dialogs are what a host does by a call, and its server: each is played directly
// and by way of weir__call_tool, and must be the same.
var dialogs = map[string]struct {
	script func(e era) upstreamtest.Script
	edit   func(t *testing.T, cfg *Config)
	play   func(t *testing.T, e era, h *host, server *upstreamtest.Server, call caller)
}{
	"a call": {echoes, nil, func(_ *testing.T, e era, h *host, _ *upstreamtest.Server, call caller) {
		h.send(e.request("1", "tools/call", call("up__echo", `{"n":1.0,"b":9007199254740993}`)+`,"x":{"y":1}`, `"progressToken":"p"`))
		h.send(e.request("2", "tools/call", call("up__echo", ""), ""))
		h.send(e.request("3", "tools/call", call("up__nobody", "{}"), ""))
		h.send(e.request("4", "tools/call", call("echo", `{"\u0061":1}`), ""))
	}},
	"a cancellation": {
		func(era) upstreamtest.Script { return gateScript() }, nil,
		func(_ *testing.T, e era, h *host, _ *upstreamtest.Server, call caller) {
			h.send(e.request("1", "tools/call", call("up__gate", "{}"), ""))
			h.send(cancelled("1"))
		},
	},
	"a policy": {echoes, func(t *testing.T, cfg *Config) {
		t.Helper()
		cfg.Policy = policyOf(t, `{default: execute, rules: [{server: up, tool: echo, level: deny, when: 'args.n == 1'}, {server: up, tool: look, level: read}]}`)
	}, func(_ *testing.T, e era, h *host, _ *upstreamtest.Server, call caller) {
		for i, arguments := range []string{`{"n":1}`, `{"n":2}`, `{"n":2,"n":1}`, ""} {
			h.send(e.request(fmt.Sprint(i), "tools/call", call("up__echo", arguments), ""))
		}
		h.send(e.request("9", "tools/call", call("up__look", "{}"), ""))
	}},
	"overrides and validation": {echoes, func(t *testing.T, cfg *Config) {
		t.Helper()
		cfg.Servers[0].Validate = true
		cfg.Servers[0].Overrides = map[string]*overrides.Override{"echo": {Fixed: []overrides.Argument{{Name: "org", Value: []byte(`"acme"`)}}}}
	}, func(_ *testing.T, e era, h *host, _ *upstreamtest.Server, call caller) {
		for i, arguments := range []string{`{"n":1}`, `{"n":"x"}`, `{"org":"other"}`, ""} {
			h.send(e.request(fmt.Sprint(i), "tools/call", call("up__echo", arguments), ""))
		}
	}},
	"an approval": {
		func(era) upstreamtest.Script { return tidy() },
		func(t *testing.T, cfg *Config) {
			t.Helper()
			cfg.Policy, cfg.Approvals = policyOf(t, askPolicy), newApprovals(t).store()
		},
		func(t *testing.T, e era, h *host, _ *upstreamtest.Server, call caller) {
			t.Helper()
			params := call("up__remove", `{"path":"/x","n":1.0}`)
			shown, answer := question(t, e, h.send(e.ask("1", "tools/call", params)))
			if !strings.Contains(shown.Message, "remove") || strings.Contains(shown.Message, "call_tool") {
				t.Errorf("the user is asked %q", shown.Message)
			}
			h.send(answer("2", params, accepted("once")))
			question(t, e, h.send(e.ask("3", "tools/call", params)))
		},
	},
	"a question of a legacy server": {
		func(era) upstreamtest.Script {
			s := asking("elicitation/create", `{"message":"m","requestedSchema":{"type":"object","properties":{}}}`)
			s.Versions = legacy.versions()
			return s
		}, nil,
		func(t *testing.T, e era, h *host, _ *upstreamtest.Server, call caller) {
			t.Helper()
			params := call("up__ask", "{}")
			got := h.send(e.ask("1", "tools/call", params))
			pass(gatherTime)
			decline(t, e, h, params, append(got, h.received()...))
		},
	},
	"a question of a modern server": {
		func(era) upstreamtest.Script {
			return modernAsking(`{"resultType":"input_required","requestState":"s","inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"form","message":"m","requestedSchema":{}}}}}`)
		}, nil,
		func(t *testing.T, e era, h *host, _ *upstreamtest.Server, call caller) {
			t.Helper()
			params := call("up__ask", `{"n":9007199254740993}`)
			decline(t, e, h, params, h.send(e.ask("1", "tools/call", params)))
		},
	},
	"a task": {
		func(era) upstreamtest.Script { return taskServer() }, nil,
		func(t *testing.T, e era, h *host, _ *upstreamtest.Server, call caller) {
			t.Helper()
			params := call("up__long", "{}")
			if e == modern { // which has no word for it: weir waits for its end
				got := h.send(e.ask("1", "tools/call", params))
				pass(gatherTime)
				decline(t, e, h, params, append(got, h.received()...))
				return
			}
			got := h.send(e.request("1", "tools/call", params+`,"task":{"ttl":60000}`, `"progressToken":"p"`))
			if len(got) != 3 {
				t.Fatalf("got %q, want the task, progress and status", got)
			}
			named := `"taskId":"` + taskIDOf(t, got[0]) + `"`
			h.send(e.request("2", "tasks/get", named, ""))
			decline(t, e, h, "", h.send(e.request("3", "tasks/result", named, "")))
			h.send(e.request("4", "tasks/cancel", named, ""))
		},
	},
	"a tool that has changed": {
		func(e era) upstreamtest.Script {
			s := echoes(e)
			s.Capabilities = raw(`{"tools":{"listChanged":true}}`)
			return s
		},
		func(t *testing.T, cfg *Config) {
			t.Helper()
			cfg.Pins, cfg.Servers[0].Pin = pins.NewStore(state.At(filepath.Join(t.TempDir(), "weir"))), pins.Block
		},
		func(t *testing.T, e era, h *host, server *upstreamtest.Server, call caller) {
			t.Helper()
			pass(time.Second) // what has been listed is pinned, and all is listed that will be
			h.send(e.request("1", "tools/call", call("up__echo", "{}"), ""))
			server.SetTools(raw(strings.Replace(string(upstreamtest.Tool("echo")), "{", `{"title":"another",`, 1)))
			pass(time.Second)
			h.received()
			got := h.send(e.request("2", "tools/call", call("up__echo", "{}"), ""))
			if len(got) != 1 || !strings.Contains(got[0], "tool_changed") {
				t.Errorf("got %q, want that it is held back", got)
			}
		},
	},
}

// decline answers what the user was asked by the answer to a call with these params,
// or, of a legacy host, by a request.
func decline(t *testing.T, e era, h *host, params string, asked []string) {
	t.Helper()
	if e == legacy {
		var q struct{ ID json.RawMessage }
		if len(asked) == 0 || json.Unmarshal([]byte(asked[0]), &q) != nil {
			t.Fatalf("got %q, want a question", asked)
		}
		h.send(`{"jsonrpc":"2.0","id":` + string(q.ID) + `,"result":{"action":"decline"}}`)
		return
	}
	requests, state := inputRequired(t, asked)
	var keys map[string]json.RawMessage
	if json.Unmarshal([]byte(requests), &keys) != nil {
		t.Fatalf("got %s, want requests", requests)
	}
	for key := range keys {
		h.send(e.ask("2", "tools/call", params+","+resumeWith(fmt.Sprintf(`{%q:{"action":"decline"}}`, key), state)))
	}
}

// A caller writes the params of a call; no arguments where they are "".
type caller func(name, arguments string) string

func directly(name, arguments string) string {
	if arguments != "" {
		arguments = `,"arguments":` + arguments
	}
	return `"name":"` + name + `"` + arguments
}

func byWay(name, arguments string) string {
	return `"name":"weir__call_tool","arguments":{` + directly(name, arguments) + `}`
}

// byOddWay escapes what need not be.
func byOddWay(name, arguments string) string {
	return strings.Replace(byWay(name, arguments), "call_tool", `call\u005ftool`, 1)
}

func echoes(e era) upstreamtest.Script {
	s := echoScript()
	s.Versions = e.versions()
	s.Tools = raws(`{"name":"echo","inputSchema":{"type":"object","properties":{"n":{"type":"number"},"org":{"type":"string"}}}}`, string(upstreamtest.Tool("look")))
	return s
}

// TestCallToolIsTheCall: by way of weir__call_tool a server gets, a host sees and the
// audit log says exactly what they do of the call itself.
func TestCallToolIsTheCall(t *testing.T) {
	secret := regexp.MustCompile(`"(requestState|taskId)":"[^"]*"`) // is another one each time
	number := regexp.MustCompile(`^\{"jsonrpc":"2.0","id":\d+,`)    // depends on how often the server was asked to list before
	for name, d := range dialogs {
		for _, e := range []era{legacy, modern} {
			play := func(t *testing.T, call caller) (got []string) {
				t.Helper()
				synctest.Test(t, func(t *testing.T) {
					server := upstreamtest.New(d.script(e))
					cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
					cfg.Expose = ExposeSearch
					if d.edit != nil {
						d.edit(t, &cfg)
					}
					h := audited(t, cfg, audit.Config{})
					var lines []string
					h.send(e.capable()...) // whose answer has what was listed by then
					h.seen = func(line string) { lines = append(lines, secret.ReplaceAllString(line, "$1")) }
					h.send(listRequest(e, `"list"`))
					d.play(t, e, h.host, server, call)
					for _, r := range server.Received("tools/call") {
						got = append(got, number.ReplaceAllString(string(r.Message), "{"))
					}
					for _, r := range server.Received("notifications/cancelled") {
						got = append(got, string(r.Message))
					}
					got = append(append(got, lines...), h.records()...)
				})
				return got
			}
			t.Run(name+", "+e.String(), func(t *testing.T) {
				want := play(t, directly)
				if len(want) < 5 {
					t.Fatalf("nothing happens: %q", want)
				}
				for _, way := range []caller{byWay, byOddWay} {
					if diff := cmp.Diff(want, play(t, way)); diff != "" {
						t.Errorf("directly, and by way of weir__call_tool (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

// TestCallToolIsRefused: what is no call of another tool, or not allowed.
func TestCallToolIsRefused(t *testing.T) {
	open := func(t *testing.T, rules ...policy.Rule) (*upstreamtest.Server, *host) {
		t.Helper()
		server := shelf(0, string(upstreamtest.Tool("x")))
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		cfg.Expose, cfg.Policy, cfg.Approvals = ExposeSearch, ruled(t, rules...), newApprovals(t).store()
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		return server, h
	}
	for _, arguments := range []string{
		`{}`, `[]`, `{"name":7}`, `{"name":"up__x","arguments":"{}"}`, `{"name":"up__x","arguments":null}`, `{"name":"up__x","name":"up__y"}`,
		`{"name":"up__x","more":1}`, `{"name":"weir__call_tool","arguments":{"name":"up__x"}}`,
	} {
		bubble(t, arguments, func(t *testing.T) {
			server, h := open(t)
			got, _, failed := saidIn(t, h.send(legacy.call("1", "weir__call_tool", arguments)))
			if !failed || !strings.HasPrefix(got, "The arguments are wrong. ") || len(server.Received("tools/call")) != 0 {
				t.Errorf("got %q", got)
			}
		})
	}
	for name, tt := range map[string]struct {
		rule policy.Rule
		want string
	}{
		"may only be seen": {policy.Rule{Server: text(policy.Own), Tool: text(callTool), Level: level(policy.Read)}, "may be seen but not called"},
		"has to be asked for": {
			policy.Rule{Server: text(policy.Own), Tool: text(callTool), Level: level(policy.Execute), Ask: new(true)}, "has to name the tools that are called",
		},
	} {
		bubble(t, name, func(t *testing.T) {
			server, h := open(t, tt.rule)
			got, _, failed := saidIn(t, h.send(legacy.call("1", "weir__call_tool", `{"name":"up__x"}`)))
			if !failed || !strings.Contains(got, tt.want) || len(server.Received("tools/call")) != 0 {
				t.Errorf("got %q", got)
			}
		})
	}
	bubble(t, "is denied", func(t *testing.T) {
		server, h := open(t, policy.Rule{Server: text(policy.Own), Level: level(policy.Deny)})
		for _, name := range searchTools {
			want(t, name, h.send(legacy.call("1", name, `{"name":"up__x","query":"x"}`)), noTool("1", name))
		}
		if len(server.Received("tools/call")) != 0 {
			t.Error("the server was called")
		}
	})
}

// TestExposureFollows: a switch changes the list, and hosts are told; a change of
// tools that are not in the list is none.
func TestExposureFollows(t *testing.T) {
	const notice = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
	bubble(t, "by tools that come", func(t *testing.T) {
		script := echoScript()
		for _, next := range [][]json.RawMessage{
			{upstreamtest.Tool("echo"), upstreamtest.Tool("b"), upstreamtest.Tool("c"), upstreamtest.Tool("d")},
			{upstreamtest.Tool("echo"), upstreamtest.Tool("b"), upstreamtest.Tool("c"), upstreamtest.Tool("new")},
			{upstreamtest.Tool("echo")},
		} {
			script.Rules = append([]upstreamtest.Rule{{
				On: "tools/call echo", Nth: len(script.Rules), Do: []upstreamtest.Step{{Tools: next}, {Reply: raw(`{"content":[]}`)}},
			}}, script.Rules...)
		}
		cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up")
		cfg.Expose, cfg.MaxTools = ExposeAuto, 3
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		if got := toolsIn(t, h.send(listRequest(legacy, "1"))); !slices.Equal(got, []string{"up__echo"}) {
			t.Fatalf("before: got %q", got)
		}
		change := func(what string, told bool, names ...string) {
			t.Helper()
			h.send(legacy.call("2", "up__echo", "{}"))
			pass(time.Second)
			if got := h.received(); slices.Contains(got, notice) != told {
				t.Errorf("%s: got %q, want to be told: %v", what, got, told)
			}
			if got := toolsIn(t, h.send(listRequest(legacy, "3"))); !slices.Equal(got, names) {
				t.Errorf("%s: got %q, want %q", what, got, names)
			}
		}
		change("too many", true, searchTools...)
		change("another one", false, searchTools...)
		if got, _, _ := called(t, h, "new"); !strings.Contains(got, "up__new") {
			t.Errorf("what came is not found: got %q", got)
		}
		change("few again", true, "up__echo")
	})
	bubble(t, "by the configuration", func(t *testing.T) {
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": shelf(2)}, "up")
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "1"))
		b.reconfigure(t, []string{"up"}, func(c *Config) { c.Expose = ExposeSearch })
		pass(time.Second)
		want(t, "told", h.received(), notice)
		if got := toolsIn(t, h.send(listRequest(legacy, "2"))); !slices.Equal(got, searchTools) {
			t.Errorf("got %q", got)
		}
		if err := b.Restart("up"); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if got := toolsIn(t, h.send(listRequest(legacy, "3"))); !slices.Equal(got, searchTools) {
			t.Errorf("after a restart: got %q", got)
		}
	})
}

func called(t *testing.T, h *host, query string) (string, json.RawMessage, bool) {
	t.Helper()
	return saidIn(t, h.send(legacy.call("9", "weir__find_tools", fmt.Sprintf(`{"query":%q}`, query))))
}

// TestHostsAreToldWhereToLook: by the instructions, before those of the servers, and
// by weir__servers.
func TestHostsAreToldWhereToLook(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			cfg := config(t, map[string]*upstreamtest.Server{"up": shelf(9)}, "up")
			cfg.MaxTools = 5
			cfg.Policy = ruled(t, onWeir(policy.Execute, "servers")...)
			_, h := start(t, cfg)
			h.send(e.open()...)
			h.send(listRequest(e, "1"))
			if got, _, _ := saidIn(t, h.send(e.call("2", "weir__servers", "{}"))); !strings.Contains(got, "8 more are behind weir. weir__find_tools finds") {
				t.Errorf("weir__servers: got %q", got)
			}
			again := strings.Replace(e.open()[0], `"id":"init"`, `"id":3`, 1)
			if got := h.send(again); len(got) != 1 || !strings.Contains(got[0], `"instructions":"The list of tools is not whole: 8 more`) {
				t.Errorf("instructions: got %q", got)
			}
		})
	}
}
