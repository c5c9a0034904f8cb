package doctor

import (
	"fmt"
	"strings"
)

// running is about the weirs that hosts have started.
func running(f *Facts) (all []Finding) {
	for _, w := range f.Running {
		subject := fmt.Sprintf("weir %d", w.PID)
		host := strings.Join(w.Hosts, ", ")
		if host == "" {
			host = "its host"
		}
		if w.Version != f.Version {
			all = append(all, Finding{
				Severity: Warning, Subject: subject, Text: fmt.Sprintf("it is version %s, this is %s", w.Version, f.Version),
				Remedy: "restart " + host,
			})
		}
		if w.Config != "" && w.Config != f.Config.Path {
			all = append(all, Finding{
				Severity: Note, Subject: subject, Text: fmt.Sprintf("it serves %s with another configuration, %s", host, w.Config),
				Remedy: "weir doctor --config " + shellWord(w.Config),
			})
		}
		if w.Problem != "" {
			all = append(all, Finding{
				Severity: Warning, Subject: subject, Text: fmt.Sprintf("it goes on with an older configuration for %s: %s", host, w.Problem),
				Remedy: "correct the file and save it",
			})
		}
	}
	for _, why := range f.Unanswered {
		all = append(all, Finding{Severity: Warning, Text: why + ": it runs, and does not say how it is", Remedy: "restart its host; if it stays, end the process of that number"})
	}
	if len(all) == 0 {
		text := "no weir is running"
		if n := len(f.Running); n > 0 {
			text = counted(n, "weir is", "weirs are") + " running, of this version"
		}
		return []Finding{{Severity: OK, Text: text}}
	}
	return all
}
