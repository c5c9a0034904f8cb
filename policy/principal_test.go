package policy

import (
	"crypto/sha256"
	"strings"
	"testing"
)

// named returns a policy that tells its name by why it decides.
func named(t *testing.T, name string) *Policy {
	t.Helper()
	level := Execute
	p, err := Compile(Config{Name: name, Default: &level}, Servers{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestIdentify has the first policy that there is of key, team, org, profile and
// default, in every combination that makes a difference.
func TestIdentify(t *testing.T) {
	ofKey, ofTeam, ofOrg := named(t, "key"), named(t, "team"), named(t, "org")
	ofProfile, ofAll := named(t, "profile"), named(t, "default")
	acme := &Org{Name: "acme", Policy: ofOrg}
	plain := &Org{Name: "plain"}
	web := &Team{Name: "web", Policy: ofTeam, Org: acme}
	key := func(text string, p *Policy, team *Team) Key {
		return Key{Name: "the " + text, SHA256: sha256.Sum256([]byte(text)), Policy: p, Team: team}
	}
	keys := []Key{
		key("full", ofKey, web),
		key("team's", nil, web),
		key("org's", nil, &Team{Name: "quiet", Org: acme}),
		key("nobody's", nil, &Team{Name: "lone", Org: plain}),
		key("teamless", nil, nil),
	}
	work, bare := &Profile{Name: "work", Policy: ofProfile}, &Profile{Name: "bare"}
	for _, tt := range []struct {
		name    string
		key     string // "-" = none
		profile *Profile
		all     *Policy
		want    string // name of the policy, or a part of why everything is denied
		who     Principal
	}{
		{"key before all", "full", work, ofAll, "key", Principal{Key: "the full", Team: "web", Org: "acme", Profile: "work"}},
		{"its team", "team's", work, ofAll, "team", Principal{Key: "the team's", Team: "web", Org: "acme", Profile: "work"}},
		{"its team's org", "org's", work, ofAll, "org", Principal{Key: "the org's", Team: "quiet", Org: "acme", Profile: "work"}},
		{"the profile", "nobody's", work, ofAll, "profile", Principal{Key: "the nobody's", Team: "lone", Org: "plain", Profile: "work"}},
		{"the default", "nobody's", bare, ofAll, "default", Principal{Key: "the nobody's", Team: "lone", Org: "plain", Profile: "bare"}},
		{"the default, without a team", "teamless", nil, ofAll, "default", Principal{Key: "the teamless"}},
		{"a key with no policy at all", "teamless", nil, nil, `key "the teamless" has no policy`, Principal{Key: "the teamless"}},
		{"no key: the profile", "-", work, ofAll, "profile", Principal{Profile: "work"}},
		{"no key: the profile, without a default", "-", work, nil, "profile", Principal{Profile: "work"}},
		{"no key: the default", "-", nil, ofAll, "default", Principal{}},
		{"no key, no default", "-", nil, nil, "no key is given", Principal{}},
		{"no key, a profile without a policy", "-", bare, nil, "no key is given", Principal{Profile: "bare"}},
		{"an unknown key", "other", nil, ofAll, "the key is not among the keys", Principal{}},
		{"an unknown key, with a profile", "other", work, ofAll, "the key is not among the keys", Principal{Profile: "work"}},
		{"a key but for white space", "full ", nil, ofAll, "the key is not among the keys", Principal{}},
		{"a key in another case", "Full", nil, ofAll, "the key is not among the keys", Principal{}},
		{"an empty key", "", nil, ofAll, "the key is not among the keys", Principal{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Roster{Keys: keys, Default: tt.all}
			c := Claim{Profile: tt.profile}
			if tt.key != "-" {
				c.Key = []byte(tt.key)
			}
			who, p, denied := r.Identify(c)
			if who != tt.who {
				t.Errorf("got principal %+v, want %+v", who, tt.who)
			}
			v := p.Decide(Request{Server: "s", Kind: Tool, Name: "t"})
			switch {
			case denied != "" && (!strings.HasPrefix(denied, tt.want) || v.Level != Deny || v.Reason != denied):
				t.Errorf("got %+v, denied because %q, want a denial that begins %q", v, denied, tt.want)
			case denied == "" && (v.Policy != tt.want || v.Level != Execute):
				t.Errorf("got %+v, want policy %q", v, tt.want)
			}
		})
	}
}

// TestIdentifyNobody has rosters without keys.
func TestIdentifyNobody(t *testing.T) {
	ask := Request{Server: "s", Kind: Tool, Name: "t"}
	for _, tt := range []struct {
		name   string
		roster Roster
		claim  Claim
		want   Level
		denied string
	}{
		{"nothing is configured", Roster{Open: true}, Claim{}, Execute, ""},
		{"and a key is given", Roster{Open: true}, Claim{Key: []byte("k")}, Deny, "the key is not among"},
		{"something is configured", Roster{}, Claim{}, Deny, "no policy is chosen"},
		{"a digest of nothing", Roster{Keys: []Key{{Name: "zero"}}, Default: AllowAll()}, Claim{Key: []byte("k")}, Deny, "the key is not among"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, p, denied := tt.roster.Identify(tt.claim)
			if v := p.Decide(ask); v.Level != tt.want || !strings.HasPrefix(denied, tt.denied) || (denied == "") != (tt.denied == "") {
				t.Errorf("got %v, denied because %q, want %v, %q", v.Level, denied, tt.want, tt.denied)
			}
		})
	}
}

func BenchmarkIdentify(b *testing.B) {
	r := Roster{Keys: make([]Key, 100), Default: AllowAll()}
	claim := Claim{Key: []byte("weir_0123456789abcdef0123456789abcdef0123456789a")}
	for b.Loop() {
		r.Identify(claim)
	}
}
