package cli

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// hostEntry is what stands in a host's settings to have weir started, as far as
// weir writes it: other members are the user's. have is the entry that is there; nil
// if there is none. Variables are those that weir is to be given.
func (a *app) hostEntry(h hosts.Host, program string, args []string, have []byte, variables []string) []jsonrpc.Member {
	command := jsonrpc.NewMember("command", jsonrpc.AppendString(nil, program))
	arguments := jsonrpc.NewMember("args", jsonrpc.AppendStrings(nil, args))
	old, _ := jsonrpc.ParseObject(nil, have) // what is there and no object is replaced
	switch h {
	case hosts.VSCode:
		return []jsonrpc.Member{jsonrpc.NewMember("type", []byte(`"stdio"`)), command, arguments}
	case hosts.Zed:
		return []jsonrpc.Member{jsonrpc.NewMember("source", []byte(`"custom"`)), command, arguments}
	case hosts.OpenCode:
		whole := jsonrpc.AppendStrings(nil, append([]string{program}, args...))
		return []jsonrpc.Member{jsonrpc.NewMember("type", []byte(`"local"`)), jsonrpc.NewMember("command", whole)}
	case hosts.Codex:
		return append([]jsonrpc.Member{command, arguments}, namedVariables(old, append(a.heldBack(), variables...))...)
	case hosts.Gemini:
		return append([]jsonrpc.Member{command, arguments}, filledVariables(old, variables)...)
	}
	return []jsonrpc.Member{command, arguments}
}

// namedVariables is how Codex passes variables on: by a list of names, to which
// these are added.
func namedVariables(entry []jsonrpc.Member, more []string) []jsonrpc.Member {
	items, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(entry, "env_vars"))
	list := []byte{'['}
	for _, item := range items {
		list = append(append(list, item...), ',')
	}
	isNamed := func(name string) bool {
		return slices.ContainsFunc(items, func(item []byte) bool {
			text, err := jsonrpc.String(item)
			return err == nil && text == name
		})
	}
	added := false
	for _, name := range more {
		if !isNamed(name) {
			added = true
			list = append(jsonrpc.AppendString(list, name), ',')
		}
	}
	if !added {
		return nil
	}
	list[len(list)-1] = ']'
	return []jsonrpc.Member{jsonrpc.NewMember("env_vars", list)}
}

// filledVariables is how Gemini CLI passes variables on whose names sound secret: by
// values that name them, which are added.
func filledVariables(entry []jsonrpc.Member, more []string) []jsonrpc.Member {
	values, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(entry, "env"))
	had := len(values)
	for _, name := range more {
		if jsonrpc.Find(values, name) == nil {
			values = append(values, jsonrpc.NewMember(name, jsonrpc.AppendString(nil, "$"+name)))
		}
	}
	if len(values) == had {
		return nil
	}
	return []jsonrpc.Member{jsonrpc.NewMember("env", jsonrpc.AppendObject(nil, values))}
}

// wellKnown are variables that every host passes on.
var wellKnown = []string{"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER"}

// variables are those of this environment that the servers of mcp.yaml need, and those
// that are taken over.
func (a *app) variables(t taking) (names []string) {
	var used config.Sources
	file, err := config.Load(config.Options{Path: a.configFlag, Profile: a.identity.profile.text, Sources: &used})
	names = slices.Concat(t.variables, used.Variables())
	if err == nil { // else it is found out by whoever reads it
		for _, s := range file.Servers {
			names = append(names, s.InheritEnv...)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return a.getenv(name) == "" || slices.Contains(wellKnown, name)
	})
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
		said = append(said, "it keeps variables back from weir but those in the entry, which are those that mcp.yaml uses now: later ones belong there too, or into env_file")
	}
	if h == hosts.ClaudeDesktop {
		said = append(said, "it reads its settings at its next start")
	}
	return strings.Join(said, "; ")
}
