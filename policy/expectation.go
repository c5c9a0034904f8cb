package policy

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// An Expectation is one row of a table in YAML that says what somebody wants of a
// policy: who (one of Key, Team, Org, Profile, or none), what (Server, and one of
// Tool, Prompt, Resource, or none for the server itself), with which arguments,
// and at least one of Expect, Ask and Listed.
type Expectation struct {
	Key     string `yaml:"key"`
	Team    string `yaml:"team"`
	Org     string `yaml:"org"`
	Profile string `yaml:"profile"`

	Server   string `yaml:"server"` // required: name or alias
	Tool     string `yaml:"tool"`
	Prompt   string `yaml:"prompt"`
	Resource string `yaml:"resource"`

	Args Object `yaml:"args"` // a mapping, or JSON as text; none are {}

	Expect *Level `yaml:"expect"` // exactly this level
	Ask    *bool  `yaml:"ask"`
	Listed *bool  `yaml:"listed"`

	Pos Position `yaml:"-"` // its line; the file is for whoever reads it to fill in
}

var expectationKeys = []string{"key", "team", "org", "profile", "server", "tool", "prompt", "resource", "args", "expect", "ask", "listed"}

// UnmarshalYAML reads a row, and refuses one that says nothing or too much. Its
// error is a [*ConfigError].
func (e *Expectation) UnmarshalYAML(n *yaml.Node) error {
	pos := Position{Line: n.Line}
	if n.Kind != yaml.MappingNode {
		return &ConfigError{Pos: pos, Text: "an expectation has keys with values"}
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(expectationKeys, key.Value) {
			return &ConfigError{
				Pos: Position{Line: key.Line}, Text: fmt.Sprintf("unknown key %q", key.Value),
				Word: key.Value, Known: expectationKeys,
			}
		}
	}
	type plain Expectation
	if err := n.Decode((*plain)(e)); err != nil {
		return &ConfigError{Pos: pos, Text: strings.ReplaceAll(err.Error(), "\n", " ")}
	}
	e.Pos = pos
	if text := e.problem(); text != "" {
		return &ConfigError{Pos: pos, Text: text}
	}
	return nil
}

func (e *Expectation) problem() string {
	switch {
	case e.Server == "":
		return `"server" is missing`
	case given(e.Tool, e.Prompt, e.Resource) > 1:
		return "it is about more than one of tool, prompt and resource; make them rows of their own"
	case given(e.Key, e.Team, e.Org, e.Profile) > 1:
		return "it names more than one of key, team, org and profile"
	case e.Expect == nil && e.Ask == nil && e.Listed == nil:
		return `nothing is expected: "expect", "ask" or "listed" is missing`
	default:
		return ""
	}
}

func given(texts ...string) (n int) {
	for _, text := range texts {
		if text != "" {
			n++
		}
	}
	return n
}

// Request is what the row asks for. The principal has what the row names; whoever
// knows its team, its org, the client and the definition of the tool adds them.
func (e *Expectation) Request(aliases Aliases) Request {
	r := Request{
		Server:    e.Server,
		Arguments: e.Args,
		Principal: Principal{Key: e.Key, Team: e.Team, Org: e.Org, Profile: e.Profile},
	}
	if target, isAlias := aliases[e.Server]; isAlias {
		r.Server = target
	}
	switch {
	case e.Tool != "":
		r.Kind, r.Name = Tool, e.Tool
	case e.Prompt != "":
		r.Kind, r.Name = Prompt, e.Prompt
	case e.Resource != "":
		r.Kind, r.Name = Resource, e.Resource
	}
	return r
}

// Check returns what a policy's verdict is, and in which ways it is not the one
// expected, each a short sentence part with its reason; none if it is.
func (e *Expectation) Check(p *Policy, r Request) (v Verdict, failures []string) {
	v = p.Decide(r)
	if e.Expect != nil && v.Level != *e.Expect {
		failures = append(failures, fmt.Sprintf("got %s, want %s: %s%s", v.Level, *e.Expect, v.Reason, v.Pos.inBrackets()))
	}
	switch {
	case e.Ask == nil || v.Ask == *e.Ask:
	case v.Ask:
		failures = append(failures, fmt.Sprintf("approval is asked for, want none: %s%s", v.AskReason, v.AskPos.inBrackets()))
	case v.Level == Deny:
		failures = append(failures, "no approval is asked for, want one: what is denied is not asked about")
	default:
		failures = append(failures, "no approval is asked for, want one: no rule that asks matches")
	}
	if e.Listed != nil && v.Listed() != *e.Listed {
		got := map[bool]string{true: "it is listed, want it hidden", false: "it is hidden, want it listed"}[v.Listed()]
		failures = append(failures, fmt.Sprintf("%s: the most that any arguments get is %s: %s%s", got, v.Best, v.Reason, v.Pos.inBrackets()))
	}
	return v, failures
}

func (p Position) inBrackets() string {
	if p == (Position{}) {
		return ""
	}
	return " (" + p.String() + ")"
}

// An Object is a raw JSON object that was written as YAML, or as text. A mapping
// is taken over member by member; text as it stands, be it an object or not: so
// what is twisted can be tried out too.
type Object []byte

// UnmarshalYAML reads it.
func (o *Object) UnmarshalYAML(n *yaml.Node) (err error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		*o = Object(n.Value)
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: arguments are a mapping, or JSON as text", n.Line)
	}
	*o, err = appendJSON(nil, n, maxNesting)
	return err
}

func appendJSON(out []byte, n *yaml.Node, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, fmt.Errorf("line %d: %w", n.Line, errTooDeep)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return appendMapping(out, n, depth)
	case yaml.SequenceNode:
		out = append(out, '[')
		for i, item := range n.Content {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = appendJSON(out, item, depth-1); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case yaml.ScalarNode:
		return appendScalar(out, n)
	default:
		return nil, fmt.Errorf("line %d: aliases are not supported in arguments", n.Line)
	}
}

func appendMapping(out []byte, n *yaml.Node, depth int) ([]byte, error) {
	seen := map[string]bool{}
	out = append(out, '{')
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
			return nil, fmt.Errorf("line %d: the names of arguments are text", key.Line)
		case seen[key.Value]:
			return nil, fmt.Errorf("line %d: %q stands here twice; to try that out, write the arguments as JSON in quotes", key.Line, key.Value)
		}
		seen[key.Value] = true
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendJSON(append(jsonrpc.AppendString(out, key.Value), ':'), n.Content[i+1], depth-1); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func appendScalar(out []byte, n *yaml.Node) ([]byte, error) {
	switch n.ShortTag() {
	case "!!null":
		return append(out, "null"...), nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return strconv.AppendBool(out, b), err
	case "!!int", "!!float":
		return appendNumber(out, n)
	default:
		return jsonrpc.AppendString(out, n.Value), nil
	}
}

// appendNumber keeps a number as it is written where JSON writes it so too.
func appendNumber(out []byte, n *yaml.Node) ([]byte, error) {
	if text := []byte(n.Value); jsonrpc.Valid(text) {
		return append(out, bytes.TrimSpace(text)...), nil
	}
	var i int64
	if n.ShortTag() == "!!int" && n.Decode(&i) == nil {
		return strconv.AppendInt(out, i, 10), nil
	}
	var f float64
	if err := n.Decode(&f); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, fmt.Errorf("line %d: JSON has no number %s", n.Line, n.Value)
	}
	return strconv.AppendFloat(out, f, 'g', -1, 64), nil
}
