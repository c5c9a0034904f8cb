package hosts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/internal/config"
)

// A language is how a host writes references in the texts of its file: it turns
// one text into weir's own way of writing it.
type language func(t *translation, text string) (string, error)

// A translation is of the texts of one server.
type translation struct {
	machine Machine
	place   Place
	inputs  []string // ids of the inputs that were named
}

// plain is of hosts that replace nothing.
func plain(_ *translation, text string) (string, error) { return config.Literal(text), nil }

// shell is of ${VAR} and ${VAR:-default}.
func shell(_ *translation, text string) (string, error) {
	return braces(text, func(ref string) (string, error) {
		if name, _, _ := strings.Cut(ref, ":-"); isVariable(name) {
			return "${" + ref + "}", nil
		}
		return config.Literal("${" + ref + "}"), nil
	})
}

// dollars is of $VAR besides.
func dollars(t *translation, text string) (string, error) {
	var b strings.Builder
	for rest := text; rest != ""; {
		at := strings.IndexByte(rest, '$')
		if at < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:at])
		rest = rest[at:]
		n := 1
		for n < len(rest) && isWordByte(rest[n]) {
			n++
		}
		if name := rest[1:n]; isVariable(name) {
			b.WriteString("${" + name + "}")
			rest = rest[n:]
			continue
		}
		b.WriteByte('$')
		rest = rest[1:]
	}
	return shell(t, b.String())
}

// editor is of Cursor, VS Code and Windsurf: ${env:VAR}, ${workspaceFolder},
// ${input:ID} and more.
func editor(t *translation, text string) (string, error) {
	return braces(text, func(ref string) (string, error) {
		kind, name, _ := strings.Cut(ref, ":")
		switch {
		case kind == "env" && isVariable(name), kind == "file" && name != "":
			return "${" + ref + "}", nil
		case kind == "input" && name != "":
			if !slices.Contains(t.inputs, name) {
				t.inputs = append(t.inputs, name)
			}
			return InputReference(name), nil
		case ref == "userHome":
			return config.Literal(t.machine.Home), nil
		case ref == "pathSeparator", ref == "/":
			return t.machine.separator(), nil
		case ref == "workspaceFolder", ref == "workspaceRoot":
			if t.place.Folder == "" {
				return "", fmt.Errorf("${%s} is the folder that is open in %s; write the folder out there first", ref, t.place.Host.Title)
			}
			return config.Literal(t.place.Folder), nil
		case ref == "workspaceFolderBasename" && t.place.Folder != "":
			return config.Literal(t.machine.base(t.place.Folder)), nil
		case isVariable(ref) && !strings.HasPrefix(ref, "workspaceFolder"):
			return "${" + ref + "}", nil
		}
		return "", fmt.Errorf("${%.60s} is known to %s only; write the value out there first", ref, t.place.Host.Title)
	})
}

// common is of files that are not known to be any host's.
func common(t *translation, text string) (string, error) {
	return braces(text, func(ref string) (string, error) {
		if name, _, fallback := strings.Cut(ref, ":-"); fallback && isVariable(name) {
			return "${" + ref + "}", nil
		}
		return editor(t, "${"+ref+"}")
	})
}

// curly is of opencode: {env:VAR}, empty if there is none, and {file:PATH}.
func curly(t *translation, text string) (string, error) {
	var b strings.Builder
	for {
		at, end, written := t.nextCurly(text)
		if at < 0 {
			b.WriteString(config.Literal(text))
			return b.String(), nil
		}
		if at > 0 && text[at-1] == '$' {
			return "", errDollar
		}
		b.WriteString(config.Literal(text[:at]) + written)
		text = text[end:]
	}
}

// nextCurly is where the next reference of opencode stands, and how weir writes
// it; -1 if there is none.
func (t *translation) nextCurly(text string) (at, end int, written string) {
	for from := 0; ; from = at + 1 {
		next := strings.IndexByte(text[from:], '{')
		if next < 0 {
			return -1, 0, ""
		}
		at = from + next
		ref, _, closed := strings.Cut(text[at+1:], "}")
		kind, name, _ := strings.Cut(ref, ":")
		switch end = at + len(ref) + 2; {
		case !closed:
			return -1, 0, ""
		case kind == "env" && isVariable(name):
			return at, end, "${" + name + ":-}"
		case kind == "file" && name != "":
			return at, end, "${file:" + t.machine.besides(t.place.Path, name) + "}"
		}
	}
}

// InputReference is what stands for a value that VS Code asks a person for, until
// it is known. No weir reads it.
func InputReference(id string) string { return "${input:" + id + "}" }

// errDollar is of what weir reads as a reference that is none.
var errDollar = errors.New("a $ before a reference cannot be written down; write the value out there first")

// braces writes each ${REF} as with says. "${" that does not close is itself.
func braces(text string, with func(ref string) (string, error)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		ref, behind, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString(config.Literal("${" + rest))
			return b.String(), nil
		}
		written, err := with(ref)
		if err == nil && strings.HasSuffix(before, "$") && strings.HasPrefix(written, "${") {
			err = errDollar
		}
		if err != nil {
			return "", err
		}
		b.WriteString(written)
		text = behind
	}
}

// translated are the keys in whose texts hosts replace references, and weir does.
var translated = []string{
	"command", "args", "env", "envFile", "cwd", "url", "httpUrl", "serverUrl", "headers", "http_headers", "auth", "oauth",
}

// translate makes the texts of an entry weir's own.
func (t *translation) translate(n *yaml.Node, say language) (*yaml.Node, error) {
	made := *n
	made.Content = slices.Clone(n.Content)
	var errs []error
	for i := 0; i+1 < len(made.Content); i += 2 {
		if key := made.Content[i].Value; slices.Contains(translated, key) {
			made.Content[i+1] = t.texts(made.Content[i+1], say, key, &errs)
		}
	}
	return &made, errors.Join(errs...)
}

func (t *translation) texts(n *yaml.Node, say language, where string, errs *[]error) *yaml.Node {
	made := *n
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() != "!!str" {
			return n
		}
		text, err := say(t, n.Value)
		if err != nil {
			*errs = append(*errs, fmt.Errorf("%s: %w", where, err))
			return n
		}
		made.Value = text
	case yaml.SequenceNode:
		made.Content = slices.Clone(n.Content)
		for i := range made.Content {
			made.Content[i] = t.texts(made.Content[i], say, fmt.Sprintf("%s.%d", where, i+1), errs)
		}
	case yaml.MappingNode:
		made.Content = slices.Clone(n.Content)
		for i := 0; i+1 < len(made.Content); i += 2 {
			made.Content[i+1] = t.texts(made.Content[i+1], say, where+"."+made.Content[i].Value, errs)
		}
	case yaml.DocumentNode, yaml.AliasNode: // only YAML has them, which is no host's
	}
	return &made
}

// isVariable reports whether a text can be the name of a variable.
func isVariable(text string) bool {
	if text == "" || text[0] >= '0' && text[0] <= '9' {
		return false
	}
	for i := range len(text) {
		if !isWordByte(text[i]) {
			return false
		}
	}
	return true
}

func isWordByte(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func (m Machine) separator() string {
	if m.OS == "windows" {
		return `\`
	}
	return "/"
}

// isSeparator reports whether a byte separates the parts of a path here.
func (m Machine) isSeparator(c byte) bool { return c == '/' || c == '\\' && m.OS == "windows" }

func (m Machine) base(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if m.isSeparator(path[i]) {
			return path[i+1:]
		}
	}
	return path
}

// besides is a path as a file at that place names it.
func (m Machine) besides(file, path string) string {
	if m.isAbsolute(path) || path[0] == '~' {
		return path
	}
	folder := strings.TrimSuffix(file, m.base(file))
	if folder == "" {
		return path
	}
	return folder + strings.TrimPrefix(path, "."+m.separator())
}
