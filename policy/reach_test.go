package policy

import "testing"

// TestReaches: a server that was never asked what it has is there for who may get
// something of it, and for nobody else.
func TestReaches(t *testing.T) {
	servers := Servers{Names: []string{"db", "secret"}, Aliases: map[string]string{"data": "db"}}
	for _, tt := range []struct {
		name, policy string
		want         bool
	}{
		{"default", `{default: read}`, true},
		{"denied by default", `{default: deny}`, false},
		{"all of it denied", `{default: execute, rules: [{server: db, level: deny}]}`, false},
		{"all of it denied, one tool granted", `{default: deny, rules: [{server: db, level: deny}, {server: db, tool: query, level: read}]}`, false},
		{"one tool", `{default: deny, rules: [{server: db, tool: query, level: read}]}`, true},
		{"one tool, by an alias", `{default: deny, rules: [{server: data, tool: query, level: execute}]}`, true},
		{"one tool of another", `{default: deny, rules: [{server: secret, tool: query, level: execute}]}`, false},
		{"one tool denied", `{default: execute, rules: [{server: db, tool: query, level: deny}]}`, true},
		{"nothing but denials", `{default: deny, rules: [{server: db, tool: query, level: deny}]}`, false},
		{"nothing but questions", `{default: deny, rules: [{server: db, tool: query, ask: true}]}`, false},
		{"gate", `{default: execute, servers: {deny: [db]}, rules: [{server: db, tool: query, level: execute}]}`, false},
		{"not in the gate", `{default: deny, servers: {allow: [secret]}, rules: [{server: "*", tool: query, level: execute}]}`, false},
		{"for another", `{default: deny, rules: [{server: db, tool: q, level: read, when: 'principal.key == "boss"'}]}`, false},
		{"for who asks", `{default: deny, rules: [{server: db, tool: q, level: read, when: 'principal.key == "laptop"'}]}`, true},
		{"by arguments", `{default: deny, rules: [{server: db, tool: q, level: read, when: 'args.x == 1'}]}`, true},
	} {
		p, err := Compile(decodeText(t, tt.policy), servers)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := p.Reaches(Request{Server: "db", Principal: Principal{Key: "laptop"}}); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if (*Policy)(nil).Reaches(Request{Server: "db"}) || DenyAll("none").Reaches(Request{Server: "db"}) || !AllowAll().Reaches(Request{Server: "db"}) {
		t.Error("got a fixed policy that reaches otherwise than it says")
	}
	if p, err := Compile(decodeText(t, `{default: deny, rules: [{server: db, tool: q, level: read, when: 'tool.annotations.readOnlyHint'}]}`),
		Servers{Names: []string{"db"}, Trusted: map[string]bool{"db": true}}); err != nil || p.Reaches(Request{Server: "db"}) {
		t.Errorf("got a grant by what no tool has said yet, error %v", err)
	}
}

// TestSilent: only where neither a rule nor a gate speaks of one of weir's own
// tools does the policy say nothing of it.
func TestSilent(t *testing.T) {
	for _, tt := range []struct {
		name, policy string
		want         bool
	}{
		{"nothing", `{default: deny}`, true},
		{"globs", `{default: execute, rules: [{server: "*", level: deny}]}`, true},
		{"another tool", `{default: deny, rules: [{server: weir, tool: servers, level: execute}]}`, true},
		{"the tool", `{default: deny, rules: [{server: weir, tool: login, level: deny}]}`, false},
		{"all of them", `{default: deny, rules: [{server: weir, level: deny}]}`, false},
		{"gate", `{default: deny, servers: {deny: [weir]}}`, false},
	} {
		p, err := Compile(decodeText(t, tt.policy), Servers{})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := p.Decide(Request{Server: Own, Kind: Tool, Name: "login"}).Silent(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
