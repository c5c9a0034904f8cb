package aggregator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestClientIsRemembered: who the host says it is comes from initialize, or from
// the latest modern request that says so.
func TestClientIsRemembered(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		a := New(config(t, nil))
		t.Cleanup(a.Close)
		h := hostOf(t, a)
		client := func() policy.Client { return a.sessionList()[0].client.Load().Client }
		h.send(initialize)
		if got := client(); got != (policy.Client{Name: "host", Version: "1"}) {
			t.Errorf("got %+v after initialize", got)
		}
		other := strings.Replace(modern.request("2", "tools/list", "", ""), `{"name":"host","version":"1"}`, `{"name":"oth\u0065r","version":7}`, 1)
		h.send(other)
		if got := client(); got != (policy.Client{Name: "other"}) {
			t.Errorf("got %+v after a modern request", got)
		}
		h.send(strings.Replace(modern.request("3", "tools/list", "", ""), `"io.modelcontextprotocol/clientInfo":{"name":"host","version":"1"},`, "", 1))
		if got := client(); got != (policy.Client{Name: "other"}) {
			t.Errorf("got %+v after a request that does not say", got)
		}
		h.send(strings.Replace(other, `oth\u0065r`, strings.Repeat("x", 1<<20), 1))
		if got := client(); len(got.Name) > maxQuoted+len("…") {
			t.Errorf("got a name of %d bytes", len(got.Name))
		}
	})
}

// denying is a policy that denies tools under conditions.
func denying(t *testing.T, conditions map[string]string) *policy.Policy {
	t.Helper()
	execute, deny, all := policy.Execute, policy.Deny, "*"
	cfg := policy.Config{Default: &execute}
	for tool, when := range conditions {
		cfg.Rules = append(cfg.Rules, policy.Rule{Server: &all, Tool: &tool, Level: &deny, When: &when})
	}
	p, err := policy.Compile(cfg, policy.Servers{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func hidesSecret(t *testing.T) *policy.Policy {
	return denying(t, map[string]string{"secret": `client.name == "host"`})
}

// calledBy is a line of a host that calls itself otherwise.
func calledBy(line, name string) string {
	return strings.Replace(line, `{"name":"host","version":"1"}`, `{"name":"`+name+`","version":"1"}`, 1)
}

// TestListsOfClients: where a condition looks at the client each sees lists of its
// own, may call what is in them, and hears of changes that it sees.
func TestListsOfClients(t *testing.T) {
	tools := func(names ...string) upstreamtest.Script {
		s := upstreamtest.Script{Capabilities: raw(`{"tools":{"listChanged":true}}`)}
		for _, name := range names {
			s.Tools = append(s.Tools, upstreamtest.Tool(name))
		}
		return s
	}
	open := func(t *testing.T, script upstreamtest.Script) *Aggregator {
		cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}, "up")
		cfg.Policy = denying(t, map[string]string{"secret": `client.name == "host"`, "special": `client.name != "other"`})
		a := New(cfg)
		t.Cleanup(a.Close)
		return a
	}
	sees := func(t *testing.T, lines []string, want ...string) {
		t.Helper()
		all := strings.Join(lines, "\n")
		for _, name := range []string{"plain", "secret", "special"} {
			got, wanted := strings.Contains(all, `"up__`+name+`"`), false
			for _, w := range want {
				wanted = wanted || w == name
			}
			if got != wanted {
				t.Errorf("lists %s: %v, want %v", name, got, wanted)
			}
		}
	}
	bubble(t, "legacy", func(t *testing.T) {
		a := open(t, tools("plain", "secret", "special"))
		for name, want := range map[string][]string{"host": {"plain"}, "other": {"plain", "secret", "special"}, "third": {"plain", "secret"}} {
			h := hostOf(t, a)
			h.send(calledBy(initialize, name), initialized)
			sees(t, h.send(legacy.request("1", "tools/list", "", "")), want...)
			for _, tool := range []string{"plain", "secret", "special"} {
				got := h.send(legacy.call("2", "up__"+tool, "{}"))
				if called := len(got) == 1 && !strings.Contains(got[0], "Unknown tool"); called != strings.Contains(strings.Join(want, " "), tool) {
					t.Errorf("%s calls %s: got %q", name, tool, got)
				}
			}
		}
	})
	bubble(t, "modern, all on one stream", func(t *testing.T) {
		h := hostOf(t, open(t, tools("plain", "secret", "special")))
		ask := func(name string) []string { return h.send(calledBy(modern.request("1", "tools/list", "", ""), name)) }
		sees(t, ask("host"), "plain")
		sees(t, ask("other"), "plain", "secret", "special")
		sees(t, ask("host"), "plain")
		sees(t, ask("third"), "plain", "secret")
	})
	bubble(t, "changes", func(t *testing.T) {
		script := tools("plain")
		script.Tools = append(script.Tools, upstreamtest.Tool("grow"))
		script.Rules = []upstreamtest.Rule{{On: "tools/call grow", Do: []upstreamtest.Step{
			{Tools: append(script.Tools, upstreamtest.Tool("special"))}, {Default: true},
		}}}
		a := open(t, script)
		hosts := map[string]*host{}
		for _, name := range []string{"host", "other"} {
			hosts[name] = hostOf(t, a)
			hosts[name].send(calledBy(initialize, name), initialized)
			sees(t, hosts[name].send(legacy.request("1", "tools/list", "", "")), "plain")
		}
		hosts["host"].send(legacy.call("2", "up__grow", "{}"))
		pass(quiet + 2*pushDelay)
		for name, h := range hosts {
			told := strings.Contains(strings.Join(h.received(), ""), "notifications/tools/list_changed")
			if told != (name == "other") {
				t.Errorf("%s was told of a change: %v", name, told)
			}
		}
		sees(t, hosts["other"].send(legacy.request("3", "tools/list", "", "")), "plain", "special")
		sees(t, hosts["host"].send(legacy.request("3", "tools/list", "", "")), "plain")
	})
	// Who says nothing of itself sees the same under both.
	for from, to := range map[*policy.Policy]*policy.Policy{hidesSecret(t): policy.AllowAll(), policy.AllowAll(): hidesSecret(t)} {
		bubble(t, fmt.Sprintf("another policy, about clients: %v", to.LooksAtClient()), func(t *testing.T) {
			cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(tools("plain", "secret"))}, "up")
			cfg.Policy = from
			a, h := start(t, cfg)
			h.send(initialize, initialized)
			h.send(legacy.request("1", "tools/list", "", ""))
			pass(quiet + 2*pushDelay) // nothing is to be told yet
			cfg.Policy = to
			if _, err := a.Reconfigure(cfg); err != nil {
				t.Fatal(err)
			}
			pass(2 * pushDelay)
			if got := strings.Join(h.received(), ""); !strings.Contains(got, "notifications/tools/list_changed") {
				t.Errorf("got %q, want that the list has changed", got)
			}
		})
	}
	bubble(t, "many names", func(t *testing.T) {
		a := open(t, tools("plain"))
		h := hostOf(t, a)
		for i := range 100 {
			h.send(calledBy(modern.request("1", "tools/list", "", ""), fmt.Sprint("name ", i)))
		}
		if n := len(a.view.Load().clients.views); n == 0 || n > maxClientViews {
			t.Errorf("got %d views, want up to %d", n, maxClientViews)
		}
	})
}

// TestPrincipalIsJudged: the policy knows whom weir serves.
func TestPrincipalIsJudged(t *testing.T) {
	p := denying(t, map[string]string{"*": `principal.key != "laptop" || principal.profile != "work"`})
	for _, who := range []policy.Principal{{}, {Key: "laptop", Profile: "work"}, {Key: "laptop"}} {
		bubble(t, fmt.Sprintf("%+v", who), func(t *testing.T) {
			cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(asking("", "{}"))}, "up")
			cfg.Policy, cfg.Principal = p, who
			_, h := start(t, cfg)
			h.send(legacy.open()...)
			got := strings.Join(h.send(legacy.request("1", "tools/list", "", "")), "")
			if strings.Contains(got, "up__ask") != (who == policy.Principal{Key: "laptop", Profile: "work"}) {
				t.Errorf("got %s", got)
			}
		})
	}
}
