package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A flaw is something in the schema of a tool's arguments that somebody does not
// take. weir passes schemas as they are.
type flaw struct {
	what   string // of the tools, in the plural
	comes  string // of it, and where
	hurts  []hosts.Host
	remedy string
	in     func(s *schema) (where string, found bool)
}

const leaveOut = "tell its authors; until then leave it out: tools: {exclude: [NAME]}"

// flaws are in the order of how much they hurt. Those of hosts and APIs are reported
// by users; the dates are of the reports.
var flaws = []flaw{
	{
		what:   "have no object as the schema of their arguments",
		comes:  "MCP demands one; strict hosts refuse the whole list",
		hurts:  hosts.All(),
		remedy: leaveOut,
		in:     func(s *schema) (string, bool) { return "", s.typeOf() != "object" },
	},
	{ // 2025-07 to 2026-09
		what:   "have arguments whose names Anthropic's API does not take (64 of A-Z a-z 0-9 _ . -)",
		comes:  "with one of them it refuses every request, other tools' too",
		hurts:  []hosts.Host{hosts.ClaudeCode, hosts.ClaudeDesktop},
		remedy: leaveOut + ", or hide the argument: overrides: {NAME: {arguments: {hide: […]}}}",
		in:     (*schema).oddKey,
	},
	{ // 2025-04 to 2026-09
		what:   "have a combination (oneOf, anyOf, allOf, if) at the root of their schema",
		comes:  "Claude Code leaves them out, silently; Anthropic's and OpenAI's APIs refuse them",
		hurts:  []hosts.Host{hosts.ClaudeCode, hosts.Codex},
		remedy: leaveOut,
		in: func(s *schema) (string, bool) {
			for _, key := range []string{"oneOf", "anyOf", "allOf", "if"} {
				if s.has(key) {
					return key, true
				}
			}
			return "", false
		},
	},
	{ // 2025-04 to 2026-08
		what:   "have a list without items among their arguments",
		comes:  "VS Code refuses them, and so does OpenAI's API",
		hurts:  []hosts.Host{hosts.VSCode, hosts.Codex},
		remedy: leaveOut,
		in:     anywhere(func(s *schema) bool { return s.typeOf() == "array" && !s.has("items") && !s.has("prefixItems") }),
	},
	{
		what:   "refer to another document, or to what is not there ($ref)",
		comes:  "nobody fetches it: models guess what the argument is",
		hurts:  nil,
		remedy: "tell its authors",
		in:     anywhere(func(s *schema) bool { return s.has("$ref") && !s.refersWithin() }),
	},
	{
		what:   "have true or false for the schema of an argument",
		comes:  "Gemini's API, and programs that know only objects there, refuse them",
		hurts:  nil,
		remedy: "tell its authors",
		in:     (*schema).bare,
	},
	{
		what:   "nest their arguments deeper than 10 levels",
		comes:  "models fill them in badly, and strict modes of APIs take 5 to 10",
		hurts:  nil,
		remedy: "tell its authors",
		in:     func(s *schema) (string, bool) { return "", s.depth(0) > 10 },
	},
	{
		what:   "have lists of more than 500 allowed values",
		comes:  "OpenAI's API takes 1000 in all, and they cost tokens in every conversation",
		hurts:  nil,
		remedy: "tell its authors",
		in: anywhere(func(s *schema) bool {
			values, _ := jsonrpc.ParseArray(nil, s.find("enum"))
			return len(values) > 500
		}),
	},
}

func schemas(f *Facts) (all []Finding) {
	if len(f.Tools) == 0 {
		return nil
	}
	for _, one := range flaws {
		for _, s := range f.different() {
			var hit []string
			for _, t := range f.Tools {
				if t.Server != s.Name {
					continue
				}
				if where, found := one.in(argumentsOf(t.Definition)); found && where != "" {
					hit = append(hit, t.Name+" ("+where+")")
				} else if found {
					hit = append(hit, t.Name)
				}
			}
			if len(hit) > 0 {
				all = append(all, one.finding(f, s.Name, hit))
			}
		}
	}
	if len(all) == 0 {
		return []Finding{{Severity: OK, Text: "nothing that a host or an API is known to refuse"}}
	}
	return all
}

// finding is a warning where a host is installed that it hurts, else a note.
func (one *flaw) finding(f *Facts, server string, tools []string) Finding {
	found := Finding{
		Severity: Note, Subject: server, Remedy: one.remedy,
		Text: fmt.Sprintf("%s %s: %s; %s", counted(len(tools), "tool", "tools"), one.what, some(tools), one.comes),
	}
	if len(tools) == 1 {
		found.Text = fmt.Sprintf("tools that %s: %s; %s", one.what, tools[0], one.comes)
	}
	if isAny(installed(f.Hosts), one.hurts...) {
		found.Severity = Warning
	}
	return found
}

// described is the description in a definition.
func described(definition []byte) string {
	members, _ := jsonrpc.ParseObject(nil, definition)
	text, _ := jsonrpc.String(jsonrpc.Find(members, "description"))
	return text
}

// A schema is a JSON Schema. It is a server's, and may be anything.
type schema struct {
	raw     []byte
	members []jsonrpc.Member // nil for what is no object
	root    *schema
}

// argumentsOf is the schema of a tool's arguments.
func argumentsOf(definition []byte) *schema {
	members, _ := jsonrpc.ParseObject(nil, definition)
	s := &schema{raw: jsonrpc.Find(members, "inputSchema")}
	s.members, _ = jsonrpc.ParseObject(nil, s.raw)
	s.root = s
	return s
}

func (s *schema) below(raw []byte) *schema {
	members, _ := jsonrpc.ParseObject(nil, raw)
	return &schema{raw, members, s.root}
}

func (s *schema) find(key string) []byte { return jsonrpc.Find(s.members, key) }
func (s *schema) has(key string) bool    { return s.find(key) != nil }

// typeOf is its type, if that is one word, or null and one word.
func (s *schema) typeOf() string {
	if text, err := jsonrpc.String(s.find("type")); err == nil {
		return text
	}
	all, _ := jsonrpc.ParseArray(nil, s.find("type"))
	word := ""
	for _, raw := range all {
		if text, _ := jsonrpc.String(raw); text != "null" {
			if word != "" {
				return ""
			}
			word = text
		}
	}
	return word
}

// A part of a schema is another one, under a name.
type part struct {
	name string
	raw  []byte
}

// parts are the schemas right within.
func (s *schema) parts() (all []part) {
	for _, m := range s.members {
		switch key := string(m.Key); key {
		case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
			members, _ := jsonrpc.ParseObject(nil, m.Value)
			for _, inner := range members {
				all = append(all, part{string(inner.Key), inner.Value})
			}
		case "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames":
			all = append(all, part{"", m.Value})
		case "allOf", "anyOf", "oneOf", "prefixItems":
			list, _ := jsonrpc.ParseArray(nil, m.Value)
			for _, inner := range list {
				all = append(all, part{"", inner})
			}
		}
	}
	return all
}

// Bounds of what is looked at: schemas are servers' to write.
const (
	maxDepth = 64
	maxParts = 20_000
)

// anywhere looks for something in a schema and all within, and names the argument
// where it is.
func anywhere(is func(*schema) bool) func(*schema) (string, bool) {
	return func(s *schema) (string, bool) {
		left := maxParts
		return s.search(is, nil, &left)
	}
}

func (s *schema) search(is func(*schema) bool, path []string, left *int) (string, bool) {
	if *left--; *left < 0 || len(path) > maxDepth {
		return "", false
	}
	if s.members != nil && is(s) {
		return strings.Join(slices.DeleteFunc(slices.Clone(path), func(p string) bool { return p == "" }), "."), true
	}
	for _, p := range s.parts() {
		if where, found := s.below(p.raw).search(is, append(path, p.name), left); found {
			return where, true
		}
	}
	return "", false
}

// oddKey is an argument whose name Anthropic's API does not take. It looks at the
// outermost only.
func (s *schema) oddKey() (string, bool) {
	members, _ := jsonrpc.ParseObject(nil, s.find("properties"))
	for _, m := range members {
		key := string(m.Key)
		isOdd := func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.-", r)
		}
		if key == "" || len(key) > 64 || strings.ContainsFunc(key, isOdd) {
			return key, true
		}
	}
	return "", false
}

// bare is an argument whose schema is no object.
func (s *schema) bare() (string, bool) {
	members, _ := jsonrpc.ParseObject(nil, s.find("properties"))
	for _, m := range members {
		if value := string(m.Value); value == "true" || value == "false" {
			return string(m.Key), true
		}
	}
	return "", false
}

// refersWithin reports whether a reference leads to what is there.
func (s *schema) refersWithin() bool {
	target, err := jsonrpc.String(s.find("$ref"))
	if err != nil {
		return false
	}
	path, within := strings.CutPrefix(target, "#")
	if !within {
		return false
	}
	if path == "" || !strings.HasPrefix(path, "/") {
		return true // itself, or an anchor
	}
	raw := s.root.raw
	for word := range strings.SplitSeq(path[1:], "/") {
		word = strings.ReplaceAll(strings.ReplaceAll(word, "~1", "/"), "~0", "~")
		members, err := jsonrpc.ParseObject(nil, raw)
		if err != nil {
			return true // into a list: that is looked at by nobody here
		}
		if raw = jsonrpc.Find(members, word); raw == nil {
			return false
		}
	}
	return true
}

// depth is how deep objects and lists stand in one another.
func (s *schema) depth(at int) int {
	deepest := at
	if at > maxDepth {
		return at
	}
	for _, p := range s.parts() {
		deepest = max(deepest, s.below(p.raw).depth(at+1))
	}
	return deepest
}
