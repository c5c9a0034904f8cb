package aggregator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// restricted is one server called "up" that may not ask all.
func restricted(t testing.TB, script upstreamtest.Script, q Questions) (*upstreamtest.Server, *host) {
	t.Helper()
	server := upstreamtest.New(script)
	cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
	cfg.Servers[0].Questions = q
	_, h := start(t, cfg)
	return server, h
}

var noQuestions = Questions{NoSampling: true, NoElicitation: true, NoRoots: true}

// questionKinds are the questions there are, with params that any host takes.
var questionKinds = []struct{ capability, method, params string }{
	{"sampling", "sampling/createMessage", `{"messages":[],"maxTokens":1}`},
	{"elicitation", "elicitation/create", `{"message":"m","requestedSchema":{"type":"object","properties":{}}}`},
	{"roots", "roots/list", `{}`},
}

// modernAskingFor is a modern server that asks this in each call.
func modernAskingFor(requests string) upstreamtest.Script {
	script := modernAsking("{}")
	script.Rules = []upstreamtest.Rule{{On: "tools/call ask", Do: []upstreamtest.Step{
		{Reply: raw(`{"resultType":"input_required","requestState":"s","inputRequests":` + requests + `}`)},
	}}}
	return script
}

// openAndCall is what a host that can answer all says until its first call.
func openAndCall(h *host, e era) []string {
	h.send(e.capable()...)
	if e == modern {
		return h.send(e.capableCall("1", "up__ask", ""))
	}
	return h.send(e.call("1", "up__ask", "{}"))
}

// TestDeniedToLegacyServer: a server with a handshake is refused what it asks, and
// its call goes on; no host hears of it.
func TestDeniedToLegacyServer(t *testing.T) {
	for _, kind := range questionKinds {
		for _, e := range []era{legacy, modern} {
			bubble(t, kind.capability+", "+e.String()+" host", func(t *testing.T) {
				server, h := restricted(t, asking(kind.method, kind.params), noQuestions)
				got := openAndCall(h, e)
				pass(gatherTime)
				got = append(got, h.received()...)
				if len(got) != 1 || !strings.Contains(got[0], `"done"`) {
					t.Errorf("got %q, want the result alone", got)
				}
				want(t, "server", answersTo(server), failure(`"q<1>"`, -32601, "the client does not support "+kind.capability))
			})
		}
	}
}

// TestDeniedToModernServer: a call that a modern server answers with a question
// which it may not ask fails, and says why; no host sees the question.
func TestDeniedToModernServer(t *testing.T) {
	for _, kind := range questionKinds {
		for _, e := range []era{legacy, modern} {
			bubble(t, kind.capability+", "+e.String()+" host", func(t *testing.T) {
				_, h := restricted(t, modernAskingFor(`{"a":{"method":"`+kind.method+`","params":`+kind.params+`}}`), noQuestions)
				got := openAndCall(h, e)
				if len(got) != 1 || !strings.Contains(got[0], `"isError":true`) || !strings.Contains(got[0], `"kind":"authorization"`) ||
					!strings.Contains(got[0], "asks for "+kind.capability+", which weir's configuration denies to it") {
					t.Errorf("got %q, want a failure that names what is denied", got)
				}
			})
		}
	}
}

// TestOthersMayAsk: what is denied to one server, or in one way, is nobody else's
// loss.
func TestOthersMayAsk(t *testing.T) {
	for _, kind := range questionKinds {
		others := noQuestions
		switch kind.capability {
		case "sampling":
			others.NoSampling = false
		case "elicitation":
			others.NoElicitation = false
		case "roots":
			others.NoRoots = false
		}
		for _, e := range []era{legacy, modern} {
			bubble(t, kind.capability+", "+e.String()+" host and server", func(t *testing.T) {
				script := asking(kind.method, kind.params)
				if e == modern {
					script = modernAskingFor(`{"a":{"method":"` + kind.method + `","params":` + kind.params + `}}`)
				}
				_, h := restricted(t, script, others)
				if got := openAndCall(h, e); len(got) != 1 || !strings.Contains(got[0], kind.method) {
					t.Errorf("got %q, want the question", got)
				}
			})
		}
	}
}

// TestDeniedIsNotDeclared: a server is not told of what it may not ask for, and the
// others are.
func TestDeniedIsNotDeclared(t *testing.T) {
	const tasks = `,"tasks":{"cancel":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}}`
	const all = `"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}`
	declare := func(line string) string { return strings.ReplaceAll(line, all, all+tasks) }
	for _, test := range []struct {
		q    Questions
		want string // of the capabilities in a handshake
	}{
		{Questions{}, `{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}` + tasks + `}`},
		{Questions{NoRoots: true, NoElicitation: true}, `{"sampling":{"tools":{}},"tasks":{"cancel":{},"requests":{"sampling":{"createMessage":{}}}}}`},
		{noQuestions, `{"tasks":{"cancel":{},"requests":{}}}`},
	} {
		bubble(t, fmt.Sprintf("%+v, handshake", test.q), func(t *testing.T) {
			server, h := restricted(t, asking("", "{}"), test.q)
			for _, line := range legacy.capable() {
				h.send(declare(line))
			}
			h.send(legacy.call("1", "up__other", "{}"))
			got := server.Received("initialize")
			if len(got) != 1 || !strings.Contains(string(got[0].Message), `"capabilities":`+test.want+`,`) {
				t.Errorf("got %s, want the capabilities %s", got, test.want)
			}
		})
		for _, e := range []era{legacy, modern} {
			bubble(t, fmt.Sprintf("%+v, each request of a %v host", test.q, e), func(t *testing.T) {
				script := asking("", "{}")
				script.Versions = []string{upstreamtest.Modern}
				server, h := restricted(t, script, test.q)
				openAndCall(h, e)
				if len(server.Received("tools/call")) != 1 {
					t.Fatal("server was not called")
				}
				for _, r := range append(server.Received("tools/call"), server.Received("server/discover")...) {
					_, declared, _ := strings.Cut(string(r.Message), `clientCapabilities":`)
					declared, _, _ = strings.Cut(declared, `,"io.modelcontextprotocol/clientInfo"`)
					for _, c := range test.q.capabilities() {
						if strings.Contains(declared, `"`+c.name+`"`) == c.denied {
							t.Errorf("%s denied: %v, and declared is %s", c.name, c.denied, declared)
						}
					}
				}
			})
		}
	}
}

// TestDeniedByOtherWays: there is no way around a denial.
func TestDeniedByOtherWays(t *testing.T) {
	const sample = `{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`
	modernResult := func(result string) upstreamtest.Script {
		script := modernAsking("{}")
		script.Rules = []upstreamtest.Rule{{On: "tools/call ask", Do: []upstreamtest.Step{{Reply: raw(result)}}}}
		return script
	}
	legacyResult := func(result string) upstreamtest.Script {
		script := modernResult(result)
		script.Versions = []string{upstreamtest.Legacy}
		return script
	}
	legacyError := func(err string) upstreamtest.Script {
		script := legacyResult("{}")
		script.Rules[0].Do = []upstreamtest.Step{{Error: raw(err)}}
		return script
	}
	const visit = `{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://h/","message":"m"}]}}`
	for _, test := range []struct {
		name   string
		host   era
		script upstreamtest.Script
	}{
		{"the last of two", modern, modernResult(`{"resultType":"input_required","inputRequests":{"a":{"method":"vendor/x"},"b":` + sample + `}}`)},
		{"a result that says it is complete", modern, modernResult(`{"resultType":"complete","content":[],"inputRequests":{"a":` + sample + `}}`)},
		{"a result of two types", modern, modernResult(`{"resultType":"complete","content":[],"resultType":"input_required","inputRequests":{"a":` + sample + `}}`)},
		{"requests that stand twice", modern, modernResult(`{"resultType":"input_required","inputRequests":{},"inputRequests":{"a":` + sample + `}}`)},
		{"requests in another case", modern, modernResult(`{"resultType":"input_required","inputrequests":{"a":` + sample + `}}`)},
		{"a method that stands twice", modern, modernResult(`{"resultType":"input_required","inputRequests":{"a":{"method":"vendor/x","method":"sampling/createMessage","params":{}}}}`)},
		{"a method in another case", modern, modernResult(`{"resultType":"input_required","inputRequests":{"a":{"method":"vendor/x","Method":"sampling/createMessage","params":{}}}}`)},
		{"an escaped method", modern, modernResult(`{"resultType":"input_required","inputRequests":{"a":{"method":"sampling\/create\u004dessage","params":{}}}}`)},
		{"requests that are no object", modern, modernResult(`{"resultType":"input_required","inputRequests":[` + sample + `]}`)},
		{"a legacy server's result", modern, legacyResult(`{"resultType":"input_required","inputRequests":{"a":` + sample + `}}`)},
		{"an error that wants a page visited", modern, legacyError(visit)},
		{"the same to a legacy host", legacy, legacyError(visit)},
		{"the same with another number", legacy, legacyError(strings.Replace(visit, "-32042", "-3.2042e4", 1))},
		{"the same with two codes", legacy, legacyError(strings.Replace(visit, `"code":-32042`, `"code":-1,"code":-32042`, 1))},
		{
			"an error that wants the capability", modern,
			legacyError(`{"code":-32021,"message":"m","data":{"requiredCapabilities":{"sampling":{}}}}`),
		},
	} {
		bubble(t, test.name, func(t *testing.T) {
			_, h := restricted(t, test.script, noQuestions)
			got := openAndCall(h, test.host)
			if len(got) != 1 || !strings.Contains(got[0], `"isError":true`) || !strings.Contains(got[0], `"server":"up"`) ||
				strings.Contains(got[0], "createMessage") || strings.Contains(got[0], "elicitations") {
				t.Errorf("got %q, want a failure without the question", got)
			}
		})
		bubble(t, test.name+", unrestricted", func(t *testing.T) {
			_, h := restricted(t, test.script, Questions{})
			if got := openAndCall(h, test.host); len(got) != 1 || strings.Contains(got[0], "denies") {
				t.Errorf("got %q, want nothing denied", got)
			}
		})
	}
}

// TestDeniedTask: what a task asks reaches no host, told or asked for.
func TestDeniedTask(t *testing.T) {
	const told = `{"taskId":"t","status":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}}}`
	script := upstreamtest.Script{
		Versions:     []string{upstreamtest.Modern},
		Capabilities: raw(`{"tools":{},"extensions":{"` + tasksExtension + `":{}}}`),
		Tools:        raws(`{"name":"ask","inputSchema":{"type":"object"}}`),
		Rules: []upstreamtest.Rule{
			{On: "tools/call ask", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"task","taskId":"t","status":"working"}`)}}},
			{On: "tasks/get", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete",` + told[1:])}}},
		},
	}
	run := func(t *testing.T, q Questions) (got []string) {
		_, h := restricted(t, script, q)
		h.send(modern.capable()...)
		task := taskIDOf(t, strings.Join(h.send(modern.capableCall("1", "up__ask", "")), "\n"))
		for i := range 3 {
			got = append(got, h.send(modern.request(fmt.Sprint(2+i), "tasks/get", `"taskId":"`+task+`"`, ""))...)
		}
		return got
	}
	bubble(t, "denied", func(t *testing.T) {
		for _, line := range run(t, noQuestions) {
			if !strings.Contains(line, `"error":{"code":-32603`) || strings.Contains(line, "createMessage") {
				t.Errorf("got %s, want an error", line)
			}
		}
	})
	for _, q := range []Questions{{}, noQuestions} {
		bubble(t, fmt.Sprintf("told unasked, %+v", q), func(t *testing.T) {
			cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up")
			cfg.Servers[0].Questions = q
			a, h := start(t, cfg)
			h.send(modern.capable()...)
			up, s := a.world.Load().byName["up"], a.sessionList()[0]
			s.mu.Lock()
			s.listeners = append(s.listeners, &listener{id: []byte("9"), key: keyOf([]byte("9")), follows: []followed{{up, "t", true}}})
			s.mu.Unlock()
			m := new(jsonrpc.Message)
			if err := m.Parse([]byte(`{"jsonrpc":"2.0","method":"notifications/tasks","params":` + told + `}`)); err != nil {
				t.Fatal(err)
			}
			a.taskTold(nil, up, m)
			if got := h.received(); (len(got) == 1) != (q == Questions{}) {
				t.Errorf("got %q", got)
			}
		})
	}
	bubble(t, "one question, told again and again, is one", func(t *testing.T) {
		for _, line := range run(t, Questions{Sampling: SamplingLimits{Rate: Rate{1, time.Hour}}}) {
			if !strings.Contains(line, "createMessage") {
				t.Errorf("got %s, want the question", line)
			}
		}
	})
}

// TestRootsDenied: changes of the roots are no business of a server that must not
// know them, and what it asks unasked is refused.
func TestRootsDenied(t *testing.T) {
	script := asking("", "{}")
	script.Rules = []upstreamtest.Rule{{On: "notifications/initialized", Do: []upstreamtest.Step{
		{Default: true}, {Send: raw(`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`)},
	}}}
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String()+" host", func(t *testing.T) {
			server, h := restricted(t, script, noQuestions)
			h.send(e.capable()...)
			if e == legacy {
				h.send(`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`)
			}
			want(t, "server", answersTo(server), failure("1", -32601, "the client does not support roots"))
			if got := server.Received("notifications/roots/list_changed"); len(got) != 0 {
				t.Errorf("server was told %s", got)
			}
		})
	}
}

// TestSamplingLimits: what is over a limit is refused with a reason, in all four
// pairings.
func TestSamplingLimits(t *testing.T) {
	for _, test := range []struct {
		name, params string
		limits       SamplingLimits
		refusal      string // "" = it passes
	}{
		{"within all", `{"messages":[],"maxTokens":100}`, SamplingLimits{Rate{1, time.Minute}, 100, 100}, ""},
		{"bytes", `{"messages":[],"maxTokens":1,"x":"` + strings.Repeat("x", 100) + `"}`, SamplingLimits{MaxBytes: 100}, "bytes is over the limit of 100"},
		{"tokens", `{"messages":[],"maxTokens":101}`, SamplingLimits{MaxTokens: 100}, "maxTokens is over the limit of 100"},
		{"tokens, another number", `{"messages":[],"maxTokens":1.01e2}`, SamplingLimits{MaxTokens: 100}, "maxTokens is over the limit of 100"},
		{"no tokens", `{"messages":[]}`, SamplingLimits{MaxTokens: 100}, "needs the number maxTokens"},
		{"tokens as text", `{"messages":[],"maxTokens":"1"}`, SamplingLimits{MaxTokens: 100}, "needs the number maxTokens"},
		{"tokens twice", `{"messages":[],"maxTokens":1,"maxTokens":1000}`, SamplingLimits{MaxTokens: 100}, "stands twice in a sampling request"},
		{"tokens in another case", `{"messages":[],"maxTokens":1,"MAXTOKENS":1000}`, SamplingLimits{MaxTokens: 100}, "looks like"},
	} {
		for _, host := range []era{legacy, modern} {
			bubble(t, fmt.Sprintf("%s, %v host, legacy server", test.name, host), func(t *testing.T) {
				server, h := restricted(t, asking("sampling/createMessage", test.params), Questions{Sampling: test.limits})
				got := openAndCall(h, host)
				if told := answersTo(server); test.refusal == "" && told != nil || test.refusal != "" && (len(told) != 1 || !strings.Contains(told[0], test.refusal)) {
					t.Errorf("server was told %q, want %q", told, test.refusal)
				}
				if asked := len(got) == 1 && strings.Contains(got[0], "sampling/createMessage"); host == legacy && asked != (test.refusal == "") {
					t.Errorf("got %q, want the question: %v", got, test.refusal == "")
				}
			})
			bubble(t, fmt.Sprintf("%s, %v host, modern server", test.name, host), func(t *testing.T) {
				_, h := restricted(t, modernAskingFor(`{"a":{"method":"sampling/createMessage","params":`+test.params+`}}`), Questions{Sampling: test.limits})
				got := openAndCall(h, host)
				if len(got) != 1 || test.refusal == "" && !strings.Contains(got[0], "sampling/createMessage") ||
					test.refusal != "" && (!strings.Contains(got[0], `"isError":true`) || !strings.Contains(got[0], test.refusal) || !strings.Contains(got[0], `"kind":"rate_limited"`)) {
					t.Errorf("got %q, want %q", got, test.refusal)
				}
			})
		}
	}
}

// TestSamplingRate: each question that passes counts, however it comes; time gives
// back what was used.
func TestSamplingRate(t *testing.T) {
	limits := Questions{Sampling: SamplingLimits{Rate: Rate{2, time.Minute}}}
	bubble(t, "legacy server", func(t *testing.T) {
		server, h := restricted(t, asking("sampling/createMessage", `{"messages":[],"maxTokens":1}`), limits)
		h.send(legacy.capable()...)
		call := func(id int) (asked bool) {
			for _, line := range h.send(legacy.call(fmt.Sprintf(`"c%d"`, id), "up__ask", "{}")) {
				if strings.Contains(line, "createMessage") {
					questionID, _, _ := strings.Cut(strings.TrimPrefix(line, `{"jsonrpc":"2.0","id":`), ",")
					h.send(`{"jsonrpc":"2.0","id":` + questionID + `,"result":{}}`)
					asked = true
				}
			}
			return asked
		}
		var got []bool
		for i := range 3 {
			got = append(got, call(i))
		}
		if told := answersTo(server); len(told) != 3 || !strings.Contains(told[2], "more sampling requests than 2 in 1m0s; the next may be in 30 s") {
			t.Errorf("server was told %q", told)
		}
		pass(29 * time.Second)
		got = append(got, call(3))
		pass(time.Second)
		got = append(got, call(4), call(5))
		pass(time.Hour)
		got = append(got, call(6), call(7), call(8))
		if diff := cmp.Diff([]bool{true, true, false, false, true, false, true, true, false}, got); diff != "" {
			t.Errorf("which were asked (-want +got):\n%s", diff)
		}
	})
	bubble(t, "several in one result", func(t *testing.T) {
		one := `{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`
		_, h := restricted(t, modernAskingFor(`{"a":`+one+`,"b":`+one+`,"c":`+one+`}`), limits)
		got := openAndCall(h, modern)
		if len(got) != 1 || !strings.Contains(got[0], `"retryAfterMs":30000`) || strings.Contains(got[0], "createMessage") {
			t.Errorf("got %q, want a failure", got)
		}
	})
}

// TestDeniedVariant: lists are stored for what the server was told of.
func TestDeniedVariant(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		store, err := catalog.OpenStore(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		server := upstreamtest.New(asking("", "{}"))
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		cfg.Store, cfg.Servers[0].Questions = store, Questions{NoSampling: true}
		_, h := start(t, cfg)
		h.send(legacy.capable()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		for capabilities, exact := range map[string]bool{
			`{"roots":{"listChanged":true},"elicitation":{"form":{},"url":{}}}`:                         true,
			`{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}}`: false,
		} {
			found := store.LoadAll([]catalog.Wanted{{
				Key:     catalog.Key{Server: "up", Identity: []byte("up")},
				Variant: catalog.Variant{Capabilities: capabilities},
			}}, time.Now())
			if found[0].Lists == nil || found[0].Exact != exact {
				t.Errorf("%s: got %+v, want lists, exact: %v", capabilities, found[0], exact)
			}
		}
	})
}
