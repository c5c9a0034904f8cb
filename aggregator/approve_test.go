package aggregator

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// askPolicy asks for everything of the server "up".
const askPolicy = `{default: execute, rules: [{server: up, ask: true}]}`

func policyOf(t testing.TB, text string) *policy.Policy {
	t.Helper()
	var cfg policy.Config
	if err := yaml.Unmarshal([]byte(text), &cfg); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Compile(cfg, policy.Servers{Names: []string{"up"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// approvals is a store of the test's own, as each process has one.
type approvals struct{ dir string }

func newApprovals(t testing.TB) approvals { return approvals{filepath.Join(t.TempDir(), "weir")} }

func (a approvals) store() *approval.Store { return approval.NewStore(state.At(a.dir)) }

// person says yes to all that waits, in a terminal, and returns what it was.
func (a approvals) person(t testing.TB, scope approval.Scope) []*approval.Request {
	t.Helper()
	waiting, err := a.store().Waiting()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range waiting {
		if err := a.store().Approve(t.Context(), r, scope); err != nil {
			t.Fatal(err)
		}
	}
	return waiting
}

// askingWeir is a server, weir with the policy that asks, and what is approved.
func askingWeir(t testing.TB, script upstreamtest.Script) (*upstreamtest.Server, *host, approvals) {
	t.Helper()
	server, kept := upstreamtest.New(script), newApprovals(t)
	return server, askingHost(t, server, kept), kept
}

// askingHost is one with a weir of its own.
func askingHost(t testing.TB, server *upstreamtest.Server, kept approvals) *host {
	t.Helper()
	cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
	cfg.Policy, cfg.Approvals = policyOf(t, askPolicy), kept.store()
	_, h := start(t, cfg)
	return h
}

// tidy is a server that has something of each kind.
func tidy(versions ...string) upstreamtest.Script {
	script := upstreamtest.Script{
		Versions:     versions,
		Capabilities: raw(`{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true},"completions":{}}`),
		Tools:        raws(`{"name":"remove","description":"d","inputSchema":{"type":"object"}}`, `{"name":"echo","inputSchema":{"type":"object"}}`),
	}
	for method, answer := range map[string]string{
		promptsMethod:   `{"prompts":[{"name":"p"}]}`,
		resourcesMethod: `{"resources":[{"uri":"file:///r","name":"r"}]}`,
		templatesMethod: `{"resourceTemplates":[]}`,
		"prompts/get":   `{"messages":[]}`, "resources/read": `{"contents":[]}`,
	} {
		script.Rules = append(script.Rules, upstreamtest.Rule{On: method, Do: []upstreamtest.Step{{Reply: raw(answer)}}})
	}
	return script
}

// ask is a request of a host that can be asked anything.
func (e era) ask(id, method, params string) string {
	line := e.request(id, method, params, "")
	return strings.ReplaceAll(line, `clientCapabilities":{}`, `clientCapabilities":`+everything)
}

const removing = `"name":"up__remove","arguments":{"path":"/x","n":1.0}`

// unapproved checks that an answer says what has to be approved, and returns its
// text.
func unapproved(t testing.TB, lines []string, retryable bool) string {
	t.Helper()
	var got struct {
		Result struct {
			Content []struct{ Text string }
			IsError bool
			Meta    map[string]json.RawMessage `json:"_meta"`
		}
		Error struct {
			Code    int
			Message string
			Data    json.RawMessage
		}
	}
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &got) != nil {
		t.Fatalf("got %q, want one answer", lines)
	}
	data, text := got.Error.Data, got.Error.Message
	if got.Result.IsError {
		data, text = got.Result.Meta["weir/error"], got.Result.Content[0].Text
	} else if got.Error.Code != codeInternal {
		t.Errorf("got %s", lines[0])
	}
	if want := fmt.Sprintf(`"retryable":%v`, retryable); !strings.Contains(string(data), `"kind":"approval_required"`) || !strings.Contains(string(data), want) {
		t.Errorf("got data %s, want approval_required and %s", data, want)
	}
	return text
}

// sent is what the server got to do.
func sent(s *upstreamtest.Server) (got []string) {
	for _, method := range []string{"tools/call", "prompts/get", "resources/read", "resources/subscribe", "completion/complete"} {
		for _, r := range s.Received(method) {
			got = append(got, string(r.Message))
		}
	}
	return got
}

// TestApproveOutOfBand: a host that has no forms is told to let the user approve,
// and the same call goes through afterwards: once.
func TestApproveOutOfBand(t *testing.T) {
	requests := map[string]string{
		"tools/call": removing, "prompts/get": `"name":"up__p","arguments":{"a":"b"}`, "resources/read": `"uri":"file:///r"`,
	}
	for _, client := range []era{legacy, modern} {
		for method, params := range requests {
			bubble(t, client.String()+" host/"+method, func(t *testing.T) {
				server, h, kept := askingWeir(t, tidy())
				h.send(client.open()...)
				text := unapproved(t, h.send(client.request("1", method, params, "")), true)
				if !strings.Contains(text, "the user must approve this: run `weir approve` in a terminal") ||
					!strings.Contains(text, `rule 1`) || strings.Contains(text, kept.dir) {
					t.Errorf("got %q", text)
				}
				if got := sent(server); len(got) != 0 {
					t.Errorf("server got %q before anybody approved", got)
				}
				waiting := kept.person(t, approval.ThisCall)
				if len(waiting) != 1 || waiting[0].ClientName != "host" {
					t.Fatalf("got %+v, want one request", waiting)
				}
				got := h.send(client.request("2", method, params, ""))
				if len(got) != 1 || !strings.Contains(got[0], `"id":2,"result":{`) || strings.Contains(got[0], "isError") {
					t.Errorf("got %q, want the result", got)
				}
				unapproved(t, h.send(client.request("3", method, params, "")), true)
				if got := sent(server); len(got) != 1 {
					t.Errorf("server got %q, want one request", got)
				}
				// Nothing that could approve is told to a host.
				for _, line := range []string{text, strings.Join(got, "")} {
					if strings.Contains(line, waiting[0].ID) || strings.Contains(line, waiting[0].Session) {
						t.Errorf("host was told %q", line)
					}
				}
			})
		}
	}
}

// TestApprovedIsSent: what a person has seen is what the server gets, to the
// byte.
func TestApprovedIsSent(t *testing.T) {
	const arguments = `{ "b" : 1.0E+2, "a":"<\u0041\ud83d>", "n":9007199254740993 }`
	for _, client := range []era{legacy, modern} {
		bubble(t, client.String()+" host", func(t *testing.T) {
			server, h, kept := askingWeir(t, tidy())
			h.send(client.open()...)
			h.send(client.call("1", "up__remove", arguments))
			if waiting := kept.person(t, approval.ThisCall); len(waiting) != 1 || waiting[0].Call != arguments {
				t.Errorf("got %+v", waiting)
			}
			h.send(client.call("2", "up__remove", arguments))
			if got := sent(server); len(got) != 1 || !strings.Contains(got[0], `"name":"remove","arguments":`+arguments) {
				t.Errorf("server got %q", got)
			}
		})
	}
}

// form takes the params of weir's own question apart.
type form struct {
	Mode, Message   string
	RequestedSchema struct {
		Properties map[string]struct{ Enum []string }
		Required   []string
	}
}

// question returns the form that a host is asked to show, and what it takes to
// answer: the lines of an answer with that result.
func question(t testing.TB, client era, lines []string) (form, func(id, params, result string) string) {
	t.Helper()
	var q struct {
		ID     json.RawMessage
		Method string
		Params form
	}
	if client == legacy {
		if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &q) != nil || q.Method != "elicitation/create" {
			t.Fatalf("got %q, want a question", lines)
		}
		return q.Params, func(_, _, result string) string {
			return `{"jsonrpc":"2.0","id":` + string(q.ID) + `,"result":` + result + `}`
		}
	}
	requests, state := inputRequired(t.(*testing.T), lines)
	var all map[string]struct {
		Method string
		Params form
	}
	if err := json.Unmarshal([]byte(requests), &all); err != nil || len(all) != 1 || all["q1"].Method != "elicitation/create" {
		t.Fatalf("got %s, want one question", requests)
	}
	return all["q1"].Params, func(id, params, result string) string {
		return client.ask(id, "tools/call", params+","+resumeWith(`{"q1":`+result+`}`, state))
	}
}

func accepted(words string) string {
	return fmt.Sprintf(`{"action":"accept","content":{"approval":%q}}`, words)
}

// TestApproveByForm: the host's user is asked, and what that answers is done.
func TestApproveByForm(t *testing.T) {
	tests := []struct {
		scope                                  approval.Scope
		words                                  string
		same, others, otherHost, afterwardsToo bool // go through then
	}{
		{approval.ThisCall, "once", false, false, false, false},
		{approval.TheseArguments, "these arguments always", true, false, true, true},
		{approval.ToolThisSession, "this tool for this session", true, true, false, false},
		{approval.ToolAlways, "this tool always", true, true, true, true},
	}
	for _, client := range []era{legacy, modern} {
		for _, test := range tests {
			bubble(t, client.String()+" host/"+test.words, func(t *testing.T) {
				server, h, kept := askingWeir(t, tidy())
				h.send(client.capable()...)
				f, answer := question(t, client, h.send(client.ask("1", "tools/call", removing)))
				want := "weir asks: may this tool be called?\n\n    server: up\n    tool: remove\n    because: " +
					"rule 1 asks for approval of all of server \"up\"\n    arguments: {\n        \"path\": \"/x\",\n        \"n\": 1.0\n      }"
				if diff := cmp.Diff(want, f.Message); diff != "" {
					t.Errorf("message (-want +got):\n%s", diff)
				}
				words := []string{"once", "these arguments always", "this tool for this session", "this tool always"}
				if diff := cmp.Diff(words, f.RequestedSchema.Properties["approval"].Enum); diff != "" || f.Mode != "form" {
					t.Errorf("choices in mode %q (-want +got):\n%s", f.Mode, diff)
				}
				if got := sent(server); len(got) != 0 {
					t.Errorf("server got %q before anybody approved", got)
				}
				got := h.send(answer("2", removing, accepted(test.words)))
				if len(got) != 1 || strings.Contains(got[0], "isError") || !strings.Contains(got[0], `"text":"remove"`) {
					t.Fatalf("got %q, want the result", got)
				}
				through := func(what string, h *host, params string, want bool) {
					t.Helper()
					before := len(sent(server))
					h.send(client.ask(`"`+what+`"`, "tools/call", params))
					if got := len(sent(server)) > before; got != want {
						t.Errorf("%s: got through %v, want %v", what, got, want)
					}
				}
				through("the same", h, `"name":"up__remove","arguments":{"n":1.0, "path":"/x"}`, test.same)
				through("other arguments", h, `"name":"up__remove","arguments":{"path":"/y"}`, test.others)
				through("another tool", h, `"name":"up__echo","arguments":{"path":"/x","n":1.0}`, false)
				other := askingHost(t, server, kept)
				other.send(client.capable()...)
				through("another weir", other, removing, test.otherHost)
			})
		}
	}
}

// TestFormNotApproved: only a choice is a yes.
func TestFormNotApproved(t *testing.T) {
	for name, answer := range map[string]string{
		"decline":         `{"action":"decline"}`,
		"cancel":          `{"action":"cancel"}`,
		"decline, chosen": `{"action":"decline","content":{"approval":"once"}}`,
		"no choice":       `{"action":"accept"}`,
		"empty":           `{"action":"accept","content":{}}`,
		"other words":     `{"action":"accept","content":{"approval":"yes"}}`,
		"other type":      `{"action":"accept","content":{"approval":true}}`,
		"list":            `{"action":"accept","content":{"approval":["once"]}}`,
		"twice":           `{"action":"accept","content":{"approval":"once","approval":"this tool always"}}`,
		"action twice":    `{"action":"decline","action":"accept","content":{"approval":"once"}}`,
		"no action":       `{"content":{"approval":"once"}}`,
		"also declined":   `{"action":"accept","action":"decline","content":{"approval":"once"}}`,
		"other field":     `{"action":"accept","content":{"Approval":"once"}}`,
		"nothing":         `{}`,
	} {
		for _, client := range []era{legacy, modern} {
			bubble(t, client.String()+" host/"+name, func(t *testing.T) {
				server, h, kept := askingWeir(t, tidy())
				h.send(client.capable()...)
				_, with := question(t, client, h.send(client.ask("1", "tools/call", removing)))
				unapproved(t, h.send(with("2", removing, answer)), false)
				if got := sent(server); len(got) != 0 {
					t.Errorf("server got %q", got)
				}
				if grants, err := kept.store().Grants(); len(grants) != 0 || err != nil {
					t.Errorf("got %v, %v", grants, err)
				}
			})
		}
	}
	bubble(t, "legacy host/error", func(t *testing.T) {
		server, h, _ := askingWeir(t, tidy())
		h.send(legacy.capable()...)
		h.send(legacy.ask("1", "tools/call", removing))
		unapproved(t, h.send(`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}`), false)
		if got := sent(server); len(got) != 0 {
			t.Errorf("server got %q", got)
		}
	})
}

// TestFormTimeAndCancel: a question waits as long as a person may take, and not
// longer than the call.
func TestFormTimeAndCancel(t *testing.T) {
	bubble(t, "legacy host says nothing", func(t *testing.T) {
		server, h, _ := askingWeir(t, tidy())
		h.send(legacy.capable()...)
		_, answer := question(t, legacy, h.send(legacy.ask("1", "tools/call", removing)))
		pass(approval.WaitTime)
		got := h.received()
		if len(got) != 2 || !strings.Contains(got[0], `"notifications/cancelled"`) {
			t.Fatalf("got %q, want the question taken back", got)
		}
		unapproved(t, got[1:], true)
		h.send(answer("", "", accepted("once")))
		if got := sent(server); len(got) != 0 {
			t.Errorf("server got %q after a late answer", got)
		}
	})
	bubble(t, "legacy host cancels", func(t *testing.T) {
		server, h, _ := askingWeir(t, tidy())
		h.send(legacy.capable()...)
		_, answer := question(t, legacy, h.send(legacy.ask("1", "tools/call", removing)))
		if got := h.send(cancelled("1")); len(got) != 1 || !strings.Contains(got[0], `"notifications/cancelled"`) {
			t.Errorf("got %q, want the question taken back and no answer", got)
		}
		h.send(answer("", "", accepted("once")))
		if got := sent(server); len(got) != 0 {
			t.Errorf("server got %q", got)
		}
	})
	bubble(t, "host goes", func(t *testing.T) {
		server, h, _ := askingWeir(t, tidy())
		h.send(legacy.capable()...)
		question(t, legacy, h.send(legacy.ask("1", "tools/call", removing)))
		h.close()
		if got := sent(server); len(got) != 0 {
			t.Errorf("server got %q", got)
		}
	})
	bubble(t, "modern host comes late", func(t *testing.T) {
		server, h, _ := askingWeir(t, tidy())
		h.send(modern.capable()...)
		_, answer := question(t, modern, h.send(modern.ask("1", "tools/call", removing)))
		pass(approval.WaitTime)
		if got := h.send(answer("2", removing, accepted("once"))); len(got) != 1 || !strings.Contains(got[0], `"code":-32602`) {
			t.Errorf("got %q, want the state to be unknown", got)
		}
		if got := sent(server); len(got) != 0 {
			t.Errorf("server got %q", got)
		}
	})
}

// TestStateIsForOneCall: what a modern host's user has approved is one call, and
// no other.
func TestStateIsForOneCall(t *testing.T) {
	bubble(t, "other arguments", func(t *testing.T) {
		server, h, _ := askingWeir(t, tidy())
		h.send(modern.capable()...)
		_, answer := question(t, modern, h.send(modern.ask("1", "tools/call", removing)))
		for i, other := range []string{
			`"name":"up__remove","arguments":{"path":"/","n":1.0}`, `"name":"up__echo","arguments":{"path":"/x","n":1.0}`, `"name":"up__remove"`,
		} {
			got := h.send(answer(fmt.Sprint(10+i), other, accepted("this tool always")))
			if len(got) != 1 || !strings.Contains(got[0], `"code":-32602`) {
				t.Errorf("%s: got %q", other, got)
			}
		}
		if got := sent(server); len(got) != 0 {
			t.Errorf("server got %q", got)
		}
		h.send(answer("2", removing, accepted("once")))
		if got := sent(server); len(got) != 1 {
			t.Errorf("server got %q, want the call", got)
		}
	})
	bubble(t, "again", func(t *testing.T) {
		server, h, _ := askingWeir(t, tidy())
		h.send(modern.capable()...)
		_, answer := question(t, modern, h.send(modern.ask("1", "tools/call", removing)))
		h.send(answer("2", removing, accepted("once")))
		if got := h.send(answer("3", removing, accepted("once"))); len(got) != 1 || !strings.Contains(got[0], `"code":-32602`) {
			t.Errorf("got %q, want the state to be used up", got)
		}
		if got := sent(server); len(got) != 1 {
			t.Errorf("server got %q, want one call", got)
		}
	})
	bubble(t, "another session", func(t *testing.T) {
		server, h, kept := askingWeir(t, tidy())
		h.send(modern.capable()...)
		_, answer := question(t, modern, h.send(modern.ask("1", "tools/call", removing)))
		other := askingHost(t, server, kept)
		other.send(modern.capable()...)
		other.send(answer("2", removing, accepted("once")))
		if got := sent(server); len(got) != 0 {
			t.Errorf("server got %q", got)
		}
	})
	bubble(t, "without an answer it is asked again", func(t *testing.T) {
		_, h, _ := askingWeir(t, tidy())
		h.send(modern.capable()...)
		_, state := inputRequired(t, h.send(modern.ask("1", "tools/call", removing)))
		_, next := inputRequired(t, h.send(modern.ask("2", "tools/call", removing+","+resumeWith(`{}`, state))))
		got := h.send(modern.ask("3", "tools/call", removing+","+resumeWith(`{"q1":`+accepted("once")+`}`, next)))
		if len(got) != 1 || !strings.Contains(got[0], `"text":"remove"`) {
			t.Errorf("got %q, want the result", got)
		}
	})
}

// TestDefinitionChanges: a yes to a tool is one to the tool that was seen.
func TestDefinitionChanges(t *testing.T) {
	for _, scope := range []approval.Scope{approval.ToolThisSession, approval.ToolAlways} {
		bubble(t, string(scope), func(t *testing.T) {
			script := tidy()
			server, h, kept := askingWeir(t, script)
			h.send(legacy.open()...)
			unapproved(t, h.send(legacy.ask("1", "tools/call", removing)), true)
			kept.person(t, scope)
			h.send(legacy.ask("2", "tools/call", removing))
			if got := sent(server); len(got) != 1 {
				t.Fatalf("server got %q, want one call", got)
			}
			script.Tools[0] = raw(`{"name":"remove","description":"D","inputSchema":{"type":"object"}}`)
			other := askingHost(t, upstreamtest.New(script), kept)
			other.send(legacy.open()...)
			unapproved(t, other.send(legacy.ask("3", "tools/call", removing)), true)
		})
	}
	bubble(t, "while the user is asked", func(t *testing.T) {
		script := tidy()
		script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call echo", Do: []upstreamtest.Step{
			{Tools: raws(`{"name":"remove","description":"D","inputSchema":{"type":"object"}}`)},
			{Reply: raw(`{"content":[]}`)},
		}})
		server, kept := upstreamtest.New(script), newApprovals(t)
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		cfg.Policy, cfg.Approvals = policyOf(t, `{default: execute, rules: [{server: up, tool: remove, ask: true}]}`), kept.store()
		_, h := start(t, cfg)
		h.send(legacy.capable()...)
		_, answer := question(t, legacy, h.send(legacy.ask("1", "tools/call", removing)))
		h.send(legacy.call("2", "up__echo", "{}"))
		pass(time.Minute)
		h.received()
		text := unapproved(t, h.send(answer("", "", accepted("once"))), true)
		if !strings.Contains(text, "has changed") {
			t.Errorf("got %q", text)
		}
		if n := len(server.Received("tools/call")); n != 1 {
			t.Errorf("server got %d calls, want that of echo alone", n)
		}
	})
}

// TestNoApprovalPossible: what cannot be approved is refused.
func TestNoApprovalPossible(t *testing.T) {
	for _, client := range []era{legacy, modern} {
		bubble(t, client.String()+" host without approvals", func(t *testing.T) {
			server := upstreamtest.New(tidy())
			cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
			cfg.Policy = policyOf(t, askPolicy)
			_, h := start(t, cfg)
			h.send(client.capable()...)
			unapproved(t, h.send(client.ask("1", "tools/call", removing)), false)
			if got := sent(server); len(got) != 0 {
				t.Errorf("server got %q", got)
			}
		})
		bubble(t, client.String()+" host/what is no use of an item", func(t *testing.T) {
			server, h, _ := askingWeir(t, tidy())
			h.send(client.capable()...)
			unapproved(t, h.send(client.ask("1", "completion/complete", `"ref":{"type":"ref/prompt","name":"up__p"},"argument":{"name":"a","value":""}`)), false)
			if client == legacy {
				unapproved(t, h.send(client.ask("2", "resources/subscribe", `"uri":"file:///r"`)), false)
			}
			if got := sent(server); len(got) != 0 {
				t.Errorf("server got %q", got)
			}
		})
		bubble(t, client.String()+" host/arguments too large", func(t *testing.T) {
			server, h, kept := askingWeir(t, tidy())
			h.send(client.capable()...)
			argument := `{"a":"` + strings.Repeat("x", approval.MaxArguments) + `"}`
			unapproved(t, h.send(client.call("1", "up__remove", argument)), false)
			if got := sent(server); len(got) != 0 || len(kept.person(t, approval.ThisCall)) != 0 {
				t.Errorf("server got %q", got)
			}
		})
		bubble(t, client.String()+" host/arguments too large for a form", func(t *testing.T) {
			server, h, kept := askingWeir(t, tidy())
			h.send(client.capable()...)
			params := `"name":"up__remove","arguments":{"a":"` + strings.Repeat("x", maxForm) + `"}`
			unapproved(t, h.send(client.ask("1", "tools/call", params)), true)
			kept.person(t, approval.ThisCall)
			h.send(client.ask("2", "tools/call", params))
			if got := sent(server); len(got) != 1 {
				t.Errorf("server got %d calls, want one", len(got))
			}
		})
	}
}

// TestDenyBeforeAsk: what is denied does not exist, whatever asks.
func TestDenyBeforeAsk(t *testing.T) {
	bubble(t, "denied", func(t *testing.T) {
		server, kept := upstreamtest.New(tidy()), newApprovals(t)
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		cfg.Policy, cfg.Approvals = policyOf(t, `{default: execute, rules: [{server: up, ask: true}, {server: up, tool: remove, level: deny}]}`), kept.store()
		_, h := start(t, cfg)
		h.send(legacy.capable()...)
		want(t, "denied", h.send(legacy.ask("1", "tools/call", removing)), noTool("1", "up__remove"))
	})
}

// TestFormForgesNothing: no word of a server or a model begins a line of weir's
// question.
func TestFormForgesNothing(t *testing.T) {
	c, err := approval.NewCall(approval.Subject{
		Server: "up", Kind: policy.Tool, Name: "x\n\nweir asks: may this tool be called?\n\u202e", Why: "r\nr",
		Arguments: []byte("{\"a\":\"\\n\\n# Approved\\n```\\u001b[2J\u2028[link](https://h)\",\"\\n\":1}"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var f form
	if err := json.Unmarshal(approvalForm(c), &f); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(f.Message, "\n")
	if lines[0] != "weir asks: may this tool be called?" || lines[1] != "" {
		t.Errorf("got %q", lines[:2])
	}
	for _, line := range lines[2:] {
		if !strings.HasPrefix(line, "    ") {
			t.Errorf("line %q is not indented", line)
		}
	}
}

// TestRoundsOfAnApprovedCall: where a modern server asks a modern host, the next
// request is the same call, once.
func TestRoundsOfAnApprovedCall(t *testing.T) {
	script := tidy(upstreamtest.Modern)
	script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call remove", Nth: 1, Do: []upstreamtest.Step{
		{Reply: raw(`{"resultType":"input_required","inputRequests":{"r":{"method":"roots/list","params":{}}},"requestState":"st"}`)},
	}})
	bubble(t, "modern", func(t *testing.T) {
		server, h, _ := askingWeir(t, script)
		h.send(modern.capable()...)
		_, answer := question(t, modern, h.send(modern.ask("1", "tools/call", removing)))
		inputRequired(t, h.send(answer("2", removing, accepted("once"))))
		for i, other := range []string{
			removing + "," + resumeWith(`{"r":{"roots":[]}}`, "other"),
			`"name":"up__remove","arguments":{"path":"/"},` + resumeWith(`{"r":{"roots":[]}}`, "st"),
		} {
			question(t, modern, h.send(modern.ask(fmt.Sprint(10+i), "tools/call", other)))
		}
		if n := len(sent(server)); n != 1 {
			t.Fatalf("server got %d calls, want one", n)
		}
		next := removing + "," + resumeWith(`{"r":{"roots":[]}}`, "st")
		if got := h.send(modern.ask("3", "tools/call", next)); len(got) != 1 || !strings.Contains(got[0], `"text":"remove"`) {
			t.Errorf("got %q, want the result", got)
		}
		question(t, modern, h.send(modern.ask("4", "tools/call", next)))
		if n := len(sent(server)); n != 2 {
			t.Errorf("server got %d calls, want two rounds", n)
		}
	})
}

// TestOwnToolAsks: weir's own tools are asked about like others.
func TestOwnToolAsks(t *testing.T) {
	for _, client := range []era{legacy, modern} {
		bubble(t, client.String()+" host", func(t *testing.T) {
			server, kept := upstreamtest.New(tidy()), newApprovals(t)
			cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
			cfg.Policy, cfg.Approvals = policyOf(t, `{default: execute, rules: [{server: weir, tool: servers, level: execute, ask: true}]}`), kept.store()
			_, h := start(t, cfg)
			h.send(client.capable()...)
			_, answer := question(t, client, h.send(client.ask("1", "tools/call", `"name":"weir__servers","arguments":{}`)))
			got := h.send(answer("2", `"name":"weir__servers","arguments":{}`, accepted("once")))
			if len(got) != 1 || !strings.Contains(got[0], "up: ") {
				t.Errorf("got %q, want the servers", got)
			}
		})
	}
}

// TestApprovalsAreRecorded: each request that was to be approved has one record,
// whatever came of it, weir's own tools among them.
func TestApprovalsAreRecorded(t *testing.T) {
	const own = `"name":"weir__servers","arguments":{}`
	for client, want := range map[era][]string{
		legacy: {"tool up remove ask ok", "tool up remove ask refused", "tool weir servers ask ok", "tool up remove ask refused"},
		modern: {
			"tool up remove ask asked", "tool up remove ask ok", "tool up remove ask asked", "tool up remove ask refused",
			"tool weir servers ask asked", "tool weir servers ask ok", "tool up remove ask refused",
		},
	} {
		bubble(t, client.String()+" host", func(t *testing.T) {
			server := upstreamtest.New(tidy())
			cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
			cfg.Approvals = newApprovals(t).store()
			cfg.Policy = policyOf(t, `{default: execute, rules: [{server: up, ask: true}, {server: weir, level: execute, ask: true}]}`)
			h := audited(t, cfg, audit.Config{})
			h.send(client.capable()...)
			for i, call := range []struct{ params, answer string }{
				{removing, accepted("once")}, {removing, `{"action":"decline"}`}, {own, accepted("once")},
			} {
				id := fmt.Sprint(10 * (i + 1))
				_, answer := question(t, client, h.send(client.ask(id, "tools/call", call.params)))
				h.send(answer(id+"1", call.params, call.answer))
			}
			large := `{"a":"` + strings.Repeat("x", approval.MaxArguments) + `"}`
			unapproved(t, h.send(client.call("99", "up__remove", large)), false)
			h.wants(want...)
		})
	}
}
