package hosts

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func lines(places []Place) (all []string) {
	for _, p := range places {
		all = append(all, fmt.Sprintf("%s %s %s %s %s", p.Host.ID, p.Scope, p.Path, p.Format, strings.Join(p.Servers, "/")))
	}
	return all
}

func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		name    string
		machine Machine
		want    []string
	}{
		{"linux", Machine{OS: "linux", Home: "/home/u"}, []string{
			"claude-desktop user /home/u/.config/Claude/claude_desktop_config.json json mcpServers",
			"claude-code user /home/u/.claude.json json mcpServers",
			"cursor user /home/u/.cursor/mcp.json json mcpServers",
			"vscode user /home/u/.config/Code/User/mcp.json json servers",
			"vscode user /home/u/.config/Code/User/settings.json json mcp/servers",
			"vscode user /home/u/.config/Code - Insiders/User/mcp.json json servers",
			"vscode user /home/u/.config/Code - Insiders/User/settings.json json mcp/servers",
			"vscode user /home/u/.config/VSCodium/User/mcp.json json servers",
			"vscode user /home/u/.config/VSCodium/User/settings.json json mcp/servers",
			"windsurf user /home/u/.codeium/windsurf/mcp_config.json json mcpServers",
			"codex user /home/u/.codex/config.toml toml mcp_servers",
			"gemini user /home/u/.gemini/settings.json json mcpServers",
			"zed user /home/u/.config/zed/settings.json json context_servers",
			"opencode user /home/u/.config/opencode/opencode.json json mcp",
			"opencode user /home/u/.config/opencode/opencode.jsonc json mcp",
		}},
		{"macOS, the Claudes and Zed", Machine{OS: "darwin", Home: "/Users/u/", Getenv: variables("XDG_CONFIG_HOME=/x")}, []string{
			"claude-desktop user /Users/u/Library/Application Support/Claude/claude_desktop_config.json json mcpServers",
			"claude-code user /Users/u/.claude.json json mcpServers",
			"vscode user /Users/u/Library/Application Support/Code/User/mcp.json json servers",
			"zed user /Users/u/.config/zed/settings.json json context_servers",
			"opencode user /x/opencode/opencode.json json mcp",
		}},
		{"Windows", Machine{OS: "windows", Home: `C:\Users\u`, Getenv: variables(`APPDATA=D:\Roaming`)}, []string{
			`claude-desktop user D:\Roaming\Claude\claude_desktop_config.json json mcpServers`,
			`cursor user C:\Users\u\.cursor\mcp.json json mcpServers`,
			`vscode user D:\Roaming\Code\User\mcp.json json servers`,
			`codex user C:\Users\u\.codex\config.toml toml mcp_servers`,
			`zed user D:\Roaming\Zed\settings.json json context_servers`,
			`opencode user C:\Users\u\.config\opencode\opencode.json json mcp`,
		}},
		{"Windows without APPDATA", Machine{OS: "windows", Home: `C:\Users\u`}, []string{
			`claude-desktop user C:\Users\u\AppData\Roaming\Claude\claude_desktop_config.json json mcpServers`,
		}},
		{"variables", Machine{OS: "linux", Home: "/home/u", Getenv: variables("XDG_CONFIG_HOME=/x", "CODEX_HOME=/c", "CLAUDE_CONFIG_DIR=/cc/", "GEMINI_CLI_HOME=/g")}, []string{
			"claude-desktop user /x/Claude/claude_desktop_config.json json mcpServers",
			"claude-code user /cc/.claude.json json mcpServers",
			"vscode user /x/Code/User/mcp.json json servers",
			"codex user /c/config.toml toml mcp_servers",
			"gemini user /g/.gemini/settings.json json mcpServers",
			"zed user /x/zed/settings.json json context_servers",
		}},
		{"variables that name no folder", Machine{OS: "linux", Home: "/home/u", Getenv: variables("XDG_CONFIG_HOME=x", "CODEX_HOME=.")}, []string{
			"claude-desktop user /home/u/.config/Claude/claude_desktop_config.json json mcpServers",
			"codex user /home/u/.codex/config.toml toml mcp_servers",
		}},
		{"a project", Machine{OS: "linux", Home: "/home/u", Project: "/p"}, []string{
			"claude-code local /home/u/.claude.json json projects//p/mcpServers",
			"claude-code project /p/.mcp.json json mcpServers",
			"cursor project /p/.cursor/mcp.json json mcpServers",
			"vscode project /p/.vscode/mcp.json json servers",
			"codex project /p/.codex/config.toml toml mcp_servers",
			"gemini project /p/.gemini/settings.json json mcpServers",
			"zed project /p/.zed/settings.json json context_servers",
			"opencode project /p/opencode.json json mcp",
			"opencode project /p/opencode.jsonc json mcp",
		}},
		{"no home", Machine{OS: "linux"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := lines(tt.machine.Places())
			if tt.name == "linux" || tt.want == nil {
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				return
			}
			for _, want := range tt.want {
				if !slices.Contains(got, want) {
					t.Errorf("no place %q among\n%s", want, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// variables is an environment of KEY=value.
func variables(all ...string) func(string) string {
	return func(key string) string {
		for _, v := range all {
			if name, value, _ := strings.Cut(v, "="); name == key {
				return value
			}
		}
		return ""
	}
}

func TestByID(t *testing.T) {
	if h, ok := ByID("VSCode"); !ok || h != VSCode {
		t.Errorf("got %v %v, want VS Code", h, ok)
	}
	if h, ok := ByID("emacs"); ok {
		t.Errorf("got %v for what is no host", h)
	}
}
