package cli

import (
	"bytes"
	"path/filepath"
	"strings"

	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// hostEntry is what stands in a host's settings to have weir started, as far as
// weir writes it: other members are the user's.
func (a *app) hostEntry(h hosts.Host, program string, args []string) []jsonrpc.Member {
	command := jsonrpc.NewMember("command", jsonrpc.AppendString(nil, program))
	arguments := jsonrpc.NewMember("args", stringList(args))
	switch h {
	case hosts.VSCode:
		return []jsonrpc.Member{jsonrpc.NewMember("type", []byte(`"stdio"`)), command, arguments}
	case hosts.Zed:
		return []jsonrpc.Member{jsonrpc.NewMember("source", []byte(`"custom"`)), command, arguments}
	case hosts.OpenCode:
		whole := stringList(append([]string{program}, args...))
		return []jsonrpc.Member{jsonrpc.NewMember("type", []byte(`"local"`)), jsonrpc.NewMember("command", whole)}
	case hosts.Codex:
		if passed := a.heldBack(); len(passed) > 0 {
			return []jsonrpc.Member{command, arguments, jsonrpc.NewMember("env_vars", stringList(passed))}
		}
	}
	return []jsonrpc.Member{command, arguments}
}

// heldBack are the variables of this environment by which weir finds its files and
// the keyring, and which Codex does not pass on unless it is told to.
func (a *app) heldBack() (names []string) {
	for _, name := range []string{
		"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
	} {
		if a.getenv(name) != "" {
			names = append(names, name)
		}
	}
	return names
}

func stringList(texts []string) []byte {
	list := []byte{'['}
	for i, text := range texts {
		if i > 0 {
			list = append(list, ',')
		}
		list = jsonrpc.AppendString(list, text)
	}
	return append(list, ']')
}

// startsWeir reports whether an entry of a host is one of weir's: its command is
// this program, or one of that name.
func startsWeir(entry []byte, program string) bool {
	members, err := jsonrpc.ParseObject(nil, entry)
	if err != nil {
		return false
	}
	command := bytes.TrimLeft(jsonrpc.Find(members, "command"), " ")
	if list, err := jsonrpc.ParseArray(nil, command); err == nil && len(list) > 0 {
		command = list[0]
	}
	text, err := jsonrpc.String(command)
	if err != nil || text == "" {
		return false
	}
	name := filepath.Base(strings.ReplaceAll(text, `\`, "/"))
	return text == program || strings.TrimSuffix(strings.ToLower(name), ".exe") == "weir"
}

// aside is what a person should know who has put weir into a host.
func (a *app) aside(h hosts.Host) string {
	var said []string
	if a.getenv("WEIR_CONFIG") != "" && a.configFlag == "" {
		said = append(said, "$WEIR_CONFIG is set here, and the host may not have it: --config writes the file into the entry")
	}
	if h == hosts.Codex || h == hosts.Gemini {
		said = append(said, "it keeps variables back from weir: those that mcp.yaml uses belong into env_file, or into the entry (docs/install.md)")
	}
	if h == hosts.ClaudeDesktop {
		said = append(said, "it reads its settings at its next start")
	}
	return strings.Join(said, "; ")
}
