package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A realServer is a server of npm/, and what to call of it: each tool that it
// lists, at least once.
type realServer struct {
	name  string
	file  string   // below npm/node_modules/@modelcontextprotocol
	args  []string // $DIR is the server's folder
	env   []string
	web   bool // over Streamable HTTP
	calls []toolCall
}

var everythingCalls = []toolCall{
	{"echo", `{"message":"<>& \u00e9 \"quoted\" ö"}`},
	{"echo", `{"message":7}`},
	{"get-annotated-message", `{"messageType":"error","includeImage":true}`},
	{"get-annotated-message", `{"messageType":"success"}`},
	{"get-env", `{}`},
	{"get-resource-links", `{"count":4}`},
	{"get-resource-reference", `{"resourceType":"Text","resourceId":3}`},
	{"get-resource-reference", `{"resourceType":"Blob","resourceId":2}`},
	{"get-structured-content", `{"location":"Chicago"}`},
	{"get-sum", `{"a":1e2,"b":-0.5}`},
	{"get-tiny-image", `{}`},
	{"gzip-file-as-resource", `{"name":"a.gz","data":"data:text/plain,hello","outputType":"resource"}`},
	{"gzip-file-as-resource", `{"name":"b.gz","data":"data:text/plain,hello","outputType":"resourceLink"}`},
	// Each of these starts a timer, and stops it when called again.
	{"toggle-simulated-logging", `{}`},
	{"toggle-simulated-logging", `{}`},
	{"toggle-subscriber-updates", `{}`},
	{"toggle-subscriber-updates", `{}`},
	{"trigger-long-running-operation", `{"duration":0.1,"steps":2}`},
}

// elsewhere is a tool that wants a task made of its call: TestEverything calls it.
const elsewhere = "simulate-research-query"

var realServers = []realServer{
	{name: "everything", file: "server-everything/dist/index.js", args: []string{"stdio"}, calls: everythingCalls},
	{name: "web", file: "server-everything/dist/index.js", args: []string{"streamableHttp"}, web: true, calls: everythingCalls},
	{
		name: "files", file: "server-filesystem/dist/index.js", args: []string{"$DIR"},
		calls: []toolCall{
			{"list_allowed_directories", `{}`},
			{"create_directory", `{"path":"$DIR/new/deep"}`},
			{"write_file", `{"path":"$DIR/new/a.txt","content":"one\ntwo <>& ö\nthree\n"}`},
			{"write_file", `{"path":"$DIR/new/p.png","content":"not really"}`},
			{"read_file", `{"path":"$DIR/new/a.txt"}`},
			{"read_text_file", `{"path":"$DIR/new/a.txt","head":1}`},
			{"read_media_file", `{"path":"$DIR/new/p.png"}`},
			{"read_multiple_files", `{"paths":["$DIR/new/a.txt","$DIR/new/none"]}`},
			{"edit_file", `{"path":"$DIR/new/a.txt","edits":[{"oldText":"two","newText":"2"}],"dryRun":false}`},
			{"list_directory", `{"path":"$DIR/new"}`},
			{"list_directory_with_sizes", `{"path":"$DIR/new","sortBy":"size"}`},
			{"directory_tree", `{"path":"$DIR"}`},
			{"move_file", `{"source":"$DIR/new/a.txt","destination":"$DIR/new/b.txt"}`},
			{"search_files", `{"path":"$DIR","pattern":"**/*.txt"}`},
			{"get_file_info", `{"path":"$DIR/new/b.txt"}`},
			{"read_file", `{"path":"/etc/passwd"}`},
		},
	},
	{
		name: "memory", file: "server-memory/dist/index.js", env: []string{"MEMORY_FILE_PATH=$DIR/memory.json"},
		calls: []toolCall{
			{"create_entities", `{"entities":[{"name":"Ada","entityType":"person","observations":["writes"]},{"name":"Engine","entityType":"machine","observations":[]}]}`},
			{"create_relations", `{"relations":[{"from":"Ada","to":"Engine","relationType":"programs"}]}`},
			{"add_observations", `{"observations":[{"entityName":"Ada","contents":["counts","<>&"]}]}`},
			{"add_observations", `{"observations":[{"entityName":"Nobody","contents":["x"]}]}`},
			{"read_graph", `{}`},
			{"search_nodes", `{"query":"ada"}`},
			{"open_nodes", `{"names":["Engine"]}`},
			{"delete_observations", `{"deletions":[{"entityName":"Ada","observations":["counts"]}]}`},
			{"delete_relations", `{"relations":[{"from":"Ada","to":"Engine","relationType":"programs"}]}`},
			{"delete_entities", `{"entityNames":["Engine"]}`},
		},
	},
	{
		name: "thinking", file: "server-sequential-thinking/dist/index.js",
		calls: []toolCall{
			{"sequentialthinking", `{"thought":"first","nextThoughtNeeded":true,"thoughtNumber":1,"totalThoughts":2}`},
			{"sequentialthinking", `{"thought":"second","nextThoughtNeeded":false,"thoughtNumber":2,"totalThoughts":2}`},
		},
	},
}

// timedBlob is the blob of get-resource-reference, which has the time inside.
var timedBlob = regexp.MustCompile(`"blob":"[A-Za-z0-9+/=]*"`)

// A change takes something out of a text.
type change struct {
	what *regexp.Regexp
	into string
}

// changing is what differs between two runs of the same server, and nothing to
// do with weir. It is taken out on both sides.
var changing = []change{
	{regexp.MustCompile(`created at \d+:\d\d:\d\d [AP]M`), "created at TIME"},
	{regexp.MustCompile(`(created|modified|accessed): [A-Z][a-z]{2} [^\\]*\)`), "$1: TIME"}, // get_file_info
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "SESSION"},            // of HTTP
}

// TestRealServers: all the real servers at once behind one weir, driven by all
// the real clients. Each tool, and each result of it, is what it is without
// weir, but for the names.
func TestRealServers(t *testing.T) {
	needNode(t)
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			p := testPlaces(t)
			web := p.startWeb(t)
			var want observation
			var calls []toolCall
			for _, s := range realServers {
				p.reset(t, s)
				direct := d.direct(t, p.target(s, web), p.callsOf(s))
				if len(direct.tools) == 0 {
					t.Fatalf("%s lists no tools", s.name)
				}
				want.tools = append(want.tools, expose(t, s.name+"__", direct.tools)...)
				for _, definition := range direct.tools {
					name := nameOf(t, definition)
					if name != elsewhere && !slices.ContainsFunc(s.calls, func(c toolCall) bool { return c.name == name }) {
						t.Errorf("%s lists %s, which is not called here", s.name, name)
					}
				}
				want.results = append(want.results, direct.results...)
				for _, call := range p.callsOf(s) {
					calls = append(calls, toolCall{s.name + "__" + call.name, call.arguments})
				}
				p.reset(t, s)
			}
			p.listAll(t, web)
			weir := target{command: func() *exec.Cmd { return p.weir(t, p.realConfig(web)) }}
			got := d.through(t, weir, calls)
			for i := range want.tools {
				want.tools[i] = d.known(t, d.seen(want.tools[i]))
			}
			for i := range got.tools {
				got.tools[i] = d.known(t, got.tools[i])
			}
			if diff := cmp.Diff(want.tools, got.tools); diff != "" {
				t.Errorf("tools (-direct +through weir):\n%s", diff)
			}
			for i, call := range calls {
				if got, want := steady(got.results[i], call.name), steady(want.results[i], call.name); got != want {
					t.Errorf("calling %s with %s:\ngot  %s\nwant %s", call.name, call.arguments, got, want)
				}
			}
		})
	}
}

// steady takes out of a result what changes from run to run.
func steady(result, name string) string {
	if strings.HasSuffix(name, "__get-env") {
		return strings.Join(variables(result), " ")
	}
	if strings.HasSuffix(name, "__get-resource-reference") {
		result = timedBlob.ReplaceAllString(result, `"blob":"TIME"`)
	}
	for _, c := range changing {
		result = c.what.ReplaceAllString(result, c.into)
	}
	// Two servers have these: the second one's are told apart.
	result = strings.ReplaceAll(result, `"uri":"web+demo:`, `"uri":"demo:`)
	return strings.ReplaceAll(result, name, strings.TrimPrefix(name, prefixOf(name)))
}

func prefixOf(name string) string {
	server, _, _ := strings.Cut(name, "__")
	return server + "__"
}

var variable = regexp.MustCompile(`\\"([A-Za-z_0-9]+)\\": \\"`)

// variables are the names in a dump of the environment, but for those that a
// parent adds: weir marks its children, and a shell or node leaves its own.
func variables(dump string) []string {
	var names []string
	for _, m := range variable.FindAllStringSubmatch(dump, -1) {
		switch m[1] {
		case "WEIR_CHILD", "WEIR_CHAIN", "GORACE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "PORT", "PWD", "_", "OLDPWD", "SHLVL":
			continue
		}
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}

// listAll has weir list all servers, however long they take to start on a busy
// machine: under a host, the first list waits for them 5 seconds only.
func (p places) listAll(t *testing.T, web string) {
	t.Helper()
	cmd := p.weir(t, p.realConfig(web))
	cmd.Args[1] = "servers"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("weir servers: %v\n%s", err, out)
	}
}

func (p places) dir(s realServer) string { return filepath.Join(p.home, s.name) }

// reset gives the server an empty folder.
func (p places) reset(t *testing.T, s realServer) {
	t.Helper()
	if err := os.RemoveAll(p.dir(s)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(p.dir(s), 0o700); err != nil {
		t.Fatal(err)
	}
}

func (p places) callsOf(s realServer) []toolCall {
	calls := slices.Clone(s.calls)
	for i := range calls {
		calls[i].arguments = strings.ReplaceAll(calls[i].arguments, "$DIR", p.dir(s))
	}
	return calls
}

func (p places) serverArgs(s realServer) []string {
	root, err := filepath.Abs("npm/node_modules/@modelcontextprotocol")
	if err != nil {
		panic(err) // there is no working folder
	}
	args := []string{filepath.Join(root, s.file)}
	for _, arg := range s.args {
		args = append(args, strings.ReplaceAll(arg, "$DIR", p.dir(s)))
	}
	return args
}

func (p places) serverEnv(s realServer) []string {
	var env []string
	for _, entry := range s.env {
		env = append(env, strings.ReplaceAll(entry, "$DIR", p.dir(s)))
	}
	return env
}

func (p places) target(s realServer, web string) target {
	if s.web {
		return target{url: web, isOne: true}
	}
	return target{isOne: true, command: func() *exec.Cmd {
		cmd := p.command(context.Background(), "node", p.serverArgs(s)...)
		cmd.Env = append(cmd.Env, p.serverEnv(s)...)
		return cmd
	}}
}

// realConfig puts all of them behind one weir.
func (p places) realConfig(web string) string {
	var b strings.Builder
	b.WriteString("policy: {default: execute}\nservers:\n")
	for _, s := range realServers {
		if s.web {
			fmt.Fprintf(&b, "  %s: {url: %q}\n", s.name, web)
			continue
		}
		fmt.Fprintf(&b, "  %s:\n    command: node\n    args:\n", s.name)
		for _, arg := range p.serverArgs(s) {
			fmt.Fprintf(&b, "      - %q\n", arg)
		}
		for i, entry := range p.serverEnv(s) {
			key, value, _ := strings.Cut(entry, "=")
			if i == 0 {
				b.WriteString("    env:\n")
			}
			fmt.Fprintf(&b, "      %s: %q\n", key, value)
		}
	}
	return b.String()
}

// startWeb starts the server that is reached over HTTP and returns its URL.
func (p places) startWeb(t *testing.T) string {
	t.Helper()
	i := slices.IndexFunc(realServers, func(s realServer) bool { return s.web })
	return p.startNode(t, p.serverArgs(realServers[i])...) + "/mcp"
}

// startNode starts a server on a port of its own and returns its URL, without a
// path.
func (p places) startNode(t *testing.T, args ...string) string {
	t.Helper()
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := p.command(ctx, "node", args...)
	cmd.Env = append(cmd.Env, "PORT="+port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // killed, as it must be
	})
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return "http://" + address
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// freeAddress is one that nobody listened on a moment ago: the server takes a
// port by its number only.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
