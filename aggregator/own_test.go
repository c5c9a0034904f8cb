package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// ownDefinitions are weir's own tools as they stand in a list.
func ownDefinitions(names ...string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(ownToolOf(name).definition())
	}
	return strings.Join(texts, ",")
}

// clerk is an Administrator that notes what it is to do.
type clerk struct {
	mu      sync.Mutex
	applied []Change
	reloads int
	err     error
}

func (c *clerk) Apply(_ context.Context, change Change) (Changes, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applied = append(c.applied, change)
	return Changes{Added: []string{"x"}}, c.err
}

func (c *clerk) Reload(context.Context) (Changes, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reloads++
	return Changes{}, c.err
}

func (c *clerk) done() []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.applied)
}

// office is a weir with an administrator, approvals and these rules besides
// execute for everything.
func office(t *testing.T, rules ...policy.Rule) (*clerk, *approval.Store, *host) {
	t.Helper()
	c := &clerk{}
	cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(withTools("x", "secret"))}, "up")
	cfg.Policy = ruled(t, rules...)
	cfg.Admin, cfg.Approvals = c, approval.NewStore(state.At(filepath.Join(t.TempDir(), "weir")))
	_, h := start(t, cfg)
	return c, cfg.Approvals, h
}

func onWeir(l policy.Level, tools ...string) []policy.Rule {
	if tools == nil {
		return []policy.Rule{{Server: text(policy.Own), Level: level(l)}}
	}
	var rules []policy.Rule
	for _, tool := range tools {
		rules = append(rules, policy.Rule{Server: text(policy.Own), Tool: text(tool), Level: level(l)})
	}
	return rules
}

var everyOwnTool = []string{
	"servers", "explain", "add_server", "remove_server", "enable", "disable", "restart", "alias", "reload", "approve_pin",
}

// TestOwnToolsByLevel: each is there from read on, and may be called from its
// level on. Without a rule there is none, whatever the default says.
func TestOwnToolsByLevel(t *testing.T) {
	arguments := map[string]string{
		"servers": "{}", "explain": `{"name":"up__x"}`, "remove_server": `{"server":"up"}`, "enable": `{"server":"up"}`,
		"disable": `{"server":"up"}`, "restart": `{"server":"up"}`, "alias": `{"server":"up","alias":"u"}`, "reload": "{}",
		"add_server": `{"name":"new","command":"x"}`, "approve_pin": `{"server":"up","tool":"x"}`,
	}
	for _, e := range []era{legacy, modern} {
		for l := policy.Deny; l <= policy.Admin; l++ {
			bubble(t, fmt.Sprint(e, " ", l), func(t *testing.T) {
				c, _, h := office(t, onWeir(l)...)
				h.send(e.open()...)
				list := strings.Join(h.send(listRequest(e, "1")), "")
				for _, name := range everyOwnTool {
					if got, want := strings.Contains(list, `"name":"weir__`+name+`"`), l >= policy.Read; got != want {
						t.Errorf("%s is listed: got %v, want %v", name, got, want)
					}
					got := strings.Join(h.send(e.call("2", "weir__"+name, arguments[name])), "")
					may := l >= policy.Admin || l == policy.Execute && (name == "servers" || name == "explain")
					switch {
					case l == policy.Deny:
						want(t, name, []string{got}, noTool("2", "weir__"+name))
					case !may && !strings.Contains(got, `"kind":"authorization"`):
						t.Errorf("%s: got %s, want a refusal", name, got)
					case may && strings.Contains(got, `"kind":"authorization"`):
						t.Errorf("%s: got %s", name, got)
					}
				}
				if n := len(c.done()) + c.reloads; n != 0 && l < policy.Admin || n != 5 && l == policy.Admin {
					t.Errorf("at level %s the administrator did %+v", l, c.done())
				}
			})
		}
	}
	bubble(t, "no administrator", func(t *testing.T) {
		cfg := config(t, nil, "gone")
		cfg.Policy = ruled(t, onWeir(policy.Admin)...)
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		want(t, "list", h.send(listRequest(legacy, "1")), result("1", `"tools":[`+ownDefinitions("servers", "explain", "restart")+`]`))
		want(t, "call", h.send(legacy.call("2", "weir__reload", "{}")), noTool("2", "weir__reload"))
	})
	bubble(t, "one tool by a rule", func(t *testing.T) {
		c, _, h := office(t, onWeir(policy.Admin, "reload")...)
		h.send(legacy.open()...)
		if got := strings.Join(h.send(legacy.call("2", "weir__reload", "{}")), ""); !strings.Contains(got, "read again") || c.reloads != 1 {
			t.Errorf("got %s", got)
		}
		want(t, "another", h.send(legacy.call("3", "weir__enable", `{"server":"up"}`)), noTool("3", "weir__enable"))
	})
}

// TestOwnArguments: all that is wrong is told at once, and nothing is done.
func TestOwnArguments(t *testing.T) {
	tests := []struct {
		tool, arguments string
		want            []string
	}{
		{"servers", `{"x":1}`, []string{`there is no such argument`}},
		{"servers", `[]`, []string{"want an object"}},
		{"enable", `{}`, []string{"server: it is missing"}},
		{"enable", `{"server":"a","server":"b"}`, []string{"stands twice"}},
		{"enable", `{"server":7}`, []string{"server: want a string"}},
		{"explain", `{"kind":"thing","arguments":3}`, []string{"name: it is missing", "unknown word", "arguments: want an object"}},
		{"add_server", `{}`, []string{"name: it is missing", "command or a url"}},
		{"add_server", `{"name":"a","command":"b","url":"c"}`, []string{"both"}},
		{"add_server", `{"name":"a","command":"b","args":["c",1],"env":{"K":2,"K":3},"cwd":false}`, []string{"item 2", "stands twice", "cwd: want a string"}},
		{"add_server", `{"name":"a","url":"b","env":{"K":"v"}}`, []string{"env and cwd are for a command"}},
		{"add_server", `{"name":"a","command":"b","transport":"http"}`, []string{"does not go with"}},
		// What would widen a policy, or leave one, is no argument at all.
		{"add_server", `{"name":"a","command":"b","tags":["t"]}`, []string{`"tags": there is no such argument`}},
		{"add_server", `{"name":"a","command":"b","trust_annotations":true}`, []string{"no such argument"}},
		{"add_server", `{"name":"a","command":"b","prefix":"up"}`, []string{"no such argument"}},
		{"add_server", `{"name":"a","command":"b","auth":{}}`, []string{"no such argument"}},
		{"add_server", `{"name":"a","command":"b","inherit_env":true}`, []string{"no such argument"}},
		{"add_server", `{"name":"a","command":"b","pin":"off"}`, []string{"no such argument"}},
	}
	for _, test := range tests {
		bubble(t, test.tool+" "+test.arguments, func(t *testing.T) {
			c, store, h := office(t, onWeir(policy.Admin)...)
			h.send(legacy.open()...)
			got := strings.Join(h.send(legacy.call("1", "weir__"+test.tool, test.arguments)), "")
			for _, part := range test.want {
				if text := strings.ReplaceAll(got, `\"`, `"`); !strings.Contains(text, part) || !strings.Contains(text, `"kind":"validation"`) {
					t.Errorf("got %s, want %q", got, part)
				}
			}
			if waiting, err := store.Waiting(); err != nil || len(waiting)+len(c.done()) != 0 {
				t.Errorf("%v waits, %v is done, %v", waiting, c.done(), err)
			}
		})
	}
	for _, none := range []string{"{}", "null"} { // the Go SDK sends null for an empty map
		bubble(t, "none are "+none, func(t *testing.T) {
			_, _, h := office(t, onWeir(policy.Admin)...)
			h.send(legacy.open()...)
			if got := strings.Join(h.send(legacy.call("1", "weir__servers", none)), ""); strings.Contains(got, "isError") {
				t.Errorf("got %s", got)
			}
		})
	}
}

const addition = `{"name":"new","command":"npx","args":["-y","${HOME}"],"env":{"A":"b"}}`

var added = Change{Add: &NewServer{Name: "new", Command: "npx", Args: []string{"-y", "${HOME}"}, Env: map[string]string{"A": "b"}}}

// TestAddServer: only a person's yes to exactly this adds a server, whatever the
// policy says.
func TestAddServer(t *testing.T) {
	bubble(t, "at a terminal", func(t *testing.T) {
		c, store, h := office(t, append(onWeir(policy.Admin), policy.Rule{Server: text("new"), Level: level(policy.Read)})...)
		h.send(legacy.open()...)
		got := strings.Join(h.send(legacy.call("1", "weir__add_server", addition)), "")
		if !strings.Contains(got, `"kind":"approval_required"`) || !strings.Contains(got, "weir approve") || len(c.done()) != 0 {
			t.Fatalf("got %s, done %v", got, c.done())
		}
		waiting, err := store.Waiting()
		if err != nil || len(waiting) != 1 || waiting[0].Call != addition || waiting[0].Server != policy.Own || waiting[0].Name != "add_server" {
			t.Fatalf("got %+v, %v", waiting, err)
		}
		if why := waiting[0].Why; !strings.Contains(why, "start this program") || !strings.Contains(why, `gives read to all of server "new"`) || !strings.Contains(why, "the default is execute") {
			t.Errorf("a person is told %q", why)
		}
		if err := store.Approve(t.Context(), waiting[0], approval.ThisCall); err != nil {
			t.Fatal(err)
		}
		other := strings.Replace(addition, "npx", "sh", 1)
		if got := strings.Join(h.send(legacy.call("2", "weir__add_server", other)), ""); !strings.Contains(got, "approval_required") {
			t.Errorf("another command: got %s", got)
		}
		if got := strings.Join(h.send(legacy.call("3", "weir__add_server", addition)), ""); !strings.Contains(got, `Server \"new\" is added`) {
			t.Errorf("got %s", got)
		}
		if diff := cmp.Diff([]Change{added}, c.done()); diff != "" {
			t.Errorf("done (-want +got):\n%s", diff)
		}
		if got := strings.Join(h.send(legacy.call("4", "weir__add_server", addition)), ""); !strings.Contains(got, "approval_required") {
			t.Errorf("once more: got %s", got)
		}
	})
	answers := map[string]string{
		"once": `{"action":"accept","content":{"approval":"once"}}`, "declined": `{"action":"decline"}`,
		"no choice": `{"action":"accept","content":{}}`, "the tool for ever": `{"action":"accept","content":{"approval":"this tool always"}}`,
	}
	for name, answer := range answers {
		bubble(t, "legacy host, "+name, func(t *testing.T) {
			c, _, h := office(t, onWeir(policy.Admin)...)
			h.send(legacy.capable()...)
			asked := strings.Join(h.send(legacy.call("1", "weir__add_server", addition)), "")
			if !strings.Contains(asked, `"elicitation/create"`) || !strings.Contains(asked, `npx`) || strings.Contains(asked, "this tool always") {
				t.Fatalf("got %s", asked)
			}
			h.send(`{"jsonrpc":"2.0","id":1,"result":` + answer + `}`)
			if n := len(c.done()); (n == 1) != (name == "once") || n > 1 {
				t.Errorf("done %d times", n)
			}
		})
		bubble(t, "modern host, "+name, func(t *testing.T) {
			c, _, h := office(t, onWeir(policy.Admin)...)
			h.send(modern.capable()...)
			call := func(id, more string) string {
				return strings.Replace(modern.capableCall(id, "weir__add_server", more), `"arguments":{}`, `"arguments":`+addition, 1)
			}
			h.send(call("1", ""))
			synctest.Wait()
			pass(time.Second)
			_, state := inputRequired(t, slices.Concat(h.received(), h.send(call("2", ""))))
			got := strings.Join(h.send(call("3", resumeWith(`{"q1":`+answer+`}`, state))), "")
			if n := len(c.done()); (n == 1) != (name == "once") || n > 1 {
				t.Errorf("done %d times: %s", n, got)
			}
		})
	}
	bubble(t, "the level is taken away meanwhile", func(t *testing.T) {
		c := &clerk{}
		cfg := config(t, nil, "gone")
		cfg.Policy, cfg.Admin = ruled(t, onWeir(policy.Admin)...), c
		cfg.Approvals = approval.NewStore(state.At(t.TempDir()))
		a, h := start(t, cfg)
		h.send(legacy.capable()...)
		h.send(legacy.call("1", "weir__add_server", addition))
		cfg.Policy = ruled(t, onWeir(policy.Execute)...)
		if _, err := a.Reconfigure(cfg); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(h.send(`{"jsonrpc":"2.0","id":1,"result":`+answers["once"]+`}`), "")
		if !strings.Contains(got, `"kind":"authorization"`) || len(c.done()) != 0 {
			t.Errorf("got %s, done %v", got, c.done())
		}
	})
	bubble(t, "nothing can be approved", func(t *testing.T) {
		c := &clerk{}
		cfg := config(t, nil, "gone")
		cfg.Policy, cfg.Admin = ruled(t, onWeir(policy.Admin)...), c
		_, h := start(t, cfg)
		h.send(legacy.capable()...)
		if got := strings.Join(h.send(legacy.call("1", "weir__add_server", addition)), ""); !strings.Contains(got, "approval_required") || len(c.done()) != 0 {
			t.Errorf("got %s", got)
		}
	})
}

// TestOwnChanges: what the others do, and what becomes of failures.
func TestOwnChanges(t *testing.T) {
	for call, change := range map[string]Change{
		`remove_server {"server":"up"}`:     {Remove: "up"},
		`enable {"server":"up"}`:            {Enable: "up"},
		`disable {"server":"up"}`:           {Disable: "up"},
		`alias {"server":"up","alias":"u"}`: {Alias: &NewAlias{Alias: "u", Server: "up"}},
	} {
		tool, arguments, _ := strings.Cut(call, " ")
		bubble(t, tool, func(t *testing.T) {
			c, _, h := office(t, onWeir(policy.Admin)...)
			h.send(legacy.open()...)
			got := strings.Join(h.send(legacy.call("1", "weir__"+tool, arguments)), "")
			if diff := cmp.Diff([]Change{change}, c.done()); diff != "" || !strings.Contains(got, "Servers added: x; changed: none") {
				t.Errorf("got %s (-want +got):\n%s", got, diff)
			}
			c.err = &ChangeError{Kind: upstream.KindServerNotFound, Text: "No <such> server."}
			got = strings.Join(h.send(legacy.call("2", "weir__"+tool, arguments)), "")
			if !strings.Contains(got, "No <such> server.") || !strings.Contains(got, `"kind":"server_not_found"`) {
				t.Errorf("got %s", got)
			}
			c.err = errors.New("open /home/me/secret: denied")
			if got = strings.Join(h.send(legacy.call("3", "weir__"+tool, arguments)), ""); strings.Contains(got, "secret") || !strings.Contains(got, "isError") {
				t.Errorf("got %s, want no path", got)
			}
		})
	}
	bubble(t, "a rule may ask before", func(t *testing.T) {
		yes := true
		c, store, h := office(t, policy.Rule{Server: text(policy.Own), Tool: text("disable"), Level: level(policy.Admin), Ask: &yes})
		h.send(legacy.open()...)
		got := strings.Join(h.send(legacy.call("1", "weir__disable", `{"server":"up"}`)), "")
		if waiting, _ := store.Waiting(); !strings.Contains(got, "approval_required") || len(waiting) != 1 || len(c.done()) != 0 {
			t.Errorf("got %s", got)
		}
	})
	bubble(t, "a rule may look at arguments", func(t *testing.T) {
		when := `args.server != "up"`
		c, _, h := office(t, policy.Rule{Server: text(policy.Own), Tool: text("disable"), Level: level(policy.Admin), When: &when})
		h.send(legacy.open()...)
		h.send(legacy.call("1", "weir__disable", `{"server":"up"}`))
		h.send(legacy.call("2", "weir__disable", `{"server":"other"}`))
		if diff := cmp.Diff([]Change{{Disable: "other"}}, c.done()); diff != "" {
			t.Errorf("done (-want +got):\n%s", diff)
		}
	})
}

// TestRestart: a server is started anew, and finishes what it has.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := upstreamtest.New(gateScript())
		b, h := benchOf(t, map[string]*upstreamtest.Server{"up": server}, "up")
		if _, err := b.Reconfigure(b.change(t, []string{"up"}, func(c *Config) { c.Policy = ruled(t, onWeir(policy.Admin)...) })); err != nil {
			t.Fatal(err)
		}
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "0"))
		h.send(legacy.call("1", "up__gate", "{}"))
		if got := strings.Join(h.send(legacy.call("2", "weir__restart", `{"server":"up"}`)), ""); !strings.Contains(got, "started anew") {
			t.Errorf("got %s", got)
		}
		server.Release("open")
		want(t, "both", slices.Concat(h.received(), h.send(legacy.call("3", "up__gate", "{}"))), done("1"), done("3"))
		pass(time.Minute)
		if n, handshakes := b.open.Load(), len(server.Received("initialize")); n != 1 || handshakes != 2 {
			t.Errorf("%d connections are open, %d were made", n, handshakes)
		}
		want(t, "told", h.received())
		if got := strings.Join(h.send(legacy.call("4", "weir__restart", `{"server":"nobody"}`)), ""); !strings.Contains(got, "server_not_found") {
			t.Errorf("got %s", got)
		}
	})
}

// TestExplainTool: who may not change everything learns nothing of what is denied.
func TestExplainTool(t *testing.T) {
	secret := policy.Rule{Server: text("up"), Tool: text("secret"), Level: level(policy.Deny), Pos: policy.Position{File: "/home/me/mcp.yaml", Line: 7}}
	explain := func(h *host, name string) string {
		raw := strings.Join(h.send(legacy.call("1", "weir__explain", `{"name":"`+name+`"}`)), "")
		var got struct {
			Result struct{ Content []struct{ Text string } }
		}
		if err := json.Unmarshal([]byte(raw), &got); err != nil || len(got.Result.Content) != 1 {
			h.t.Fatalf("got %s", raw)
		}
		return got.Result.Content[0].Text
	}
	bubble(t, "execute", func(t *testing.T) {
		_, _, h := office(t, append(onWeir(policy.Execute, "explain"), secret)...)
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "0"))
		for _, name := range []string{"up__secret", "up__nothing", "nobody__x", "secret", "mcp_up__secret", "weir__reload", "weir__nothing"} {
			if got, want := explain(h, name), fmt.Sprintf("%q is not there for you: nobody has it, or the policy denies it.", name); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if got := explain(h, "up__x"); !strings.Contains(got, `"up__x" is the tool "x" of server "up".`) || !strings.Contains(got, "It is allowed: ") {
			t.Errorf("got %s", got)
		}
		if got := explain(h, "weir__explain"); !strings.Contains(got, "It is allowed: ") {
			t.Errorf("got %s", got)
		}
	})
	bubble(t, "admin", func(t *testing.T) {
		_, _, h := office(t, append(onWeir(policy.Admin, "explain"), secret)...)
		h.send(legacy.open()...)
		h.send(listRequest(legacy, "0"))
		got := explain(h, "up__secret")
		if !strings.Contains(got, "It is denied: rule 2 denies") || !strings.Contains(got, "(mcp.yaml:7)") || strings.Contains(got, "/home") {
			t.Errorf("got %s", got)
		}
		if got := explain(h, "up__nothing"); !strings.Contains(got, "No server lists it") {
			t.Errorf("got %s", got)
		}
	})
}

// TestApprovePinTool: a changed definition is accepted as a person has seen it.
func TestApprovePinTool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUser(t, pins.Block)
		before, after := withTools("x"), withTools("x")
		after.Tools = raws(`{"name":"x","description":"other","inputSchema":{"type":"object"}}`)
		u.life(upstreamtest.New(before), legacy, func(*Aggregator, *host) {})
		cfg := u.config(upstreamtest.New(after))
		cfg.Policy, cfg.Approvals = ruled(t, onWeir(policy.Admin)...), approval.NewStore(state.At(u.state))
		cfg.MaxAge = time.Nanosecond // so that they are asked for again
		_, h := start(t, cfg)
		h.send(legacy.capable()...)
		pass(time.Second)
		h.send(listRequest(legacy, "1"))
		asked := strings.Join(h.send(legacy.call("2", "weir__approve_pin", `{"server":"up","tool":"x"}`)), "")
		if !strings.Contains(asked, "a scripted tool") || !strings.Contains(asked, "other") || !strings.Contains(asked, "elicitation/create") {
			t.Fatalf("got %s, want to be asked", asked)
		}
		got := strings.Join(h.send(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"approval":"once"}}}`), "")
		if !strings.Contains(got, "is accepted") {
			t.Errorf("got %s", got)
		}
		if got := strings.Join(h.send(legacy.call("3", "up__x", "{}")), ""); !strings.Contains(got, `"text":"x"`) {
			t.Errorf("got %s, want the tool to be there", got)
		}
		if got := strings.Join(h.send(legacy.call("4", "weir__approve_pin", `{"server":"up","tool":"x"}`)), ""); !strings.Contains(got, "tool_not_found") {
			t.Errorf("once more: got %s", got)
		}
	})
}

// TestOwnDefinitions: every tool has one, with honest hints.
func TestOwnDefinitions(t *testing.T) {
	if got, want := len(ownTools), len(everyOwnTool)+4; got != want { // weir__login and those that find tools are not there always
		t.Fatalf("got %d tools, want %d", got, want)
	}
	for _, own := range ownTools {
		var d struct {
			Name, Description string
			InputSchema       struct {
				Type                 string
				AdditionalProperties *bool
				Required             []string
				Properties           map[string]json.RawMessage
			}
			Annotations struct{ ReadOnlyHint, DestructiveHint *bool }
		}
		if err := json.Unmarshal(own.definition(), &d); err != nil {
			t.Fatal(err)
		}
		looks := own.needs == policy.Execute && own.short != loginTool && own.short != callTool
		switch {
		case d.Name != "weir__"+own.short, d.Description == "", d.InputSchema.Type != "object",
			d.InputSchema.AdditionalProperties == nil || *d.InputSchema.AdditionalProperties,
			d.Annotations.ReadOnlyHint == nil || *d.Annotations.ReadOnlyHint != looks,
			d.Annotations.DestructiveHint == nil || looks && *d.Annotations.DestructiveHint:
			t.Errorf("got %s", own.definition())
		}
		args := readOwnArguments([]byte("{}"))
		own.deed(args)
		slices.Sort(args.known)
		var shown []string
		for name := range d.InputSchema.Properties {
			shown = append(shown, name)
		}
		slices.Sort(shown)
		if diff := cmp.Diff(shown, args.known); diff != "" && len(shown)+len(args.known) > 0 {
			t.Errorf("%s: arguments that are shown and read (-shown +read):\n%s", own.short, diff)
		}
	}
}
