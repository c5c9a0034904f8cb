package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
)

// hostName is whose a file is, for people.
func hostName(p hosts.Place) string {
	if p.Host.Title == "" {
		return filepath.Base(p.Path)
	}
	if p.Scope == hosts.User {
		return p.Host.Title
	}
	return p.Host.Title + ", " + string(p.Scope)
}

// print shows what was found: all of it in a table, and what would be added in
// full.
func (p *importing) print() {
	paint := p.paint()
	p.printTroubles()
	if len(p.found) == 0 {
		fmt.Fprintln(p.Stdout, p.nothingFound())
		return
	}
	t := table{head: []string{"HOST", "NAME", "BECOMES", "KIND", "NOTE"}}
	for _, c := range p.found {
		t.rows = append(t.rows, []cell{
			plain(hostName(c.File.Place)), plain(oneLine(c.Name, 32)), {p.becomes(c), paint.bold}, plain(kindOf(c)), plain(p.remark(c)),
		})
	}
	t.print(p.Stdout, paint, p.width())
	fmt.Fprintln(p.Stdout)
	for _, c := range p.found {
		if c.Verdict == hosts.New || c.Verdict == hosts.Broken {
			p.printCandidate(c)
		}
	}
}

func (p *importing) printTroubles() {
	for _, t := range p.troubles {
		fmt.Fprintf(p.Stdout, "%s %s: %s\n", p.paint().red("Not read:"), hostName(t.place), printable(t.err.Error()))
	}
}

func (p *importing) nothingFound() string {
	if len(p.files) == 0 {
		return "No host on this machine has a file with servers."
	}
	return "The hosts on this machine have no servers in their files."
}

func (p *importing) becomes(c *hosts.Candidate) string {
	switch c.Verdict {
	case hosts.New:
		return c.As
	case hosts.Same, hosts.Weir, hosts.Broken:
	}
	return "-"
}

func kindOf(c *hosts.Candidate) string {
	d := c.Definition
	switch {
	case c.Verdict == hosts.Weir:
		return "stdio"
	case d.Text("transport") != "":
		return d.Text("transport")
	case d.Text("command") != "":
		return "stdio"
	case d.Text("url") != "":
		return "http"
	}
	return ""
}

// remark is one sentence part on what becomes of a server.
func (p *importing) remark(c *hosts.Candidate) string {
	switch c.Verdict {
	case hosts.Same:
		return "the same as " + c.As
	case hosts.Weir:
		return "it is weir itself"
	case hosts.Broken:
		return "cannot be taken over, see below"
	case hosts.New:
	}
	var all []string
	if !c.Definition.Enabled() {
		all = append(all, "not enabled")
	}
	if n := len(hosts.Secrets(c.Definition)); n > 0 {
		all = append(all, plural(n, "secret", "secrets"))
	}
	if len(c.Inputs) > 0 {
		all = append(all, "asks for "+strings.Join(c.Inputs, ", "))
	}
	return strings.Join(append(all, c.Notes...), "; ")
}

// printCandidate shows a server in full, but for its secrets.
func (p *importing) printCandidate(c *hosts.Candidate) {
	paint := p.paint()
	name := c.As
	if c.Verdict == hosts.Broken {
		name = oneLine(c.Name, 64)
	}
	fmt.Fprintf(p.Stdout, "%s  %s\n", paint.bold(name), paint.dim("from "+printable(homeless(c.Pos.String()))))
	line := func(head, text string) {
		if text != "" {
			fmt.Fprintf(p.Stdout, "  %-8s %s\n", head, text)
		}
	}
	if c.Verdict == hosts.Broken {
		for _, problem := range c.Problems {
			line(paint.red("problem"), printable(strings.TrimPrefix(problem.Error(), c.Pos.String()+": ")))
		}
		fmt.Fprintln(p.Stdout)
		return
	}
	d := hosts.Masked(c.Definition)
	line("runs", commandLine(d))
	line("reaches", word(d.Text("url")))
	line("in", word(d.Text("cwd")))
	for _, key := range []string{"env", "headers", "auth"} {
		line(key, pairsText(d, key))
	}
	line("passes", strings.Join(quotedWords(d.List("inherit_env")), " "))
	for _, note := range c.Notes {
		line("note", printable(note))
	}
	fmt.Fprintln(p.Stdout)
}

// commandLine is a command as somebody could type it; "" if there is none.
func commandLine(d config.Definition) string {
	if d.Text("command") == "" {
		return ""
	}
	return strings.Join(quotedWords(append([]string{d.Text("command")}, d.List("args")...)), " ")
}

func pairsText(d config.Definition, key string) string {
	var all []string
	for _, pair := range d.Pairs(key) {
		all = append(all, word(pair.Key)+"="+word(pair.Text))
	}
	return strings.Join(all, " ")
}

func quotedWords(all []string) (quoted []string) {
	for _, text := range all {
		quoted = append(quoted, word(text))
	}
	return quoted
}

// word is a text that stands for exactly itself: in quotes where it could be taken
// for more than one, and with escapes for what does not show.
func word(text string) string {
	plain := !strings.ContainsFunc(text, func(r rune) bool {
		return r == ' ' || strings.ContainsRune("\"'\\`", r) || !strconv.IsPrint(r)
	})
	if plain {
		return text
	}
	return strconv.Quote(text)
}

// An importReport is what --json prints.
type importReport struct {
	Config  string          `json:"config"`
	Written bool            `json:"written"`
	Servers []importedLine  `json:"servers"`
	Unread  []importTrouble `json:"unread,omitempty"`
}

type importedLine struct {
	Host     string            `json:"host,omitempty"`
	Scope    string            `json:"scope"`
	File     string            `json:"file"`
	Line     int               `json:"line"`
	Name     string            `json:"name"`
	Verdict  string            `json:"verdict"`
	As       string            `json:"as,omitempty"`
	Kind     string            `json:"kind,omitempty"`
	Enabled  bool              `json:"enabled"`
	Command  string            `json:"command,omitempty"`
	Args     []string          `json:"args,omitempty"`
	Cwd      string            `json:"cwd,omitempty"`
	URL      string            `json:"url,omitempty"`
	Env      map[string]string `json:"env,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	Secrets  []string          `json:"secrets,omitempty"` // where they stand
	Inputs   []string          `json:"inputs,omitempty"`
	Problems []string          `json:"problems,omitempty"`
	Notes    []string          `json:"notes,omitempty"`
}

type importTrouble struct {
	Host  string `json:"host"`
	File  string `json:"file"`
	Error string `json:"error"`
}

// printJSON prints what was found, without secrets.
func (p *importing) printJSON(written bool) error {
	report := importReport{Config: p.path, Written: written, Servers: []importedLine{}}
	for _, c := range p.found {
		report.Servers = append(report.Servers, reportOf(c))
	}
	for _, t := range p.troubles {
		report.Unread = append(report.Unread, importTrouble{t.place.Host.ID, t.place.Path, t.err.Error()})
	}
	return printIndented(p.Stdout, report)
}

func reportOf(c *hosts.Candidate) importedLine {
	d := hosts.Masked(c.Definition)
	line := importedLine{
		Host: c.File.Host.ID, Scope: string(c.File.Scope), File: c.File.Path, Line: c.Pos.Line, Name: c.Name,
		Verdict: string(c.Verdict), As: c.As, Kind: kindOf(c), Enabled: d.Enabled(),
		Command: d.Text("command"), Args: d.List("args"), Cwd: d.Text("cwd"), URL: d.Text("url"),
		Env: pairsOf(d, "env"), Headers: pairsOf(d, "headers"), Inputs: c.Inputs, Notes: c.Notes,
	}
	for _, s := range hosts.Secrets(c.Definition) {
		line.Secrets = append(line.Secrets, s.Name())
	}
	for _, problem := range c.Problems {
		line.Problems = append(line.Problems, problem.Error())
	}
	return line
}

func pairsOf(d config.Definition, key string) map[string]string {
	all := map[string]string{}
	for _, pair := range d.Pairs(key) {
		all[pair.Key] = pair.Text
	}
	return all
}

func printIndented(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}
