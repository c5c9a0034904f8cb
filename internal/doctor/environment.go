package doctor

import (
	"fmt"
	"slices"

	"github.com/weir-mcp/weir/internal/hosts"
)

// environment is about variables that are set here, and may not be where a host
// starts weir.
func environment(f *Facts) (all []Finding) {
	for _, name := range f.Variables {
		var surely, maybe []string
		for _, h := range installed(f.Hosts) {
			e := h.Limits().Environment
			if e.Passes(name) || h.sets(name) {
				continue
			}
			if e == hosts.OfDesktop {
				maybe = append(maybe, h.Title)
				continue
			}
			surely = append(surely, h.Title)
		}
		remedy := fmt.Sprintf("put %s into env_file, or into the keyring (weir auth secret set), or into the host's entry", name)
		if len(surely) > 0 {
			all = append(all, Finding{
				Severity: Problem, Subject: name, Remedy: remedy,
				Text: fmt.Sprintf("mcp.yaml needs this variable, and %s does not pass it on to weir", some(surely)),
			})
		}
		if len(maybe) > 0 {
			all = append(all, Finding{
				Severity: Warning, Subject: name, Remedy: remedy,
				Text: fmt.Sprintf("mcp.yaml needs this variable, and it is set in this terminal: %s, started from the desktop, may not have it", some(maybe)),
			})
		}
	}
	if len(all) == 0 && len(f.Variables) > 0 {
		return []Finding{{Severity: OK, Text: "hosts pass on what mcp.yaml needs"}}
	}
	return all
}

// sets reports whether each entry of weir's gives a variable a value of its own.
func (h Host) sets(name string) bool {
	return !slices.ContainsFunc(h.Entries, func(e Entry) bool { return !slices.Contains(e.Sets, name) })
}
