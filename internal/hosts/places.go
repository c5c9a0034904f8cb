package hosts

import (
	"slices"
	"strings"
)

// A Host is a program that starts MCP servers.
type Host struct {
	ID    string // as it is written on a command line
	Title string // as people call it
}

// The hosts that weir knows.
var (
	ClaudeDesktop = Host{"claude-desktop", "Claude Desktop"}
	ClaudeCode    = Host{"claude-code", "Claude Code"}
	Cursor        = Host{"cursor", "Cursor"}
	VSCode        = Host{"vscode", "VS Code"}
	Windsurf      = Host{"windsurf", "Windsurf"}
	Codex         = Host{"codex", "Codex"}
	Gemini        = Host{"gemini", "Gemini CLI"}
	Zed           = Host{"zed", "Zed"}
	OpenCode      = Host{"opencode", "opencode"}
)

// All are the hosts, in the order in which they are looked at and shown.
func All() []Host {
	return []Host{ClaudeDesktop, ClaudeCode, Cursor, VSCode, Windsurf, Codex, Gemini, Zed, OpenCode}
}

// ByID returns the host of that name, in any case.
func ByID(id string) (Host, bool) {
	all := All()
	i := slices.IndexFunc(all, func(h Host) bool { return h.ID == strings.ToLower(id) })
	if i < 0 {
		return Host{}, false
	}
	return all[i], true
}

// A Scope says for whom the servers of a file are.
type Scope string

// The scopes. Those other than User belong to one folder.
const (
	User    Scope = "user"
	Local   Scope = "local"   // of one folder, but in a file of the user's
	Project Scope = "project" // in a file of the folder's, which may come from others
)

// A Format is what a file is written in.
type Format string

// The formats. JSON has comments and trailing commas, as the hosts allow them.
const (
	JSON Format = "json"
	TOML Format = "toml"
)

// A Place is a file in which a host may keep servers. It need not be there.
type Place struct {
	Host   Host
	Scope  Scope
	Path   string
	Format Format

	// Servers are the members, the outermost first, below which each server stands
	// under its name.
	Servers []string

	// Folder is that of the project; "" for User.
	Folder string
}

// A Machine is what decides where files are.
type Machine struct {
	OS      string // as runtime.GOOS says
	Home    string // "" if there is none: nothing is found there
	Getenv  func(string) string
	Project string // a folder, absolute; "" to leave out what belongs to one
}

// Places are where the hosts keep servers on this machine, in the order of [All],
// the user's before the project's. Of one host and scope, the first is where new
// servers go.
func (m Machine) Places() (all []Place) {
	for _, h := range All() {
		all = append(all, m.PlacesOf(h)...)
	}
	return all
}

// PlacesOf are those of one host.
func (m Machine) PlacesOf(h Host) (all []Place) {
	add := func(scope Scope, path string, servers ...string) {
		if path == "" {
			return
		}
		p := Place{Host: h, Scope: scope, Path: path, Format: JSON, Servers: servers}
		if strings.HasSuffix(path, ".toml") {
			p.Format = TOML
		}
		if scope != User {
			p.Folder = m.Project
		}
		all = append(all, p)
	}
	switch h {
	case ClaudeDesktop:
		add(User, m.appData("Claude", "claude_desktop_config.json"), "mcpServers")
	case ClaudeCode:
		file := m.claudeCode()
		add(User, file, "mcpServers")
		if m.Project != "" {
			add(Local, file, "projects", m.Project, "mcpServers")
			add(Project, m.project(".mcp.json"), "mcpServers")
		}
	case Cursor:
		add(User, m.home(".cursor", "mcp.json"), "mcpServers")
		add(Project, m.project(".cursor", "mcp.json"), "mcpServers")
	case VSCode:
		for _, edition := range []string{"Code", "Code - Insiders", "VSCodium"} {
			add(User, m.appData(edition, "User", "mcp.json"), "servers")
			add(User, m.appData(edition, "User", "settings.json"), "mcp", "servers") // until 1.102
		}
		add(Project, m.project(".vscode", "mcp.json"), "servers")
	case Windsurf:
		add(User, m.home(".codeium", "windsurf", "mcp_config.json"), "mcpServers")
	case Codex:
		add(User, m.below(m.getenv("CODEX_HOME"), m.home(".codex"), "config.toml"), "mcp_servers")
		add(Project, m.project(".codex", "config.toml"), "mcp_servers")
	case Gemini:
		add(User, m.below(m.getenv("GEMINI_CLI_HOME"), m.Home, ".gemini", "settings.json"), "mcpServers")
		add(Project, m.project(".gemini", "settings.json"), "mcpServers")
	case Zed:
		add(User, m.zed(), "context_servers")
		add(Project, m.project(".zed", "settings.json"), "context_servers")
	case OpenCode:
		for _, name := range []string{"opencode.json", "opencode.jsonc"} {
			add(User, m.below(m.getenv("XDG_CONFIG_HOME"), m.home(".config"), "opencode", name), "mcp")
			add(Project, m.project(name), "mcp")
		}
		slices.SortStableFunc(all, func(a, b Place) int { return scopeOrder(a.Scope) - scopeOrder(b.Scope) })
	}
	return all
}

func scopeOrder(s Scope) int { return slices.Index([]Scope{User, Local, Project}, s) }

// appData is below where programs of the desktop keep what is the user's.
func (m Machine) appData(parts ...string) string {
	switch m.OS {
	case "windows":
		return m.below(m.getenv("APPDATA"), m.home("AppData", "Roaming"), parts...)
	case "darwin":
		return m.below("", m.home("Library", "Application Support"), parts...)
	}
	return m.below(m.getenv("XDG_CONFIG_HOME"), m.home(".config"), parts...)
}

// claudeCode is the file that lies beside its folder, or in it where a variable
// says where that is.
func (m Machine) claudeCode() string {
	return m.below(m.getenv("CLAUDE_CONFIG_DIR"), m.Home, ".claude.json")
}

// zed is in ~/.config on macOS too.
func (m Machine) zed() string {
	switch m.OS {
	case "windows":
		return m.appData("Zed", "settings.json")
	case "darwin":
		return m.home(".config", "zed", "settings.json")
	}
	return m.below(m.getenv("XDG_CONFIG_HOME"), m.home(".config"), "zed", "settings.json")
}

func (m Machine) getenv(key string) string {
	if m.Getenv == nil {
		return ""
	}
	return m.Getenv(key)
}

func (m Machine) home(parts ...string) string    { return m.below("", m.Home, parts...) }
func (m Machine) project(parts ...string) string { return m.below("", m.Project, parts...) }

// below is a path below the folder that a variable names, else below the usual
// one; "" if there is neither. A folder that is not absolute is none: whoever
// starts the host does so somewhere else than we are.
func (m Machine) below(named, usual string, parts ...string) string {
	folder := usual
	if m.isAbsolute(named) {
		folder = named
	}
	if folder == "" {
		return ""
	}
	separator := "/"
	if m.OS == "windows" {
		separator = `\`
	}
	folder = strings.TrimRight(folder, separator)
	return strings.Join(append([]string{folder}, parts...), separator)
}

func (m Machine) isAbsolute(path string) bool {
	if m.OS != "windows" {
		return strings.HasPrefix(path, "/")
	}
	drive := len(path) > 2 && path[1] == ':' && (path[2] == '\\' || path[2] == '/')
	return drive || strings.HasPrefix(path, `\\`)
}
