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

const oneServer = `
servers:
  desk: {command: WEIR, args: [demo-server]}
policy:
  default: execute
  rules:
    - {server: desk, tool: "delete_*", level: deny}
    - {server: desk, tool: now, level: read}
`

func TestTools(t *testing.T) {
	newHome(t)
	config := writeConfig(t, oneServer)
	for _, start := range []string{"asked", "from the stored list"} {
		t.Run(start, func(t *testing.T) {
			got := weir(t, "tools", "--config", config)
			got.wants(t, exitOK, "TOOL", "desk__echo", "Returns the text it is given.", "6 tools")
			if strings.Contains(got.stdout, "delete_everything") {
				t.Error("a denied tool is listed")
			}
		})
	}
}

func TestToolsOfNobody(t *testing.T) {
	newHome(t)
	weir(t, "tools", "--config", writeConfig(t, "servers:\n  off: {command: WEIR, enabled: false}\n")).wants(t, exitOK, "TOOL", "0 tools")
}

func TestToolsJSON(t *testing.T) {
	newHome(t)
	got := weir(t, "tools", "--json", "--config", writeConfig(t, oneServer))
	got.wants(t, exitOK)
	var tools []struct {
		Name        string
		InputSchema json.RawMessage
	}
	if err := json.Unmarshal([]byte(got.stdout), &tools); err != nil {
		t.Fatalf("%v in %s", err, got.stdout)
	}
	if len(tools) != 6 || tools[0].Name != "desk__echo" || tools[0].InputSchema == nil {
		t.Errorf("got %+v, want the six tools", tools)
	}
}

func TestCall(t *testing.T) {
	newHome(t)
	config := writeConfig(t, oneServer)
	tests := []struct {
		name  string
		args  []string
		stdin string
		code  int
		want  string
	}{
		{"text", []string{"desk__echo", "text=hello"}, "", exitOK, "hello\n"},
		{"a number for a text", []string{"desk__echo", "text=42"}, "", exitOK, "42\n"},
		{"numbers", []string{"desk__add", "a=2", "b:=40"}, "", exitOK, "42\n"},
		{"an object", []string{"desk__echo", `{"text":"a<b"}`}, "", exitOK, "a<b\n"},
		{"an object on stdin", []string{"desk__echo", "-"}, `{"text":"piped"}`, exitOK, "piped\n"},
		{"raw result", []string{"desk__echo", "--json", `{"text":"x"}`}, "", exitOK, `{"content":[{"type":"text","text":"x"}]}`},
		{"progress", []string{"desk__slow", "seconds=0", "steps=2"}, "", exitOK, "done after 0 seconds"},
		{"failure", []string{"desk__fail", "message=oh no"}, "", exitFailed, "oh no\nweir: desk__fail answered with an error"},
		{"typo in a tool", []string{"desk__ecko", "text=x"}, "", exitFailed, `did you mean "desk__echo"?`},
		{"typo in an argument", []string{"desk__echo", "txt=x"}, "", exitUsage, `did you mean "text"?`},
		{"wrong type", []string{"desk__add", "a=two", "b=2"}, "", exitUsage, `argument "a": want number, got "two"`},
		{"denied", []string{"desk__delete_everything"}, "", exitFailed, "Unknown tool: desk__delete_everything"},
		{"listed, not callable", []string{"desk__now"}, "", exitFailed, "rule"},
		{"bare name", []string{"echo", "text=bare"}, "", exitOK, "bare"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"--config", config, "call"}, tt.args...)
			weirWithInput(t, tt.stdin, args...).wants(t, tt.code, tt.want)
		})
	}
}

// TestCallFails: who calls is told where to look, if it was not the tool that failed.
func TestCallFails(t *testing.T) {
	newHome(t)
	config := writeConfig(t, "servers:\n  gone: {command: no-such-program}\npolicy: {default: execute}\n")
	weir(t, "--config", config, "call", "gone__x").wants(t, exitFailed, "weir: gone__x failed (see: weir doctor --server gone)")
}

func TestServers(t *testing.T) {
	newHome(t)
	broken := strings.Replace(oneServer, "servers:\n", `servers:
  gone: {command: no-such-program}
  exits: {command: WEIR, args: [version]}
  unset: {command: WEIR, env: {TOKEN: "${UNSET_IN_TEST}"}}
  off: {command: WEIR, enabled: false}
`, 1)
	t.Run("all well", func(t *testing.T) {
		weir(t, "servers", "--config", writeConfig(t, oneServer)).
			wants(t, exitOK, "SERVER", "desk", "ready", "stdio", "just now")
	})
	t.Run("some failed", func(t *testing.T) {
		got := weir(t, "servers", "--config", writeConfig(t, broken))
		got.wants(t, exitPartly, "no-such-program", "UNSET_IN_TEST", "disabled", "ready", "(weir doctor says how to mend it)")
	})
	t.Run("as JSON", func(t *testing.T) {
		got := weir(t, "servers", "--json", "--config", writeConfig(t, broken))
		var lines []serverLine
		if err := json.Unmarshal([]byte(got.stdout), &lines); err != nil {
			t.Fatalf("%v in %s", err, got.stdout)
		}
		var failed []string
		for _, line := range lines {
			if line.Error != "" {
				failed = append(failed, line.Name)
			}
		}
		if diff := cmp.Diff([]string{"gone", "exits", "unset"}, failed); diff != "" {
			t.Errorf("failed servers: -want +got:\n%s", diff)
		}
	})
	t.Run("all failed", func(t *testing.T) {
		config := writeConfig(t, "servers:\n  gone: {command: no-such-program}\n")
		weir(t, "servers", "--config", config).wants(t, exitFailed, "gone")
		weir(t, "tools", "--config", config).wants(t, exitFailed, "missing:", "no-such-program")
	})
}

func TestNoConfiguration(t *testing.T) {
	home := newHome(t)
	got := weir(t, "tools")
	got.wants(t, exitOK, "No servers are configured", "mcp.yaml", "weir__servers")
	if strings.Contains(got.stderr, home) {
		t.Error("the home folder is told; want ~")
	}
	weir(t, "servers").wants(t, exitOK, "No servers are configured")
	weir(t, "call", "weir__servers").wants(t, exitOK, "No servers are configured")
}

func TestBrokenConfiguration(t *testing.T) {
	newHome(t)
	config := writeConfig(t, "servers:\n  a: {comand: x}\n")
	for _, command := range []string{"tools", "servers", "call"} {
		args := []string{"--config", config, command}
		if command == "call" {
			args = append(args, "x")
		}
		weir(t, args...).wants(t, exitFailed, "mcp.yaml:2", `command`)
	}
	weir(t, "tools", "--config", filepath.Join(t.TempDir(), "none.yaml")).wants(t, exitFailed, "none.yaml", "must exist")
}

func TestWithoutAHomeFolder(t *testing.T) {
	newHome(t)
	for _, name := range []string{"HOME", "USERPROFILE", "AppData", "LocalAppData"} {
		t.Setenv(name, "")
	}
	weir(t, "call", "--config", writeConfig(t, oneServer), "desk__echo", "text=x").wants(t, exitOK, "x\n")
	weir(t, "tools").wants(t, exitOK, "No servers are configured")
}

// Without a command and with input that is no terminal, weir serves.
func TestBare(t *testing.T) {
	newHome(t)
	got := weirWithInput(t, `{"jsonrpc":"2.0","id":1,"method":"ping"}`+"\n")
	got.wants(t, exitOK)
	if want := `{"jsonrpc":"2.0","id":1,"result":{}}` + "\n"; got.stdout != want {
		t.Errorf("got %q, want %q", got.stdout, want)
	}
}

func TestExample(t *testing.T) {
	newHome(t)
	path := filepath.Join("..", "..", "mcp.yaml.example")
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	got := weir(t, "tools", "--config", path)
	if got.code != exitOK {
		t.Errorf("exit code: got %d, want 0:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// The transport is the one in use, which the configuration need not name.
func TestServersTransport(t *testing.T) {
	newHome(t)
	scripted := upstreamtest.New(upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("echo")}})
	sse := httptest.NewServer(upstreamtest.HTTPWithSSE(scripted))
	defer sse.Close()
	sockets := upstreamtest.WebSocket(scripted)
	defer sockets.Close()
	web := httptest.NewServer(sockets)
	defer web.Close()
	config := writeConfig(t, "servers:\n  old: {url: \""+sse.URL+"\"}\n  live: {url: \"ws"+strings.TrimPrefix(web.URL, "http")+"\"}\n")
	weir(t, "servers", "--json", "--config", config).wants(t, exitOK, `"transport": "sse"`, `"transport": "websocket"`)
}
