package aggregator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// The lists of the test servers, by method.
type offers map[string]string

const (
	promptsMethod   = "prompts/list"
	resourcesMethod = "resources/list"
	templatesMethod = "resources/templates/list"
)

// offering is a server that lists these: the member of each result.
func offering(e era, lists offers) upstreamtest.Script {
	s := upstreamtest.Script{
		Versions:     e.versions(),
		Capabilities: raw(`{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true}}`),
	}
	empty := offers{"tools/list": `"tools":[]`, promptsMethod: `"prompts":[]`, resourcesMethod: `"resources":[]`, templatesMethod: `"resourceTemplates":[]`}
	for method, members := range empty {
		if own, ok := lists[method]; ok {
			members = own
		}
		s.Rules = append(s.Rules, upstreamtest.Rule{On: method, Do: []upstreamtest.Step{{Reply: raw(`{"x":1,` + members + `}`)}}})
	}
	return s
}

func modernly(members string) string {
	return members + `,"resultType":"complete","ttlMs":0,"cacheScope":"private",` + serverMeta
}

// TestListsOfEachKind: all pages of all servers, to the byte but for the names, in
// both eras.
func TestListsOfEachKind(t *testing.T) {
	a := offers{
		promptsMethod:   `"prompts":[{"x":1e400,"name":"ask \u003c","arguments":[]}]`,
		resourcesMethod: `"resources":[{"uri":"file:\/\/\/a","name":"a","size":9007199254740993,"_meta":{"a":1,"a":2}},{"name":"no uri"},{"uri":"ui://app/x","name":"x"}]`,
		templatesMethod: `"resourceTemplates":[{"uriTemplate":"file:///{+path}","name":"any"}]`,
	}
	b := offers{
		promptsMethod:   `"prompts":[{"name":"ask"}]`,
		resourcesMethod: `"resources":[{"name":"a","uri":"file:///a"},{"uri":"https://x/","name":"x"},{"uri":"ui://app/x","name":"x"}]`,
		templatesMethod: `"resourceTemplates":[{"name":"any","uriTemplate":"file:///{+path}"},{"uriTemplate":"{bad"}]`,
		"tools/list":    `"tools":[{"name":"show","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://app/x"}}}]`,
	}
	wants := []struct{ method, members string }{
		{"tools/list", `"tools":[{"name":"b__show","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://b.app/x"}}}]`},
		{promptsMethod, `"prompts":[{"x":1e400,"name":"` + namespace.Hashed(namespace.Rules{}, namespace.Server{Name: "a", Prefix: "a"}, "ask <") + `","arguments":[]},{"name":"b__ask"}]`},
		{resourcesMethod, `"resources":[{"uri":"file:\/\/\/a","name":"a","size":9007199254740993,"_meta":{"a":1,"a":2}},{"uri":"ui://app/x","name":"x"},` +
			`{"name":"a","uri":"b+file:///a"},{"uri":"https://x/","name":"x"},{"uri":"ui://b.app/x","name":"x"}]`},
		{templatesMethod, `"resourceTemplates":[{"uriTemplate":"file:///{+path}","name":"any"},{"name":"any","uriTemplate":"b+file:///{+path}"},{"uriTemplate":"{bad"}]`},
	}
	for _, server := range []era{legacy, modern} {
		for _, client := range []era{legacy, modern} {
			bubble(t, client.String()+" host, "+server.String()+" servers", func(t *testing.T) {
				servers := map[string]*upstreamtest.Server{"a": upstreamtest.New(offering(server, a)), "b": upstreamtest.New(offering(server, b))}
				_, h := start(t, config(t, servers, "a", "b"))
				h.send(client.open()...)
				for _, w := range wants {
					got := h.send(client.request("1", w.method, "", ""))
					members := w.members
					if client == modern {
						members = modernly(members)
						got = []string{strings.Replace(got[0], `"ttlMs":300000`, `"ttlMs":0`, 1)}
					}
					want(t, w.method, got, result("1", members))
					want(t, w.method+" with a cursor", h.send(client.request("1", w.method, `"cursor":""`, "")),
						failure("1", -32602, "Invalid params: unknown cursor"))
				}
			})
		}
	}
}

// TestChangesOfEachKind: a host hears of the kinds that it knows and that changed
// for it, and of no others.
func TestChangesOfEachKind(t *testing.T) {
	changing := func(method, before, after, notification string) upstreamtest.Script {
		s := offering(legacy, nil)
		s.Rules = append([]upstreamtest.Rule{
			{On: method, Nth: 1, Do: []upstreamtest.Step{{Reply: raw("{" + before + "}")}}},
			{On: method, Do: []upstreamtest.Step{{Reply: raw("{" + after + "}")}}},
			{On: "tools/call change", Do: []upstreamtest.Step{{Send: raw(`{"jsonrpc":"2.0","method":"` + notification + `"}`)}, {Reply: raw(`{"content":[]}`)}}},
			{On: "tools/list", Do: []upstreamtest.Step{{Reply: raw(`{"tools":[` + definition("change") + `]}`)}}},
		}, s.Rules...)
		return s
	}
	rows := []struct {
		name, method, before, after, notification string
		told                                      bool
	}{
		{"prompts", promptsMethod, `"prompts":[{"name":"a"}]`, `"prompts":[{"name":"b"}]`, "notifications/prompts/list_changed", true},
		{"resources", resourcesMethod, `"resources":[{"uri":"a:a"}]`, `"resources":[{"uri":"a:b"}]`, "notifications/resources/list_changed", true},
		{"templates", templatesMethod, `"resourceTemplates":[]`, `"resourceTemplates":[{"uriTemplate":"a:{b}"}]`, "notifications/resources/list_changed", true},
		{"the same again", promptsMethod, `"prompts":[{"name":"a"}]`, `"prompts":[{"name":"a"}]`, "notifications/prompts/list_changed", false},
		{"what policy hides", resourcesMethod, `"resources":[]`, `"resources":[{"uri":"hidden:b"}]`, "notifications/resources/list_changed", false},
		{"another kind than announced", promptsMethod, `"prompts":[{"name":"a"}]`, `"prompts":[{"name":"b"}]`, "notifications/resources/list_changed", false},
	}
	for _, row := range rows {
		begin := func(t *testing.T, client era) *host {
			server := upstreamtest.New(changing(row.method, row.before, row.after, row.notification))
			cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
			cfg.Policy = ruled(t, policy.Rule{Server: text("*"), Resource: text("hidden:*"), Level: level(policy.Deny)})
			_, h := start(t, cfg)
			h.send(client.open()...)
			return h
		}
		bubble(t, row.name+", legacy host", func(t *testing.T) {
			h := begin(t, legacy)
			h.send(legacy.request("1", row.method, "", ""))
			h.send(legacy.call("2", "up__change", "{}"))
			pass(time.Second)
			var due []string
			if row.told {
				due = append(due, `{"jsonrpc":"2.0","method":"`+row.notification+`"}`)
			}
			want(t, "told", h.received(), due...)
		})
		bubble(t, row.name+", legacy host that has not asked", func(t *testing.T) {
			h := begin(t, legacy)
			h.send(legacy.request("1", "tools/list", "", ""))
			h.send(legacy.call("2", "up__change", "{}"))
			pass(time.Second)
			want(t, "told", h.received())
		})
		bubble(t, row.name+", modern host", func(t *testing.T) {
			h := begin(t, modern)
			h.send(modern.request("0", "tools/list", "", ""))
			for _, filter := range []string{"tools", "prompts", "resources"} {
				h.send(modern.request(`"`+filter+`"`, "subscriptions/listen", `"notifications":{"`+filter+`ListChanged":true}`, ""))
			}
			h.send(modern.call("2", "up__change", "{}"))
			pass(time.Second)
			var due []string
			if row.told {
				kind := strings.Split(row.notification, "/")[1]
				due = append(due, `{"jsonrpc":"2.0","method":"`+row.notification+`","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"`+kind+`"}}}`)
			}
			want(t, "told", h.received(), due...)
		})
	}
}

func text(s string) *string { return &s }

func level(l policy.Level) *policy.Level { return &l }

// ruled is a policy of rules, that allows everything else.
func ruled(t *testing.T, rules ...policy.Rule) *policy.Policy {
	t.Helper()
	p, err := policy.Compile(policy.Config{Default: level(policy.Execute), Rules: rules}, policy.Servers{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOneKindFails: what a server does not list loses nothing else of it, and is
// asked for again.
func TestOneKindFails(t *testing.T) {
	failing := func(steps ...upstreamtest.Step) upstreamtest.Script {
		s := offering(legacy, offers{
			"tools/list":    `"tools":[` + definition("x") + `]`,
			resourcesMethod: `"resources":[{"uri":"a:a"}]`,
			promptsMethod:   `"prompts":[{"name":"p"}]`,
		})
		s.Rules = append([]upstreamtest.Rule{{On: promptsMethod, Nth: 1, Do: steps}}, s.Rules...)
		return s
	}
	ask := func(h *host, method string) []string { return h.send(legacy.request("1", method, "", "")) }
	bubble(t, "refused", func(t *testing.T) {
		server := upstreamtest.New(failing(upstreamtest.Step{Error: raw(`{"code":-32000,"message":"later"}`)}))
		a, h := start(t, config(t, map[string]*upstreamtest.Server{"up": server}, "up"))
		h.send(legacy.open()...)
		want(t, "tools", ask(h, "tools/list"), list("1", "up__x"))
		want(t, "resources", ask(h, resourcesMethod), result("1", `"resources":[{"uri":"a:a"}]`))
		want(t, "prompts", ask(h, promptsMethod), result("1", `"prompts":[]`))
		status := a.Status()[0]
		if status.Failure.Text != "the server refused to list its prompts" || !status.Fetched.IsZero() || status.Tools != 1 || status.Resources != 1 {
			t.Errorf("got status %+v, want one of a server that has not told its prompts", status)
		}
		pass(firstRetry + time.Second)
		want(t, "in the end", h.received(), `{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`)
		want(t, "prompts", ask(h, promptsMethod), result("1", `"prompts":[{"name":"up__p"}]`))
		if status := a.Status()[0]; status.Failure.Failed() || status.Prompts != 1 || status.Fetched.IsZero() {
			t.Errorf("got status %+v, want one without a failure", status)
		}
		if n := len(server.Received("tools/list")); n != 1 {
			t.Errorf("the server was asked %d times for its tools, want once", n)
		}
	})
	bubble(t, "declared and unknown", func(t *testing.T) {
		server := upstreamtest.New(failing(upstreamtest.Step{Error: raw(`{"code":-32601,"message":"Method not found"}`)}))
		a, h := start(t, config(t, map[string]*upstreamtest.Server{"up": server}, "up"))
		h.send(legacy.open()...)
		want(t, "prompts", ask(h, promptsMethod), result("1", `"prompts":[]`))
		if status := a.Status()[0]; status.Failure.Failed() {
			t.Errorf("got failure %+v, want none", status.Failure)
		}
	})
	bubble(t, "never answered", func(t *testing.T) {
		_, h := one(t, failing())
		h.send(legacy.open()...)
		began := time.Now()
		ask(h, "tools/list")
		want(t, "tools", []string{h.next()}, list("1", "up__x"))
		if took := time.Since(began); took > 2*kindGrace {
			t.Errorf("the list took %v, want %v at most", took, 2*kindGrace)
		}
	})
	bubble(t, "all that it declares", func(t *testing.T) {
		s := upstreamtest.Script{Rules: []upstreamtest.Rule{{On: "tools/list", Do: []upstreamtest.Step{{Error: raw(`{"code":-32000,"message":"no"}`)}}}}}
		a, h := start(t, config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(s)}, "up"))
		h.send(legacy.open()...)
		want(t, "tools", ask(h, "tools/list"), list("1"))
		if a.world.Load().servers[0].current().Known() {
			t.Error("a server that has told nothing counts as listed")
		}
	})
}

// TestKindOfAnotherVariant: a list that failed, and is there only from another
// sort of host, is asked for again at the next start.
func TestKindOfAnotherVariant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		life := func(e era, prompts upstreamtest.Step) (asked int, lists []string) {
			script := offering(legacy, offers{"tools/list": `"tools":[` + definition("x") + `]`})
			script.Versions = []string{upstreamtest.Modern, upstreamtest.Legacy}
			script.Rules = append([]upstreamtest.Rule{{On: promptsMethod, Do: []upstreamtest.Step{prompts}}}, script.Rules...)
			server := upstreamtest.New(script)
			store, err := catalog.OpenStore(t.Context(), folder)
			if err != nil {
				t.Fatal(err)
			}
			cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
			cfg.Store = store
			a := New(cfg)
			h := hostOf(t, a)
			h.send(e.open()...)
			pass(time.Second)
			lists = h.send(e.request("1", promptsMethod, "", ""))
			h.close()
			a.Close()
			return len(server.Received(promptsMethod)), lists
		}
		fine := upstreamtest.Step{Reply: raw(`{"prompts":[{"name":"p"}]}`)}
		refused := upstreamtest.Step{Error: raw(`{"code":-32000,"message":"later"}`)}
		life(legacy, fine)
		if _, lists := life(modern, refused); !strings.Contains(strings.Join(lists, ""), "up__p") {
			t.Errorf("got %s, want the list told to another sort of host", lists)
		}
		if asked, _ := life(modern, fine); asked == 0 {
			t.Error("the server was not asked for its prompts")
		}
		if asked, _ := life(modern, fine); asked != 0 {
			t.Errorf("the server was asked %d times more for its prompts, want none", asked)
		}
	})
}

// TestStoredKinds: all kinds are there at the next start, without the server.
func TestStoredKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		life := func(servers map[string]*upstreamtest.Server) []string {
			store, err := catalog.OpenStore(t.Context(), folder)
			if err != nil {
				t.Fatal(err)
			}
			cfg := config(t, servers, "a")
			cfg.Store = store
			a := New(cfg)
			h := hostOf(t, a)
			h.send(legacy.open()...)
			var got []string
			for _, method := range listMethods {
				got = append(got, h.send(legacy.request("1", method, "", ""))...)
			}
			h.close()
			a.Close()
			return got
		}
		script := offering(legacy, offers{
			"tools/list": `"tools":[` + definition("x") + `]`, promptsMethod: `"prompts":[{"name":"p"}]`,
			resourcesMethod: `"resources":[{"uri":"a:a"}]`, templatesMethod: `"resourceTemplates":[{"uriTemplate":"a:{b}"}]`,
		})
		first := life(map[string]*upstreamtest.Server{"a": upstreamtest.New(script)})
		if strings.Contains(strings.Join(first, ""), "[]") {
			t.Fatalf("got %q, want four lists", first)
		}
		if diff := cmp.Diff(first, life(map[string]*upstreamtest.Server{})); diff != "" {
			t.Errorf("second life (-first +second):\n%s", diff)
		}
	})
}

// TestShapes: a legacy host is spared what it refuses a list for, and only hosts
// that show apps see what is for apps only.
func TestShapes(t *testing.T) {
	const (
		plain  = `{"name":"plain","inputSchema":{"type":"object"}}`
		loose  = `{"name":"loose","outputSchema":{"type":"array"},"x":1}`
		strict = `{"name":"strict","outputSchema":{"type":"object"}}`
		app    = `{"name":"app","_meta":{"ui":{"visibility":["app"]}}}`
		uiCaps = `"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}`
	)
	exposed := func(definitions ...string) string {
		return `"tools":[` + strings.ReplaceAll(strings.Join(definitions, ","), `"name":"`, `"name":"up__`) + `]`
	}
	script := upstreamtest.Script{Tools: raws(plain, loose, strict, app)}
	withApps := func(line string) string {
		line = strings.Replace(line, `"capabilities":{}`, `"capabilities":{`+uiCaps+`}`, 1)
		return strings.Replace(line, `clientCapabilities":{}`, `clientCapabilities":{`+uiCaps+`}`, 1)
	}
	spared := `{"name":"loose","x":1}`
	for _, tt := range []struct {
		client era
		apps   bool
		want   string
	}{
		{legacy, false, exposed(plain, spared, strict)},
		{legacy, true, exposed(plain, spared, strict, app)},
		{modern, false, exposed(plain, loose, strict)},
		{modern, true, exposed(plain, loose, strict, app)},
	} {
		bubble(t, fmt.Sprintf("%v host, apps %t", tt.client, tt.apps), func(t *testing.T) {
			server, h := one(t, script)
			as := func(line string) string {
				if tt.apps {
					return withApps(line)
				}
				return line
			}
			for _, line := range tt.client.open() {
				h.send(as(line))
			}
			got := h.send(as(tt.client.request("1", "tools/list", "", "")))
			if len(got) != 1 || !strings.Contains(got[0], `{`+tt.want) {
				t.Errorf("got %s, want %s in it", got, tt.want)
			}
			if got := h.send(as(tt.client.call("2", "up__app", "{}"))); !strings.Contains(strings.Join(got, ""), `"content"`) {
				t.Errorf("call of the app's tool: got %s, want a result", got)
			}
			// A change of what this host does not see is none.
			if tt.client == legacy && !tt.apps {
				server.SetTools(raws(plain, `{"name":"loose","outputSchema":[],"x":1}`, strict)...)
				pass(time.Second)
				want(t, "told", h.received())
				server.SetTools(raws(plain, strict)...)
				pass(time.Second)
				want(t, "told", h.received(), changed)
			}
		})
	}
	// What differs for nobody is written once.
	l := &viewedList{kind: catalog.Tools}
	if a, b := l.in(shape{legacy: true}), l.in(shape{apps: true}); &a[0] != &b[0] {
		t.Error("two hosts have lists of their own that are the same, want one")
	}
}

// TestHandshakes: capabilities and instructions are those of the servers, as far
// as they are there for the principal.
func TestHandshakes(t *testing.T) {
	script := func(capabilities, instructions string) *upstreamtest.Server {
		return upstreamtest.New(upstreamtest.Script{
			Capabilities: raw(capabilities), Instructions: instructions,
			Rules: []upstreamtest.Rule{{On: promptsMethod, Do: []upstreamtest.Step{{Reply: raw(`{"prompts":[{"name":"p"}]}`)}}}},
		})
	}
	begin := func(t *testing.T, p *policy.Policy) (before, after string) {
		servers := map[string]*upstreamtest.Server{
			"a": script(`{"resources":{"subscribe":true},"extensions":{"x/y":{"n":1e400}}}`, "Use\u001b[31m A."),
			"b": script(`{"prompts":{},"logging":{}}`, "Use B."),
		}
		cfg := config(t, servers, "a", "b")
		cfg.Policy = p
		_, h := start(t, cfg)
		h.send(initialize)
		pass(time.Second)
		return h.send(modern.open()...)[0], h.send(initialize)[0]
	}
	bubble(t, "all", func(t *testing.T) {
		discovered, initialized := begin(t, policy.AllowAll())
		const both = `"capabilities":{"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"logging":{},"extensions":{"x/y":{"n":1e400}}},` +
			`"instructions":"# a (tools: a__*)\nUse A.\n\n# b (tools: b__*)\nUse B."`
		for _, got := range []string{discovered, initialized} {
			if !strings.Contains(got, both) {
				t.Errorf("got %s, want %s in it", got, both)
			}
		}
	})
	bubble(t, "one denied", func(t *testing.T) {
		discovered, _ := begin(t, ruled(t, policy.Rule{Server: text("a"), Level: level(policy.Deny)}))
		const other = `"capabilities":{"prompts":{"listChanged":true},"logging":{}},"instructions":"# b (tools: b__*)\nUse B."`
		if !strings.Contains(discovered, other) {
			t.Errorf("got %s, want %s in it", discovered, other)
		}
	})
	bubble(t, "one prompt permitted", func(t *testing.T) {
		p, err := policy.Compile(policy.Config{
			Default: level(policy.Deny), Rules: []policy.Rule{{Server: text("b"), Prompt: text("p"), Level: level(policy.Read)}},
		}, policy.Servers{})
		if err != nil {
			t.Fatal(err)
		}
		discovered, _ := begin(t, p)
		if !strings.Contains(discovered, "Use B.") || strings.Contains(discovered, "A.") {
			t.Errorf("got %s, want the instructions of the server with that prompt only", discovered)
		}
	})
}
