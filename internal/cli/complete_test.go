package cli

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// offered is what a shell would offer for the last of these words, without what it
// shows beside it.
func offered(t *testing.T, words ...string) []string {
	t.Helper()
	got := weir(t, append([]string{"__complete"}, words...)...)
	if got.code != exitOK {
		t.Fatalf("got %+v", got)
	}
	var names []string
	for line := range strings.Lines(got.stdout) {
		name, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !strings.HasPrefix(name, ":") {
			names = append(names, name)
		}
	}
	return names
}

func TestCompletionOffers(t *testing.T) {
	newHome(t)
	server := httptest.NewServer(upstreamtest.New(upstreamtest.Script{
		Capabilities: json.RawMessage(`{"tools":{},"prompts":{},"resources":{}}`),
		Tools: []json.RawMessage{
			json.RawMessage(`{"name":"paint","description":"Paints\u001b[2J a\nwall","inputSchema":{"type":"object","properties":{
				"colour":{"type":"string","enum":["red","green"],"description":"which"},"wet":{"type":"boolean"},
				"walls":{"type":"array","items":{"enum":["north","south"]}},"note":{"type":"string"},"o\u001bdd":{}}}}`),
			upstreamtest.Tool("secret"),
		},
		Rules: []upstreamtest.Rule{
			{On: "prompts/list", Do: []upstreamtest.Step{{Reply: json.RawMessage(`{"prompts":[{"name":"greet","arguments":[{"name":"who"},{"name":"how"}]}]}`)}}},
			{On: "resources/list", Do: []upstreamtest.Step{{Reply: json.RawMessage(`{"resources":[{"uri":"note://one","name":"One"}]}`)}}},
			{On: "resources/templates/list", Do: []upstreamtest.Step{{Reply: json.RawMessage(`{"resourceTemplates":[]}`)}}},
		},
	}))
	defer server.Close()
	started := filepath.Join(t.TempDir(), "started")
	config := writeConfig(t, "servers:\n  art: {url: \""+server.URL+"\"}\n  never: {command: touch, args: [\""+filepath.ToSlash(started)+"\"], start: eager}\n"+
		"  off: {command: x, enabled: false}\naliases: {a: art, o: off}\nprofiles:\n  found: {servers: [art], expose: search}\n  home: {servers: [art]}\n  work: {servers: [off]}\n"+
		"policy: {default: execute, rules: [{server: art, tool: secret, level: deny}]}\n")
	complete := func(words ...string) []string { return offered(t, append([]string{"--config", config}, words...)...) }

	if got := complete("call", ""); got != nil {
		t.Errorf("before anything is stored: got %q", got)
	}
	if asked := weir(t, "--config", config, "--profile", "home", "tools"); asked.code != exitOK {
		t.Fatalf("got %+v", asked)
	}
	server.Close() // from now on it could not be asked
	tests := []struct {
		words string
		want  []string
	}{
		{"call |", []string{"art__paint"}},
		{"install cursor --secrets |", []string{"keyring", "keep"}},
		{"import --secrets ke|", []string{"keyring", "keep"}},
		{"install cursor vs|", []string{"vscode"}},
		{"call art__paint |", []string{"colour=", "wet=", "walls=", "note="}},
		{"call art__paint colour=red note:=1 walls=north |", []string{"wet=", "walls="}},
		{"call art__paint colour=|", []string{"colour=red", "colour=green"}},
		{"call art__paint colour=g|", []string{"colour=green"}},
		{"call art__paint wet=|", []string{"wet=true", "wet=false"}},
		{"call art__paint walls=|", []string{"walls=north", "walls=south"}},
		{"call art__paint note=|", nil},
		{"call nothing |", nil},
		{"prompt |", []string{"art__greet"}},
		{"prompt art__greet who=x |", []string{"how="}},
		{"read |", []string{"note://one"}},
		{"read note://one |", nil},
		{"remove |", []string{"art", "never", "off"}},
		{"remove art |", []string{"never", "off"}},
		{"enable |", []string{"off"}},
		{"disable |", []string{"art", "never"}},
		{"login |", []string{"art"}},
		{"pins diff |", []string{"art", "never", "off"}},
		{"pins diff art |", nil},
		{"policy explain |", []string{"art__paint"}},
		{"alias |", nil},
		{"alias x |", []string{"art", "never", "off"}},
		{"alias --remove |", []string{"a", "o"}},
		{"alias --remove a |", []string{"o"}},
		{"add |", nil},
		{"--profile |", []string{"found", "home", "work"}},
		{"--profile found call |", []string{"art__paint"}}, // only a host is shown how to look for it
	}
	for _, tt := range tests {
		t.Run(tt.words, func(t *testing.T) {
			words := strings.Split(strings.TrimSuffix(tt.words, "|"), " ")
			if diff := cmp.Diff(tt.want, complete(words...)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if got := weir(t, "--config", config, "__complete", "call", ""); !strings.Contains(got.stdout, "art__paint\tPaints a wall\n") {
		t.Errorf("beside the name: got %q", got.stdout)
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("a server was started")
	}
	if got := offered(t, "--config", writeConfig(t, "servers: 3\n"), "remove", ""); got != nil {
		t.Errorf("of a configuration that cannot be used: got %q", got)
	}
}

// TestCompletionOfWords offers what is the same on every machine.
func TestCompletionOfWords(t *testing.T) {
	newHome(t)
	for _, test := range []struct {
		words []string
		want  []string
	}{
		{[]string{"install", "c"}, []string{"claude-desktop", "claude-code", "cursor", "codex"}},
		{[]string{"install", "cursor", "c"}, []string{"claude-desktop", "claude-code", "codex"}},
		{[]string{"uninstall", "z"}, []string{"zed"}},
		{[]string{"import", "w"}, []string{"windsurf"}},
		{[]string{"tools", "--format", ""}, []string{"table", "json", "openai", "openai-responses", "anthropic", "gemini"}},
		{[]string{"call", "--from", ""}, []string{"openai", "openai-responses", "anthropic", "gemini"}},
	} {
		if diff := cmp.Diff(test.want, offered(t, test.words...)); diff != "" {
			t.Errorf("%q: -want +got:\n%s", test.words, diff)
		}
	}
}
