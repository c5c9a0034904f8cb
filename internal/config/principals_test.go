package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/customtools"
)

func sumOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// servers are those that the files of these tests begin with.
const servers = `
servers:
  filesystem: {command: x, tags: [work, local]}
  database: {command: x, tags: [work]}
  web: {url: "https://web.example/mcp", tags: [play], trust_annotations: true}
aliases: {db: database}
`

// example is the policies that the gateway which weir takes up was described with,
// word for word in what they allow: production by rules, development by levels,
// and each for a key of its own.
var example = servers + `
policies:
  production:
    default: deny
    rules:
      - {server: filesystem, tool: read_file, level: execute}
      - {server: database, level: execute}
      - {server: "*", tool: "delete_*", level: deny}
  development:
    default: execute
    servers: {deny: [database]}
keys:
  - {name: prod, sha256: ` + sumOf("prod-key") + `, policy: production}
  - {name: dev, sha256: ` + strings.ToUpper(sumOf("dev-key")) + `, policy: development}
`

// TestExampleDoesWhatItSays: default deny, one tool allowed, one server allowed,
// deletions denied everywhere; and two keys with two policies.
func TestExampleDoesWhatItSays(t *testing.T) {
	path := write(t, "mcp.yaml", example)
	for _, tt := range []struct {
		key          string
		server, tool string
		want         policy.Level
	}{
		{"prod-key", "filesystem", "read_file", policy.Execute},
		{"prod-key", "filesystem", "read_files", policy.Deny},
		{"prod-key", "filesystem", "write_file", policy.Deny},
		{"prod-key", "filesystem", "delete_file", policy.Deny},
		{"prod-key", "database", "query", policy.Execute},
		{"prod-key", "database", "delete_row", policy.Deny},
		{"prod-key", "web", "fetch", policy.Deny},
		{"prod-key", "weir", "servers", policy.Deny},
		{"dev-key", "filesystem", "write_file", policy.Execute},
		{"dev-key", "filesystem", "delete_file", policy.Execute},
		{"dev-key", "database", "query", policy.Deny},
		{"other", "filesystem", "read_file", policy.Deny},
		{"other", "database", "query", policy.Deny},
		{"", "filesystem", "read_file", policy.Deny},
	} {
		t.Run(fmt.Sprintf("%s asks for %s/%s", tt.key, tt.server, tt.tool), func(t *testing.T) {
			o := Options{Path: path}
			if tt.key != "" {
				o.Key = []byte(tt.key)
			}
			f, err := Load(o)
			if err != nil {
				t.Fatal(err)
			}
			if v := f.Policy.Decide(policy.Request{Server: tt.server, Kind: policy.Tool, Name: tt.tool}); v.Level != tt.want {
				t.Errorf("got %v because %s, want %v", v.Level, v.Reason, tt.want)
			}
		})
	}
}

// TestPrincipal: whom a file is loaded for, and why everything is denied.
func TestPrincipal(t *testing.T) {
	file := example + `
  - {name: web, sha256: ` + sumOf("web-key") + `, team: web}
  - {name: inline, sha256: ` + sumOf("inline-key") + `, policy: {default: read}}
teams: {web: {org: acme}}
orgs: {acme: {policy: production}}
profiles:
  play: {servers: [tag:play, db], policy: development}
  all: {}
  nothing: {servers: []}
`
	for _, tt := range []struct {
		name    string
		more    string
		options Options
		who     policy.Principal
		denied  string // a part of why; "" if not everything is
		servers []string
	}{
		{"a key", "", Options{Key: []byte("prod-key")}, policy.Principal{Key: "prod"}, "", []string{"filesystem", "database", "web"}},
		{"the org of its team", "", Options{Key: []byte("web-key")}, policy.Principal{Key: "web", Team: "web", Org: "acme"}, "", []string{"filesystem", "database", "web"}},
		{"an inline policy", "", Options{Key: []byte("inline-key")}, policy.Principal{Key: "inline"}, "", []string{"filesystem", "database", "web"}},
		{"no key", "", Options{}, policy.Principal{}, "no key is given", []string{"filesystem", "database", "web"}},
		{"no key, a default", "policy: development\n", Options{}, policy.Principal{}, "", []string{"filesystem", "database", "web"}},
		{"an unknown key, a default", "policy: development\n", Options{Key: []byte("x")}, policy.Principal{}, "the key is not among", []string{"filesystem", "database", "web"}},
		{"a profile, by tag and alias", "", Options{Profile: "play"}, policy.Principal{Profile: "play"}, "", []string{"database", "web"}},
		{"a profile and a key", "", Options{Profile: "play", Key: []byte("prod-key")}, policy.Principal{Profile: "play", Key: "prod"}, "", []string{"database", "web"}},
		{"a profile of all", "", Options{Profile: "all", Key: []byte("prod-key")}, policy.Principal{Profile: "all", Key: "prod"}, "", []string{"filesystem", "database", "web"}},
		{"a profile of none", "", Options{Profile: "nothing", Key: []byte("prod-key")}, policy.Principal{Profile: "nothing", Key: "prod"}, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Path = write(t, "mcp.yaml", file+tt.more)
			f, err := Load(tt.options)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range f.Servers {
				got = append(got, s.Name)
			}
			if f.Principal != tt.who || !strings.Contains(f.Denied, tt.denied) || (f.Denied == "") != (tt.denied == "") || !slices.Equal(got, tt.servers) {
				t.Errorf("got %+v, denied because %q, servers %v, want %+v, %q, %v", f.Principal, f.Denied, got, tt.who, tt.denied, tt.servers)
			}
			if warned := slices.ContainsFunc(f.Warnings, func(w string) bool { return strings.Contains(w, "everything is denied: ") }); warned != (tt.denied != "") {
				t.Errorf("got warnings %q", f.Warnings)
			}
		})
	}
}

// TestWithoutFile: nothing is configured, and who gives a key or a profile all the
// same relies on something that is not there.
func TestWithoutFile(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("WEIR_CONFIG", "")
	if f, err := Load(Options{Key: []byte("k")}); err != nil || f.Denied == "" || f.Want == "" {
		t.Errorf("got %+v, %v, want everything denied", f, err)
	}
	if f, err := Load(Options{Profile: "work"}); err == nil {
		t.Errorf("got %+v, want an error", f)
	}
	foreign := write(t, "mcp.json", `{"mcpServers": {"a": {"command": "x"}}}`)
	if f, err := Load(Options{Path: foreign, Key: []byte("k")}); err != nil || f.Denied == "" {
		t.Errorf("got %+v, %v, want everything denied", f, err)
	}
}

// TestBadPrincipals has files in which who may do what is not clear: none of them
// is loaded, whoever asks.
func TestBadPrincipals(t *testing.T) {
	good := "sha256: " + sumOf("k")
	for _, tt := range []struct{ name, text, want string }{
		{"short digest", "keys: [{name: a, sha256: abc}]", `mcp.yaml:1: key "a": its sha256 is not the SHA-256 of a key (want 64 hex digits, as "weir policy key" prints them)`},
		{"long digest", "keys: [{name: a, " + good + "00}]", `mcp.yaml:1: key "a": its sha256 is not the SHA-256 of a key (want 64 hex digits, as "weir policy key" prints them)`},
		{"no hex digits", "keys: [{name: a, sha256: " + strings.Repeat("g", 64) + "}]", `mcp.yaml:1: key "a": its sha256 is not the SHA-256 of a key (want 64 hex digits, as "weir policy key" prints them)`},
		{"no digest", "keys: [{name: a}]", `mcp.yaml:1: key "a": it needs a "sha256": 64 hex digits, as "weir policy key" prints them`},
		{"no name", "keys: [{" + good + "}]", `mcp.yaml:1: a key needs a "name"`},
		{"control character", "keys: [{name: \"a\\e[31m\", " + good + "}]", "mcp.yaml:1: key \"a\\x1b[31m\": a name is 1 to 64 characters that can be printed"},
		{"name twice", "keys:\n  - {name: a, " + good + "}\n  - {name: a, sha256: " + sumOf("l") + "}", `mcp.yaml:3: key "a": another key has this name`},
		{"same key twice", "keys:\n  - {name: a, " + good + "}\n  - {name: b, sha256: " + strings.ToUpper(sumOf("k")) + "}", `mcp.yaml:3: key "b": it is the same key as "a"`},
		{"unknown team", "keys: [{name: a, " + good + ", team: wep}]\nteams: {web: {}}", `mcp.yaml:1: key "a": there is no team "wep" (did you mean "web"?)`},
		{"unknown org", "teams:\n  web: {org: acm}\norgs: {acme: {}}", `mcp.yaml:2: team "web": there is no org "acm" (did you mean "acme"?)`},
		{"unknown policy of a key", "policies: {prod: {default: deny}}\nkeys: [{name: a, " + good + ", policy: pord}]", `mcp.yaml:2: there is no policy "pord" (did you mean "prod"?)`},
		{"unknown policy of a team", "teams: {web: {policy: x}}", `mcp.yaml:1: there is no policy "x"`},
		{"unknown policy of an org", "orgs: {acme: {policy: x}}", `mcp.yaml:1: there is no policy "x"`},
		{"unknown policy of a profile", "profiles: {work: {policy: x}}", `mcp.yaml:1: there is no policy "x"`},
		{"bad inline policy", "keys: [{name: a, " + good + ", policy: {rules: []}}]", `mcp.yaml:1: policy: "default" is missing (deny, read, execute or admin)`},
		{"unknown server of a profile", "servers: {files: {command: x}}\nprofiles:\n  work: {servers: [fils]}", `mcp.yaml:3: profile "work": there is no server "fils" (did you mean "files"?)`},
		{
			"unknown server of a profile's tools", "servers: {files: {command: x}}\nprofiles:\n  work:\n    tools: {fils: {}}",
			`mcp.yaml:4: profile "work": tools: there is no server "fils" (did you mean "files"?)`,
		},
		{
			"bad tools of a profile", "servers: {files: {command: x}}\nprofiles: {work: {tools: {files: {exclude: [\"[\"]}}}}",
			`mcp.yaml:2: profile "work": server "files": tools.exclude: pattern "[": a [ without its ]`,
		},
		{"unknown exposure", "profiles: {p: {expose: serach}}", `mcp.yaml:1: profile "p": expose: unknown word "serach" (want all, search or auto)`},
		{"too few tools", "profiles:\n  p:\n    max_tools: 2", `mcp.yaml:3: profile "p": max_tools is 2, less than 3: three of weir's own find the others`},
		{"unknown key of a key", "keys: [{name: a, " + good + ", polcy: x}]", `mcp.yaml:1: keys.1: unknown key "polcy" (did you mean "policy"?)`},
		{"question", "servers: {a: {command: x, roots: no}}", `mcp.yaml:1: servers.a.roots: want allow or deny`},
		{"question by limits", "servers: {a: {command: x, elicitation: {rate: 1/m}}}", `mcp.yaml:1: servers.a.elicitation: want allow or deny`},
		{"sampling", "servers: {a: {command: x, sampling: denied}}", `mcp.yaml:1: servers.a.sampling: want allow, deny, or limits such as {rate: 10/m, max_bytes: 64KiB, max_tokens: 4096}`},
		{"sampling rate", "servers: {a: {command: x, sampling: {rate: 10/min}}}", `mcp.yaml:1: servers.a.sampling.rate: "10/min" is not a rate (want a number of times a second, minute or hour, such as 1/s, 10/m or 100/h)`},
		{"no sampling rate", "servers: {a: {command: x, sampling: {rate: 0/m}}}", `mcp.yaml:1: servers.a.sampling.rate: "0/m" is not a rate (want a number of times a second, minute or hour, such as 1/s, 10/m or 100/h)`},
		{"no tokens", "servers: {a: {command: x, sampling: {max_tokens: 0}}}", `mcp.yaml:1: servers.a.sampling: max_tokens: it must be more than nothing (deny allows none)`},
		{"no bytes", "servers: {a: {command: x, sampling: {max_bytes: 0}}}", `mcp.yaml:1: servers.a.sampling: max_bytes: it must be more than nothing (deny allows none)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "mcp.yaml", tt.text)
			f, err := Load(Options{Path: path, Key: []byte("k")})
			if err == nil {
				t.Fatalf("got %+v, want an error", f)
			}
			if got := bare(path, err.Error()); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestUnknownProfile(t *testing.T) {
	path := write(t, "mcp.yaml", "profiles: {work: {}}\n")
	_, err := Load(Options{Path: path, Profile: "wrok"})
	if want := `mcp.yaml: there is no profile "wrok" (did you mean "work"?)`; err == nil || bare(path, err.Error()) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestProfileOfNobody: a tag that no server has any more is no reason to serve
// nothing at all.
func TestProfileOfNobody(t *testing.T) {
	path := write(t, "mcp.yaml", servers+"profiles: {work: {servers: [tag:wrk, web]}}\n")
	f, err := Load(Options{Path: path, Profile: "work"})
	if err != nil || len(f.Servers) != 1 {
		t.Fatalf("got %+v, %v, want one server", f, err)
	}
	if want := `mcp.yaml:7: profile "work": no server has the tag "wrk" (did you mean "work"?)`; len(f.Warnings) != 1 || bare(path, f.Warnings[0]) != want {
		t.Errorf("got %q, want %s", f.Warnings, want)
	}
}

func TestForeignPrincipals(t *testing.T) {
	for _, key := range []string{"policy", "policies", "keys", "teams", "orgs", "profiles"} {
		if f, err := Load(Options{Path: write(t, "mcp.json", `{"mcpServers": {}, "`+key+`": {}}`)}); err == nil {
			t.Errorf("%s: got %+v, want an error", key, f)
		}
	}
}

func TestQuestions(t *testing.T) {
	for text, want := range map[string]aggregator.Questions{
		`{command: x}`: {},
		`{command: x, sampling: allow, elicitation: allow, roots: allow}`: {},
		`{command: x, sampling: deny, elicitation: deny, roots: deny}`:    {NoSampling: true, NoElicitation: true, NoRoots: true},
		`{command: x, sampling: {}}`:                                      {},
		`{command: x, sampling: {rate: 10/m, max_bytes: 64KiB, max_tokens: 4096}}`: {Sampling: aggregator.SamplingLimits{
			Rate: aggregator.Rate{Count: 10, Per: time.Minute}, MaxBytes: 64 << 10, MaxTokens: 4096,
		}},
		`{command: x, sampling: {rate: "1 / h"}}`: {Sampling: aggregator.SamplingLimits{Rate: aggregator.Rate{Count: 1, Per: time.Hour}}},
	} {
		f := load(t, "mcp.yaml", "servers: {a: "+text+"}\n")
		if diff := cmp.Diff(want, f.Servers[0].Questions); diff != "" || f.Servers[0].Broken != nil {
			t.Errorf("%s (-want +got): %v\n%s", text, f.Servers[0].Broken, diff)
		}
	}
}

// TestWhatCloses: as soon as there is anything that a policy could come from,
// nobody without one may do anything.
func TestWhatCloses(t *testing.T) {
	for text, closed := range map[string]bool{
		"":         false,
		"policies": true,
		"keys":     true,
		"teams":    true,
		"orgs":     true,
		"profiles": false,
	} {
		if text != "" {
			text += map[bool]string{true: ": []\n", false: ": {}\n"}[text == "keys"]
		}
		f := load(t, "mcp.yaml", servers+text)
		v := f.Policy.Decide(policy.Request{Server: "web", Kind: policy.Tool, Name: "fetch"})
		if (f.Denied != "") != closed || v.Callable() == closed {
			t.Errorf("%q: got %v, denied because %q, want closed: %v", text, v.Level, f.Denied, closed)
		}
	}
}

// TestExposure: it is that of the profile which is chosen, and nobody else's.
func TestExposure(t *testing.T) {
	path := write(t, "mcp.yaml", `servers: {a: {command: x}}
profiles:
  plain: {}
  found: {expose: search}
  few: {expose: all, max_tools: 12}
  fits: {expose: auto, max_tools: 3}
`)
	for _, tt := range []struct {
		profile  string
		exposure aggregator.Exposure
		maxTools int
	}{
		{"", aggregator.ExposeAll, 0},
		{"plain", aggregator.ExposeAll, 0},
		{"found", aggregator.ExposeSearch, 0},
		{"few", aggregator.ExposeAll, 12},
		{"fits", aggregator.ExposeAuto, 3},
	} {
		f, err := Load(Options{Path: path, Profile: tt.profile})
		if err != nil {
			t.Fatal(err)
		}
		if f.Expose != tt.exposure || f.MaxTools != tt.maxTools {
			t.Errorf("profile %q: got %v, %d, want %v, %d", tt.profile, f.Expose, f.MaxTools, tt.exposure, tt.maxTools)
		}
	}
}

// TestToolsOfAProfile: what the server's own filter and the profile's both admit.
func TestToolsOfAProfile(t *testing.T) {
	path := write(t, "mcp.yaml", `servers:
  a: {command: x, tools: {exclude: [hidden]}}
  b: {command: y}
aliases: {other: a}
tools: {mine: {description: d, command: [echo]}}
profiles:
  all: {}
  some: {tools: {other: {include: ["r*", hidden]}, a: {exclude: [remove]}, tools: {exclude: ["*"]}}}
  odd: {servers: [b], tools: {a: {exclude: ["*"]}}}
`)
	for _, tt := range []struct{ profile, want string }{
		{"", "a.read a.remove a.write b.read b.remove b.write b.hidden tools.mine"},
		{"all", "a.read a.remove a.write b.read b.remove b.write b.hidden tools.mine"},
		{"some", "a.read b.read b.remove b.write b.hidden"},
		{"odd", "b.read b.remove b.write b.hidden"},
	} {
		f, err := Load(Options{Path: path, Profile: tt.profile})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range f.Servers {
			for _, tool := range []string{"read", "remove", "write", "hidden", "mine"} {
				if own := tool == "mine"; own == (s.Name == customtools.Name) && s.Tools.Admits(tool) {
					got = append(got, s.Name+"."+tool)
				}
			}
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("profile %q: -want +got:\n%s", tt.profile, diff)
		}
		const want = `mcp.yaml:9: profile "odd": tools: server "a" is none of the profile's`
		if len(f.Warnings) != 1 || bare(path, f.Warnings[0]) != want {
			t.Errorf("got warnings %q, want %q", f.Warnings, want)
		}
	}
}
