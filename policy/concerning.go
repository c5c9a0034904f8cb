package policy

import "slices"

// Concerning returns all that a policy may say of what a server of this name has,
// be there one or not: the gate's no, if it keeps it out; else each rule whose
// server pattern matches it, in their order, and the default. Of these verdicts
// only reasons and positions count, and those of an Ask.
func (p *Policy) Concerning(name string) []Verdict {
	if p == nil {
		return []Verdict{{Reason: "there is no policy"}}
	}
	if gate := p.about(name).gate; gate != nil {
		return []Verdict{*gate}
	}
	known := p.servers.calledBy(name)
	var all []Verdict
	for _, r := range p.rules {
		matches := slices.ContainsFunc(known, r.server.Match)
		if name == Own {
			matches = r.server.Literal() && matches
		}
		if !matches {
			continue
		}
		if r.levels {
			all = append(all, r.verdict)
		}
		if r.asks {
			all = append(all, Verdict{Ask: true, AskReason: r.asking, AskPos: r.pos})
		}
	}
	if name == Own {
		return append(all, p.own)
	}
	return append(all, p.fallback)
}
