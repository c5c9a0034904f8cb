package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// How hosts learn of tools.
const (
	ShowAll    Exposure = "all"
	ShowSearch Exposure = "search"
	ShowAuto   Exposure = "auto"
)

// dear is how many tokens of definitions are worth a word: a tenth of a common
// context.
const dear = 20_000

// fewer is what helps against too many tools.
const fewer = "a profile with expose: auto, or with the servers this host needs (docs/tokens.md), and --profile in its entry: weir install %s --profile NAME"

// toolCounts are numbers of tools, and what they cost.
func toolCounts(f *Facts) (all []Finding) {
	if len(f.Tools) == 0 {
		return nil
	}
	for _, h := range lookedAt(f) {
		if found := tooMany(f, h); found != nil {
			all = append(all, *found)
		}
	}
	if found := tooDear(f); found != nil {
		all = append(all, *found)
	}
	all = append(all, tooWordy(f)...)
	if len(all) == 0 {
		return []Finding{{Severity: OK, Text: fmt.Sprintf("%s, about %d tokens in all", counted(len(f.Tools), "tool", "tools"), tokens(f))}}
	}
	return all
}

// tooMany says that a host is shown more than it takes.
func tooMany(f *Facts, h Host) *Finding {
	most := h.Limits().Tools
	if most == 0 {
		return nil
	}
	for _, e := range h.entries() {
		n := len(f.Tools)
		if e.Tools != nil {
			n = len(e.Tools) // weir's own among them
		}
		if n <= most || !h.isIn() && f.Config.Shown != ShowAll {
			continue
		}
		found := &Finding{
			Severity: Warning, Subject: h.Title,
			Text:   fmt.Sprintf("it takes %d tools of all servers together, and is shown %d", most, n),
			Remedy: fmt.Sprintf(fewer, h.ID),
		}
		if !h.isIn() {
			found.Severity, found.Text = Note, fmt.Sprintf("it takes %d tools of all servers together, and would be shown %d", most, n)
		}
		return found
	}
	return nil
}

func tokens(f *Facts) (all int) {
	for _, t := range f.Tools {
		all += t.Tokens
	}
	return all
}

// tooDear says what the tools cost every conversation.
func tooDear(f *Facts) *Finding {
	all := tokens(f)
	if all < dear || f.Config.Shown != ShowAll || len(f.Servers) == 0 {
		return nil
	}
	first := slices.MaxFunc(f.Servers, func(a, b Server) int { return cmp.Compare(a.Tokens, b.Tokens) })
	return &Finding{
		Severity: Note,
		Text: fmt.Sprintf("%s: about %d tokens in every conversation, %s alone %d",
			counted(len(f.Tools), "tool", "tools"), all, first.Name, first.Tokens),
		Remedy: "a profile with expose: auto lists them only where there is room (docs/tokens.md); weir tools --tokens says which are dear",
	}
}

// tooWordy are descriptions that hosts cut.
func tooWordy(f *Facts) (all []Finding) {
	for _, h := range lookedAt(f) {
		most := h.Limits().Description
		var long []string
		for _, t := range f.Tools {
			if most > 0 && len(described(t.Definition)) > most {
				long = append(long, t.Exposed)
			}
		}
		if len(long) > 0 {
			all = append(all, Finding{
				Severity: Note, Subject: h.Title,
				Text:   fmt.Sprintf("it cuts descriptions at %d bytes: %s", most, some(long)),
				Remedy: "overrides: {NAME: {description: …}} says it in fewer words",
			})
		}
	}
	return all
}
