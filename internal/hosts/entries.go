package hosts

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// A writing is how a host writes its file.
type writing struct {
	language language

	// common turns an entry, which is a copy, into the common shape. Its error is why
	// weir cannot have the server.
	common func(entry *yaml.Node) error
}

// writingOf is how the file of a place is written.
func writingOf(p Place) writing {
	switch p.Host {
	case ClaudeDesktop:
		return writing{plain, nil}
	case ClaudeCode:
		return writing{shell, nil}
	case Cursor, VSCode, Windsurf:
		return writing{editor, nil}
	case Codex:
		return writing{plain, codexEntry}
	case Gemini:
		return writing{dollars, nil}
	case Zed:
		return writing{plain, zedEntry}
	case OpenCode:
		return writing{curly, opencodeEntry}
	}
	return writing{common, nil}
}

// codexEntry: variables to pass on may be tables with a name.
func codexEntry(entry *yaml.Node) error {
	if vars := value(entry, "env_vars"); vars != nil && vars.Kind == yaml.SequenceNode {
		names := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: vars.Line}
		for _, v := range vars.Content {
			if name := value(v, "name"); name != nil {
				v = name
			}
			names.Content = append(names.Content, v)
		}
		set(entry, "env_vars", names)
	}
	if tools := value(entry, "tools"); tools != nil && tools.Kind == yaml.MappingNode {
		rename(entry, "tools", "tools (approvals)")
	}
	return nil
}

// zedEntry: the command may be an object of its own, and a server may belong to
// an extension, which knows how to start it.
func zedEntry(entry *yaml.Node) error {
	source := value(entry, "source")
	command := value(entry, "command")
	if source != nil && source.Value == "extension" || command == nil && value(entry, "url") == nil {
		return fmt.Errorf("an extension of Zed starts it, and only that knows how")
	}
	drop(entry, "source")
	if command == nil || command.Kind != yaml.MappingNode {
		return nil
	}
	drop(entry, "command")
	for i := 0; i+1 < len(command.Content); i += 2 {
		key := *command.Content[i]
		if key.Value == "path" {
			key.Value = "command"
		}
		entry.Content = append(entry.Content, &key, command.Content[i+1])
	}
	return nil
}

// opencodeEntry: the command is the whole command line, and a timeout is that for
// the first list.
func opencodeEntry(entry *yaml.Node) error {
	rename(entry, "environment", "env")
	if command := value(entry, "command"); command != nil && command.Kind == yaml.SequenceNode && len(command.Content) > 0 {
		args := *command
		args.Content = slices.Clone(command.Content[1:])
		set(entry, "command", command.Content[0])
		if len(args.Content) > 0 {
			set(entry, "args", &args)
		}
	}
	if login := value(entry, "oauth"); login != nil && login.Kind == yaml.ScalarNode {
		drop(entry, "oauth")
		if login.Value == "false" {
			set(entry, "auth", &yaml.Node{
				Kind: yaml.MappingNode, Tag: "!!map", Line: login.Line,
				Content: []*yaml.Node{text("type", login.Line), text("none", login.Line)},
			})
		}
	}
	timeout := value(entry, "timeout")
	switch {
	case timeout == nil:
	case timeout.Kind == yaml.MappingNode:
		drop(entry, "timeout")
		for from, to := range map[string]string{"startup": "startup_timeout_ms", "request": "timeout"} {
			if n := value(timeout, from); n != nil {
				set(entry, to, n)
			}
		}
	default:
		rename(entry, "timeout", "startup_timeout_ms")
	}
	return nil
}

// absolute makes paths that begin where the host's project is independent of where
// weir is started.
func (t *translation) absolute(entry *yaml.Node) {
	if t.place.Folder == "" {
		return
	}
	relative := func(path string) bool {
		return strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../") || path == "." || path == ".." ||
			t.machine.OS == "windows" && (strings.HasPrefix(path, `.\`) || strings.HasPrefix(path, `..\`))
	}
	below := func(key string, n *yaml.Node) {
		set(entry, key, text(t.machine.below("", t.place.Folder, strings.TrimPrefix(n.Value, "."+t.machine.separator())), n.Line))
	}
	cwd := value(entry, "cwd")
	if cwd != nil && cwd.Kind == yaml.ScalarNode && cwd.Value != "" && !t.machine.isAbsolute(cwd.Value) && !strings.ContainsAny(cwd.Value[:1], "~$") {
		below("cwd", cwd)
	}
	command := value(entry, "command")
	if command == nil || command.Kind != yaml.ScalarNode {
		return
	}
	isPath := strings.ContainsFunc(command.Value, func(r rune) bool { return r < 0x80 && t.machine.isSeparator(byte(r)) })
	if isPath && !t.machine.isAbsolute(command.Value) && !strings.ContainsAny(command.Value[:1], "~$") {
		below("command", command)
	}
	args := value(entry, "args")
	if cwd == nil && args != nil && slices.ContainsFunc(args.Content, func(n *yaml.Node) bool { return relative(n.Value) }) {
		set(entry, "cwd", text(t.place.Folder, args.Line))
	}
}

// value is what stands under a key of a mapping; nil if nothing does, or n is none.
func value(n *yaml.Node, key string) *yaml.Node {
	if i := indexOf(n, key); i >= 0 {
		return n.Content[i+1]
	}
	return nil
}

// indexOf is where a key is among the parts of a mapping; -1 if it is not there.
func indexOf(n *yaml.Node, key string) int {
	if n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

func set(n *yaml.Node, key string, to *yaml.Node) {
	if i := indexOf(n, key); i >= 0 {
		n.Content[i+1] = to
		return
	}
	n.Content = append(n.Content, text(key, to.Line), to)
}

func drop(n *yaml.Node, key string) {
	if i := indexOf(n, key); i >= 0 {
		n.Content = slices.Delete(n.Content, i, i+2)
	}
}

func rename(n *yaml.Node, from, to string) {
	if i := indexOf(n, from); i >= 0 && indexOf(n, to) < 0 {
		n.Content[i] = text(to, n.Content[i].Line)
	}
}

func text(s string, line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Line: line}
}
