package catalog

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/namespace"
)

const resourceful = `{"tools":{},"prompts":{},"resources":{"subscribe":true}}`

// sharing is a server with these resources and templates; a template has braces,
// a tool with a page is TOOL=URI.
func sharing(tb testing.TB, name string, uris ...string) Server {
	tb.Helper()
	l := &Lists{Version: "2025-11-25", Capabilities: []byte(resourceful)}
	for k := range Kind(Kinds) {
		l.Of(k).Fetched = noon
	}
	for _, uri := range uris {
		tool, page, isTool := strings.Cut(uri, "=")
		kind, text := Resources, fmt.Sprintf(`{"name":"n","uri":%q}`, uri)
		switch {
		case isTool:
			kind, text = Tools, fmt.Sprintf(`{"_meta":{"ui":{"x":1,"resourceUri":%q},"ui/resourceUri":%q},"name":%q}`, page, page, tool)
		case strings.Contains(uri, "{"):
			kind, text = Templates, fmt.Sprintf(`{"uriTemplate":%q,"name":"n"}`, uri)
		}
		i, err := ParseItem(kind, []byte(text))
		if err != nil {
			tb.Fatal(err)
		}
		l.Of(kind).Items = append(l.Of(kind).Items, i)
	}
	return server(name, l)
}

func texts(warnings []error) (list []string) {
	for _, w := range warnings {
		list = append(list, w.Error())
	}
	return list
}

func TestURIsOfSeveralServers(t *testing.T) {
	s := Merge(namespace.Rules{}, []Server{
		sharing(t, "a", "file:///a", "https://x/", "ui://app/x", "file:///{+path}", "doc://{id}", "file:///a"),
		sharing(t, "my_b", "file:///a", "file:///b", "https://x/", "ui://app/x", "file:///{+path}", "doc://{id}/more", "{bad"),
		sharing(t, "my-b", "file:///a", "https://{+rest}"),
		sharing(t, "c", "https://{+rest}", "file:///a"),
	})
	want := []string{
		"file:///a", "https://x/", "ui://app/x",
		"my-b+file:///a", "file:///b", "ui://my-b.app/x",
		"c+file:///a",
	}
	if diff := cmp.Diff(want, exposed(s.Routes(Resources))); diff != "" {
		t.Errorf("resources differ (-want +got):\n%s", diff)
	}
	want = []string{"file:///{+path}", "doc://{id}", "my-b+file:///{+path}", "doc://{id}/more", "{bad", "https://{+rest}"}
	if diff := cmp.Diff(want, exposed(s.Routes(Templates))); diff != "" {
		t.Errorf("templates differ (-want +got):\n%s", diff)
	}
	want = []string{
		`upstream "a" lists resource "file:///a" more than once: the first one counts`,
		`resource "file:///a" of upstream "my_b" is exposed as "my-b+file:///a": upstream "a" has it too`,
		`resource "https://x/" of upstream "my_b" is left out: upstream "a" has it too`,
		`resource "ui://app/x" of upstream "my_b" is exposed as "ui://my-b.app/x": upstream "a" has it too`,
		`resource "file:///a" of upstream "my-b" is left out: upstream "a" has it too`,
		`resource "file:///a" of upstream "c" is exposed as "c+file:///a": upstream "a" has it too`,
		`resource template "file:///{+path}" of upstream "my_b" is exposed as "my-b+file:///{+path}": upstream "a" has it too`,
		`resource template "https://{+rest}" of upstream "c" is left out: upstream "my-b" has it too`,
		`resource template "{bad" of upstream "my_b" matches no URI: not a URI template, or a very long one`,
	}
	if diff := cmp.Diff(want, texts(s.Warnings)); diff != "" {
		t.Errorf("warnings differ (-want +got):\n%s", diff)
	}

	notA := func(r *Route) bool { return r.Server != "a" }
	for _, tt := range []struct {
		uri       string
		permitted func(*Route) bool
		want      string // server and original; "" = none
	}{
		{"file:///a", permitAll, "a file:///a"},
		{"file:///a", notA, "a file:///a"}, // the caller judges it
		{"my-b+file:///a", permitAll, "my_b file:///a"},
		{"c+file:///a", permitAll, "c file:///a"},
		{"ui://my-b.app/x", permitAll, "my_b ui://app/x"},
		{"file:///b", permitAll, "my_b file:///b"},
		{"file:///other/place", permitAll, "a file:///other/place"},
		{"my-b+file:///other/place", permitAll, "my_b file:///other/place"},
		{"c+file:///other/place", permitAll, "c file:///other/place"}, // for it says so in a result
		{"file:///other/place", notA, ""},
		{"doc://1", permitAll, "a doc://1"},
		{"doc://1/more", permitAll, "my_b doc://1/more"},
		{"https://y/", permitAll, "my-b https://y/"},
		{"a+doc://1", permitAll, ""}, // nobody has called it so
		{"my-b+unknown://x", permitAll, ""},
		{"unknown://x", permitAll, ""},
		{"", permitAll, ""},
	} {
		got := ""
		if server, original, ok := s.Locate(tt.uri, tt.permitted); ok {
			got = server + " " + original
		}
		if got != tt.want {
			t.Errorf("%q leads to %q, want %q", tt.uri, got, tt.want)
		}
	}

	for _, tt := range [][3]string{
		{"a", "file:///a", "file:///a"},
		{"my_b", "file:///a", "my-b+file:///a"},
		{"my_b", "file:///other", "my-b+file:///other"},
		{"c", "file:///b", "c+file:///b"},
		{"my_b", "file:///b", "file:///b"},
		{"c", "unknown://x", "unknown://x"},
		{"c", "https://x/", "https://x/"},
		{"my-b", "file:///a", "file:///a"},
		{"nobody", "file:///a", "file:///a"},
		{"a", "my-b+file:///a", "a+my-b+file:///a"},
	} {
		if got := s.ExposeURI(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%q of %s is exposed as %q, want %q", tt[1], tt[0], got, tt[2])
		}
	}
	for exposed, want := range map[string]string{"doc://{id}": "a doc://{id}", "my-b+file:///{+path}": "my_b file:///{+path}", "{bad": "my_b {bad", "file:///a": ""} {
		got := ""
		if r := s.Template(exposed); r != nil {
			got = r.Server + " " + r.Item.Name()
		}
		if got != want {
			t.Errorf("template %q is %q, want %q", exposed, got, want)
		}
	}
	if diff := cmp.Diff([]string{"a", "my_b", "my-b", "c"}, s.Sharers()); diff != "" {
		t.Errorf("servers with resources (-want +got):\n%s", diff)
	}
}

func TestURIsOfOneServer(t *testing.T) {
	s := Merge(namespace.Rules{}, []Server{sharing(t, "a", "x+file:///a", "{+any}"), server("b", listsOf(t, "tool"))})
	if got := s.ExposeURI("b", "file:///a"); got != "file:///a" {
		t.Errorf("got %q for a server without resources, want it unchanged", got)
	}
	if server, original, ok := s.Locate("b+file:///z", permitAll); !ok || server != "a" || original != "b+file:///z" {
		t.Errorf("got %q of %q, %t, want the URI as it stands", original, server, ok)
	}
	if len(s.Warnings) != 0 {
		t.Errorf("got warnings %v, want none", s.Warnings)
	}
}

// TestPages: a page that only its tool names leads to the tool's server, and the
// second of two tools says where its own is.
func TestPages(t *testing.T) {
	one, two := sharing(t, "one", "show=ui://app/x", "ui://app/y"), sharing(t, "two", "show=ui://app/x", "open=ui://app/y", "far=https://x/")
	s := Merge(namespace.Rules{}, []Server{one, two})
	got := string(AppendList(nil, Tools, s.Routes(Tools), Shape{}))
	want := `"tools":[` +
		`{"_meta":{"ui":{"x":1,"resourceUri":"ui://app/x"},"ui/resourceUri":"ui://app/x"},"name":"one__show"},` +
		`{"_meta":{"ui":{"x":1,"resourceUri":"ui://two.app/x"},"ui/resourceUri":"ui://two.app/x"},"name":"two__show"},` +
		`{"_meta":{"ui":{"x":1,"resourceUri":"ui://two.app/y"},"ui/resourceUri":"ui://two.app/y"},"name":"two__open"},` +
		`{"_meta":{"ui":{"x":1,"resourceUri":"https://x/"},"ui/resourceUri":"https://x/"},"name":"two__far"}]`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tools differ (-want +got):\n%s", diff)
	}
	for uri, want := range map[string]string{"ui://app/x": "one ui://app/x", "ui://two.app/x": "two ui://app/x", "ui://two.app/y": "two ui://app/y", "ui://app/z": ""} {
		got := ""
		if server, original, ok := s.Locate(uri, permitAll); ok {
			got = server + " " + original
		}
		if got != want {
			t.Errorf("%q leads to %q, want %q", uri, got, want)
		}
	}
	alone := Merge(namespace.Rules{}, []Server{sharing(t, "two", "show=ui://app/x")})
	if Same(s.Routes(Tools)[1:2], alone.Routes(Tools)) {
		t.Error("two tools that differ in where their page is are the same, want them to differ")
	}
}

// A URI that says of itself that it was rewritten again and again is not taken
// apart to its end.
func TestRewritingIsBounded(t *testing.T) {
	s := Merge(namespace.Rules{}, []Server{sharing(t, "a", "{+any}"), sharing(t, "b", "x:b"), sharing(t, "c", "x:c")})
	if server, original, ok := s.Locate(strings.Repeat("b+c+", 1<<18)+"x:c", permitAll); ok {
		t.Errorf("got %d bytes of %q, want nothing", len(original), server)
	}
	if server, _, ok := s.Locate("b+c+b+x:c", permitAll); !ok || server != "b" {
		t.Errorf("got %q, %t, want the outermost server", server, ok)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	uris := make([]string, 3*maxWarnings)
	for i := range uris {
		uris[i] = fmt.Sprintf("file:///%d", i)
	}
	s := Merge(namespace.Rules{}, []Server{sharing(t, "a", uris...), sharing(t, "b", uris...)})
	if len(s.Warnings) != maxWarnings+1 || !strings.Contains(s.Warnings[maxWarnings].Error(), "200 further") {
		t.Errorf("got %d warnings, the last %v, want %d and one of 200 further", len(s.Warnings), s.Warnings[len(s.Warnings)-1], maxWarnings)
	}
}

func TestPatternsAreBounded(t *testing.T) {
	templates := make([]string, maxPatterns+2)
	for i := range templates {
		templates[i] = fmt.Sprintf("t%d://{x}", i)
	}
	s := Merge(namespace.Rules{}, []Server{sharing(t, "a", templates...)})
	_, _, last := s.Locate(fmt.Sprintf("t%d://", maxPatterns-1), permitAll)
	_, _, further := s.Locate(fmt.Sprintf("t%d://", maxPatterns), permitAll)
	if !last || further || len(s.Routes(Templates)) != len(templates) || len(s.Warnings) != 1 {
		t.Errorf("got matches %t, %t, %d templates, warnings %v, want the last within bounds to match and all in the list",
			last, further, len(s.Routes(Templates)), s.Warnings)
	}
}

// FuzzURIs: a URI as the host sees it leads back to where it came from, if it can
// be rewritten at all.
func FuzzURIs(f *testing.F) {
	f.Add("file:///a", "file:///{+path}", "ui://app/x", uint8(1))
	f.Add("b+file:///a", "{+any}", "c+b+file:///a", uint8(2))
	f.Add("a+a+a+a+a+a+x", "a+{x}", "b+{x}", uint8(0))
	f.Add("ui://b.c.x/y", "ui://{x}/y", "ui://c.x/y", uint8(1))
	f.Fuzz(func(t *testing.T, uri, one, two string, from uint8) {
		for _, text := range []string{uri, one, two} {
			if !utf8.ValidString(text) || strings.ContainsAny(text, "=\x00\x7f") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > 0x7e }) {
				return
			}
		}
		servers := []Server{sharing(t, "a", one, uri), sharing(t, "b", two, one, "tool="+two), sharing(t, "c", one, two, "tool="+one)}
		s := Merge(namespace.Rules{}, servers)
		for k := Resources; k <= Templates; k++ {
			for _, r := range s.Routes(k) {
				if k == Templates {
					continue
				}
				server, original, ok := s.Locate(r.Exposed, permitAll)
				if !ok || server != r.Server || original != r.Item.Name() {
					t.Errorf("resource %q of %s is exposed as %q, and that is %q of %s, %t", r.Item.Name(), r.Server, r.Exposed, original, server, ok)
				}
			}
		}
		name := servers[int(from)%len(servers)].Name
		exposed := s.ExposeURI(name, uri)
		server, original, ok := s.Locate(exposed, permitAll)
		if exposed != uri && (!ok || server != name || original != uri) {
			t.Errorf("%q of %s is exposed as %q, and that is %q of %s, %t", uri, name, exposed, original, server, ok)
		}
	})
}
