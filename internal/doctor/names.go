package doctor

import (
	"fmt"
	"strings"

	"github.com/weir-mcp/weir/internal/hosts"
)

// An assumed entry is what weir is called where it is in no host yet.
const assumedEntry = "weir"

// names are those that do not fit hosts, or weir has cut.
func names(f *Facts) (all []Finding) {
	if len(f.Tools) == 0 {
		return nil
	}
	for _, h := range lookedAt(f) {
		all = append(all, tooLong(f, h)...)
	}
	all = append(all, hashed(f)...)
	if len(all) == 0 {
		return []Finding{{Severity: OK, Text: "all fit " + everywhere(f)}}
	}
	return all
}

// lookedAt are the hosts that weir is in, else all there are, as if it were.
func lookedAt(f *Facts) []Host {
	var all []Host
	for _, h := range f.Hosts {
		if h.isIn() || h.Asked {
			all = append(all, h)
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, h := range hosts.All() {
		all = append(all, Host{Host: h})
	}
	return all
}

// everywhere is where what fits is said to fit.
func everywhere(f *Facts) string {
	all := lookedAt(f)
	if len(all) == len(hosts.All()) {
		return "every host that weir knows"
	}
	titles := make([]string, len(all))
	for i, h := range all {
		titles[i] = h.Title
	}
	return strings.Join(titles, ", ")
}

// entries are those of a host that work; the one that weir would have, if it has none.
func (h Host) entries() (all []Entry) {
	for _, e := range h.Entries {
		if !e.Off && !e.Missing && e.Usage == "" {
			all = append(all, e)
		}
	}
	if len(h.Entries) == 0 {
		return []Entry{{Name: assumedEntry}}
	}
	return all
}

// isIn reports whether weir is in the host already.
func (h Host) isIn() bool { return len(h.Entries) > 0 }

// shown are the tools that the host gets by an entry.
func (e *Entry) shown(f *Facts) []Tool {
	if e.Tools == nil {
		return f.Tools
	}
	listed := make(map[string]bool, len(e.Tools))
	for _, name := range e.Tools {
		listed[name] = true
	}
	var shown []Tool
	for _, t := range f.Tools {
		if listed[t.Exposed] {
			shown = append(shown, t)
		}
	}
	return shown
}

// tooLong are the names that a host does not take as they are, by server.
func tooLong(f *Facts, h Host) (all []Finding) {
	limit := h.Limits().Name
	if limit.Most == 0 {
		return nil
	}
	for _, e := range h.entries() {
		for _, s := range f.different() {
			var long []string
			for _, t := range e.shown(f) {
				if n := limit.Length(e.Name, t.Exposed); t.Server == s.Name && n > limit.Most {
					long = append(long, fmt.Sprintf("%s (%d)", t.Exposed, n))
				}
			}
			if len(long) == 0 {
				continue
			}
			all = append(all, Finding{
				Severity: h.severityOf(limit), Subject: s.Name,
				Text: fmt.Sprintf("%s too long for %s, which counts at most %d characters%s and %s: %s",
					counted(len(long), "name is", "names are"), h.Title, limit.Most, with(limit.Head(e.Name)), limit.Then, some(long)),
				Remedy: shorter(limit.Room(e.Name), e.Name, s),
			})
		}
	}
	return all
}

func (h Host) severityOf(limit hosts.NameLimit) Severity {
	switch {
	case !h.isIn():
		return Note
	case h.Host == hosts.ClaudeDesktop: // the others lose one tool
		return Problem
	}
	return Warning
}

// with says what a host counts besides the name.
func with(head string) string {
	if head == "" {
		return ""
	}
	return fmt.Sprintf(" with its %q", head)
}

// shorter is how a server's names become short enough.
func shorter(room int, entry string, s Server) string {
	if room < 20 && len(entry) > len(assumedEntry) {
		return fmt.Sprintf("give weir's entry in that host a shorter name than %q (weir install HOST --name weir)", entry)
	}
	if len(s.Prefix) > 4 {
		return fmt.Sprintf("give server %s a short prefix (prefix: %s), or set names: {max: %d}", s.Name, initials(s.Name), room)
	}
	return fmt.Sprintf("set names: {max: %d}: weir cuts longer ones so that they stay different", room)
}

// initials is a short prefix for a server.
func initials(name string) string {
	var short strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' }) {
		short.WriteByte(word[0])
	}
	if short.Len() > 1 {
		return short.String()
	}
	return name[:min(len(name), 2)]
}

// hashed are the names that weir had to make otherwise.
func hashed(f *Facts) (all []Finding) {
	for _, s := range f.different() {
		var made []string
		for _, t := range f.Tools {
			if t.Server == s.Name && t.Made {
				made = append(made, t.Exposed)
			}
		}
		if len(made) == 0 {
			continue
		}
		remedy := "overrides: {ORIGINAL: {name: SHORTER}} gives one a name of its own"
		if len(s.Prefix) > 4 {
			remedy = fmt.Sprintf("a shorter prefix leaves more of them (prefix: %s)", initials(s.Name))
		}
		all = append(all, Finding{
			Severity: Note, Subject: s.Name,
			Text: fmt.Sprintf("weir has cut or mended %s, or another server has the same: %s",
				counted(len(made), "name", "names"), some(made)),
			Remedy: remedy,
		})
	}
	return all
}
