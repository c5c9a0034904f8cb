package aggregator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// capable is what a host sends first that can be asked anything.
func (e era) capable() []string {
	open := slices.Clone(e.open())
	open[0] = strings.ReplaceAll(open[0], `"capabilities":{}`, `"capabilities":`+everything)
	open[0] = strings.ReplaceAll(open[0], `clientCapabilities":{}`, `clientCapabilities":`+everything)
	return open
}

const everything = `{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}}`

// ask is a call of a modern host that can be asked anything.
func (e era) capableCall(id, tool, more string) string {
	line := e.request(id, "tools/call", join(`"name":"`+tool+`","arguments":{}`, more), "")
	return strings.ReplaceAll(line, `clientCapabilities":{}`, `clientCapabilities":`+everything)
}

// asking is a legacy server that asks a question in each call of "ask", and
// answers when that is answered.
func asking(method, params string) upstreamtest.Script {
	return upstreamtest.Script{
		Tools: raws(`{"name":"ask","inputSchema":{"type":"object"}}`, `{"name":"other","inputSchema":{"type":"object"}}`),
		Rules: []upstreamtest.Rule{{On: "tools/call ask", Do: []upstreamtest.Step{
			{Send: raw(`{"jsonrpc":"2.0","id":"q<1>","method":"` + method + `","params":` + params + `}`)},
			{Await: `response "q<1>"`},
			{Reply: raw(`{"content":[{"type":"text","text":"done"}]}`)},
		}}},
	}
}

// answersTo returns what the server got as answers, without the envelope.
func answersTo(s *upstreamtest.Server) []string {
	var got []string
	for _, r := range s.Received("") {
		got = append(got, string(r.Message))
	}
	return got
}

// TestRelay: what a server with a handshake asks of a legacy host, and what that
// answers, passes to the byte but for ids, tokens and the name of who asks.
func TestRelay(t *testing.T) {
	tests := []struct{ name, method, params, asked, answer, told string }{
		{
			"elicitation", "elicitation/create", `{"vendor":9007199254740993,"message":"How <many>?","requestedSchema":{"type":"object","properties":{}}}`,
			`{"vendor":9007199254740993,"message":"[up] How <many>?","requestedSchema":{"type":"object","properties":{}}}`,
			`"result":{"action":"accept","content":{"n":1E400}}`, `"result":{"action":"accept","content":{"n":1E400}}`,
		},
		{
			"elicitation by url", "elicitation/create", `{"mode":"url","url":"https://h/x","elicitationId":"e1","message":"m"}`,
			`{"mode":"url","url":"https://h/x","elicitationId":"up:e1","message":"[up] m"}`,
			`"result":{"action":"decline"}`, `"result":{"action":"decline"}`,
		},
		{
			"sampling, progress wanted", "sampling/createMessage", `{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}],"maxTokens":50,"temperature":0,"_meta":{"x":1,"progressToken":"p"}}`,
			`{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}],"maxTokens":50,"temperature":0,"_meta":{"x":1,"progressToken":1}}`,
			`"error":{"code":-1,"message":"User rejected","data":{"a":1,"a":2}}`, `"error":{"code":-1,"message":"User rejected","data":{"a":1,"a":2}}`,
		},
		{"roots", "roots/list", `{}`, `{}`, `"result":{"roots":[{"uri":"file:///w"}]}`, `"result":{"roots":[{"uri":"file:///w"}]}`},
	}
	for _, test := range tests {
		bubble(t, test.name, func(t *testing.T) {
			server, h := one(t, asking(test.method, test.params))
			h.send(legacy.capable()...)
			got := h.send(legacy.call("1", "up__ask", "{}"))
			want(t, "question", got, `{"jsonrpc":"2.0","id":1,"method":"`+test.method+`","params":`+test.asked+`}`)
			got = h.send(`{"jsonrpc":"2.0","id":1,` + test.answer + `}`)
			want(t, "result", got, result("1", `"content":[{"type":"text","text":"done"}]`))
			if diff := cmp.Diff([]string{`{"jsonrpc":"2.0","id":"q<1>",` + test.told + `}`}, answersTo(server)); diff != "" {
				t.Errorf("what the server was told (-want +got):\n%s", diff)
			}
		})
	}
}

// TestQuestionOfAnotherCall: pipes do not tell for which call a server asks. One
// that ends before the host was asked was not it.
func TestQuestionOfAnotherCall(t *testing.T) {
	bubble(t, "an older call ends", func(t *testing.T) {
		script := asking("elicitation/create", `{"message":"m","requestedSchema":{}}`)
		script.Rules[0].Do = slices.Insert(script.Rules[0].Do, 1, upstreamtest.Step{Release: "asked"})
		script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call other", Do: []upstreamtest.Step{
			{Await: "asked"}, {Reply: raw(`{"content":[]}`)},
		}})
		server, h := one(t, script)
		h.send(modern.capable()...)
		got := h.send(modern.capableCall("1", "up__other", ""), modern.capableCall("2", "up__ask", ""))
		if len(got) != 1 || !strings.Contains(got[0], `"id":1`) || !strings.Contains(got[0], `"content":[]`) {
			t.Errorf("got %q, want the result of the older call", got)
		}
		pass(3 * gatherTime)
		requests, state := inputRequired(t, h.received())
		key, _, _ := strings.Cut(strings.TrimPrefix(requests, `{"`), `":`)
		got = h.send(modern.capableCall("3", "up__ask", resumeWith(`{"`+key+`":{"action":"accept","content":{"n":1}}}`, state)))
		if len(got) != 1 || !strings.Contains(got[0], `"text":"done"`) {
			t.Errorf("got %q, want the result of the call that asked", got)
		}
		want(t, "server", answersTo(server), `{"jsonrpc":"2.0","id":"q<1>","result":{"action":"accept","content":{"n":1}}}`)
	})
}

// TestAnswerForAnotherCall: a call that was taken for what a question belongs to
// ends while the host is asked. The server gets the answer all the same.
func TestAnswerForAnotherCall(t *testing.T) {
	bubble(t, "an older call ends meanwhile", func(t *testing.T) {
		script := asking("elicitation/create", `{"message":"m","requestedSchema":{}}`)
		script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/call other", Do: []upstreamtest.Step{
			{Await: "shown"}, {Reply: raw(`{"content":[]}`)},
		}})
		server, h := one(t, script)
		h.send(modern.capable()...)
		h.send(modern.capableCall("1", "up__other", ""), modern.capableCall("2", "up__ask", ""))
		pass(3 * gatherTime)
		requests, state := inputRequired(t, h.received())
		key, _, _ := strings.Cut(strings.TrimPrefix(requests, `{"`), `":`)
		server.Release("shown")
		h.send()
		got := h.send(modern.capableCall("3", "up__other", resumeWith(`{"`+key+`":{"action":"accept","content":{"n":1}}}`, state)))
		slices.Sort(got)
		if len(got) != 2 || !strings.Contains(got[0], `"id":2`) || !strings.Contains(got[0], `"text":"done"`) ||
			!strings.Contains(got[1], `"id":3`) || !strings.Contains(got[1], `"content":[]`) {
			t.Errorf("got %q, want the results of both calls", got)
		}
		want(t, "server", answersTo(server), `{"jsonrpc":"2.0","id":"q<1>","result":{"action":"accept","content":{"n":1}}}`)
	})
}

// TestQuestionRefused: no host is asked what it has not declared, nor sent to
// what is no web page.
func TestQuestionRefused(t *testing.T) {
	const noForm = `{"elicitation":{"url":{}},"sampling":{}}`
	tests := []struct {
		name, method, params, declared string
		code                           int
	}{
		{"roots", "roots/list", `{}`, noForm, -32601},
		{"form", "elicitation/create", `{"message":"m","requestedSchema":{}}`, noForm, -32602},
		{"unknown mode", "elicitation/create", `{"mode":"telepathy","message":"m"}`, everything, -32602},
		{"url without the mode", "elicitation/create", `{"mode":"url","url":"https://h/","message":"m"}`, `{"elicitation":{}}`, -32602},
		{"elicitation at all", "elicitation/create", `{"message":"m"}`, `{}`, -32601},
		{"sampling with tools", "sampling/createMessage", `{"messages":[],"maxTokens":1,"tools":[]}`, noForm, -32602},
		{"script as url", "elicitation/create", `{"mode":"url","url":"javascript:alert(1)","message":"m"}`, everything, -32602},
		{"file as url", "elicitation/create", `{"mode":"url","url":"file:///etc/passwd","message":"m"}`, everything, -32602},
		{"task of nobody", "tasks/get", `{"taskId":"t"}`, everything, -32602},
		{"unknown method", "vendor/ask", `{}`, everything, -32601},
	}
	for _, test := range tests {
		for _, client := range []era{legacy, modern} {
			bubble(t, client.String()+" host/"+test.name, func(t *testing.T) {
				if client == modern && test.name == "task of nobody" {
					test.code = -32601
				}
				server, h := one(t, asking(test.method, test.params))
				declare := func(line string) string {
					return strings.NewReplacer(`"capabilities":{}`, `"capabilities":`+test.declared,
						`clientCapabilities":{}`, `clientCapabilities":`+test.declared).Replace(line)
				}
				for _, line := range client.open() {
					h.send(declare(line))
				}
				got := h.send(declare(client.call("1", "up__ask", "{}")))
				if len(got) != 1 || !strings.Contains(got[0], `"done"`) {
					t.Errorf("got %q, want the result alone", got)
				}
				told := answersTo(server)
				if len(told) != 1 || !strings.Contains(told[0], fmt.Sprintf(`"error":{"code":%d,`, test.code)) {
					t.Errorf("server was told %q, want error %d", told, test.code)
				}
			})
		}
	}
}

// inputRequired takes an answer with input_required apart.
func inputRequired(t *testing.T, lines []string) (requests, state string) {
	t.Helper()
	var got struct {
		Result struct {
			ResultType    string          `json:"resultType"`
			InputRequests json.RawMessage `json:"inputRequests"`
			RequestState  string          `json:"requestState"`
		} `json:"result"`
	}
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &got) != nil || got.Result.ResultType != "input_required" {
		t.Fatalf("got %q, want input_required", lines)
	}
	return string(got.Result.InputRequests), got.Result.RequestState
}

func resumeWith(responses, state string) string {
	return `"inputResponses":` + responses + `,"requestState":"` + state + `"`
}

// TestModernHostIsAsked: what a server with a handshake asks in the middle of a
// call becomes input_required, and the answer goes to the call that waits.
func TestModernHostIsAsked(t *testing.T) {
	bubble(t, "elicitation", func(t *testing.T) {
		server, h := one(t, asking("elicitation/create", `{"mode":"url","x":1.0,"elicitationId":"e","url":"https://h/","message":"m","_meta":{"progressToken":3}}`))
		h.send(modern.capable()...)
		h.send(modern.capableCall("1", "up__ask", ""))
		pass(gatherTime)
		requests, state := inputRequired(t, h.received())
		if diff := cmp.Diff(`{"q1":{"method":"elicitation/create","params":{"mode":"url","x":1.0,"url":"https://h/","message":"[up] m"}}}`, requests); diff != "" {
			t.Errorf("inputRequests (-want +got):\n%s", diff)
		}
		got := h.send(modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"action":"accept","n":1E400}}`, state)))
		want(t, "result", got, `{"jsonrpc":"2.0","id":2,"result":{"resultType":"complete",`+serverMeta+`,"content":[{"type":"text","text":"done"}]}}`)
		want(t, "answer", answersTo(server), `{"jsonrpc":"2.0","id":"q<1>","result":{"action":"accept","n":1E400}}`)
		if n := len(server.Received("tools/call")); n != 1 {
			t.Errorf("server was called %d times, want once", n)
		}
	})
	bubble(t, "missing answer is asked for again", func(t *testing.T) {
		_, h := one(t, asking("roots/list", `{}`))
		h.send(modern.capable()...)
		h.send(modern.capableCall("1", "up__ask", ""))
		pass(gatherTime)
		_, state := inputRequired(t, h.received())
		requests, next := inputRequired(t, h.send(modern.capableCall("2", "up__ask", resumeWith(`{"q2":{},"q1":7}`, state))))
		if requests != `{"q1":{"method":"roots/list","params":{}}}` || next == state {
			t.Errorf("got %s with state %s", requests, next)
		}
		got := h.send(modern.capableCall("3", "up__ask", resumeWith(`{"q1":{"roots":[]}}`, next)))
		if len(got) != 1 || !strings.Contains(got[0], `"done"`) {
			t.Errorf("got %q, want the result", got)
		}
	})
	bubble(t, "two at once are one", func(t *testing.T) {
		script := asking("roots/list", `{}`)
		script.Rules[0].Do = slices.Insert(script.Rules[0].Do, 1, upstreamtest.Step{Send: raw(`{"jsonrpc":"2.0","id":8,"method":"roots/list"}`)})
		script.Rules[0].Do = slices.Insert(script.Rules[0].Do, 3, upstreamtest.Step{Await: "response 8"})
		_, h := one(t, script)
		h.send(modern.capable()...)
		h.send(modern.capableCall("1", "up__ask", ""))
		pass(gatherTime)
		requests, state := inputRequired(t, h.received())
		if requests != `{"q1":{"method":"roots/list","params":{}},"q2":{"method":"roots/list","params":{}}}` {
			t.Errorf("got %s", requests)
		}
		got := h.send(modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"roots":[]},"q2":{"roots":[]}}`, state)))
		if len(got) != 1 || !strings.Contains(got[0], `"done"`) {
			t.Errorf("got %q, want the result", got)
		}
	})
	bubble(t, "result before the answer", func(t *testing.T) {
		script := asking("roots/list", `{}`)
		script.Rules[0].Do[1] = upstreamtest.Step{Delay: upstreamtest.Duration(time.Second)}
		server, h := one(t, script)
		h.send(modern.capable()...)
		h.send(modern.capableCall("1", "up__ask", ""))
		pass(gatherTime)
		_, state := inputRequired(t, h.received())
		pass(2 * time.Second)
		got := h.send(modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"roots":[]}}`, state)))
		if len(got) != 1 || !strings.Contains(got[0], `"done"`) {
			t.Errorf("got %q, want the result", got)
		}
		if n := len(server.Received("tools/call")); n != 1 {
			t.Errorf("server was called %d times, want once", n)
		}
	})
	bubble(t, "no answer ever", func(t *testing.T) {
		server, h := one(t, asking("elicitation/create", `{"message":"m","requestedSchema":{}}`))
		h.send(modern.capable()...)
		h.send(modern.capableCall("1", "up__ask", ""))
		pass(gatherTime)
		_, state := inputRequired(t, h.received())
		pass(answerTime)
		h.received()
		want(t, "server", answersTo(server), `{"jsonrpc":"2.0","id":"q<1>","result":{"action":"cancel"}}`)
		if got := server.Received("notifications/cancelled"); len(got) != 1 {
			t.Errorf("server heard %d cancellations, want one", len(got))
		}
		got := h.send(modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"action":"accept"}}`, state)))
		if len(got) != 1 || !strings.Contains(got[0], `"code":-32602`) || !strings.Contains(got[0], `"maybeExecuted":true`) {
			t.Errorf("got %q, want a refusal that says that it may have run", got)
		}
	})
	bubble(t, "withdrawn by the server", func(t *testing.T) {
		script := asking("roots/list", `{}`)
		script.Rules[0].Do[1] = upstreamtest.Step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q<1>"}}`)}
		_, h := one(t, script)
		h.send(modern.capable()...)
		got := h.send(modern.capableCall("1", "up__ask", ""))
		if len(got) != 1 || !strings.Contains(got[0], `"done"`) {
			t.Errorf("got %q, want the result", got)
		}
	})
}

// TestAttacksOnParkedCalls: a requestState is good once, for the request that it
// was made for, and nothing else in its place is good at all.
func TestAttacksOnParkedCalls(t *testing.T) {
	attacks := []struct {
		name   string
		attack func(state string) string // the request in place of the right one
		lost   bool                      // the right one is refused afterwards
	}{
		{"forged", func(string) string { return modern.capableCall("2", "up__ask", resumeWith(`{}`, "weir1.AAAA")) }, false},
		{"changed", func(state string) string {
			flipped := []byte(state)
			flipped[20] ^= 1
			return modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"roots":[]}}`, string(flipped)))
		}, false},
		{"of another tool", func(state string) string {
			return modern.capableCall("2", "up__other", resumeWith(`{"q1":{"roots":[]}}`, state))
		}, false},
		{"with other arguments", func(state string) string {
			return strings.Replace(modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"roots":[]}}`, state)), `"arguments":{}`, `"arguments":{"x":1}`, 1)
		}, false},
		{"of a server's making", func(string) string {
			return modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"roots":[]}}`, "mine"))
		}, false},
		{"used already", func(state string) string {
			return modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"roots":[]}}`, state))
		}, true},
	}
	for _, test := range attacks {
		bubble(t, test.name, func(t *testing.T) {
			server, h := one(t, asking("roots/list", `{}`))
			h.send(modern.capable()...)
			h.send(modern.capableCall("1", "up__ask", ""))
			pass(gatherTime)
			_, state := inputRequired(t, h.received())
			got := h.send(test.attack(state))
			if test.lost != (len(got) == 1 && strings.Contains(got[0], `"done"`)) {
				t.Errorf("attack: got %q", got)
			}
			got = h.send(modern.capableCall("3", "up__ask", resumeWith(`{"q1":{"roots":[]}}`, state)))
			if test.lost == (len(got) == 1 && strings.Contains(got[0], `"done"`)) {
				t.Errorf("the right request: got %q", got)
			}
			if n := len(server.Received("tools/call")); n != 1 {
				t.Errorf("server was called %d times, want once", n)
			}
		})
	}
}

// modernAsking is a modern server that asks in the first round of a call and
// answers in the second.
func modernAsking(first string) upstreamtest.Script {
	script := asking("", "{}")
	script.Versions = []string{upstreamtest.Modern}
	script.Rules = []upstreamtest.Rule{
		{On: "tools/call ask", Nth: 1, Do: []upstreamtest.Step{{Reply: raw(first)}}},
		{On: "tools/call ask", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","content":[{"type":"text","text":"done"}]}`)}}},
	}
	return script
}

// TestLegacyHostIsAskedByModernServer: input_required becomes requests to the
// host, and the call is made again with their answers and the server's state.
func TestLegacyHostIsAskedByModernServer(t *testing.T) {
	bubble(t, "answered", func(t *testing.T) {
		server, h := one(t, modernAsking(`{"resultType":"input_required","requestState":"s\u0061<1>","inputRequests":{`+
			`"a":{"method":"elicitation/create","params":{"mode":"form","message":"m","requestedSchema":{}}},"b":{"method":"roots/list"}}}`))
		h.send(legacy.capable()...)
		got := h.send(legacy.call("1", "up__ask", `{"n":9007199254740993}`))
		slices.Sort(got)
		if len(got) != 2 {
			t.Fatalf("got %q, want two questions", got)
		}
		questions := got
		got = nil
		for _, line := range questions {
			id := line[len(`{"jsonrpc":"2.0","id":`):][:1]
			switch {
			case strings.Contains(line, `"method":"roots/list"}`):
				got = append(got, h.send(`{"jsonrpc":"2.0","id":`+id+`,"result":{"roots":[]}}`)...)
			case strings.Contains(line, `"params":{"mode":"form","message":"[up] m","requestedSchema":{}}`):
				got = append(got, h.send(`{"jsonrpc":"2.0","id":`+id+`,"result":{"action":"accept","content":{"x":1.0}}}`)...)
			default:
				t.Errorf("got %s", line)
			}
		}
		want(t, "result", got, result("1", `"resultType":"complete","content":[{"type":"text","text":"done"}]`))
		calls := server.Received("tools/call")
		if len(calls) != 2 {
			t.Fatalf("server was called %d times, want 2", len(calls))
		}
		again := string(calls[1].Message)
		for _, part := range []string{
			`"arguments":{"n":9007199254740993}`, `"requestState":"s\u0061<1>"`,
			`"inputResponses":{"a":{"action":"accept","content":{"x":1.0}},"b":{"roots":[]}}`,
		} {
			if !strings.Contains(again, part) {
				t.Errorf("second round %s\nlacks %s", again, part)
			}
		}
	})
	bubble(t, "state only", func(t *testing.T) {
		_, h := one(t, modernAsking(`{"resultType":"input_required","requestState":"s"}`))
		h.send(legacy.capable()...)
		want(t, "result", h.send(legacy.call("1", "up__ask", `{}`)), result("1", `"resultType":"complete","content":[{"type":"text","text":"done"}]`))
	})
	for name, reply := range map[string]string{
		"neither":  `{"resultType":"input_required"}`,
		"no map":   `{"resultType":"input_required","inputRequests":[]}`,
		"unknown":  `{"resultType":"input_required","inputRequests":{"a":{"method":"vendor/ask"}}}`,
		"no type":  `{"resultType":"wonder"}`,
		"bad link": `{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"data:x","message":"m"}}}}`,
	} {
		bubble(t, name, func(t *testing.T) {
			_, h := one(t, modernAsking(reply))
			h.send(legacy.capable()...)
			got := h.send(legacy.call("1", "up__ask", `{}`))
			if len(got) != 1 || !strings.Contains(got[0], `"isError":true`) || !strings.Contains(got[0], `"maybeExecuted":true`) {
				t.Errorf("got %q, want a failure", got)
			}
		})
	}
	bubble(t, "for ever", func(t *testing.T) {
		script := modernAsking(`{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}}}`)
		script.Rules = []upstreamtest.Rule{{On: "tools/call ask", Do: script.Rules[0].Do}}
		server, h := one(t, script)
		h.send(legacy.capable()...)
		got := h.send(legacy.call("99", "up__ask", `{}`))
		for i := 1; len(got) == 1 && strings.Contains(got[0], "roots/list"); i++ {
			got = h.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"roots":[]}}`, i))
		}
		if len(got) != 1 || !strings.Contains(got[0], "asks without end") {
			t.Errorf("got %q, want a failure", got)
		}
		if n := len(server.Received("tools/call")); n != maxRounds+1 {
			t.Errorf("server was called %d times, want %d", n, maxRounds+1)
		}
	})
	bubble(t, "cancelled", func(t *testing.T) {
		_, h := one(t, modernAsking(`{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}}}`))
		h.send(legacy.capable()...)
		h.send(legacy.call("1", "up__ask", `{}`))
		want(t, "after the cancellation", h.send(cancelled("1")), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	})
}

// TestConsent: error -32042 sends a modern host's user to the pages, and the call
// is made again once they have agreed.
func TestConsent(t *testing.T) {
	const failed = `{"code":-32042,"message":"consent","data":{"elicitations":[{"mode":"url","elicitationId":"e2","url":"https://h/y","message":"Connect"}]}}`
	script := asking("", "{}")
	script.Rules = []upstreamtest.Rule{
		{On: "tools/call ask", Nth: 1, Do: []upstreamtest.Step{{Error: raw(failed)}}},
		{On: "tools/call ask", Do: []upstreamtest.Step{{Reply: raw(`{"content":[{"type":"text","text":"done"}]}`)}}},
	}
	bubble(t, "modern host agrees", func(t *testing.T) {
		_, h := one(t, script)
		h.send(modern.capable()...)
		requests, state := inputRequired(t, h.send(modern.capableCall("1", "up__ask", "")))
		if requests != `{"q1":{"method":"elicitation/create","params":{"mode":"url","url":"https://h/y","message":"[up] Connect"}}}` {
			t.Errorf("got %s", requests)
		}
		got := h.send(modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"action":"accept"}}`, state)))
		if len(got) != 1 || !strings.Contains(got[0], `"done"`) {
			t.Errorf("got %q, want the result", got)
		}
	})
	bubble(t, "modern host declines", func(t *testing.T) {
		server, h := one(t, script)
		h.send(modern.capable()...)
		_, state := inputRequired(t, h.send(modern.capableCall("1", "up__ask", "")))
		got := h.send(modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"action":"decline"}}`, state)))
		if len(got) != 1 || !strings.Contains(got[0], `"isError":true`) {
			t.Errorf("got %q, want a failure", got)
		}
		if n := len(server.Received("tools/call")); n != 1 {
			t.Errorf("server was called %d times, want once", n)
		}
	})
	bubble(t, "modern host answers for one page of two", func(t *testing.T) {
		script := script
		page := `{"mode":"url","elicitationId":"e2","url":"https://h/y","message":"Connect"}`
		script.Rules = slices.Clone(script.Rules)
		script.Rules[0].Do = []upstreamtest.Step{{Error: raw(strings.Replace(failed, page, page+","+page, 1))}}
		server, h := one(t, script)
		h.send(modern.capable()...)
		_, state := inputRequired(t, h.send(modern.capableCall("1", "up__ask", "")))
		requests, state := inputRequired(t, h.send(modern.capableCall("2", "up__ask", resumeWith(`{"q1":{"action":"decline"}}`, state))))
		if !strings.Contains(requests, `"q1":`) || !strings.Contains(requests, `"q2":`) {
			t.Errorf("got %s, want both pages again", requests)
		}
		got := h.send(modern.capableCall("3", "up__ask", resumeWith(`{"q1":{"action":"decline"},"q2":{"action":"accept"}}`, state)))
		if len(got) != 1 || !strings.Contains(got[0], `"isError":true`) || len(server.Received("tools/call")) != 1 {
			t.Errorf("got %q, want a failure", got)
		}
	})
	bubble(t, "legacy host", func(t *testing.T) {
		_, h := one(t, script)
		h.send(legacy.capable()...)
		want(t, "error", h.send(legacy.call("1", "up__ask", "{}")),
			`{"jsonrpc":"2.0","id":1,"error":`+strings.NewReplacer(`"e2"`, `"up:e2"`, "Connect", "[up] Connect").Replace(failed)+`}`)
	})
	bubble(t, "legacy host that cannot", func(t *testing.T) {
		_, h := one(t, script)
		h.send(legacy.open()...)
		got := h.send(legacy.call("1", "up__ask", "{}"))
		if len(got) != 1 || !strings.Contains(got[0], `"isError":true`) || !strings.Contains(got[0], "page of the server at h.") {
			t.Errorf("got %q, want a failure that names the site", got)
		}
	})
}

// TestEarlyQuestion: what a server asks before any call waits until a legacy host
// is ready; a modern one has told no roots.
func TestEarlyQuestion(t *testing.T) {
	script := asking("", "{}")
	script.Rules = []upstreamtest.Rule{{On: "notifications/initialized", Do: []upstreamtest.Step{
		{Default: true}, {Send: raw(`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`)},
	}}}
	bubble(t, "legacy host", func(t *testing.T) {
		server, h := one(t, script)
		open := legacy.capable()
		h.send(open[0])
		if n := len(server.Received("notifications/initialized")); n != 1 {
			t.Fatalf("server was initialized %d times", n)
		}
		got := h.send(open[1])
		if len(got) == 0 || got[0] != `{"jsonrpc":"2.0","id":1,"method":"roots/list"}` {
			t.Fatalf("got %q, want the question", got)
		}
		h.send(`{"jsonrpc":"2.0","id":1,"result":{"roots":[{"uri":"file:///w"}]}}`)
		want(t, "server", answersTo(server), `{"jsonrpc":"2.0","id":1,"result":{"roots":[{"uri":"file:///w"}]}}`)
	})
	bubble(t, "modern host", func(t *testing.T) {
		server, h := one(t, script)
		h.send(modern.capable()...)
		want(t, "server", answersTo(server), `{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}`)
	})
}

// TestAnswersToNothing: what a host answers unasked, or twice, changes nothing.
func TestAnswersToNothing(t *testing.T) {
	synctestBubble := func(t *testing.T) {
		server, h := one(t, asking("roots/list", `{}`))
		h.send(legacy.capable()...)
		h.send(`{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}`, `{"jsonrpc":"2.0","id":"1","error":{"code":1,"message":"m"}}`)
		h.send(legacy.call("1", "up__ask", "{}"))
		got := h.send(`{"jsonrpc":"2.0","id":"1","result":{}}`, `{"jsonrpc":"2.0","id":2,"result":{}}`)
		if len(got) != 0 {
			t.Fatalf("got %q before the answer", got)
		}
		got = h.send(`{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}`, `{"jsonrpc":"2.0","id":1,"result":{"roots":[1]}}`)
		if len(got) != 1 || !strings.Contains(got[0], `"done"`) {
			t.Errorf("got %q, want the result", got)
		}
		want(t, "server", answersTo(server), `{"jsonrpc":"2.0","id":"q<1>","result":{"roots":[]}}`)
	}
	bubble(t, "legacy host", synctestBubble)
}
