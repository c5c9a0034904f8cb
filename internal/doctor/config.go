package doctor

import (
	"fmt"
	"strings"
)

func configuration(f *Facts) (all []Finding) {
	c := &f.Config
	for _, why := range c.Broken {
		all = append(all, Finding{Severity: Problem, Subject: c.placeOf(why), Text: why, Remedy: "correct it and save it: weirs that run read it again then"})
	}
	switch {
	case len(c.Broken) > 0:
		return all
	case c.Path == "":
		return []Finding{{Severity: Problem, Text: "no place for a configuration is known", Remedy: "name one with --config or $WEIR_CONFIG"}}
	case c.Missing:
		return []Finding{{Severity: Note, Subject: c.Path, Text: "there is no configuration yet, so there are no servers", Remedy: "weir import (what your assistants have), or weir add"}}
	case c.Empty:
		return []Finding{{Severity: Note, Subject: c.Path, Text: "the file is empty, so there are no servers", Remedy: "weir import, or weir add"}}
	}
	for _, text := range c.Warnings {
		if c.Denied == "" || !strings.Contains(text, c.Denied) { // that is said below
			all = append(all, Finding{Severity: Warning, Subject: c.placeOf(text), Text: text})
		}
	}
	if c.Notice != "" {
		all = append(all, Finding{Severity: Problem, Subject: c.Path, Text: c.Notice})
	}
	if c.Denied != "" {
		all = append(all, Finding{
			Severity: Problem, Subject: c.Path, Text: "everything is denied to whoever starts weir like this: " + c.Denied,
			Remedy: "give weir the host's key (--key-file), or the file a default policy (weir help policy)",
		})
	}
	all = append(all, c.openness()...)
	for _, name := range c.Barren {
		all = append(all, Finding{Severity: Warning, Subject: "profile " + name, Text: "no server belongs to it, so a host that uses it has no tools", Remedy: fmt.Sprintf("correct its servers in %s", c.Path)})
	}
	for _, r := range c.Rules {
		all = append(all, Finding{Severity: Warning, Subject: r.Place, Text: "policy: " + r.Text, Remedy: "weir policy lint shows it again when it is corrected"})
	}
	if len(c.Disabled) > 0 {
		all = append(all, Finding{
			Severity: Note, Text: counted(len(c.Disabled), "server is", "servers are") + " switched off: " + some(c.Disabled),
			Remedy: "weir enable " + c.Disabled[0],
		})
	}
	if len(all) == 0 {
		return []Finding{{Severity: OK, Subject: c.Path, Text: counted(len(f.Servers), "server", "servers")}}
	}
	return all
}

// placeOf is the path of the file, unless a text says it by itself.
func (c *Config) placeOf(text string) string {
	if strings.HasPrefix(text, c.Path) {
		return ""
	}
	return c.Path
}

// openness is about secrets that stand in the file.
func (c *Config) openness() []Finding {
	switch {
	case len(c.Secrets) == 0:
		return nil
	case c.Mode&0o077 != 0:
		return []Finding{{
			Severity: Warning, Subject: c.Path,
			Text:   fmt.Sprintf("others on this machine can read it (mode %04o), and secrets stand in it: %s", c.Mode, some(c.Secrets)),
			Remedy: "chmod 600 " + shellWord(c.Path),
		}}
	}
	return []Finding{{
		Severity: Note, Subject: c.Path, Text: "secrets stand in it: " + some(c.Secrets),
		Remedy: "weir auth secret set SERVICE/ACCOUNT puts one into the keyring; in the file stands ${keyring:SERVICE/ACCOUNT} then",
	}}
}

// shellWord is a path as a word of a command line.
func shellWord(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && isPlain(rest) || isPlain(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func isPlain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-+@:,", r)
	})
}
