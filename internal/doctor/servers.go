package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/weir-mcp/weir/internal/hosts"
)

func servers(f *Facts) (all []Finding) {
	usable, well := 0, 0
	for i := range f.Servers {
		s := &f.Servers[i]
		if s.Disabled {
			continue
		}
		usable++
		found := s.findings(f)
		if s.Error == "" {
			well++
		}
		all = append(all, found...)
	}
	if usable > 0 && well == usable && f.Asked {
		all = append(all, Finding{Severity: OK, Text: "all of them answer"})
	}
	return all
}

func (s *Server) findings(f *Facts) (all []Finding) {
	say := func(severity Severity, text, remedy string) {
		all = append(all, Finding{Severity: severity, Subject: s.Name, Text: text, Remedy: remedy})
	}
	switch {
	case s.Error != "":
		text := s.Error
		if s.Said != "" {
			text += fmt.Sprintf("; its last line on stderr: %s", s.Said)
		}
		if s.ListAge != "" {
			text += fmt.Sprintf(" (hosts are shown what it listed %s)", s.ListAge)
		}
		say(Problem, text, s.remedy())
	case f.Asked && s.Tools+s.Prompts+s.Resources == 0:
		say(Warning, "it answers, and has neither tools nor prompts nor resources", "look whether it wants arguments or variables to have any")
	case f.Asked:
		if text := late(s.Listed, f.Hosts); text != "" {
			say(Note, text, "")
		}
	}
	if s.Changed > 0 {
		text := counted(s.Changed, "definition has", "definitions have") + " changed since weir first saw them"
		severity := Warning
		if s.Withheld {
			text += ", and hosts are not shown them (pin: block)"
		}
		say(severity, text, "weir pins diff "+s.Name+", then weir pins approve "+s.Name)
	}
	if s.Cleaned > 0 {
		say(Warning, counted(s.Cleaned, "definition has", "definitions have")+" hidden characters or unsafe icons, which hosts are not shown", "ask yourself whether you trust it")
	}
	return all
}

// remedy is what helps against its error.
func (s *Server) remedy() string {
	switch s.Cause {
	case ByLogin:
		return "weir login " + s.Name
	case ByProgram:
		return s.Program.remedy()
	case ByConfig:
		return "correct its section; a variable belongs into env_file, a secret into the keyring (weir auth secret set)"
	case ByTime:
		if s.Program != nil {
			return "run its command by hand: if it only is slow, connect_timeout and list_timeout give it more time"
		}
		return "is it there? If it only is slow, connect_timeout and list_timeout give it more time"
	case ByCredentials:
		return "the token in its auth or headers is missing, wrong or expired: renew it"
	case ByCertificate:
		return "correct the certificate of the server, or name your company's own authority by SSL_CERT_FILE"
	case ByName:
		return "correct the host in its url, or connect to the network where it is known"
	case ByRefusal:
		return "start the server at that address, or correct its url"
	case ByAddress:
		return "correct its url: mostly the path is missing, such as /mcp (or /sse for older servers)"
	case ByProtocol:
		return "what it starts must be an MCP server, with nothing but messages on its stdout; run its command by hand and look"
	case ByEnd:
		return "run its command by hand and read what it says; weir logs what it writes to stderr"
	}
	return ""
}

// late says which hosts a first list comes too late for.
func late(listed time.Duration, all []Host) string {
	var hurt []string
	for _, h := range all {
		l := h.Limits()
		switch {
		case l.Start > 0 && listed > l.Start:
			hurt = append(hurt, fmt.Sprintf("%s gives up after %v", h.Title, l.Start))
		case l.FirstTurn > 0 && listed > l.FirstTurn:
			hurt = append(hurt, fmt.Sprintf("%s's first turn waits %v", h.Title, l.FirstTurn))
		}
	}
	if len(hurt) == 0 {
		return ""
	}
	return fmt.Sprintf("its first list took %.1f s, and %s; it is stored now, so hosts have it at once", listed.Seconds(), strings.Join(hurt, ", "))
}

// installed are those of the hosts that have weir.
func installed(all []Host) (in []Host) {
	for _, h := range all {
		if len(h.Entries) > 0 {
			in = append(in, h)
		}
	}
	return in
}

// isAny reports whether one of the hosts is one of those.
func isAny(all []Host, those ...hosts.Host) bool {
	for _, h := range all {
		for _, other := range those {
			if h.Host == other {
				return true
			}
		}
	}
	return false
}
