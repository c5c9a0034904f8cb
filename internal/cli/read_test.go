package cli

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// library writes a configuration with a server that has texts and one that has
// bytes, resources and prompts both.
func library(t *testing.T) string {
	t.Helper()
	reply := func(on, result string) upstreamtest.Rule {
		return upstreamtest.Rule{On: on, Do: []upstreamtest.Step{{Reply: json.RawMessage(result)}}}
	}
	start := func(rules ...upstreamtest.Rule) string {
		server := httptest.NewServer(upstreamtest.New(upstreamtest.Script{
			Capabilities: json.RawMessage(`{"tools":{},"resources":{},"prompts":{}}`), Rules: rules,
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	texts := start(
		reply("resources/list", `{"resources":[{"uri":"note://one","name":"one","mimeType":"text/plain","description":"The\nfirst"}]}`),
		reply("resources/templates/list", `{"resourceTemplates":[{"uriTemplate":"note://{name}","name":"any"}]}`),
		reply("resources/read", `{"contents":[{"uri":"note://one","mimeType":"text/plain","text":"a\u001bb"}]}`),
		reply("prompts/list", `{"prompts":[{"name":"greet","title":"Say hello","arguments":[{"name":"who","required":true},{"name":"how"}]}]}`),
		reply("prompts/get", `{"description":"A greeting","messages":[{"role":"user","content":{"type":"text","text":"Hello","sent":"$arguments"}}]}`),
	)
	bytes := start(
		reply("resources/list", `{"resources":[{"uri":"pic://a/logo","name":"logo"}]}`),
		reply("resources/templates/list", `{"resourceTemplates":[]}`),
		reply("resources/read", `{"contents":[{"uri":"pic://evil/../../name","mimeType":"image/png","blob":"AAEC"}]}`),
		reply("prompts/list", `{"prompts":[]}`),
	)
	return writeConfig(t, "servers:\n  texts: {url: \""+texts+"\"}\n  bytes: {url: \""+bytes+"\"}\npolicy: {default: execute}\n")
}

func TestRead(t *testing.T) {
	newHome(t)
	config := library(t)
	t.Chdir(t.TempDir())
	read := func(args ...string) outcome { return weir(t, append([]string{"--config", config, "read"}, args...)...) }

	list := read()
	list.wants(t, exitOK, "URI", "note://one", "text/plain", "The first", "note://{name}", "pic://a/logo", "2 resources, 1 template")
	var lists struct {
		Resources         []struct{ URI string }
		ResourceTemplates []struct{ URITemplate string }
	}
	if err := json.Unmarshal([]byte(read("--list", "--json").stdout), &lists); err != nil || len(lists.Resources) != 2 || len(lists.ResourceTemplates) != 1 {
		t.Errorf("as JSON: got %+v, %v", lists, err)
	}
	if got := read("note://one"); got.stdout != "a\x1bb" || got.code != exitOK {
		t.Errorf("a text to a program: got %+v, want it to the byte", got)
	}
	if got := read("pic://a/logo", "-o", "-"); got.stdout != "\x00\x01\x02" {
		t.Errorf("bytes to stdout: got %+v", got)
	}
	read("pic://a/logo").wants(t, exitOK, "image/png, 3 bytes: saved as weir-logo.png]")
	read("pic://a/logo", "-o", "mine.png").wants(t, exitOK, "3 bytes are in mine.png")
	read("pic://a/logo", "-o", "mine.png").wants(t, exitFailed, "saving what was read: open mine.png")
	for _, name := range []string{"weir-logo.png", "mine.png"} {
		if data, err := os.ReadFile(name); string(data) != "\x00\x01\x02" {
			t.Errorf("%s: got %q, %v", name, data, err)
		}
	}
	read("pic://a/logo", "--json").wants(t, exitOK, `"blob":"AAEC"`)
	read("not://on").wants(t, exitFailed, "not://on", `did you mean "note://one"?`)
	read("other://x").wants(t, exitFailed, "(see: weir read)")
	read("-o", "x").wants(t, exitUsage, "-o goes with the URI")
	if names, _ := filepath.Glob("*"); len(names) != 2 {
		t.Errorf("files: got %q, want two", names)
	}
}

func TestPrompt(t *testing.T) {
	newHome(t)
	config := library(t)
	tests := []struct {
		name string
		args string
		code int
		want string
	}{
		{"list", "", exitOK, "texts__greet  who [how]  Say hello"},
		{"list as JSON", "--json", exitOK, `"name":"texts__greet"`},
		{"filled in", "texts__greet who=me how=42", exitOK, "A greeting\nuser:\nHello\n"},
		{"as JSON", "texts__greet who=me=you how=42 --json", exitOK, `"sent":{"who":"me=you","how":"42"}`},
		{"without what it wants", "texts__greet how=so", exitUsage, `wants an argument "who" (who=…)`},
		{"typo in an argument", "texts__greet woh=me", exitUsage, `did you mean "who"?`},
		{"no argument of it", "texts__greet who=me colour=red", exitUsage, `no argument "colour"; it has who, how`},
		{"twice", "texts__greet who=me who=you", exitUsage, `"who" is given twice`},
		{"no pair", "texts__greet me", exitUsage, "key=value"},
		{"typo in the name", "texts__great who=me", exitFailed, `did you mean "texts__greet"?`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			weir(t, append([]string{"--config", config, "prompt"}, strings.Fields(tt.args)...)...).wants(t, tt.code, tt.want)
		})
	}
}
