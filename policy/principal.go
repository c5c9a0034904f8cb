package policy

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
)

// A Roster is who may ask, and by which policy. The zero Roster denies
// everything to everybody.
type Roster struct {
	Keys    []Key
	Default *Policy // of whoever has no other; nil if none is named

	// Open says that nothing is configured that a policy could come from: then
	// there is execute for everything, but not for one who gives a key.
	Open bool
}

// A Key is one that the configuration knows, by its digest.
type Key struct {
	Name   string
	SHA256 [sha256.Size]byte
	Policy *Policy // nil: that of its team
	Team   *Team   // nil for none
}

// A Team has keys.
type Team struct {
	Name   string
	Policy *Policy // nil: that of its org
	Org    *Org    // nil for none
}

// An Org has teams.
type Org struct {
	Name   string
	Policy *Policy // nil for none
}

// A Profile is one way to use a configuration, which a host chooses by its own
// word.
type Profile struct {
	Name   string
	Policy *Policy // nil for none
}

// A Claim is what a process shows of who it serves.
type Claim struct {
	Key     []byte   // nil for none; an empty one is unknown
	Profile *Profile // nil for none

	// Known stands for a key that need not be shown: somebody wants to know what
	// its holder may do. nil for none.
	Known *Key
}

// Identify finds out who asks, and the policy for that: the first one there is of
// the key, its team, that team's org, the profile and the default. Policies are
// never merged. Where the policy denies everything, denied says why and what to
// do about it, in a sentence without its full stop; else it is "".
func (r *Roster) Identify(c Claim) (who Principal, p *Policy, denied string) {
	if c.Profile != nil {
		who.Profile, p = c.Profile.Name, c.Profile.Policy
	}
	found := c.Known
	if c.Key != nil {
		if found = r.find(c.Key); found == nil {
			return refused(who, "the key is not among the keys of the configuration: "+
				"give the one that was made for this host, or add its SHA-256 under keys")
		}
	}
	if found != nil {
		who.Key = found.Name
		if own := found.identify(&who); own != nil {
			p = own
		}
	}
	switch {
	case p != nil:
		return who, p, ""
	case r.Default != nil:
		return who, r.Default, ""
	case found != nil:
		return refused(who, fmt.Sprintf("key %q has no policy, nor has anything that it belongs to: "+
			"give it one, or name a policy at the top of the configuration (policy: NAME)", found.Name))
	case r.Open:
		return who, AllowAll(), ""
	case len(r.Keys) > 0:
		return refused(who, "no key is given, and no policy is chosen for that: "+
			"give a key with --key-file, or name a policy at the top of the configuration (policy: NAME)")
	default:
		return refused(who, "no policy is chosen: name one at the top of the configuration (policy: NAME)")
	}
}

func refused(who Principal, why string) (Principal, *Policy, string) {
	return who, DenyAll(why), why
}

// find returns the key with this text; nil if there is none. It takes the same
// time for each: all digests are compared, and all of each.
func (r *Roster) find(text []byte) *Key {
	sum := sha256.Sum256(text)
	at := -1
	for i := range r.Keys {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], r.Keys[i].SHA256[:]), i, at)
	}
	if at < 0 {
		return nil
	}
	return &r.Keys[at]
}

// identify notes whose key it is, and returns the policy that it has of its own,
// its team or its team's org; nil if none of them has any.
func (k *Key) identify(who *Principal) *Policy {
	p := k.Policy
	if k.Team == nil {
		return p
	}
	who.Team = k.Team.Name
	if p == nil {
		p = k.Team.Policy
	}
	if k.Team.Org == nil {
		return p
	}
	who.Org = k.Team.Org.Name
	if p == nil {
		p = k.Team.Org.Policy
	}
	return p
}
