package config

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/customtools"
)

// A key is one entry of keys: who gives it is known by the name.
type key struct {
	Name   *text         `yaml:"name"`   // required
	SHA256 *text         `yaml:"sha256"` // required: of the key's text, as 64 hex digits
	Policy *chosenPolicy `yaml:"policy"` // default: that of the team
	Team   *text         `yaml:"team"`

	Pos policy.Position `pos:""`
}

// A team is one entry of teams.
type team struct {
	Policy *chosenPolicy `yaml:"policy"` // default: that of the org
	Org    *text         `yaml:"org"`
}

// An org is one entry of orgs.
type org struct {
	Policy *chosenPolicy `yaml:"policy"`
}

// A profile is one entry of profiles.
type profile struct {
	Servers  []text          `yaml:"servers"` // names, aliases and tag:TAG; default: all
	Tools    mapping[filter] `yaml:"tools"`   // by names and aliases of servers; default: all
	Policy   *chosenPolicy   `yaml:"policy"`
	MaxTools *int            `yaml:"max_tools"` // in a list of tools; default: no limit, or with expose: auto what the host bears
	Expose   *text           `yaml:"expose"`    // all, search or auto; default: all

	MaxToolsPos policy.Position `pos:"max_tools"`
}

// maxKeyName is how many characters the name of a key may have.
const maxKeyName = 64

// principals compiles all policies, chosen or not, since one that is wrong is to
// be found before it is needed, and checks who may have which.
func (m *maker) principals() *policy.Roster {
	m.compiled = make(map[string]*policy.Policy, len(m.doc.Policies))
	for _, p := range m.doc.Policies {
		p.value.Name = p.key
		m.compiled[p.key] = m.compile(p.value)
	}
	people := m.file.People
	people.Servers = m.policyServers()
	people.orgs = m.orgs()
	people.teams = m.teams(people.orgs)
	people.roster = &policy.Roster{
		Default: m.choose(m.doc.Policy),
		Keys:    m.keys(people.teams),
		Open: m.doc.Policy == nil && m.doc.Policies == nil &&
			m.doc.Keys == nil && m.doc.Teams == nil && m.doc.Orgs == nil,
	}
	return people.roster
}

// choose returns the policy that is named or stands there; nil if none is.
func (m *maker) choose(c *chosenPolicy) *policy.Policy {
	switch {
	case c == nil:
		return nil
	case c.inline != nil:
		return m.compile(*c.inline)
	}
	p, there := m.compiled[c.name.value]
	if !there {
		m.fail(c.name.pos, "there is no policy %q%s", c.name.value, meant(c.name.value, slices.Sorted(maps.Keys(m.compiled))))
	}
	return p
}

func (m *maker) orgs() map[string]*policy.Org {
	made := make(map[string]*policy.Org, len(m.doc.Orgs))
	for _, o := range m.doc.Orgs {
		made[o.key] = &policy.Org{Name: o.key, Policy: m.choose(o.value.Policy)}
	}
	return made
}

func (m *maker) teams(orgs map[string]*policy.Org) map[string]*policy.Team {
	made := make(map[string]*policy.Team, len(m.doc.Teams))
	for _, t := range m.doc.Teams {
		one := &policy.Team{Name: t.key, Policy: m.choose(t.value.Policy)}
		if o := t.value.Org; o != nil {
			if one.Org = orgs[o.value]; one.Org == nil {
				m.fail(o.pos, "team %q: there is no org %q%s", t.key, o.value, meant(o.value, slices.Sorted(maps.Keys(orgs))))
			}
		}
		made[t.key] = one
	}
	return made
}

func (m *maker) keys(teams map[string]*policy.Team) []policy.Key {
	made := make([]policy.Key, 0, len(m.doc.Keys))
	names, sums := map[string]bool{}, map[[sha256.Size]byte]string{}
	for _, k := range m.doc.Keys {
		one := policy.Key{Name: k.Name.or(""), Policy: m.choose(k.Policy)}
		switch {
		case k.Name == nil:
			m.fail(k.Pos, `a key needs a "name"`)
		case !isKeyName(one.Name):
			m.fail(k.Name.pos, "key %q: a name is 1 to %d characters that can be printed", one.Name, maxKeyName)
		case names[one.Name]:
			m.fail(k.Name.pos, "key %q: another key has this name", one.Name)
		}
		names[one.Name] = true
		if m.readSum(k, &one) {
			if other, twice := sums[one.SHA256]; twice {
				m.fail(k.SHA256.pos, "key %q: it is the same key as %q", one.Name, other)
			}
			sums[one.SHA256] = one.Name
		}
		if t := k.Team; t != nil {
			if one.Team = teams[t.value]; one.Team == nil {
				m.fail(t.pos, "key %q: there is no team %q%s", one.Name, t.value, meant(t.value, slices.Sorted(maps.Keys(teams))))
			}
		}
		made = append(made, one)
	}
	return made
}

// readSum reads the digest of a key. The text of it is not told: some write the
// key itself there.
func (m *maker) readSum(k key, one *policy.Key) bool {
	const want = `64 hex digits, as "weir policy key" prints them`
	if k.SHA256 == nil {
		m.fail(k.Pos, `key %q: it needs a "sha256": %s`, one.Name, want)
		return false
	}
	sum, err := hex.DecodeString(k.SHA256.value)
	if err != nil || len(sum) != len(one.SHA256) {
		m.fail(k.SHA256.pos, "key %q: its sha256 is not the SHA-256 of a key (want %s)", one.Name, want)
		return false
	}
	copy(one.SHA256[:], sum)
	return true
}

func isKeyName(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= maxKeyName &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// profiles checks all of them and returns the chosen one; nil if none is, or if
// there is no such profile.
func (m *maker) profiles() (chosen *policy.Profile) {
	names := make([]string, 0, len(m.doc.Profiles))
	m.file.People.profiles = make(map[string]servedProfile, len(m.doc.Profiles))
	for _, p := range m.doc.Profiles {
		names = append(names, p.key)
		one := &policy.Profile{Name: p.key, Policy: m.choose(p.value.Policy)}
		selected := m.selection(p.key, p.value.Servers)
		narrowed := m.narrowed(p.key, p.value.Tools, selected)
		exposure, maxTools := m.exposure(p.key, p.value)
		m.file.People.profiles[p.key] = servedProfile{one, selected}
		if p.key == m.options.Profile {
			chosen, m.selected, m.narrow = one, selected, narrowed
			m.file.Expose, m.file.MaxTools = exposure, maxTools
		}
	}
	if chosen == nil && m.options.Profile != "" {
		m.fail(policy.Position{File: m.file.Path}, "there is no profile %q%s", m.options.Profile, meant(m.options.Profile, names))
	}
	return chosen
}

// exposures are the words for how hosts learn of tools.
var exposures = map[string]aggregator.Exposure{
	"all": aggregator.ExposeAll, "search": aggregator.ExposeSearch, "auto": aggregator.ExposeAuto,
}

// exposure is how a profile's tools are shown, and how many in a list; 0 for no
// limit.
func (m *maker) exposure(name string, p profile) (aggregator.Exposure, int) {
	exposure := aggregator.ExposeAll
	if p.Expose != nil {
		var known bool
		if exposure, known = exposures[p.Expose.value]; !known {
			m.fail(p.Expose.pos, "profile %q: expose: unknown word %q (want all, search or auto)", name, p.Expose.value)
		}
	}
	if p.MaxTools == nil {
		return exposure, 0
	}
	if *p.MaxTools < minTools {
		m.fail(p.MaxToolsPos, "profile %q: max_tools is %d, less than %d: three of weir's own find the others", name, *p.MaxTools, minTools)
	}
	return exposure, *p.MaxTools
}

// minTools is the least that max_tools can be: what finds tools has to be listed.
const minTools = 3

// tagPrefix begins what stands for all servers with a tag.
const tagPrefix = "tag:"

// selection returns the names of the servers that a profile has; nil for all. A
// tag may come to be nobody's when a server goes.
func (m *maker) selection(profile string, wanted []text) map[string]bool {
	if wanted == nil {
		return nil
	}
	selected := map[string]bool{}
	for _, w := range wanted {
		tag, isTag := strings.CutPrefix(w.value, tagPrefix)
		switch name := m.serverCalled(w.value); {
		case !isTag && name == "":
			m.fail(w.pos, "profile %q: there is no server %q%s", profile, w.value, meant(w.value, m.callable()))
		case !isTag:
			selected[name] = true
		case !slices.Contains(m.tags(), tag):
			m.warn("%s: profile %q: no server has the tag %q%s", w.pos, profile, tag, meant(tag, m.tags()))
		}
		for _, s := range m.doc.Servers {
			if isTag && slices.Contains(s.value.Tags, tag) {
				selected[s.key] = true
			}
		}
	}
	return selected
}

// narrowed returns which tools of each server a profile has, beside what the server's
// own filter says.
func (m *maker) narrowed(profile string, filters mapping[filter], selected map[string]bool) map[string]policy.Filters {
	narrowed := make(map[string]policy.Filters, len(filters))
	for _, f := range filters {
		name := m.serverCalled(f.key)
		made, err := f.value.compile()
		switch {
		case name == "":
			m.fail(f.pos, "profile %q: tools: there is no server %q%s", profile, f.key, meant(f.key, m.callable()))
		case err != nil:
			m.fail(f.pos, "profile %q: server %q: %v", profile, f.key, err)
		case selected != nil && !selected[name]:
			m.warn("%s: profile %q: tools: server %q is none of the profile's", f.pos, profile, f.key)
		}
		narrowed[name] = append(narrowed[name], made...)
	}
	return narrowed
}

// serverCalled returns the server with this name or alias; "" if there is none.
func (m *maker) serverCalled(name string) string {
	if target, isAlias := m.file.Aliases[name]; isAlias {
		return target
	}
	if slices.ContainsFunc(m.doc.Servers, func(s entry[server]) bool { return s.key == name }) {
		return name
	}
	if name == customtools.Name && len(m.doc.Tools) > 0 {
		return name
	}
	return ""
}

// callable are the names and aliases of all servers.
func (m *maker) callable() []string {
	names := slices.Collect(maps.Keys(m.file.Aliases))
	for _, s := range m.doc.Servers {
		names = append(names, s.key)
	}
	slices.Sort(names)
	return names
}

func (m *maker) tags() (all []string) {
	for _, s := range m.doc.Servers {
		all = append(all, s.value.Tags...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// identify finds out whom the process serves and by which policy.
func (m *maker) identify(r *policy.Roster, p *policy.Profile) {
	f := m.file
	f.Principal, f.Policy, f.Denied = r.Identify(policy.Claim{Key: m.options.Key, Profile: p})
	if f.Denied != "" {
		m.warn("%severything is denied: %s", place(f.Path), f.Denied)
	}
}

// place begins a text about a file, if there is one.
func place(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}
