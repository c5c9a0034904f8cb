package catalog

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func server(name string, lists *Lists) Server {
	return Server{Server: namespace.Server{Name: name, Prefix: name}, Lists: lists}
}

func exposed(tools []*Route) (list []string) {
	for _, r := range tools {
		list = append(list, r.Exposed)
	}
	return list
}

func TestMergeOrdersAndPicks(t *testing.T) {
	picky := server("b", listsOf(t, "delete_all", "write", "read"))
	picky.Tools = func(original string) bool { return !strings.HasPrefix(original, "delete_") }
	bare := server("c", listsOf(t, "z", "y"))
	bare.Prefix = ""
	s := Merge(namespace.Rules{}, []Server{
		server("z", listsOf(t, "two", "one")),
		server("unknown", nil),
		server("failed", &Lists{Failure: Failure{Kind: "timeout"}}),
		picky,
		bare,
	})
	want := []string{"z__two", "z__one", "b__write", "b__read", "z", "y"}
	if diff := cmp.Diff(want, exposed(s.Routes(Tools))); diff != "" {
		t.Errorf("tools differ (-want +got):\n%s", diff)
	}
	if len(s.Warnings) != 0 {
		t.Errorf("got warnings %v, want none", s.Warnings)
	}
	if r := s.Resolve("b__delete_all", permitAll); r != nil {
		t.Errorf("got route %+v to an excluded tool, want none", r)
	}
}

func TestMergeKeepsDefinitions(t *testing.T) {
	definitions := []string{
		"{ \"name\" : \"a\",\n\"annotations\":{\"title\":\"<b>&\"},\"x\":9007199254740993,\"x\":1e400 }",
		`{"inputSchema":{"properties":{"name":{"type":"string"}}},"NAME":"b","name":"b","_meta":{"name":"b"}}`,
		`{"name":"c\u0020d","unknown":["\ud83d"]}`,
	}
	lists := listsOf(t)
	for _, raw := range definitions {
		lists.Tools.Items = append(lists.Tools.Items, item(t, raw))
	}
	s := Merge(namespace.Rules{}, []Server{server("s", lists)})
	var want []string
	for i, quoted := range []string{`"a"`, `"b"`, `"c\u0020d"`} {
		at := strings.LastIndex(definitions[i], quoted)
		if i == 1 {
			at = strings.Index(definitions[i], `"name":"b"`) + len(`"name":`)
		}
		name := string(jsonrpc.AppendString(nil, s.Routes(Tools)[i].Exposed))
		want = append(want, definitions[i][:at]+name+definitions[i][at+len(quoted):])
	}
	got := string(AppendList([]byte("{"), Tools, s.Routes(Tools), Shape{}))
	if diff := cmp.Diff(`{"tools":[`+strings.Join(want, ",")+"]", got); diff != "" {
		t.Errorf("list differs (-want +got):\n%s", diff)
	}
	if got := s.Routes(Tools)[2].Item.Name(); got != "c d" {
		t.Errorf("got original name %q, want %q", got, "c d")
	}
	if got := string(AppendList(nil, Tools, nil, Shape{})); got != `"tools":[]` {
		t.Errorf("without tools: got %s, want an empty list", got)
	}
}

func TestMergeSettlesCollisions(t *testing.T) {
	twice := listsOf(t, "read", "write")
	twice.Tools.Items = append(twice.Tools.Items, item(t, `{"name":"read","second":true}`))
	bare := func(name string, lists *Lists) Server {
		return Server{Server: namespace.Server{Name: name}, Lists: lists}
	}
	s := Merge(namespace.Rules{}, []Server{bare("one", twice), bare("two", listsOf(t, "read"))})

	tools := s.Routes(Tools)
	if len(tools) != 3 {
		t.Fatalf("got tools %v, want 3", exposed(tools))
	}
	if got := string(tools[0].Item.Raw()); strings.Contains(got, "second") {
		t.Errorf("got %s, want the first of the two definitions", got)
	}
	if r := s.Resolve("read", permitAll); r != tools[0] {
		t.Errorf("got route %+v, want the one of the first server", r)
	}
	if r := s.Resolve(tools[2].Exposed, permitAll); r == nil || r.Server != "two" {
		t.Errorf("got route %+v for %q, want the one of the second server", r, tools[2].Exposed)
	}
	var warnings []string
	for _, w := range s.Warnings {
		warnings = append(warnings, w.Error())
	}
	want := []string{
		`upstream "one" lists tool "read" more than once: the first one counts`,
		`tool "read" of upstream "two" is exposed as "` + tools[2].Exposed + `": name "read" belongs to tool "read" of upstream "one"`,
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings differ (-want +got):\n%s", diff)
	}
}

func TestResolve(t *testing.T) {
	github := server("github", listsOf(t, "search", "fork"))
	github.Prefix, github.Aliases = "gh", []string{"hub"}
	s := Merge(namespace.Rules{}, []Server{github, server("files", listsOf(t, "search", "read"))})
	onlyFiles := func(r *Route) bool { return r.Server == "files" }
	nothing := func(*Route) bool { return false }

	tests := []struct {
		name      string
		permitted func(*Route) bool
		want      string // server and original name; "" = none
	}{
		{"gh__search", permitAll, "github search"},
		{"gh__search", nothing, "github search"}, // the caller judges it
		{"github__search", permitAll, "github search"},
		{"hub__search", permitAll, "github search"},
		{"mcp_github__search", permitAll, "github search"},
		{"fork", permitAll, "github fork"},
		{"search", permitAll, ""},
		{"search", onlyFiles, "files search"},
		{"read", nothing, ""},
		{"gh__read", permitAll, ""},
		{"", permitAll, ""},
	}
	for _, test := range tests {
		got := ""
		if r := s.Resolve(test.name, test.permitted); r != nil {
			got = r.Server + " " + r.Item.Name()
		}
		if got != test.want {
			t.Errorf("%q: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestSame(t *testing.T) {
	tools := func(lists ...*Lists) []*Route {
		var servers []Server
		for i, l := range lists {
			servers = append(servers, server(string(rune('a'+i)), l))
		}
		return Merge(namespace.Rules{}, servers).Routes(Tools)
	}
	changed := listsOf(t, "read")
	changed.Tools.Items = []Item{item(t, `{"name":"read","inputSchema":{"type":"objecT"}}`)}
	later := listsOf(t, "read", "write")
	later.Tools.Fetched = noon.Add(time.Hour)
	respelled := listsOf(t, "read")
	respelled.Tools.Items = []Item{item(t, `{"name":"re\u0061d","inputSchema":{"type":"object"}}`)}

	tests := []struct {
		name string
		a, b []*Route
		want bool
	}{
		{"nothing", tools(), tools(nil), true},
		{"listed again", tools(listsOf(t, "read", "write")), tools(later), true},
		{"name written otherwise", tools(listsOf(t, "read")), tools(respelled), true},
		{"one more", tools(listsOf(t, "read")), tools(listsOf(t, "read", "write")), false},
		{"one renamed", tools(listsOf(t, "read")), tools(listsOf(t, "write")), false},
		{"other order", tools(listsOf(t, "read", "write")), tools(listsOf(t, "write", "read")), false},
		{"one definition changed", tools(listsOf(t, "read")), tools(changed), false},
		{"of another server", tools(listsOf(t, "read")), tools(nil, listsOf(t, "read")), false},
	}
	for _, test := range tests {
		if got := Same(test.a, test.b); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
