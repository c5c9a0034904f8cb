package config

import (
	"strings"
	"testing"

	"github.com/weir-mcp/weir/policy"
)

const people = `
servers:
  files: {command: x}
  db: {command: y}
policy: base
policies:
  base: {default: deny}
  daily: {default: read}
  careful: {default: execute}
keys:
  - {name: laptop, sha256: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", team: web}
  - {name: phone, sha256: "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9", policy: careful}
teams: {web: {policy: daily, org: acme}, idle: {org: acme}}
orgs: {acme: {policy: careful}}
profiles: {home: {servers: [files], policy: careful}}
`

func TestPeople(t *testing.T) {
	f, err := parse(Options{Path: "mcp.yaml"}, []byte(people))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.People.Policies) != 3 || len(f.People.Servers.Names) != 2 {
		t.Errorf("got %d policies and %d servers, want 3 and 2", len(f.People.Policies), len(f.People.Servers.Names))
	}
	request := policy.Request{Server: "db", Kind: policy.Tool, Name: "query"}
	for _, tt := range []struct {
		who    policy.Principal
		level  policy.Level
		team   string
		serves bool
	}{
		{policy.Principal{}, policy.Deny, "", true},
		{policy.Principal{Key: "laptop"}, policy.Read, "web", true},
		{policy.Principal{Key: "phone"}, policy.Execute, "", true},
		{policy.Principal{Key: "foo"}, policy.Read, "web", true}, // the text of laptop
		{policy.Principal{Team: "web"}, policy.Read, "web", true},
		{policy.Principal{Team: "idle"}, policy.Execute, "idle", true},
		{policy.Principal{Org: "acme"}, policy.Execute, "", true},
		{policy.Principal{Profile: "home"}, policy.Execute, "", false},
		{policy.Principal{Profile: "home", Key: "laptop"}, policy.Read, "web", false},
	} {
		got, err := f.People.Find(tt.who)
		if err != nil {
			t.Errorf("%+v: %v", tt.who, err)
			continue
		}
		if v := got.Policy.Decide(request); v.Level != tt.level || got.Team != tt.team || got.Serves("db") != tt.serves {
			t.Errorf("%+v: got %s, team %q, serves %t; want %s, %q, %t",
				tt.who, v.Level, got.Team, got.Serves("db"), tt.level, tt.team, tt.serves)
		}
	}
	for _, tt := range []struct {
		who  policy.Principal
		want string
	}{
		{policy.Principal{Key: "labtop"}, `there is no key "labtop" (did you mean "laptop"?)`},
		{policy.Principal{Key: "a secret of somebody's"}, "there is no key with this name, nor is this the text of one"},
		{policy.Principal{Team: "wep"}, `there is no team "wep" (did you mean "web"?)`},
		{policy.Principal{Org: "x"}, `there is no org "x"`},
		{policy.Principal{Profile: "work"}, `there is no profile "work"`},
	} {
		if _, err := f.People.Find(tt.who); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %s", tt.who, err, tt.want)
		}
	}
}
