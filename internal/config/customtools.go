package config

import (
	"fmt"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/customtools"
)

// A customTool is one entry of tools: a command or an HTTP request.
type customTool struct {
	Title       *string   `yaml:"title"`
	Description *string   `yaml:"description"`
	Input       *jsonText `yaml:"input"` // a JSON Schema; default: no arguments
	Annotations *jsonText `yaml:"annotations"`
	Timeout     *duration `yaml:"timeout"`

	Command    []template    `yaml:"command"` // this or http
	Stdin      *template     `yaml:"stdin"`
	AllowDash  []text        `yaml:"allow_dash"`
	Env        mapping[text] `yaml:"env"`
	InheritEnv *inherited    `yaml:"inherit_env"`
	Cwd        *text         `yaml:"cwd"`

	HTTP *httpRequest `yaml:"http"`
}

type httpRequest struct {
	Method  *text         `yaml:"method"` // default: GET, or POST with a body
	URL     *template     `yaml:"url"`
	Headers mapping[text] `yaml:"headers"`
	Body    *jsonText     `yaml:"body"`
}

// A template is a text with placeholders.
type template struct{ text }

func (t *template) decode(d *decoder, n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		d.fail(n, `this is keys with values, want text; put a placeholder in quotes: "{name}"`)
		return
	}
	t.text.decode(d, n)
}

// maxToolName is how long the name of a custom tool may be.
const maxToolName = 64

// customTools makes the user's own tools. One that needs a variable which is not
// set is left out, with a warning.
func (m *maker) customTools(e *expander) []customtools.Tool {
	made := make([]customtools.Tool, 0, len(m.doc.Tools))
	for _, source := range m.doc.Tools {
		t := &toolMaker{e: e, m: m, source: source}
		t.made.Name = source.key
		t.make()
		if t.unset != nil {
			m.warn("%s: tool %q is left out: %v", source.pos, source.key, t.unset)
			continue
		}
		made = append(made, t.made)
	}
	return made
}

// callMargin is how much longer than its tools the server of all may take.
const callMargin = 30 * time.Second

// customServer is the server of the user's own tools.
func (m *maker) customServer(e *expander, tools []customtools.Tool) {
	if len(m.doc.Tools) == 0 || m.selected != nil && !m.selected[customtools.Name] {
		return
	}
	s := Server{Pos: m.doc.Tools[0].pos}
	s.Prefix, s.Tools = customtools.Name, m.narrow[customtools.Name]
	s.Name, s.Transport, s.CustomTools = customtools.Name, upstream.Custom, tools
	s.Resolve, s.MessageLimit = e.resolve, m.file.MessageLimit
	s.ConnectTimeout, s.ListTimeout = upstream.DefaultConnectTimeout, upstream.DefaultListTimeout
	id := identity("custom tools\n")
	for i := range tools {
		s.Timeout = max(s.Timeout, tools[i].Timeout+callMargin)
		id = id.texts("tool", string(tools[i].Definition()))
	}
	s.Identity = id
	s.Validate = true // by the same words as for other servers, and before anybody is asked to approve
	for alias, name := range m.file.Aliases {
		if name == s.Name {
			s.Aliases = append(s.Aliases, alias)
		}
	}
	slices.Sort(s.Aliases)
	m.file.Servers = append(m.file.Servers, s)
}

// A toolMaker makes one custom tool.
type toolMaker struct {
	e      *expander
	m      *maker
	source entry[customTool]
	made   customtools.Tool
	used   []string // arguments that placeholders name
	unset  error    // the first reference that leads nowhere
}

func (t *toolMaker) fail(pos policy.Position, format string, args ...any) {
	t.m.fail(pos, "tool %q: %s", t.source.key, fmt.Sprintf(format, args...))
}

func (t *toolMaker) make() {
	s := &t.source.value
	if name := t.source.key; len(name) > maxToolName || !isExposable(name) {
		t.fail(t.source.pos, "a name is 1 to %d characters of A-Z, a-z, 0-9, _ and -", maxToolName)
	}
	t.describe()
	if t.made.Input == nil {
		return // nothing can be said of the placeholders
	}
	switch {
	case s.Command == nil && s.HTTP == nil:
		t.fail(t.source.pos, `it needs a "command" or "http"`)
	case s.Command != nil && s.HTTP != nil:
		t.fail(t.source.pos, `it has both a "command" and "http"`)
	case s.Command != nil:
		t.command()
	default:
		t.misplaced()
		t.request()
	}
	for _, name := range t.made.Input.Names() {
		if !slices.Contains(t.used, name) {
			t.m.warn("%s: tool %q: no placeholder uses the argument %q", t.source.pos, t.source.key, name)
		}
	}
}

func (t *toolMaker) describe() {
	s := &t.source.value
	if s.Title != nil {
		t.made.Title = *s.Title
	}
	if s.Description == nil || strings.TrimSpace(*s.Description) == "" {
		t.fail(t.source.pos, "description: it is missing; it is all that a model knows of the tool")
	} else {
		t.made.Description = *s.Description
	}
	if a := s.Annotations; a != nil {
		t.made.Annotations = a.raw
		if a.raw[0] != '{' {
			t.fail(a.pos, "annotations: want keys with values")
		}
	}
	t.made.Timeout = customtools.DefaultTimeout
	if s.Timeout != nil {
		t.made.Timeout = time.Duration(*s.Timeout)
		if *s.Timeout == 0 {
			t.fail(t.source.pos, "timeout: it must be more than nothing")
		}
	}
	input, err := customtools.NewInput(s.Input.or())
	if err != nil {
		t.fail(s.Input.pos, "input: %v", err)
	}
	t.made.Input = input
}

// misplaced refuses keys that belong to a command.
func (t *toolMaker) misplaced() {
	s := &t.source.value
	for _, key := range []struct {
		name    string
		present bool
	}{
		{"stdin", s.Stdin != nil},
		{"allow_dash", s.AllowDash != nil},
		{"env", s.Env != nil},
		{"inherit_env", s.InheritEnv != nil},
		{"cwd", s.Cwd != nil},
	} {
		if key.present {
			t.fail(t.source.pos, "%s: this key is for a command", key.name)
		}
	}
}

func (t *toolMaker) command() {
	s := &t.source.value
	if len(s.Command) == 0 {
		t.fail(t.source.pos, "command: it is empty")
		return
	}
	c := &customtools.Command{Program: t.program(s.Command[0].text)}
	for i, arg := range s.Command[1:] {
		key := fmt.Sprintf("command.%d", i+2)
		element, err := customtools.ParseElement(t.atHome(arg.value), t.expand)
		if err != nil {
			t.fail(arg.pos, "%s: %v", key, err)
			continue
		}
		t.use(key, arg.pos, element.Names())
		t.checkList(key, arg.pos, element)
		c.Args = append(c.Args, element)
	}
	if s.Stdin != nil {
		stdin := t.template("stdin", *s.Stdin)
		c.Stdin = &stdin
	}
	for _, name := range s.AllowDash {
		t.use("allow_dash", name.pos, []string{name.value})
		c.AllowDash = append(c.AllowDash, name.value)
	}
	t.environment(c)
	if s.Cwd != nil {
		c.Dir = t.e.path(t.expanded(s.Cwd.value))
	}
	t.made.Command = c
}

// program is the program of a command, absolute if it is a path.
func (t *toolMaker) program(p text) string {
	made, err := customtools.ParseTemplate(t.atHome(p.value), t.expand)
	name, literal := made.Literal()
	switch {
	case err != nil:
		t.fail(p.pos, "command.1: %v", err)
	case !literal:
		t.fail(p.pos, "command.1: the program must be without placeholders: an argument would choose what runs")
	case name == "":
		t.fail(p.pos, "command.1: it is empty")
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) }) {
		return filepath.Clean(t.e.path(name))
	}
	if self, err := os.Executable(); err == nil && name == policy.Own {
		return self
	}
	return name
}

// checkList tells an argument that is a list from one that is a text.
func (t *toolMaker) checkList(key string, pos policy.Position, e customtools.Element) {
	if name := e.Spread(); name != "" {
		if kind := t.made.Input.Type(name); kind != "" && kind != "array" {
			t.fail(pos, "%s: {%s...} stands for a list, and the input has a type %s for it", key, name, kind)
		}
		return
	}
	t.checkScalars(key, pos, e.Names())
}

func (t *toolMaker) checkScalars(key string, pos policy.Position, names []string) {
	for _, name := range names {
		switch t.made.Input.Type(name) {
		case "array", "object":
			t.fail(pos, "%s: {%s} must be a text, a number or a boolean here, not a value of type %s", key, name, t.made.Input.Type(name))
		}
	}
}

func (t *toolMaker) environment(c *customtools.Command) {
	s := &t.source.value
	if len(s.Env) > 0 {
		c.Env = make(map[string]string, len(s.Env))
	}
	for _, v := range s.Env {
		if why := badVariable(v.key); why != "" {
			t.fail(v.pos, "env: %s", why)
		}
		c.Env[v.key] = t.forLater("env."+v.key, v.value)
	}
	if i := s.InheritEnv; i != nil {
		c.InheritEnv, c.InheritAll = i.names, i.all
	}
}

var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}

func (t *toolMaker) request() {
	h := t.source.value.HTTP
	q := &customtools.Request{Method: "GET"}
	if h.Body != nil {
		q.Method = "POST"
	}
	q.Method = strings.ToUpper(h.Method.or(q.Method))
	switch {
	case !slices.Contains(httpMethods, q.Method):
		t.fail(h.Method.pos, "http.method: unknown method %q (want %s)", q.Method, strings.Join(httpMethods, ", "))
	case h.Body != nil && (q.Method == "GET" || q.Method == "HEAD"):
		t.fail(h.Body.pos, "http.body: a %s request has none", q.Method)
	}
	secret := t.headers(q)
	t.body(q)
	t.made.Request = q
	if h.URL == nil {
		t.fail(t.source.pos, "http.url: it is missing")
		return
	}
	address, err := customtools.ParseAddress(h.URL.value, t.expand)
	if err != nil {
		if t.unset == nil {
			t.fail(h.URL.pos, "http.url: %v", err)
		}
		return
	}
	q.Address = address
	t.use("http.url", h.URL.pos, address.Names())
	t.checkScalars("http.url", h.URL.pos, address.Names())
	for _, name := range address.InPath() {
		if t.made.Input.Has(name) && !t.made.Input.Sure(name) {
			t.fail(h.URL.pos, "http.url: argument %q is part of the path, and must be required or have a default", name)
		}
	}
	if secret != "" && !address.Secure() && !isLoopback(address.Host()) {
		t.fail(h.URL.pos, "http.url: header %q may hold a credential, which must not travel over plain http (use https)", secret)
	}
}

// headers makes the headers, and returns the name of one that may hold a
// credential.
func (t *toolMaker) headers(q *customtools.Request) (secret string) {
	h := t.source.value.HTTP
	if len(h.Headers) > 0 {
		q.Headers = make(map[string]string, len(h.Headers))
	}
	for _, header := range h.Headers {
		lower := strings.ToLower(header.key)
		name := textproto.CanonicalMIMEHeaderKey(header.key)
		if err := checkHeaderName(lower); err != nil && lower != "accept" {
			t.fail(header.pos, "http.headers: %q: %v", header.key, err)
			continue
		}
		if _, twice := q.Headers[name]; twice {
			t.fail(header.pos, "http.headers: %q stands here twice", header.key)
		}
		value := t.forLater("http.headers."+header.key, header.value)
		if strings.ContainsFunc(value, isControl) {
			t.fail(header.value.pos, "http.headers.%s: it has a control character", header.key)
		}
		q.Headers[name] = value
		if isCredential(lower, header.value.value) {
			secret = header.key
		}
	}
	return secret
}

func (t *toolMaker) body(q *customtools.Request) {
	raw := t.source.value.HTTP.Body
	if raw == nil {
		return
	}
	body, err := customtools.ParseBody(raw.raw, t.expand)
	if err != nil {
		t.fail(raw.pos, "http.body: %v", err)
		return
	}
	t.use("http.body", raw.pos, body.Names())
	q.Body = body
}

func (t *toolMaker) template(key string, source template) customtools.Template {
	made, err := customtools.ParseTemplate(source.value, t.expand)
	if err != nil {
		t.fail(source.pos, "%s: %v", key, err)
	}
	t.use(key, source.pos, made.Names())
	t.checkScalars(key, source.pos, made.Names())
	return made
}

// use notes arguments that a placeholder names, which the input must have.
func (t *toolMaker) use(key string, pos policy.Position, names []string) {
	for _, name := range names {
		if !t.made.Input.Has(name) {
			t.fail(pos, "%s: the input has no property %q%s", key, name, meant(name, t.made.Input.Names()))
		}
	}
	t.used = append(t.used, names...)
}

// expand replaces the references in a text that is needed whole at once. An unset
// variable is no error here: the tool is left out.
func (t *toolMaker) expand(text string) (string, error) {
	expanded, deferred, err := t.e.expand(text)
	switch {
	case err != nil:
		if t.unset == nil {
			t.unset = err
		}
		return text, nil
	case deferred:
		return "", fmt.Errorf("${file:} and ${keyring:} are not possible here (only in env and headers): they would be seen by others")
	case strings.Contains(expanded, "\x00"):
		return "", errNUL
	}
	return unescape(expanded), nil
}

func (t *toolMaker) expanded(text string) string {
	made, err := t.expand(text)
	if err != nil {
		t.fail(t.source.pos, "%v", err)
	}
	return made
}

// forLater expands a text that may hold references to be read with each call. It
// stays escaped.
func (t *toolMaker) forLater(key string, source text) string {
	expanded, _, err := t.e.expand(t.atHome(source.value))
	if err != nil && t.unset == nil {
		t.unset = fmt.Errorf("%s: %w", key, err)
	}
	if strings.Contains(expanded, "\x00") {
		t.fail(source.pos, "%s: %v", key, errNUL)
	}
	return expanded
}

// atHome puts the home folder for a leading ~, unless there is what could be taken
// for a placeholder in its name.
func (t *toolMaker) atHome(text string) string {
	if strings.ContainsAny(t.e.home, "{}") {
		return text
	}
	return withHome(text, t.e.home)
}
