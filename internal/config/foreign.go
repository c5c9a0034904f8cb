package config

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
)

// A foreignServer is one entry in the files of Claude Desktop, Claude Code,
// Cursor, Windsurf, Gemini CLI, VS Code and others. Where they have several keys
// for one thing, at most one is there.
type foreignServer struct {
	Type      *text `yaml:"type"`
	Transport *text `yaml:"transport"`

	Command *text         `yaml:"command"`
	Args    []text        `yaml:"args"`
	Env     mapping[text] `yaml:"env"`
	EnvFile *text         `yaml:"envFile"`
	Cwd     *text         `yaml:"cwd"`

	URL       *text         `yaml:"url"`
	HTTPURL   *text         `yaml:"httpUrl"`
	ServerURL *text         `yaml:"serverUrl"`
	Headers   mapping[text] `yaml:"headers"`

	// Codex: variables to pass on, and headers by values and by variables.
	EnvVars    []string      `yaml:"env_vars"`
	MoreValues mapping[text] `yaml:"http_headers"`
	MoreVars   mapping[text] `yaml:"env_http_headers"`

	Auth      *foreignAuth `yaml:"auth"`                 // Cursor
	OAuth     *foreignAuth `yaml:"oauth"`                // Gemini CLI, Claude Code
	BearerVar *text        `yaml:"bearer_token_env_var"` // Codex: the name of a variable

	Timeout     *milliseconds `yaml:"timeout"`
	ToolSeconds *seconds      `yaml:"tool_timeout_sec"`    // Codex
	Start       *milliseconds `yaml:"startup_timeout_ms"`  // Codex, older
	StartSecond *seconds      `yaml:"startup_timeout_sec"` // Codex

	Disabled *bool `yaml:"disabled"`
	Enabled  *bool `yaml:"enabled"`

	IncludeTools  []string `yaml:"includeTools"`
	EnabledTools  []string `yaml:"enabledTools"`
	Tools         []string `yaml:"tools"`
	ExcludeTools  []string `yaml:"excludeTools"`
	DisabledTools []string `yaml:"disabledTools"`

	Description *text `yaml:"description"`
}

type milliseconds duration

func (t *milliseconds) decode(d *decoder, n *yaml.Node) {
	count, err := strconv.ParseFloat(n.Value, 64)
	if limit := float64(24 * time.Hour / time.Millisecond); err != nil || !(count > 0 && count <= limit) {
		d.wrongType(n, "a number of milliseconds, up to a day")
		return
	}
	*t = milliseconds(count * float64(time.Millisecond))
}

type seconds duration

func (t *seconds) decode(d *decoder, n *yaml.Node) {
	count, err := strconv.ParseFloat(n.Value, 64)
	if limit := float64(24 * time.Hour / time.Second); err != nil || !(count > 0 && count <= limit) {
		d.wrongType(n, "a number of seconds, up to a day")
		return
	}
	*t = seconds(count * float64(time.Second))
}

// A tree is kept as it is, to be decoded by itself. That there is nothing is found
// then too.
type tree struct{ root *yaml.Node }

func (t *tree) decodeEmpty() {}

func (t *tree) decode(_ *decoder, n *yaml.Node) { t.root = n }

// ownKeys of weir's shape must not be passed over in a foreign file: somebody
// relies on them.
var ownKeys = []string{"policy", "policies", "keys", "teams", "orgs", "profiles"}

// isForeign reports whether a file has another program's shape.
func isForeign(root *yaml.Node) bool {
	if member(root, "mcpServers") != nil {
		return true
	}
	servers := member(root, "servers")
	if servers == nil || servers.Kind != yaml.MappingNode {
		return false
	}
	if member(root, "inputs") != nil {
		return true
	}
	for i := 1; i < len(servers.Content); i += 2 {
		if member(servers.Content[i], "type") != nil {
			return true
		}
	}
	return false
}

// member returns the value of a key, or nil.
func member(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// parseForeign makes a File of another program's.
func parseForeign(o Options, d *decoder, root *yaml.Node) (*File, error) {
	d.lenient = true
	doc := &document{more: editorVariables()}
	var servers mapping[tree]
	var ignored []string
	d.pairs(root, func(key, value *yaml.Node) {
		switch {
		case key.Value == "mcpServers", key.Value == "servers" && member(root, "mcpServers") == nil:
			d.path = []string{key.Value}
			d.value(value, &servers)
			d.path = nil
		case slices.Contains(ownKeys, key.Value):
			d.fail(key, fmt.Sprintf("%q stands beside another program's servers; put them into weir's own form to use it", key.Value))
		case key.Value != "inputs" && key.Value != "$schema":
			ignored = append(ignored, strconv.Quote(key.Value))
		}
	})
	if len(ignored) > 0 {
		d.warn = append(d.warn, fmt.Sprintf("%s: ignoring %s", d.file, strings.Join(ignored, ", ")))
	}
	doc.Servers = convertAll(d, servers)
	return build(o, doc, d)
}

// editorVariables are what the files of Cursor and VS Code may name.
func editorVariables() map[string]string {
	more := map[string]string{"pathSeparator": string(os.PathSeparator), "/": string(os.PathSeparator)}
	if home, err := os.UserHomeDir(); err == nil {
		more["userHome"] = home
	}
	return more
}

// convertAll takes each server by itself: what is wrong with one is its own.
func convertAll(d *decoder, servers mapping[tree]) mapping[server] {
	taken := map[string]bool{}
	converted := make(mapping[server], 0, len(servers))
	for _, s := range servers {
		if s.value.root == nil {
			continue // aliases make the file too large, and it is refused
		}
		f, made := convertOne(d, s)
		if f.startsWeir() {
			d.warn = append(d.warn, fmt.Sprintf("%s: leaving out %q, which starts weir itself", s.pos, s.key))
			continue
		}
		converted = append(converted, entry[server]{key: legalName(s.key, taken), pos: s.pos, value: made})
	}
	return converted
}

// convertOne reads an entry and gives it weir's own shape. What is wrong with it
// is among its problems, and warnings are added to those of d.
func convertOne(d *decoder, s entry[tree]) (f foreignServer, made server) {
	own := &decoder{file: d.file, lenient: true, units: d.units, shapes: d.shapes, path: []string{s.key}}
	own.value(s.value.root, &f)
	d.warn, d.units, d.shapes = append(d.warn, own.warn...), own.units, own.shapes
	if f.startsWeir() {
		return f, server{}
	}
	made = f.convert(d, s.pos)
	made.problems = append(own.errs, made.problems...)
	return f, made
}

// startsWeir reports whether the server is weir, as hosts have it in their
// files.
func (f *foreignServer) startsWeir() bool {
	base := path.Base(strings.ReplaceAll(f.Command.or(""), `\`, "/"))
	if strings.TrimSuffix(base, ".exe") != policy.Own {
		return false
	}
	return !slices.ContainsFunc(f.Args, func(arg text) bool { return arg.value == "demo-server" })
}

// convert gives the server weir's own shape.
func (f *foreignServer) convert(d *decoder, pos policy.Position) server {
	s := server{
		Command: f.Command, Args: f.Args, Env: f.Env, Cwd: f.Cwd,
		URL:     firstOf(f.HTTPURL, f.ServerURL, f.URL),
		Headers: f.headers(d),
		Auth:    f.auth(),
		Timeout: firstOf((*duration)(f.ToolSeconds), (*duration)(f.Timeout)),
		Enabled: f.Enabled,

		ConnectTimeout: firstOf((*duration)(f.StartSecond), (*duration)(f.Start)),
	}
	if len(f.EnvVars) > 0 {
		s.InheritEnv = &inherited{names: f.EnvVars}
	}
	if f.Disabled != nil && *f.Disabled {
		off := false
		s.Enabled = &off
	}
	if f.Description != nil {
		s.Description = &f.Description.value
	}
	s.Tools = f.filter()
	f.transport(&s, pos)
	f.envFile(d, &s)
	return s
}

func firstOf[T any](candidates ...*T) *T {
	for _, c := range candidates {
		if c != nil {
			return c
		}
	}
	return nil
}

// headers leaves out those that weir sets itself: people copy them from
// examples.
func (f *foreignServer) headers(d *decoder) (kept mapping[text]) {
	all := slices.Concat(f.Headers, f.MoreValues)
	for _, h := range f.MoreVars {
		h.value.value = "${" + h.value.value + "}"
		all = append(all, h)
	}
	for _, h := range all {
		if slices.Contains(refusedHeaders, strings.ToLower(h.key)) {
			d.warn = append(d.warn, fmt.Sprintf("%s: ignoring header %q, which weir sets itself", h.pos, h.key))
			continue
		}
		kept = append(kept, h)
	}
	return kept
}

func (f *foreignServer) filter() *filter {
	include := slices.Concat(f.IncludeTools, f.EnabledTools, f.Tools)
	if include == nil && (f.IncludeTools != nil || f.EnabledTools != nil || f.Tools != nil) {
		include = []string{}
	}
	exclude := slices.Concat(f.ExcludeTools, f.DisabledTools)
	if include == nil && exclude == nil {
		return nil
	}
	return &filter{Include: include, Exclude: exclude}
}

// foreignTransports are the names that others have for the transports.
var foreignTransports = map[string]string{
	"stdio": "stdio", "local": "stdio", "command": "stdio",
	"http": "http", "streamable-http": "http", "streamablehttp": "http", "streamable_http": "http", "remote": "http",
	"sse": "sse", "http+sse": "sse", "http-sse": "sse",
	"ws": "websocket", "wss": "websocket", "websocket": "websocket", "web-socket": "websocket",
}

// transport names the transport as weir does, and takes away what belongs to
// the other one.
func (f *foreignServer) transport(s *server, pos policy.Position) {
	if said := firstOf(f.Type, f.Transport); said != nil {
		name := said.value
		if known := foreignTransports[strings.ToLower(name)]; known != "" {
			name = known
		}
		s.Transport = &text{value: name, pos: said.pos}
	}
	switch {
	case s.Transport.or("") == "stdio" && s.Command != nil:
		s.URL, s.Headers, s.Auth = nil, nil, nil
	case s.Transport != nil && s.URL != nil:
		s.Command = nil
	}
	if s.URL != nil && s.Command == nil {
		s.Args, s.Env, s.Cwd, s.InheritEnv = nil, nil, nil, nil
	}
	if s.Command != nil && s.URL == nil {
		s.Headers, s.Auth = nil, nil
	}
}

// envFile adds the variables of the server's own file to its environment; those
// of env stand above them.
func (f *foreignServer) envFile(d *decoder, s *server) {
	if f.EnvFile == nil || s.Command == nil {
		return
	}
	e := newExpander(d.file, d.sources)
	e.more = editorVariables()
	name, deferred, err := e.expand(f.EnvFile.value)
	if deferred {
		err = errFileHere
	}
	var vars map[string]string
	if err == nil {
		var warnings []string
		vars, warnings, err = readEnvFile(e.path(unescape(name)), d.sources)
		d.warn = append(d.warn, warnings...)
	}
	if err != nil {
		s.problems = append(s.problems, &Error{Pos: f.EnvFile.pos, Text: "envFile", Err: err})
		return
	}
	for _, v := range s.Env {
		delete(vars, v.key)
	}
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		literal := text{value: Literal(vars[key]), pos: f.EnvFile.pos}
		s.Env = append(s.Env, entry[text]{key: key, pos: f.EnvFile.pos, value: literal})
	}
}
