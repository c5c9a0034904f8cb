package doctor

import (
	"fmt"
	"strings"
)

// A manager keeps several versions of a program, and puts the chosen one onto the
// PATH by a file of the shell.
type manager struct {
	name  string
	parts []string // of the paths of its programs
	fleet bool     // its paths last as long as a shell does
	dated bool     // its paths name a version
}

var managers = []manager{
	{name: "fnm", parts: []string{"/fnm_multishells/"}, fleet: true},
	{name: "nvm", parts: []string{"/.nvm/versions/", "/nvm/versions/"}, dated: true},
	{name: "fnm", parts: []string{"/.fnm/node-versions/", "/fnm/node-versions/"}, dated: true},
	{name: "mise", parts: []string{"/mise/installs/"}, dated: true},
	{name: "asdf", parts: []string{"/.asdf/installs/"}, dated: true},
	{name: "mise", parts: []string{"/mise/shims/"}},
	{name: "asdf", parts: []string{"/.asdf/shims/"}},
	{name: "volta", parts: []string{"/.volta/"}},
	{name: "pyenv", parts: []string{"/.pyenv/"}},
}

// managerOf is the one that a path belongs to; nil for none.
func managerOf(file string) *manager {
	file = strings.ReplaceAll(file, `\`, "/")
	for i := range managers {
		for _, part := range managers[i].parts {
			if strings.Contains(file, part) {
				return &managers[i]
			}
		}
	}
	return nil
}

func programs(f *Facts) (all []Finding) {
	started := 0
	for i := range f.Servers {
		s := &f.Servers[i]
		if s.Program == nil || s.Disabled {
			continue
		}
		if s.Cause == ByProgram && s.Error != "" {
			continue // it is said of the server
		}
		started++
		if found := s.Program.finding(); found != nil {
			found.Subject = s.Name
			all = append(all, *found)
		}
	}
	if started > 0 && len(all) == 0 {
		return []Finding{{Severity: OK, Text: "desktops find them too"}}
	}
	return all
}

func (p *Program) isBare() bool { return !strings.ContainsAny(p.Command, `/\`) }

// finding is what is to be said of a program; nil for nothing.
func (p *Program) finding() *Finding {
	kept := managerOf(p.Found)
	switch {
	case p.Found == "":
		return &Finding{Severity: Problem, Text: fmt.Sprintf("there is no program %q", p.Command), Remedy: p.remedy()}
	case p.isBare() && p.Desktop == "":
		return &Finding{
			Severity: Warning,
			Text:     fmt.Sprintf("%q is found by this terminal's PATH alone, in %s%s: a weir that a desktop has started finds it neither on its own PATH nor on your login shell's", p.Command, folder(p.Found), kept.with()),
			Remedy:   "let a start-up file of your login shell add that folder to PATH, or write the whole path as command",
		}
	case !p.isBare() && kept != nil && kept.fleet:
		return &Finding{
			Severity: Warning, Text: fmt.Sprintf("its command is a path of %s that is gone with the shell that made it", kept.name),
			Remedy: fmt.Sprintf("write command: %s; weir finds it by your login shell", base(p.Command)),
		}
	case p.Reader != "":
		return &Finding{
			Severity: Warning,
			Text:     fmt.Sprintf("its command is a script for %q, which is not on the PATH that a desktop starts weir with", p.Reader),
			Remedy:   fmt.Sprintf("write command: %s without its folder, so that weir seeks it, with all it needs, by your login shell; or give it env: {PATH: …}", base(p.Command)),
		}
	case !p.isBare() && kept != nil && kept.dated:
		return &Finding{
			Severity: Note, Text: fmt.Sprintf("its command is a path of one version that %s keeps, and ends with that version", kept.name),
			Remedy: fmt.Sprintf("write command: %s; weir finds it by your login shell", base(p.Command)),
		}
	case p.ByShell:
		return &Finding{
			Severity: OK,
			Text:     fmt.Sprintf("%q is not on a desktop's PATH; weir finds it by your login shell, in %s%s", p.Command, folder(p.Desktop), managerOf(p.Desktop).with()),
		}
	}
	return nil
}

// folder and base are the parts of a path of any system.
func folder(file string) string { return file[:max(strings.LastIndexAny(file, `/\`), 0)] }
func base(file string) string   { return file[strings.LastIndexAny(file, `/\`)+1:] }

// with names the manager behind a path.
func (m *manager) with() string {
	if m == nil {
		return ""
	}
	return " (" + m.name + ")"
}

// wanted are the packages in which people find common programs.
var wanted = map[string]string{
	"npx": "Node.js", "npm": "Node.js", "node": "Node.js", "bunx": "Bun", "bun": "Bun", "deno": "Deno",
	"uvx": "uv", "uv": "uv", "pipx": "pipx", "python": "Python", "python3": "Python", "docker": "Docker", "podman": "Podman",
}

// remedy is what helps where there is no such program.
func (p *Program) remedy() string {
	switch {
	case p == nil:
		return "install it, or write its whole path as command"
	case !p.isBare():
		return "correct its command: there is no such file"
	case wanted[p.Command] != "":
		return fmt.Sprintf("install %s, or write the whole path of %s as command", wanted[p.Command], p.Command)
	}
	return fmt.Sprintf("install %s, or write its whole path as command", p.Command)
}
