package doctor

import "fmt"

func logins(f *Facts) (all []Finding) {
	good := 0
	for _, l := range f.Logins {
		switch l.State {
		case LoginExpired:
			all = append(all, Finding{Severity: Warning, Subject: l.Server, Text: "its login has expired, and cannot be renewed by itself", Remedy: "weir login " + l.Server})
		case LoginBroken:
			subject := l.Server
			if subject == "" {
				subject = l.URL
			}
			all = append(all, Finding{Severity: Problem, Subject: subject, Text: "its login cannot be read: " + l.Error, Remedy: fmt.Sprintf("weir logout %s, then weir login %[1]s", subject)})
		case LoginLeft:
			all = append(all, Finding{Severity: Note, Subject: l.URL, Text: "a login is kept for it, and no server is configured there", Remedy: "weir logout " + l.URL})
		case LoginGood:
			good++
		}
	}
	if f.Keyring.Unusable != "" {
		severity, remedy := Note, ""
		text := "the system's keyring cannot be used (" + f.Keyring.Unusable + "): logins are kept in files that only you can read"
		if f.Keyring.Named > 0 {
			severity, remedy = Problem, "unlock it, or start weir where it is; until then ${file:…} or env_file can hold what it holds"
			text = fmt.Sprintf("the system's keyring cannot be used (%s), and mcp.yaml has %s to it", f.Keyring.Unusable, counted(f.Keyring.Named, "reference", "references"))
		}
		all = append(all, Finding{Severity: severity, Subject: "keyring", Text: text, Remedy: remedy})
	}
	if len(all) == 0 {
		text := "the keyring can be used"
		if good > 0 {
			text = counted(good, "login is", "logins are") + " good, and " + text
		}
		return []Finding{{Severity: OK, Text: text}}
	}
	return all
}
