package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/weir-mcp/weir/policy"
)

// People is who might ask, beside who does, and what they may do: for whoever
// looks at the policies of a file from outside.
type People struct {
	Policies []policy.Config // all of them, as they are written
	Servers  policy.Servers  // as policies know them

	roster   *policy.Roster
	teams    map[string]*policy.Team
	orgs     map[string]*policy.Org
	profiles map[string]servedProfile
}

type servedProfile struct {
	*policy.Profile
	servers map[string]bool // nil for all
}

// A Person is one of the people, by what the file calls them.
type Person struct {
	policy.Principal
	Policy *policy.Policy
	Denied string // why that denies everything, a sentence part; "" if it does not

	servers map[string]bool // that there are at all; nil for all
}

// Serves reports whether a server is there for the person: a profile need not
// have all.
func (p *Person) Serves(server string) bool {
	return p.servers == nil || p.servers[server] || server == policy.Own
}

// Self is whom the process serves.
func (f *File) Self() *Person {
	self := &Person{Principal: f.Principal, Policy: f.Policy, Denied: f.Denied}
	if f.Principal.Profile != "" {
		self.servers = f.People.profiles[f.Principal.Profile].servers
	}
	return self
}

// Find returns who has the key, the team or the org with this name, and the
// profile. In place of its name a key may be given itself. A zero who is a process that shows nothing.
func (p *People) Find(who policy.Principal) (*Person, error) {
	claim := policy.Claim{}
	found := &Person{}
	if who.Profile != "" {
		profile, ok := p.profiles[who.Profile]
		if !ok {
			return nil, nobody("profile", who.Profile, p.profiles)
		}
		claim.Profile, found.servers = profile.Profile, profile.servers
	}
	switch {
	case who.Key != "":
		i := slices.IndexFunc(p.roster.Keys, func(k policy.Key) bool { return k.Name == who.Key })
		if i < 0 {
			claim.Key = []byte(who.Key)
			break
		}
		claim.Known = &p.roster.Keys[i]
	case who.Team != "":
		team, ok := p.teams[who.Team]
		if !ok {
			return nil, nobody("team", who.Team, p.teams)
		}
		claim.Known = &policy.Key{Team: team}
	case who.Org != "":
		org, ok := p.orgs[who.Org]
		if !ok {
			return nil, nobody("org", who.Org, p.orgs)
		}
		claim.Known = &policy.Key{Team: &policy.Team{Org: org}}
	}
	found.Principal, found.Policy, found.Denied = p.roster.Identify(claim)
	if claim.Key != nil && found.Key == "" {
		return nil, p.unknownKey(who.Key)
	}
	return found, nil
}

// unknownKey does not repeat what may be a key itself.
func (p *People) unknownKey(name string) error {
	if near := meant(name, slices.Sorted(maps.Keys(p.keys()))); near != "" {
		return fmt.Errorf("there is no key %q%s", name, near)
	}
	return errUnknownKey
}

var errUnknownKey = errors.New("there is no key with this name, nor is this the text of one")

// keys are the names of all keys.
func (p *People) keys() map[string]bool {
	names := map[string]bool{}
	for _, k := range p.roster.Keys {
		names[k.Name] = true
	}
	return names
}

func nobody[V any](kind, name string, known map[string]V) error {
	return fmt.Errorf("there is no %s %q%s", kind, name, meant(name, slices.Sorted(maps.Keys(known))))
}

// Profiles are the names of all profiles, in the order of the alphabet.
func (p *People) Profiles() []string { return slices.Sorted(maps.Keys(p.profiles)) }
