package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weir-mcp/weir/internal/doctor"
	"github.com/weir-mcp/weir/upstream"
)

// A report tells what was found.
type report struct {
	*app
	checkup  *checkup
	findings []doctor.Finding
	fixed    []string // paths
}

func (r *report) print() {
	r.printServers()
	p := r.paint()
	var area doctor.Area
	for _, f := range merged(r.findings) {
		if f.Area != area {
			area = f.Area
			fmt.Fprintln(r.Stdout, p.bold(string(area)))
		}
		r.printFinding(p, f)
	}
	fmt.Fprintln(r.Stdout)
	fmt.Fprintln(r.Stdout, r.summary(p))
}

// merged makes one of findings that say the same of several, for people.
func merged(findings []doctor.Finding) (all []doctor.Finding) {
	for _, f := range findings {
		says := func(other doctor.Finding) bool {
			return other.Area == f.Area && other.Severity == f.Severity && other.Text == f.Text && other.Remedy == f.Remedy
		}
		i := slices.IndexFunc(all, says)
		if i < 0 || f.Subject == "" {
			all = append(all, f)
			continue
		}
		all[i].Subject += ", " + f.Subject
	}
	return all
}

func (r *report) printServers() {
	if len(r.checkup.facts.Servers) == 0 {
		return
	}
	p := r.paint()
	t := table{even: true, head: []string{"SERVER", "STATE", "STARTED", "LISTED", "TRANSPORT", "ERA", "PROTOCOL", "TOOLS", "TOKENS"}}
	for _, s := range r.checkup.facts.Servers {
		state := p.green
		switch {
		case s.Disabled:
			state = p.dim
		case s.Error != "":
			state = p.red
		case s.State != string(upstream.Ready):
			state = nil
		}
		row := []cell{
			{s.Name, p.bold},
			{s.State, state},
			plain(inShort(s.Connected)), plain(inShort(s.Listed)),
			plain(s.Transport), plain(s.Era), plain(s.Protocol), plain(unlessNone(uint64(s.Tools))), plain(unlessNone(uint64(s.Tokens))),
		}
		t.rows = append(t.rows, row)
	}
	t.dropEmpty()
	t.narrow(r.width(), "TRANSPORT", "ERA", "PROTOCOL", "STARTED")
	t.print(r.Stdout, p, r.width())
	fmt.Fprintln(r.Stdout)
}

// Where the text of a finding begins, and its widest lines end.
const (
	findingIndent = 11
	widestText    = 120
)

func (r *report) printFinding(p paint, f doctor.Finding) {
	text := f.Text
	subject := 0
	if f.Subject != "" {
		text = f.Subject + ": " + text
		subject = utf8.RuneCountInString(f.Subject) + 1
	}
	label := "  " + severityColour(p, f.Severity)(fmt.Sprintf("%-8s", f.Severity)) + " "
	for i, line := range r.wrapped(text) {
		if i > 0 {
			label = strings.Repeat(" ", findingIndent)
		} else if subject > 0 && utf8.RuneCountInString(line) >= subject {
			line = p.bold(string([]rune(line)[:subject])) + string([]rune(line)[subject:])
		}
		fmt.Fprintln(r.Stdout, label+line)
	}
	if f.Remedy == "" {
		return
	}
	for i, line := range r.wrapped(f.Remedy) {
		arrow := "→ "
		if i > 0 {
			arrow = "  "
		}
		fmt.Fprintln(r.Stdout, strings.Repeat(" ", findingIndent)+p.cyan(arrow+line))
	}
}

// wrapped breaks a text into lines that fit behind the indent and an arrow. Without a
// terminal it is one line.
func (r *report) wrapped(text string) []string {
	width := r.width()
	if width <= 0 {
		return []string{text}
	}
	return wrapText(text, max(min(width-1, widestText)-findingIndent-2, 20))
}

// wrapText breaks a text at spaces, and words that are longer than a line anywhere.
func wrapText(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && columnsOf(line)+1+columnsOf(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		for line += word; columnsOf(line) > width; {
			head := withinColumns(line, width)
			lines = append(lines, head)
			line = line[len(head):]
		}
	}
	return append(lines, line)
}

func severityColour(p paint, s doctor.Severity) func(string) string {
	switch s {
	case doctor.Problem:
		return p.red
	case doctor.Warning:
		return p.yellow
	case doctor.Note:
		return p.dim
	case doctor.OK:
	}
	return p.green
}

// summary says in one line how it stands.
func (r *report) summary(p paint) string {
	var parts []string
	add := func(s doctor.Severity, one, many string, colour func(string) string) {
		if n := doctor.Count(r.findings, s); n > 0 {
			parts = append(parts, colour(plural(n, one, many)))
		}
	}
	add(doctor.Problem, "problem", "problems", p.red)
	add(doctor.Warning, "warning", "warnings", p.yellow)
	add(doctor.Note, "note", "notes", p.dim)
	if len(parts) == 0 {
		parts = []string{p.green("nothing to mend")}
	}
	well, usable := 0, 0
	for _, s := range r.checkup.facts.Servers {
		if s.Disabled {
			continue
		}
		usable++
		if s.Error == "" {
			well++
		}
	}
	text := strings.Join(parts, ", ")
	if usable > 0 && r.checkup.facts.Asked {
		text += fmt.Sprintf("; %d of %s well", well, plural(usable, "server is", "servers are"))
	}
	return text
}

// outcome is the exit code.
func (r *report) outcome() error {
	switch {
	case r.checkup.file == nil || r.checkup.facts.Config.Denied != "" || r.checkup.facts.Config.Notice != "":
		return &exitError{exitFailed, nil}
	case doctor.Count(r.findings, doctor.Problem)+doctor.Count(r.findings, doctor.Warning) > 0:
		return &exitError{exitPartly, nil}
	}
	return nil
}

// mend does what can do no harm, if that is wanted, after it was agreed to. What is
// mended is found no more.
func (r *report) mend(ctx context.Context) error {
	o := r.checkup.o
	if !o.fix {
		return nil
	}
	out := r.Stdout
	if o.asJSON {
		out = r.Stderr
	}
	var fixes []*doctor.Fix
	for _, f := range r.findings {
		if f.Fix != nil {
			fixes = append(fixes, f.Fix)
			fmt.Fprintf(out, "--fix: %s %s\n", f.Fix.Do, printable(homeless(f.Fix.Path)))
		}
	}
	switch {
	case len(fixes) == 0:
		fmt.Fprintln(out, "There is nothing that --fix could mend.")
		return nil
	case o.dryRun:
		fmt.Fprintln(out, "With --dry-run nothing is done.")
		return nil
	case !o.yes:
		if agreed, err := r.agree(ctx, fmt.Sprintf(`Type "yes" to do %s, or press Enter to leave all as it is: `, plural(len(fixes), "this", "these"))); err != nil || !agreed {
			return err
		}
	}
	var failed []error
	done := map[string]bool{}
	for _, fix := range fixes {
		if err := repair(fix); err != nil {
			failed = append(failed, err)
			continue
		}
		done[fix.Path] = true
	}
	var left []doctor.Finding
	for _, f := range r.findings {
		if f.Fix == nil || !done[f.Fix.Path] {
			left = append(left, f)
			continue
		}
		r.fixed = append(r.fixed, f.Fix.Path)
	}
	r.findings = left
	fmt.Fprintf(out, "%s %s\n", r.paint().green("Mended:"), strconv.Itoa(len(r.fixed)))
	return errors.Join(failed...)
}

// printJSON writes all of it as one object.
func (r *report) printJSON() error {
	type server struct {
		Name      string `json:"name"`
		State     string `json:"state"`
		Transport string `json:"transport"`
		Era       string `json:"era,omitempty"`
		Protocol  string `json:"protocol,omitempty"`
		Version   string `json:"version,omitempty"`
		Started   int64  `json:"startedMs,omitempty"`
		Listed    int64  `json:"listedMs,omitempty"`
		Tools     int    `json:"tools"`
		Prompts   int    `json:"prompts"`
		Resources int    `json:"resources"`
		Tokens    int    `json:"tokens"`
		Error     string `json:"error,omitempty"`
	}
	clean := r.checkup.shownText()
	all := struct {
		Version  string           `json:"version"`
		Config   string           `json:"config"`
		Problems int              `json:"problems"`
		Warnings int              `json:"warnings"`
		Notes    int              `json:"notes"`
		Servers  []server         `json:"servers"`
		Findings []doctor.Finding `json:"findings"`
		Fixed    []string         `json:"fixed,omitempty"`
	}{
		Version: version, Config: r.checkup.facts.Config.Path,
		Problems: doctor.Count(r.findings, doctor.Problem), Warnings: doctor.Count(r.findings, doctor.Warning), Notes: doctor.Count(r.findings, doctor.Note),
		Servers: []server{}, Findings: r.findings, Fixed: r.fixed,
	}
	for _, s := range r.checkup.facts.Servers {
		all.Servers = append(all.Servers, server{
			s.Name, s.State, s.Transport, s.Era, s.Protocol, printable(s.Version), s.Connected.Milliseconds(), s.Listed.Milliseconds(),
			s.Tools, s.Prompts, s.Resources, s.Tokens, clean(s.Error),
		})
	}
	return r.app.printJSON(all)
}
