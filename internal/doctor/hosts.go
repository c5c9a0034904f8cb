package doctor

import "fmt"

// hostEntries are how weir stands in the files of hosts.
func hostEntries(f *Facts) (all []Finding) {
	for _, h := range f.Hosts {
		if h.Trouble != "" {
			all = append(all, Finding{Severity: Problem, Subject: h.Title, Text: h.Trouble, Remedy: "correct its file"})
		}
		all = append(all, h.findings()...)
	}
	if len(all) == 0 && len(installed(f.Hosts)) > 0 {
		var titles []string
		for _, h := range installed(f.Hosts) {
			titles = append(titles, h.Title)
		}
		return []Finding{{Severity: OK, Text: "weir is in " + some(titles)}}
	}
	if len(installed(f.Hosts)) == 0 {
		all = append(all, Finding{Severity: Note, Text: "weir is in no host that it knows", Remedy: "weir install HOST"})
	}
	return all
}

func (h Host) findings() (all []Finding) {
	for i := range h.Entries {
		e := &h.Entries[i]
		say := func(severity Severity, text, remedy string) {
			all = append(all, Finding{Severity: severity, Subject: h.Title, Text: fmt.Sprintf("its entry %q (%s) %s", e.Name, e.File, text), Remedy: remedy})
		}
		again := "weir install " + h.ID
		if e.Name != assumedEntry {
			again += " --name " + e.Name
		}
		switch {
		case e.Off:
			say(Warning, "is switched off", "switch it on in "+h.Title)
		case e.Missing:
			say(Problem, fmt.Sprintf("starts %s, which is not there", e.Command), again)
		case e.Usage != "":
			say(Problem, "gives weir arguments that it does not take: "+e.Usage, again)
		case e.Config != "":
			say(Problem, "has weir use a configuration that cannot be used: "+e.Config, "correct that, or "+again)
		case e.Elsewhere != "":
			say(Note, fmt.Sprintf("has weir use %s, which is not looked at here", e.Elsewhere), "weir doctor --config "+shellWord(e.Elsewhere))
		case e.Other:
			say(Note, fmt.Sprintf("starts %s, which is not the weir that you are asking now", e.Command), again+" lets it start this one")
		}
	}
	var names []string
	for _, e := range h.Entries {
		if !e.Off {
			names = append(names, e.Name)
		}
	}
	if len(names) > 1 {
		all = append(all, Finding{
			Severity: Warning, Subject: h.Title, Text: fmt.Sprintf("%d entries start weir (%s), so tools may be there twice", len(names), some(names)),
			Remedy: fmt.Sprintf("weir uninstall %s --name %s, unless they serve different things", h.ID, names[len(names)-1]),
		})
	}
	return all
}
