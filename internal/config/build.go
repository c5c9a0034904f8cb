package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/customtools"
)

// The bounds of what can be set.
const (
	minMessage   = 64 << 10
	maxMessage   = 1 << 30
	maxNames     = 128
	maxSeparator = 8
	maxAliasHops = 16
)

// logLevels are the words for log.level.
var logLevels = []string{"trace", "debug", "info", "warn", "error"}

// A maker makes a File of a document and gathers what is wrong.
type maker struct {
	options  Options
	doc      *document
	file     *File
	known    *policy.Servers
	compiled map[string]*policy.Policy // by name; nil is one that is wrong
	selected map[string]bool           // the servers of the profile; nil for all
	narrow   map[string]policy.Filters // of its servers' tools
	errs     []error
}

// build makes a File of what the decoder has read.
func build(o Options, doc *document, d *decoder) (*File, error) {
	if len(d.errs) > 0 {
		return nil, inOrder(d.errs)
	}
	m := &maker{options: o, doc: doc, file: defaults(o.Path)}
	m.file.People = &People{}
	m.file.Warnings = d.warn
	m.serverNames()
	m.aliases()
	m.settings()
	roster, profile := m.principals(), m.profiles()
	e := m.expander()
	custom := m.customTools(e)
	m.telemetry(e)
	if len(m.errs) > 0 {
		return nil, inOrder(m.errs)
	}
	m.identify(roster, profile)
	m.servers(e)
	m.customServer(e, custom)
	return m.file, nil
}

// defaults is what a file with nothing in it says.
func defaults(path string) *File {
	return &File{
		Path:         path,
		Policy:       policy.DenyAll("nobody has been identified"),
		Names:        namespace.Rules{Max: namespace.DefaultMax, Separator: namespace.DefaultSeparator},
		CacheMaxAge:  DefaultCacheMaxAge,
		MessageLimit: upstream.DefaultMessageLimit,
		LogLevel:     "info",
	}
}

func (m *maker) fail(pos policy.Position, format string, args ...any) {
	m.errs = append(m.errs, &Error{Pos: pos, Text: fmt.Sprintf(format, args...)})
}

func (m *maker) serverNames() {
	for _, s := range m.doc.Servers {
		if why := badName(s.key); why != "" {
			m.fail(s.pos, "server %q: %s", s.key, why)
		}
	}
}

// aliases checks all of them and follows those that point to others.
func (m *maker) aliases() {
	known, servers := map[string]string{}, map[string]bool{}
	for _, s := range m.doc.Servers {
		servers[s.key] = true
	}
	if len(m.doc.Tools) > 0 {
		servers[customtools.Name] = true
	}
	for _, a := range m.doc.Aliases {
		known[a.key] = a.value.value
		if why := badName(a.key); why != "" {
			m.fail(a.pos, "alias %q: %s", a.key, why)
		} else if servers[a.key] {
			m.fail(a.pos, "alias %q: a server has this name", a.key)
		}
	}
	m.file.Aliases = make(map[string]string, len(known))
	for _, a := range m.doc.Aliases {
		target := a.value.value
		for range maxAliasHops {
			if next, isAlias := known[target]; isAlias && !servers[target] {
				target = next
			}
		}
		m.file.Aliases[a.key] = target
		if servers[target] {
			continue
		}
		if _, isAlias := known[target]; isAlias {
			m.fail(a.value.pos, "alias %q: it leads in a circle, or too far", a.key)
			continue
		}
		m.fail(a.value.pos, "alias %q: there is no server %q%s", a.key, target, meant(target, slices.Sorted(maps.Keys(servers))))
	}
}

// meant is a hint at the name that was meant, or "".
func meant(word string, names []string) string {
	if near := spell.Nearest(word, names); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

func (m *maker) settings() {
	if n := m.doc.Names; n != nil {
		m.names(n)
	}
	if c := m.doc.Cache; c != nil {
		m.file.CacheMaxAge = c.MaxAge.or(DefaultCacheMaxAge)
	}
	if l := m.doc.Limits; l != nil && l.Message != nil {
		m.file.MessageLimit = int(l.Message.bytes)
		if l.Message.bytes < minMessage || l.Message.bytes > maxMessage {
			m.fail(l.Message.pos, "limits.message: %d bytes are out of bounds (want 64KiB to 1GiB)", l.Message.bytes)
		}
	}
	if a := m.doc.Audit; a != nil {
		m.audit(a)
	}
	if l := m.doc.Log; l != nil && l.Level != nil {
		m.file.LogLevel = l.Level.value
		if !slices.Contains(logLevels, l.Level.value) {
			m.fail(l.Level.pos, "log.level: unknown level %q (want %s)", l.Level.value, strings.Join(logLevels, ", "))
		}
	}
}

func (m *maker) names(n *names) {
	if n.Max != nil {
		m.file.Names.Max = *n.Max
		if *n.Max < namespace.MinMax || *n.Max > maxNames {
			m.fail(n.MaxPos, "names.max: %d is out of bounds (want %d to %d)", *n.Max, namespace.MinMax, maxNames)
		}
	}
	if s := n.Separator; s != nil {
		m.file.Names.Separator = s.value
		if len(s.value) > maxSeparator || !isExposable(s.value) {
			m.fail(s.pos, "names.separator: want 1 to %d characters of A-Z, a-z, 0-9, _ and -", maxSeparator)
		}
	}
}

func (m *maker) compile(c policy.Config) *policy.Policy {
	p, err := policy.Compile(c, m.policyServers())
	if err != nil {
		m.errs = append(m.errs, guessed(err)...)
	}
	m.file.People.Policies = append(m.file.People.Policies, c)
	return p
}

func (m *maker) servers(e *expander) {
	aliases := map[string][]string{}
	for alias, name := range m.file.Aliases {
		aliases[name] = append(aliases[name], alias)
	}
	m.file.Servers = make([]Server, 0, len(m.doc.Servers))
	for _, s := range m.doc.Servers {
		if m.selected != nil && !m.selected[s.key] {
			continue
		}
		made := makeServer(e, s)
		made.MessageLimit = m.file.MessageLimit
		made.Tools = slices.Concat(made.Tools, m.narrow[s.key])
		made.Aliases = slices.Sorted(slices.Values(aliases[s.key]))
		m.file.Servers = append(m.file.Servers, made)
	}
}

// expander returns what replaces references in this file.
func (m *maker) expander() *expander {
	e := newExpander(m.file.Path, m.options.Sources)
	e.more = m.doc.more
	if m.options.Keyring != nil {
		e.ring = m.options.Keyring
	}
	path := m.doc.EnvFile
	if path == nil {
		return e
	}
	name, deferred, err := e.expand(path.value)
	if deferred {
		err = errFileHere
	}
	if err != nil {
		m.warn("%s: env_file: %v", path.pos, err)
		return e
	}
	vars, warnings, err := readEnvFile(e.path(unescape(name)), m.options.Sources)
	if err != nil {
		m.warn("%s: env_file: %v", path.pos, err)
	}
	e.vars = vars
	m.file.Warnings = append(m.file.Warnings, warnings...)
	return e
}

func (m *maker) warn(format string, args ...any) {
	m.file.Warnings = append(m.file.Warnings, fmt.Sprintf(format, args...))
}
