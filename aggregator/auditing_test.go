package aggregator

import (
	"fmt"
	"path/filepath"
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
		h.wants(
			"list - tools - ok 4",
			`tool up secret deny denied {"p":"***"}`, // before the server has answered
			`tool up ok execute ok {"p":"***","n":1e400}`,
			"tool up ok execute ok",
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
