package hosts

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/state"
)

// A File is what was found in one place.
type File struct {
	Place
	Servers []Server
	Inputs  []Input // what a person is asked for, VS Code only

	off func(name string) bool // what the host does not use
}

// Uses reports whether the host uses a server of that name, if it has one: what
// else stands in its file may say that it does not.
func (f *File) Uses(name string) bool { return f.off == nil || !f.off(name) }

// A Server is one entry of a file.
type Server struct {
	Name       string // as it stands there
	Pos        policy.Position
	StartsWeir bool // then there is nothing else
	Definition config.Definition
	Inputs     []string // ids of the inputs that its texts name; see InputReference
	Problems   []error  // why weir cannot use it
	Notes      []string // what weir leaves out, or does otherwise

	// Astray is a server whose command or folder is a path from wherever the host is
	// started: weir would look for it elsewhere.
	Astray bool
}

// An Input is a value that VS Code asks a person for.
type Input struct {
	ID          string
	Description string
	Default     string
	Secret      bool
}

// Read reads the file of a place. It fails with fs.ErrNotExist if there is none,
// and with what says where and why if it cannot be read or understood.
func (m Machine) Read(p Place) (*File, error) {
	root, err := load(p.Path, p.Format)
	if err != nil {
		return nil, err
	}
	return m.servers(p, root)
}

// ReadText is Read of a text that is in that place.
func (m Machine) ReadText(p Place, text []byte) (*File, error) {
	root, err := parse(p.Path, p.Format, text)
	if err != nil {
		return nil, err
	}
	return m.servers(p, root)
}

// ReadFile reads a file that somebody names by its absolute path: that of a host
// if it is in its place, or is called as that is, else one of the shapes that hosts
// have.
func (m Machine) ReadFile(path string) (*File, error) {
	p, certain := m.placeOf(path)
	root, err := load(path, p.Format)
	if err != nil {
		return nil, err
	}
	if !certain {
		if p, err = sniff(root, p); err != nil {
			return nil, err
		}
	}
	return m.servers(p, root)
}

// Pasted is what errors call a text that comes from no file.
const Pasted = "the text"

// ReadPasted reads what somebody took from the README of a server: the file of a host,
// or a piece of it, down to the entry of one server, which is then called name. The
// braces around it may be missing.
func (m Machine) ReadPasted(written []byte, name string) (*File, error) {
	root, err := parsePasted(bytes.TrimSpace(bytes.TrimPrefix(written, []byte("\ufeff"))))
	if err != nil {
		return nil, err
	}
	if root == nil || root.Kind != yaml.MappingNode {
		return nil, &config.Error{Pos: policy.Position{File: Pasted}, Text: "there are no servers in it (want JSON such as {\"mcpServers\": {…}})"}
	}
	p, err := sniff(root, Place{Path: Pasted, Scope: User, Format: JSON})
	if err != nil {
		p.Servers = shapes[0].Servers
		if isEntry(root) {
			root = within(root, name)
		}
		root = within(root, p.Servers[0])
	}
	return m.servers(p, root)
}

func parsePasted(written []byte) (*yaml.Node, error) {
	switch {
	case bytes.HasPrefix(written, []byte{'['}): // [mcp_servers.NAME], of Codex
		return parseTOML(Pasted, written)
	case bytes.HasPrefix(written, []byte{'"'}):
		written = slices.Concat([]byte{'{'}, bytes.TrimSuffix(written, []byte{','}), []byte{'}'})
	}
	return config.ParseTree(Pasted, written)
}

// isEntry reports whether a mapping is what a host has of one server.
func isEntry(n *yaml.Node) bool {
	for _, key := range []string{"command", "url", "serverUrl", "httpUrl"} {
		if v := value(n, key); v != nil && v.Kind != yaml.MappingNode {
			return true
		}
	}
	return false
}

// within is a mapping with n under a key.
func within(n *yaml.Node, key string) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Content: []*yaml.Node{text(key, n.Line), n}}
}

// load reads a file of at most state.MaxFile bytes into a tree; nil if there is
// nothing in it. That of Claude Code keeps much besides servers.
func load(path string, format Format) (*yaml.Node, error) {
	data, _, err := state.ReadFile(path, state.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("reading the servers of a host: %w", err)
	}
	return parse(path, format, data)
}

func parse(path string, format Format, data []byte) (*yaml.Node, error) {
	if strings.HasPrefix(string(data), "\xff\xfe") || strings.HasPrefix(string(data), "\xfe\xff") {
		return nil, &config.Error{Pos: policy.Position{File: path}, Text: "it is UTF-16; save it as UTF-8"}
	}
	if format == TOML {
		return parseTOML(path, []byte(strings.TrimPrefix(string(data), "\ufeff")))
	}
	return config.ParseTree(path, data)
}

// placeOf is the place that a path is, for certain, or one that is called as it
// is. The file of a project lies in it, or in a folder in it.
func (m Machine) placeOf(path string) (p Place, certain bool) {
	for _, m.Project = range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		all := m.Places()
		if i := slices.IndexFunc(all, func(p Place) bool { return p.Path == path && p.Scope != Local }); i >= 0 {
			return all[i], true
		}
	}
	p = Place{Path: path, Scope: User, Format: JSON}
	if strings.EqualFold(filepath.Ext(path), ".toml") {
		p.Format = TOML
	}
	m.Project = ""
	for _, named := range m.Places() {
		if m.base(named.Path) == filepath.Base(path) && named.Format == p.Format {
			named.Path = path
			return named, false
		}
	}
	return p, false
}

// shapes are the members by which a file is known to be a host's.
var shapes = []Place{
	{Servers: []string{"mcpServers"}},
	{Host: Zed, Servers: []string{"context_servers"}},
	{Host: Codex, Servers: []string{"mcp_servers"}},
	{Host: VSCode, Servers: []string{"mcp", "servers"}},
	{Host: OpenCode, Servers: []string{"mcp"}},
	{Host: VSCode, Servers: []string{"servers"}},
}

// sniff says by what is in a file whose it is, if it is not the one whose name it
// has.
func sniff(root *yaml.Node, p Place) (Place, error) {
	if root == nil {
		return p, &config.Error{Pos: policy.Position{File: p.Path}, Text: "the file is empty"}
	}
	if len(p.Servers) > 0 && has(root, p.Servers) {
		return p, nil
	}
	for _, shape := range shapes {
		if has(root, shape.Servers) {
			p.Servers, p.Host = shape.Servers, shape.Host
			return p, nil
		}
	}
	return p, &config.Error{
		Pos:  policy.Position{File: p.Path},
		Text: "there are no servers of a host in it (want mcpServers, servers, mcp_servers, context_servers or mcp)",
	}
}

func has(n *yaml.Node, path []string) bool {
	for _, key := range path {
		if n = value(n, key); n == nil {
			return false
		}
	}
	return n.Kind == yaml.MappingNode
}

// servers are those of a file.
func (m Machine) servers(p Place, root *yaml.Node) (*File, error) {
	f := &File{Place: p}
	if root == nil {
		return f, nil
	}
	f.off = switchedOff(p, root)
	all, err := descend(p, root)
	if err != nil {
		return nil, err
	}
	if all == nil {
		return f, nil
	}
	if p.Host == OpenCode { // since its second version one level deeper
		if inner := value(all, "servers"); inner != nil && value(inner, "command") == nil && value(inner, "url") == nil {
			all = inner
		}
	}
	r := &reader{machine: m, place: p, writing: writingOf(p), off: f.off}
	common, err := r.entries(all)
	if err != nil {
		return nil, err
	}
	made, err := config.ReadForeign(p.Path, common)
	if err != nil {
		return nil, err
	}
	for _, s := range made {
		f.Servers = append(f.Servers, r.server(s))
	}
	f.Inputs = inputs(p, root)
	return f, nil
}

// descend is what stands below the members that lead to the servers; nil if there
// is nothing. A member that is there twice is read in one way by one program and
// in another by the next.
func descend(p Place, n *yaml.Node) (*yaml.Node, error) {
	for _, key := range p.Servers {
		if n.Kind != yaml.MappingNode {
			return nil, &config.Error{Pos: policy.Position{File: p.Path, Line: n.Line}, Text: fmt.Sprintf("want keys with values, among them %q", key)}
		}
		count := 0
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				count++
			}
			if count > 1 {
				return nil, &config.Error{
					Pos: policy.Position{File: p.Path, Line: n.Content[i].Line}, Text: fmt.Sprintf("key %q stands here twice", key),
				}
			}
		}
		if n = value(n, key); n == nil || n.ShortTag() == "!!null" {
			return nil, nil
		}
	}
	return n, nil
}

// A reader reads the entries of one file.
type reader struct {
	machine Machine
	place   Place
	writing writing
	off     func(name string) bool
	said    map[string]*spoken
}

// spoken is what became known of an entry before weir's own reading.
type spoken struct {
	inputs []string
	err    error
}

// entries are those of the host in the common shape.
func (r *reader) entries(all *yaml.Node) (*yaml.Node, error) {
	if all.Kind != yaml.MappingNode {
		return all, nil // it is found out to be none
	}
	r.said = map[string]*spoken{}
	common := *all
	common.Content = slices.Clone(all.Content)
	for i := 0; i+1 < len(common.Content); i += 2 {
		said := &spoken{}
		r.said[common.Content[i].Value] = said
		if common.Content[i+1].Kind == yaml.MappingNode {
			common.Content[i+1] = r.entry(common.Content[i+1], said)
		}
	}
	return &common, nil
}

func (r *reader) entry(n *yaml.Node, said *spoken) *yaml.Node {
	entry := *n
	entry.Content = slices.Clone(n.Content)
	if r.writing.common != nil {
		said.err = r.writing.common(&entry)
	}
	t := &translation{machine: r.machine, place: r.place}
	t.absolute(&entry)
	made, err := t.translate(&entry, r.writing.language)
	said.err = errors.Join(said.err, err)
	said.inputs = t.inputs
	return made
}

func (r *reader) server(f config.ForeignServer) Server {
	s := Server{Name: f.Name, Pos: f.Pos, StartsWeir: f.StartsWeir, Definition: f.Definition, Problems: f.Problems, Notes: f.Notes}
	if s.StartsWeir {
		return s
	}
	if said := r.said[f.Name]; said != nil {
		s.Inputs = said.inputs
		if said.err != nil {
			s.Problems = []error{said.err} // the rest follows from that
		}
	}
	if r.off(s.Name) && s.Definition.Enabled() && len(s.Problems) == 0 {
		s.Definition = s.Definition.Disable()
	}
	command, folder := s.Definition.Text("command"), s.Definition.Text("cwd")
	isPath := strings.ContainsFunc(command, func(c rune) bool { return c < 0x80 && r.machine.isSeparator(byte(c)) })
	switch {
	case r.place.Folder != "":
	case isPath && r.isRelative(command):
		s.Astray = true
		s.Notes = append(s.Notes, "its command is a path from wherever the host is started; write it out")
	case folder != "" && r.isRelative(folder):
		s.Astray = true
		s.Notes = append(s.Notes, "its cwd is a path from wherever the host is started; write it out")
	}
	return s
}

func (r *reader) isRelative(path string) bool {
	return !r.machine.isAbsolute(path) && !strings.ContainsAny(path[:1], "~$")
}

// switchedOff are the servers that a host does not use for what stands elsewhere
// in its file.
func switchedOff(p Place, root *yaml.Node) func(string) bool {
	var off, only []string
	switch {
	case p.Host == Gemini:
		if mcp := value(root, "mcp"); mcp != nil {
			off, only = names(value(mcp, "excluded")), names(value(mcp, "allowed"))
		}
	case p.Host == ClaudeCode && p.Scope == Local:
		if projects := value(root, "projects"); projects != nil {
			if project := value(projects, p.Folder); project != nil {
				off = names(value(project, "disabledMcpServers"))
			}
		}
	}
	return func(name string) bool {
		return slices.Contains(off, name) || len(only) > 0 && !slices.Contains(only, name)
	}
}

func names(n *yaml.Node) (all []string) {
	if n == nil {
		return nil
	}
	for _, item := range n.Content {
		all = append(all, item.Value)
	}
	return all
}

// inputs are what VS Code asks for, beside the servers.
func inputs(p Place, root *yaml.Node) (all []Input) {
	beside := root
	if len(p.Servers) > 1 {
		beside = value(root, p.Servers[0])
	}
	list := value(beside, "inputs")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	for _, n := range list.Content {
		said := func(key string) string {
			if v := value(n, key); v != nil && v.Kind == yaml.ScalarNode {
				return v.Value
			}
			return ""
		}
		if id := said("id"); id != "" {
			all = append(all, Input{ID: id, Description: said("description"), Default: said("default"), Secret: said("password") == "true"})
		}
	}
	return all
}

// ThisMachine is the one that weir runs on, with the environment of getenv. The
// project is a folder, absolute, or "".
func ThisMachine(getenv func(string) string, project string) Machine {
	m := Machine{OS: runtime.GOOS, Getenv: getenv, Project: project}
	if home, err := os.UserHomeDir(); err == nil {
		m.Home = home
	}
	return m
}
