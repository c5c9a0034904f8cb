package aggregator

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// An auditedHost is a host whose requests are recorded.
type auditedHost struct {
	*host
	log  *audit.Log
	path string
}

// audited is start with an audit log. In a bubble only.
func audited(t *testing.T, cfg Config, log audit.Config) *auditedHost {
	t.Helper()
	log.Path = filepath.Join(t.TempDir(), "audit.jsonl")
	log.Report = func(err error) { t.Error(err) }
	h := &auditedHost{log: audit.Open(log), path: log.Path}
	t.Cleanup(func() { _ = h.log.Close() })
	cfg.Audit = h.log
	_, h.host = start(t, cfg)
	return h
}

// records ends the log and returns what it says, in words.
func (h *auditedHost) records() (got []string) {
	h.t.Helper()
	if err := h.log.Close(); err != nil {
		h.t.Error(err)
	}
	r := audit.NewReader(h.path)
	defer r.Close()
	for {
		e, err := r.Next()
		if err != nil {
			return got
		}
		words := []string{e.Kind, e.Server, e.Name, e.Verdict, e.Outcome}
		for i, word := range words {
			if word == "" {
				words[i] = "-"
			}
		}
		if e.Kind == audit.KindList && e.Outcome == audit.OK {
			words = append(words, fmt.Sprint(e.Count))
		}
		if e.Failure != "" {
			words = append(words, e.Failure)
		}
		if e.MaybeRan {
			words = append(words, "maybe")
		}
		if e.Arguments != nil {
			words = append(words, string(e.Arguments))
		}
		got = append(got, strings.Join(words, " "))
	}
}

func (h *auditedHost) wants(want ...string) {
	h.t.Helper()
	if diff := cmp.Diff(want, h.records()); diff != "" {
		h.t.Errorf("-want +got\n%s", diff)
	}
}

// talkative is a server with something of each kind.
func talkative(e era) upstreamtest.Script {
	s := offering(e, offers{
		"tools/list":    `"tools":[` + definition("ok") + `,` + definition("bad") + `,` + definition("slow") + `,` + definition("secret") + `,` + definition("look") + `]`,
		promptsMethod:   `"prompts":[{"name":"ask"},{"name":"secret"}]`,
		resourcesMethod: `"resources":[{"uri":"a:a","name":"a"},{"uri":"a:secret","name":"b"}]`,
	})
	s.Rules = append([]upstreamtest.Rule{
		{On: "tools/call ok", Do: []upstreamtest.Step{{Reply: raw(`{"content":[]}`)}}},
		{On: "tools/call bad", Do: []upstreamtest.Step{{Reply: raw(`{"content":[],"isError":true}`)}}},
		{On: "tools/call slow", Do: nil},
		{On: "prompts/get", Do: []upstreamtest.Step{{Reply: raw(`{"messages":[]}`)}}},
		{On: "resources/read", Do: []upstreamtest.Step{{Error: raw(`{"code":-32603,"message":"broken"}`)}}},
	}, s.Rules...)
	return s
}

func secretive(t *testing.T) *policy.Policy {
	return ruled(
		t,
		policy.Rule{Server: text("*"), Tool: text("secret"), Level: level(policy.Deny)},
		policy.Rule{Server: text("*"), Prompt: text("secret"), Level: level(policy.Deny)},
		policy.Rule{Server: text("*"), Resource: text("*secret*"), Level: level(policy.Deny)},
		policy.Rule{Server: text("*"), Tool: text("look"), Level: level(policy.Read)},
	)
}

// TestOneRecordForEachRequest of a host, whatever ends it.
func TestOneRecordForEachRequest(t *testing.T) {
	for _, client := range []era{legacy, modern} {
		for _, server := range []era{legacy, modern} {
			bubble(t, client.String()+" host, "+server.String()+" server", func(t *testing.T) {
				servers := map[string]*upstreamtest.Server{"up": upstreamtest.New(talkative(server))}
				cfg := config(t, servers, "up", "gone")
				cfg.Policy = secretive(t)
				h := audited(t, cfg, audit.Config{})
				h.send(client.open()...)
				h.send(client.request("1", "tools/list", "", ""))
				pass(DefaultPatience)
				h.received()
				for i, request := range []string{
					client.request("7", promptsMethod, "", ""),
					client.call("7", "up__ok", `{"a":1}`),
					client.call("7", "up__bad", "{}"),
					client.call("7", "up__secret", "{}"),
					client.call("7", "up__look", "{}"),
					client.call("7", "up__nothing", "{}"),
					client.call("7", "weir__servers", "{}"),
					client.request("7", "prompts/get", `"name":"up__ask"`, ""),
					client.request("7", "prompts/get", `"name":"up__secret"`, ""),
					client.request("7", "resources/read", `"uri":"a:a"`, ""),
					client.request("7", "resources/read", `"uri":"a:secret"`, ""),
					client.request("7", "resources/read", `"uri":"b:secret"`, ""),
					client.request("7", "tools/call", `"name":5`, ""),
					client.request("7", "tools/call", `"name":"up__ok","name":"up__secret"`, ""),
					client.request("7", "tools/list", `"cursor":"x"`, ""),
					client.request("7", "no/such", "", ""),
					`{"jsonrpc":"2.0","id":7`,
				} {
					if got := h.send(request); len(got) != 1 {
						t.Fatalf("request %d: got %q, want one answer", i, got)
					}
				}
				h.send(client.call("8", "up__slow", "{}"))
				h.send(cancelled("8"))
				h.send(client.call("9", "up__slow", "{}"))
				h.close()
				h.received()
				h.wants(
					"list - tools - ok 4",
					"list - prompts - ok 1",
					"tool up ok execute ok",
					"tool up bad execute error",
					"tool up secret deny denied",
					"tool up look read denied",
					"tool - up__nothing - unknown",
					"tool weir servers deny denied",
					"prompt up ask execute ok",
					"prompt up secret deny denied",
					"resource up a:a execute error",
					"resource up a:secret deny denied",
					"resource up b:secret deny denied",
					"tool - - - refused",
					"tool - - - refused",
					"list - tools - refused",
					"message - - - refused",
					"message - - - refused",
					"tool up slow execute cancelled maybe",
					"tool up slow execute cancelled maybe",
				)
			})
		}
	}
}

// TestRecordOfFailure says whether the call may have run.
func TestRecordOfFailure(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		script := talkative(legacy)
		script.Rules = append([]upstreamtest.Rule{{On: "tools/call ok", Do: []upstreamtest.Step{{Exit: true}}}}, script.Rules...)
		h := audited(t, config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up"), audit.Config{})
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		h.send(legacy.call("2", "up__ok", "{}"))
		h.wants("list - tools - ok 5", "tool up ok execute failed connection maybe")
	})
}

// TestRecordedArguments are those that were judged, without their secrets.
func TestRecordedArguments(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(talkative(legacy))}, "up")
		cfg.Policy = secretive(t)
		h := audited(t, cfg, audit.Config{Redact: func(dst, raw []byte) []byte {
			return append(dst, strings.ReplaceAll(string(raw), "hunter2", "***")...)
		}})
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		h.send(legacy.call("2", "up__ok", `{"p":"hunter2","n":1e400}`), legacy.call("3", "up__secret", `{"p":"hunter2"}`))
		h.send(legacy.request("4", "tools/call", `"name":"up__ok"`, ""))
		h.send(legacy.call("5", "up__slow", `{"p":"of the first"}`))
		h.send(legacy.call("6", "up__nope", `{"p":"of another"}`)) // in the same memory
		h.send(cancelled("5"))
		h.wants(
			"list - tools - ok 4",
			`tool up secret deny denied {"p":"***"}`, // before the server has answered
			`tool up ok execute ok {"p":"***","n":1e400}`,
			"tool up ok execute ok",
			`tool - up__nope - unknown {"p":"of another"}`,
			`tool up slow execute cancelled maybe {"p":"of the first"}`,
		)
	})
}

// TestBatchRecords each of its requests, and no notification.
func TestBatchRecords(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		h := audited(t, config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(talkative(legacy))}, "up"), audit.Config{})
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		h.send("[" + legacy.call("2", "up__ok", "{}") + "," + initialized + "," + legacy.call("3", "up__bad", "{}") + "]")
		got := h.records()
		slices.Sort(got) // the server may answer either first
		if diff := cmp.Diff([]string{"list - tools - ok 5", "tool up bad execute error", "tool up ok execute ok"}, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// TestRecordBeforeLists: a request that waits for the first lists when its host
// ends, or cancels, is recorded by the name that the host gave.
func TestRecordBeforeLists(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		script := upstreamtest.Script{Versions: legacy.versions(), Rules: []upstreamtest.Rule{{On: "initialize", Do: nil}}}
		h := audited(t, config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up"), audit.Config{})
		h.send(legacy.open()...)
		h.send(legacy.call("1", "up__ok", "{}"))
		h.send(cancelled("1"))
		h.send(legacy.request("2", "tools/list", "", ""))
		pass(time.Second)
		h.close()
		h.received()
		h.wants("tool - up__ok - cancelled", "list - tools - cancelled")
	})
}

// TestQuestionsAreRecorded, for whichever host and server.
func TestQuestionsAreRecorded(t *testing.T) {
	const (
		ask      = `{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}}}}`
		sampling = `{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`
		input    = `{"resultType":"input_required","requestState":"x","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}}}}}}`
	)
	able := func(line string) string {
		line = strings.ReplaceAll(line, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`)
		return strings.ReplaceAll(line, `"io.modelcontextprotocol/clientCapabilities":{}`, `"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}`)
	}
	legacyServer, modernServer := talkative(legacy), talkative(modern)
	legacyServer.Rules = append([]upstreamtest.Rule{{On: "tools/call ok", Do: []upstreamtest.Step{
		{Send: raw(sampling)}, {Await: `response "s"`}, {Send: raw(ask)}, {Await: `response "q"`}, {Reply: raw(`{"content":[]}`)},
	}}}, legacyServer.Rules...)
	modernServer.Rules = append([]upstreamtest.Rule{
		{On: "tools/call ok", Nth: 1, Do: []upstreamtest.Step{{Reply: raw(input)}}},
	}, modernServer.Rules...)
	open := func(t *testing.T, client era, script upstreamtest.Script) *auditedHost {
		t.Helper()
		h := audited(t, config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up"), audit.Config{})
		for _, line := range client.open() {
			h.send(able(line))
		}
		h.send(able(client.request("1", "tools/list", "", "")))
		return h
	}
	bubble(t, "legacy host, legacy server", func(t *testing.T) {
		h := open(t, legacy, legacyServer)
		got := h.send(legacy.call("2", "up__ok", "{}"))
		h.send(`{"jsonrpc":"2.0","id":` + memberText(t, got[0], "id") + `,"result":{"action":"accept"}}`)
		h.wants("list - tools - ok 5", "sampling up - - refused", "elicitation up - - ok", "tool up ok execute ok")
	})
	bubble(t, "legacy host, legacy server, an error for an answer", func(t *testing.T) {
		h := open(t, legacy, legacyServer)
		got := h.send(legacy.call("2", "up__ok", "{}"))
		h.send(`{"jsonrpc":"2.0","id":` + memberText(t, got[0], "id") + `,"error":{"code":-1,"message":"no"}}`)
		h.wants("list - tools - ok 5", "sampling up - - refused", "elicitation up - - error", "tool up ok execute ok")
	})
	bubble(t, "legacy host that goes, legacy server", func(t *testing.T) {
		h := open(t, legacy, legacyServer)
		h.send(legacy.call("2", "up__ok", "{}"))
		h.close()
		h.received()
		h.wants("list - tools - ok 5", "sampling up - - refused", "tool up ok execute cancelled maybe", "elicitation up - - cancelled")
	})
	bubble(t, "legacy host, modern server", func(t *testing.T) {
		h := open(t, legacy, modernServer)
		got := h.send(legacy.call("2", "up__ok", "{}"))
		h.send(`{"jsonrpc":"2.0","id":` + memberText(t, got[0], "id") + `,"result":{"action":"accept"}}`)
		h.wants("list - tools - ok 5", "elicitation up - - ok", "tool up ok execute ok")
	})
	bubble(t, "modern host, legacy server", func(t *testing.T) {
		h := open(t, modern, legacyServer)
		call := able(modern.call("2", "up__ok", "{}"))
		h.send(call)
		pass(time.Second)
		state := memberText(t, h.received()[0], "requestState")
		h.send(strings.Replace(call, `"arguments":{}`, `"arguments":{},"requestState":`+state+`,"inputResponses":{"q1":{"action":"accept"}}`, 1))
		h.wants("list - tools - ok 5", "sampling up - - refused", "tool up ok execute asked", "elicitation up - - ok", "tool up ok execute ok")
	})
	bubble(t, "modern host that does not ask again, legacy server", func(t *testing.T) {
		h := open(t, modern, legacyServer)
		h.send(able(modern.call("2", "up__ok", "{}")))
		pass(time.Second)
		h.close()
		h.received()
		h.wants("list - tools - ok 5", "sampling up - - refused", "tool up ok execute asked", "elicitation up - - cancelled")
	})
	bubble(t, "modern host, modern server", func(t *testing.T) {
		h := open(t, modern, modernServer)
		call := able(modern.call("2", "up__ok", "{}"))
		h.send(call)
		h.send(strings.Replace(call, `"arguments":{}`, `"arguments":{},"requestState":"x","inputResponses":{"a":{"action":"accept"}}`, 1))
		h.wants("list - tools - ok 5", "elicitation up - - asked", "tool up ok execute asked", "tool up ok execute ok")
	})
}

// memberText is the raw text of a member, wherever it stands in a line; it is a
// string or a number.
func memberText(t *testing.T, line, key string) string {
	t.Helper()
	found := regexp.MustCompile(`"` + key + `":("[^"]*"|[0-9]+)`).FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("no %q in %s", key, line)
	}
	return found[1]
}
