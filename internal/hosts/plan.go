package hosts

import (
	"slices"
	"strings"

	"github.com/weir-mcp/weir/internal/config"
)

// A Verdict says what becomes of a server that was found.
type Verdict string

// The verdicts.
const (
	New    Verdict = "new"    // it can be added
	Same   Verdict = "same"   // there is one like it: in the configuration, or added by this plan
	Weir   Verdict = "weir"   // it starts weir itself
	Broken Verdict = "broken" // weir cannot use it
)

// A Candidate is a server that was found, and what becomes of it.
type Candidate struct {
	Server
	File    *File
	Verdict Verdict
	As      string // the name in the configuration: its own, or of the one that is the same
}

// Plan says what becomes of all servers of the files, in their order, beside those
// that the configuration has, and other names that are taken there. Of servers that
// are the same, the first is added; it is used if any of them is.
func Plan(files []*File, have []config.Defined, names []string) (all []*Candidate) {
	taken := map[string]bool{}
	for _, n := range names {
		taken[n] = true
	}
	for _, h := range have {
		taken[h.Name] = true
	}
	for _, f := range files {
		for _, s := range f.Servers {
			c := &Candidate{Server: s, File: f}
			switch twin := findTwin(all, c); {
			case s.StartsWeir:
				c.Verdict = Weir
			case len(s.Problems) > 0:
				c.Verdict = Broken
			case twin != nil:
				c.Verdict, c.As = Same, twin.As
				if c.Definition.Enabled() {
					twin.Definition = twin.Definition.Enable()
				}
			default:
				c.settle(have, taken)
			}
			all = append(all, c)
		}
	}
	return all
}

// findTwin is one that will be added and is the same as c.
func findTwin(all []*Candidate, c *Candidate) *Candidate {
	i := slices.IndexFunc(all, func(other *Candidate) bool {
		return other.Verdict == New && IsSame(other.Definition, c.Definition)
	})
	if i < 0 {
		return nil
	}
	return all[i]
}

// settle finds a name for a server, unless the configuration has it.
func (c *Candidate) settle(have []config.Defined, taken map[string]bool) {
	for _, h := range have {
		if IsSame(h.Definition, c.Definition) {
			c.Verdict, c.As = Same, h.Name
			return
		}
	}
	c.Verdict, c.As = New, config.LegalName(c.Name, taken)
}

// IsSame reports whether two definitions are of one server: the same command line,
// folder and variables, or the same URL with no headers that differ. A reference is
// the same as whatever it may stand for.
func IsSame(a, b config.Definition) bool {
	if a.Text("command") == "" && a.Text("url") == "" {
		return false
	}
	return mayBe(a.Text("command"), b.Text("command")) && mayBe(strings.TrimRight(a.Text("url"), "/"), strings.TrimRight(b.Text("url"), "/")) &&
		mayBe(a.Text("cwd"), b.Text("cwd")) && slices.EqualFunc(a.List("args"), b.List("args"), mayBe) &&
		samePairs(a.Pairs("env"), b.Pairs("env")) && noneDiffers(a.Pairs("headers"), b.Pairs("headers")) && noneDiffers(a.Pairs("auth"), b.Pairs("auth"))
}

func samePairs(a, b []config.Pair) bool {
	return len(a) == len(b) && noneDiffers(a, b) && noneIsMissing(a, b)
}

func noneIsMissing(a, b []config.Pair) bool {
	return !slices.ContainsFunc(a, func(p config.Pair) bool {
		return !slices.ContainsFunc(b, func(q config.Pair) bool { return p.Key == q.Key })
	})
}

func noneDiffers(a, b []config.Pair) bool {
	return !slices.ContainsFunc(a, func(p config.Pair) bool {
		return slices.ContainsFunc(b, func(q config.Pair) bool { return strings.EqualFold(p.Key, q.Key) && !mayBe(p.Text, q.Text) })
	})
}

// mayBe reports whether two texts are the same, whatever the references of one of
// them stand for.
func mayBe(a, b string) bool { return a == b || fits(a, b) || fits(b, a) }

// fits reports whether a text with references may stand for another one.
func fits(pattern, text string) bool {
	parts := strings.Split(strings.ReplaceAll(pattern, "$${", "\x00"), "${")
	text = strings.ReplaceAll(text, "$${", "\x00")
	if len(parts) == 1 {
		return false
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for i, part := range parts[1:] {
		_, literal, closed := strings.Cut(part, "}")
		if !closed {
			return false
		}
		if i == len(parts)-2 {
			return strings.HasSuffix(rest, literal)
		}
		if _, rest, ok = strings.Cut(rest, literal); !ok {
			return false
		}
	}
	return false
}
