package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestToolsFormat(t *testing.T) {
	newHome(t)
	config := writeConfig(t, oneServer)
	for _, tt := range []struct {
		format string
		strict bool
		first  string // as it begins
		count  string // how often each definition has it
	}{
		{"openai", false, `[{"type":"function","function":{"name":"desk__echo",`, `"parameters":`},
		{"openai", true, `[{"type":"function","function":{"name":"desk__echo",`, `"strict":true`},
		{"openai-responses", false, `[{"type":"function","name":"desk__echo",`, `"strict":false`},
		{"anthropic", false, `[{"name":"desk__echo",`, `"input_schema":`},
		{"anthropic", true, `[{"name":"desk__echo",`, `"strict":true`},
		{"gemini", false, `[{"functionDeclarations":[{"name":"desk__echo",`, `"parametersJsonSchema":`},
	} {
		t.Run(tt.format, func(t *testing.T) {
			args := []string{"tools", "--format", tt.format, "--config", config}
			if tt.strict {
				args = append(args, "--strict")
			}
			got := weir(t, args...)
			got.wants(t, exitOK)
			if !json.Valid([]byte(got.stdout)) {
				t.Errorf("not JSON: %s", got.stdout)
			}
			text := strings.ReplaceAll(got.stdout, "\n", "")
			if !strings.HasPrefix(text, tt.first) || strings.Count(text, tt.count) != 6 {
				t.Errorf("got %s, want it to begin with %s and %d times %s", got.stdout, tt.first, 6, tt.count)
			}
			if strings.Contains(text, "delete_everything") {
				t.Error("a denied tool is defined")
			}
		})
	}
}

func TestToolsFormatNotes(t *testing.T) {
	newHome(t)
	config := writeConfig(t, `
servers:
  tools_of_a_server_with_a_name: {command: WEIR, args: [demo-server], prefix: "9"}
tools:
  env: {description: "D", command: [echo], input: {type: object, additionalProperties: {type: string}}}
policy: {default: execute}
`)
	weir(t, "tools", "--format", "openai", "--strict", "--config", config).
		wants(t, exitOK, "note: tools__env is not strict: the tool takes any key")
	weir(t, "tools", "--format", "gemini", "--config", config).
		wants(t, exitOK, "note: 9__echo is called _9__echo_")
}

func TestToolsFormatUsage(t *testing.T) {
	newHome(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--format", "cobol"}, `unknown format "cobol" (want table, json, openai,`},
		{[]string{"--format", "gemini", "--strict"}, "gemini has no strict schemas"},
		{[]string{"--strict"}, "--strict goes with --format openai"},
		{[]string{"--format", "json", "--strict"}, "--strict goes with --format openai"},
		{[]string{"--tokens", "--format", "table"}, "--tokens goes with --format openai"},
		{[]string{"--tokens", "--strict", "--format", "gemini"}, "gemini has no strict schemas"},
		{[]string{"--format", "openai", "--json"}, "--json and --format openai contradict each other"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			weir(t, append([]string{"tools"}, tt.args...)...).wants(t, exitUsage, tt.want)
		})
	}
}

func TestToolsTokens(t *testing.T) {
	newHome(t)
	config := writeConfig(t, strings.Replace(oneServer, "servers:\n", "servers:\n  more: {command: WEIR, args: [demo-server]}\n", 1))
	weir(t, "tools", "--tokens", "--config", config).
		wants(t, exitOK, "TOKENS  TOOL\n", "TOKENS  TOOLS  SERVER\n", "desk", "tokens for 13 tools")
	got := weir(t, "tools", "--tokens", "--json", "--config", config)
	got.wants(t, exitOK)
	var costs struct {
		Tokens  int
		Servers []struct {
			Server        string
			Tools, Tokens int
		}
		Tools []struct {
			Tool, Server string
			Tokens       int
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &costs); err != nil {
		t.Fatalf("%v in %s", err, got.stdout)
	}
	sums, last := map[string]int{}, 1<<30
	for _, tool := range costs.Tools {
		if tool.Tokens > last || tool.Tokens < 20 || !strings.HasPrefix(tool.Tool, tool.Server+"__") {
			t.Errorf("got %+v behind %d tokens", tool, last)
		}
		last = tool.Tokens
		sums[tool.Server] += tool.Tokens
		sums[""] += tool.Tokens
	}
	if len(costs.Tools) != 13 || len(costs.Servers) != 2 || costs.Servers[0].Server != "more" || costs.Servers[0].Tools != 7 {
		t.Errorf("got %+v, want 7 tools of more before 6 of desk", costs)
	}
	for _, s := range costs.Servers {
		if s.Tokens != sums[s.Server] {
			t.Errorf("got %d tokens of %s, want %d", s.Tokens, s.Server, sums[s.Server])
		}
	}
	if costs.Tokens != sums[""] {
		t.Errorf("got %d tokens in all, want %d", costs.Tokens, sums[""])
	}
}
