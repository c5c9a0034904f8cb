package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
)

// revisions are those of the MCP specification that can be asked for.
var revisions = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}

var (
	errFileHere = errors.New("${file:} and ${keyring:} are not possible here (only in args, env, url, headers and the secrets of auth)")
	errNUL      = errors.New("it has a NUL character")
)

// A serverMaker makes one Server. What goes wrong makes it Broken.
type serverMaker struct {
	e        *expander
	source   entry[server]
	made     Server
	errs     []error
	deferred bool // references to files are left
}

// makeServer makes a Server of an entry.
func makeServer(e *expander, source entry[server]) Server {
	m := &serverMaker{e: e, source: source, errs: source.value.problems}
	m.made.Name, m.made.Pos = source.key, source.pos
	m.made.Transport = upstream.Stdio
	m.describe()
	m.pin()
	if len(source.value.problems) > 0 {
		m.made.Tools = noTools // what it is to be is not known
	} else {
		m.tools()
		m.overrides()
		m.lifetimes()
		m.reach()
	}
	m.made.Identity = m.identity()
	m.finish()
	return m.made
}

func (m *serverMaker) fail(pos policy.Position, format string, args ...any) {
	m.errs = append(m.errs, &Error{Pos: pos, Text: fmt.Sprintf("server %q: ", m.source.key) + fmt.Sprintf(format, args...)})
}

func (m *serverMaker) describe() {
	s := &m.source.value
	m.made.Disabled = s.Enabled != nil && !*s.Enabled
	if s.Description != nil {
		m.made.Description = *s.Description
	}
	m.made.Tags = s.Tags
	m.made.Questions = s.questions()
	m.bounds()
	m.made.Prefix = s.Prefix.or(m.source.key)
	if s.Prefix != nil {
		m.checkPrefix(*s.Prefix)
	}
}

// pin says what becomes of definitions that have changed. A word that is not
// understood may have meant to hold them back.
func (m *serverMaker) pin() {
	p := m.source.value.Pin
	if p == nil {
		return
	}
	if err := m.made.Pin.UnmarshalText([]byte(p.value)); err != nil {
		m.made.Pin = pins.Block
		m.fail(p.pos, "pin: %v", err)
	}
}

func (m *serverMaker) checkPrefix(p text) {
	switch {
	case p.value == "":
	case slices.Contains(reservedNames, p.value):
		m.fail(p.pos, "prefix: %q is reserved", p.value)
	case len(p.value) > maxName || !isExposable(p.value) || strings.Contains(p.value, "__"):
		m.fail(p.pos, "prefix: want up to 32 characters of A-Z, a-z, 0-9, _ and -, and no two underscores in a row")
	}
}

func (m *serverMaker) tools() {
	f := m.source.value.Tools
	if f == nil {
		return
	}
	var err error
	if m.made.Tools, err = f.compile(); err != nil {
		m.fail(m.source.pos, "%v", err)
	}
}

func (m *serverMaker) lifetimes() {
	s := &m.source.value
	m.made.Timeout = m.limit("timeout", s.Timeout, upstream.DefaultTimeout)
	m.made.ConnectTimeout = m.limit("connect_timeout", s.ConnectTimeout, upstream.DefaultConnectTimeout)
	m.made.ListTimeout = m.limit("list_timeout", s.ListTimeout, upstream.DefaultListTimeout)
	m.made.IdleStop = s.IdleStop.or(0)

	switch start := s.Start.or("lazy"); start {
	case "lazy", "eager":
		m.made.Eager = start == "eager"
	default:
		m.fail(s.Start.pos, "start: unknown word %q (want lazy or eager)", start)
	}
	switch protocol := s.Protocol.or("auto"); {
	case protocol == "auto":
	case slices.Contains(revisions, protocol):
		m.made.Protocol = protocol
	default:
		m.fail(s.Protocol.pos, "protocol: unknown revision %q (want auto, %s)", protocol, strings.Join(revisions, ", "))
	}
}

// limit is how long something may take: not no time at all.
func (m *serverMaker) limit(key string, d *duration, absent time.Duration) time.Duration {
	if d == nil {
		return absent
	}
	if *d == 0 {
		m.fail(m.source.pos, "%s: it must be more than nothing", key)
	}
	return time.Duration(*d)
}

// reach finds out how the server is reached, and reads what belongs to that.
func (m *serverMaker) reach() {
	s := &m.source.value
	if s.URL != nil {
		m.made.URL = m.expand("url", *s.URL)
		m.made.Transport = byScheme(m.made.URL)
	}
	switch transport := s.Transport.or(m.made.Transport); {
	case !slices.Contains(transports, transport):
		m.fail(s.Transport.pos, "unknown transport %q (want stdio, http, sse or websocket)", transport)
	case s.Command == nil && s.URL == nil:
		m.fail(m.source.pos, `it needs a "command" or a "url"`)
	case s.Command != nil && s.URL != nil:
		m.fail(m.source.pos, `it has both a "command" and a "url"`)
	case (transport == upstream.Stdio) != (s.Command != nil):
		m.fail(s.Transport.pos, "transport %q does not go with what it has (stdio needs a command, the others a url)", transport)
	case transport == upstream.Stdio:
		m.misplaced()
		m.stdio()
	default:
		m.made.Transport = transport
		m.misplaced()
		m.remote()
	}
}

var transports = []string{upstream.Stdio, upstream.HTTP, upstream.SSE, upstream.WebSocket}

// byScheme is the transport of a server with this escaped URL that names none.
func byScheme(text string) string {
	switch scheme, _, _ := strings.Cut(strings.ToLower(text), ":"); scheme {
	case "ws", "wss":
		return upstream.WebSocket
	}
	return upstream.HTTP
}

// misplaced refuses keys of other transports.
func (m *serverMaker) misplaced() {
	s := &m.source.value
	stdio := m.made.Transport == upstream.Stdio
	for _, key := range []struct {
		name    string
		present bool
		fits    bool
		wants   string
	}{
		{"args", len(s.Args) > 0, stdio, `transport "stdio"`},
		{"env", len(s.Env) > 0, stdio, `transport "stdio"`},
		{"inherit_env", s.InheritEnv != nil, stdio, `transport "stdio"`},
		{"cwd", s.Cwd != nil, stdio, `transport "stdio"`},
		{"headers", len(s.Headers) > 0, !stdio, "servers with a url"},
		{"auth", s.Auth != nil, !stdio, "servers with a url (what a program needs goes into env)"},
		{"subprotocol", s.Subprotocol != nil, m.made.Transport == upstream.WebSocket, `transport "websocket"`},
	} {
		if key.present && !key.fits {
			m.fail(m.source.pos, "%s: this key is for %s", key.name, key.wants)
		}
	}
}

func (m *serverMaker) stdio() {
	s := &m.source.value
	m.made.Command = m.command(*s.Command)
	for i, arg := range s.Args {
		m.made.Args = append(m.made.Args, m.local(fmt.Sprintf("args.%d", i+1), arg))
	}
	if len(s.Env) > 0 {
		m.made.Env = make(map[string]string, len(s.Env))
	}
	for _, v := range s.Env {
		m.checkVariable(v.key, v.pos)
		m.made.Env[v.key] = m.local("env."+v.key, v.value)
	}
	if i := s.InheritEnv; i != nil {
		m.made.InheritEnv, m.made.InheritAll = i.names, i.all
	}
	if s.Cwd != nil {
		m.made.Dir = m.e.path(m.now("cwd", *s.Cwd))
	}
}

// command expands a command and makes it absolute if it is a path.
func (m *serverMaker) command(t text) string {
	command := m.now("command", t)
	if command == "" && t.value == "" {
		m.fail(t.pos, "command: it is empty")
	}
	if strings.ContainsFunc(command, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) }) {
		return filepath.Clean(m.e.path(command))
	}
	return command
}

func (m *serverMaker) checkVariable(name string, pos policy.Position) {
	if why := badVariable(name); why != "" {
		m.fail(pos, "env: %s", why)
	}
}

// badVariable says what is wrong with the name of a variable for a child, or "".
func badVariable(name string) string {
	switch {
	case name == "" || strings.ContainsAny(name, "=\x00"):
		return fmt.Sprintf("%q cannot be the name of a variable", name)
	case name == "WEIR_CHAIN" || name == "WEIR_CHILD":
		return name + " is weir's own"
	}
	return ""
}

// local expands a text that may begin with the home folder.
func (m *serverMaker) local(key string, t text) string {
	if withHome(t.value, "/") != t.value {
		if m.e.home == "" {
			m.fail(t.pos, "%s: there is no home folder to put for ~", key)
		}
		t.value = withHome(t.value, strings.ReplaceAll(m.e.home, "${", "$${"))
	}
	return m.expand(key, t)
}

// now is local for what is needed whole at once.
func (m *serverMaker) now(key string, t text) string {
	before := m.deferred
	m.deferred = false
	expanded := m.local(key, t)
	if m.deferred {
		m.fail(t.pos, "%s: %v", key, errFileHere)
	}
	m.deferred = before
	return unescape(expanded)
}

// expand expands a text, escaped. If that fails, it is the text as it stands.
func (m *serverMaker) expand(key string, t text) string {
	expanded, deferred, err := m.e.expand(t.value)
	if err == nil && strings.Contains(expanded, "\x00") {
		err = errNUL
	}
	if err != nil {
		m.fail(t.pos, "%s: %v", key, err)
		return t.value
	}
	m.deferred = m.deferred || deferred
	return expanded
}

// finish gives texts their final form: with references left, the escaped one.
func (m *serverMaker) finish() {
	m.made.Broken = errors.Join(m.errs...)
	if m.made.Transport == upstream.Stdio && m.made.Command == policy.Own {
		if self, err := os.Executable(); err == nil {
			m.made.Command = self
		}
	}
	if m.deferred {
		m.made.Resolve = m.e.resolve
		return
	}
	for i, arg := range m.made.Args {
		m.made.Args[i] = unescape(arg)
	}
	for _, values := range []map[string]string{m.made.Env, m.made.Headers} {
		for key, value := range values {
			values[key] = unescape(value)
		}
	}
	m.made.URL = unescape(m.made.URL)
	unescapeAuth(&m.made.Auth)
}
