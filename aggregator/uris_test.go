package aggregator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// twoWithFiles are servers that both have file:///a, and more.
func twoWithFiles(rules ...upstreamtest.Rule) map[string]*upstreamtest.Server {
	a := offering(legacy, offers{
		promptsMethod:   `"prompts":[{"name":"ask"},{"name":"secret"}]`,
		resourcesMethod: `"resources":[{"uri":"file:///a","name":"a"},{"uri":"secret://a","name":"s"}]`,
		templatesMethod: `"resourceTemplates":[{"uriTemplate":"file:///{+path}","name":"any"},{"uriTemplate":"secret://{x}","name":"s"}]`,
		"tools/list":    `"tools":[` + definition("get") + `]`,
	})
	b := offering(legacy, offers{
		promptsMethod:   `"prompts":[{"name":"ask"}]`,
		resourcesMethod: `"resources":[{"uri":"file:///a","name":"a"}]`,
		templatesMethod: `"resourceTemplates":[{"uriTemplate":"db://{x}","name":"db"}]`,
		"tools/list":    `"tools":[` + definition("get") + `]`,
	})
	b.Rules = append(rules, b.Rules...)
	return map[string]*upstreamtest.Server{"a": upstreamtest.New(a), "b": upstreamtest.New(b), "c": upstreamtest.New(withTools("x"))}
}

// startListed starts a weir whose lists are in.
func startListed(t *testing.T, servers map[string]*upstreamtest.Server, p *policy.Policy, names ...string) (*Aggregator, *host) {
	t.Helper()
	cfg := config(t, servers, names...)
	cfg.Policy = p
	a, h := start(t, cfg)
	h.send(legacy.open()...)
	pass(time.Second)
	return a, h
}

func TestResolveNamesAndURIs(t *testing.T) {
	bubble(t, "two servers with resources", func(t *testing.T) {
		hide := ruled(
			t,
			policy.Rule{Server: text("*"), Prompt: text("secret"), Level: level(policy.Deny)},
			policy.Rule{Server: text("a"), Resource: text("secret:*"), Level: level(policy.Deny)},
		)
		a, _ := startListed(t, twoWithFiles(), hide, "a", "b", "c")
		for name, want := range map[string]string{
			"a__ask": "a ask", "b__ask": "b ask", "mcp_b__ask": "b ask", "ask": "", "a__secret": "", "secret": "", "weir__x": "", "": "",
		} {
			got := ""
			if r := a.view.Load().prompt(name); r != nil {
				got = r.Server + " " + r.Item.Name()
			}
			if got != want {
				t.Errorf("prompt %q: got %q, want %q", name, got, want)
			}
		}
		for uri, want := range map[string]string{
			"file:///a": "a file:///a", "b+file:///a": "b file:///a", "file:///z/y": "a file:///z/y", "db://1": "b db://1",
			"secret://a": "", "secret://b": "b secret://b", "other://x": "", "": "",
		} {
			got := ""
			if s, original := a.view.Load().resource(uri); s != nil {
				got = s.Name + " " + original
			}
			if got != want {
				t.Errorf("resource %q: got %q, want %q", uri, got, want)
			}
		}
		for template, want := range map[string]string{"db://{x}": "b", "file:///{+path}": "a", "secret://{x}": "", "x{y}": ""} {
			got := ""
			if r := a.view.Load().template(template); r != nil {
				got = r.Server
			}
			if got != want {
				t.Errorf("template %q: got %q, want %q", template, got, want)
			}
		}
	})
	bubble(t, "one server with resources", func(t *testing.T) {
		a, _ := startListed(t, twoWithFiles(), policy.AllowAll(), "c", "b")
		if s, original := a.view.Load().resource("other://x"); s == nil || s.Name != "b" || original != "other://x" {
			t.Errorf("got %v, %q, want the only server that has resources", s, original)
		}
	})
	bubble(t, "none", func(t *testing.T) {
		a, _ := startListed(t, twoWithFiles(), policy.AllowAll(), "c")
		if s, _ := a.view.Load().resource("other://x"); s != nil {
			t.Errorf("got %q, want none", s.Name)
		}
	})
}

// TestLinksInResults: a link leads back to who gave it, and one that would lead
// elsewhere is changed so that it does not.
func TestLinksInResults(t *testing.T) {
	const (
		link     = `{"type":"resource_link","uri":"%s","name":"n"}`
		embedded = `{"type":"resource","resource":{"x":1,"uri":"%s","text":"\"uri\":\"file:///a\""}}`
	)
	content := func(uris ...any) string {
		return fmt.Sprintf(`{"content":[`+link+`,`+embedded+`,`+link+`,7,{"uri":8}],"structuredContent":{"uri":"file:///a"}}`, uris...)
	}
	bubble(t, "two servers with resources", func(t *testing.T) {
		reply := upstreamtest.Rule{On: "tools/call get", Do: []upstreamtest.Step{{Reply: raw(content("file:///a", "file:///new", `other:\/\/x`))}}}
		a, h := startListed(t, twoWithFiles(reply), policy.AllowAll(), "a", "b", "c")
		if s, _ := a.view.Load().resource("other://x"); s != nil {
			t.Errorf("before: got %q, want none", s.Name)
		}
		want(t, "result", h.send(legacy.call("1", "b__get", "{}")),
			`{"jsonrpc":"2.0","id":1,"result":`+content("b+file:///a", "b+file:///new", `other:\/\/x`)+`}`)
		for uri, original := range map[string]string{"b+file:///a": "file:///a", "b+file:///new": "file:///new", "other://x": "other://x"} {
			if s, got := a.view.Load().resource(uri); s == nil || s.Name != "b" || got != original {
				t.Errorf("%s: got %v, %q, want b, %q", uri, s, got, original)
			}
		}
	})
	bubble(t, "one server with resources", func(t *testing.T) {
		reply := upstreamtest.Rule{On: "tools/call get", Do: []upstreamtest.Step{{Reply: raw(content("file:///a", "a:b", "c:d"))}}}
		a, h := startListed(t, twoWithFiles(reply), policy.AllowAll(), "b", "c")
		want(t, "result", h.send(legacy.call("1", "b__get", "{}")), `{"jsonrpc":"2.0","id":1,"result":`+content("file:///a", "a:b", "c:d")+`}`)
		if a.learned.server("a:b") != nil {
			t.Error("a link was learned that can only lead to one server")
		}
	})
}

func TestResultURIs(t *testing.T) {
	for result, want := range map[string]string{
		`{}`: "",
		`{"content":[{"uri":"a"},{"resource":{"uri":"b"}},{"resource":7,"uri":null},[{"uri":"x"}]]}`:                            `"a" "b"`,
		`{"contents":[{"uri":"a","text":""},{"text":"","uri":"\u0062"}]}`:                                                       `"a" "\u0062"`,
		`{"messages":[{"content":{"uri":"a"}},{"content":[{"resource":{"uri":"b"}}]},{"content":"\"uri\""},{"uri":"x"},"uri"]}`: `"a" "b"`,
		`{"result":{"content":[{"uri":"a"}],"result":{"content":[{"uri":"x"}]}}}`:                                               `"a"`,
		`{"structuredContent":{"uri":"x"},"content":{"uri":"x"},"_meta":{"uri":"x"}}`:                                           "",
	} {
		fields, err := jsonrpc.ParseObject(nil, []byte(result))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, uri := range resultURIs(fields) {
			got = append(got, string(uri))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: got %s, want %s", result, got, want)
		}
	}
	many := `[` + strings.Repeat(`{"uri":"a"},`, maxBlocks) + `{"uri":"b"}]`
	if n := len(resultURIs([]jsonrpc.Member{jsonrpc.NewMember("content", []byte(many))})); n != maxBlocks {
		t.Errorf("got %d URIs, want %d", n, maxBlocks)
	}
	long := `[{"uri":"` + strings.Repeat("a", maxSearched) + `"}]`
	if n := len(resultURIs([]jsonrpc.Member{jsonrpc.NewMember("content", []byte(long))})); n != 0 {
		t.Errorf("got %d URIs of what is too long to be searched, want none", n)
	}
}

func TestLearned(t *testing.T) {
	one, two := &server{}, &server{}
	l := newLearned()
	l.add("a", one)
	l.add("b", one)
	l.add("a", two)
	if l.server("a") != two || l.server("b") != one || l.server("c") != nil {
		t.Error("got other servers than the last that sent each URI")
	}
	generation := func(name string) {
		for i := range maxLinks {
			l.add(fmt.Sprint(name, i), one)
		}
	}
	generation("x")
	if l.server("b") != one {
		t.Error("a link is forgotten that is not old")
	}
	generation("y")
	if l.server("a") != nil || l.server("b") != one {
		t.Error("want the link that nobody asked for forgotten, and the other remembered")
	}
	if n := len(l.young) + len(l.old); n > 2*maxLinks {
		t.Errorf("got %d links, want %d at most", n, 2*maxLinks)
	}
	l.add(strings.Repeat("x", maxLink+1), one)
	if l.server(strings.Repeat("x", maxLink+1)) != nil {
		t.Error("a URI was remembered that is too long")
	}
	for i := range 3 * maxLinkBytes / maxLink {
		l.add(fmt.Sprintf("%0*d", maxLink, i), one)
	}
	if n := len(l.young) + len(l.old); n > 2*maxLinkBytes/maxLink {
		t.Errorf("got %d long links, want %d at most", n, 2*maxLinkBytes/maxLink)
	}
}
