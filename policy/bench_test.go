package policy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func BenchmarkDecide(b *testing.B) {
	for _, rules := range []int{0, 10, 1000} {
		p := manyRules(b, rules)
		for _, server := range []string{"server5", "elsewhere"} {
			b.Run(fmt.Sprintf("rules=%d/%s", rules, server), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p.Decide(Request{Server: server, Kind: Tool, Name: "read_file"})
				}
			})
		}
	}
}

// BenchmarkConditions decides where conditions are to be evaluated: those of an
// everyday policy, and as many as there are rules.
func BenchmarkConditions(b *testing.B) {
	request := Request{
		Server: "server5", Kind: Tool, Name: "read_file",
		Arguments:  []byte(`{"path":"/home/someone/notes/today.md","limit":100,"options":{"follow":true}}`),
		Definition: []byte(`{"name":"read_file","description":"Reads","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}`),
	}
	for _, when := range []struct{ name, text string }{
		{"principal", `principal.team == "guest"`},
		{"annotations", `tool.annotations.destructiveHint`},
		{"arguments", `args.path.startsWith("/etc/")`},
		{"regexp", `args.path.matches("(?i)\\b(secret|passwd)\\b")`},
	} {
		for _, rules := range []int{1, 10, 1000} {
			p := manyConditions(b, rules, when.text)
			b.Run(fmt.Sprintf("%s/rules=%d", when.name, rules), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p.Decide(request)
				}
			})
		}
	}
}

// BenchmarkCompile is what a policy costs at the start.
func BenchmarkCompile(b *testing.B) {
	for _, rules := range []int{0, 1, 10, 1000} {
		for _, when := range []string{"", `args.path.startsWith("/etc/")`} {
			c := conditions(rules, when)
			b.Run(fmt.Sprintf("rules=%d/when=%t", rules, when != ""), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Compile(c, Servers{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// manyRules returns a policy of which half the rules name one of 50 servers and
// half are for all.
func manyRules(tb testing.TB, n int) *Policy {
	tb.Helper()
	level := Execute
	c := Config{Default: &level, Servers: &Gate{Allow: []string{"*"}}}
	for i := range n {
		server, tool := "*", fmt.Sprintf("delete_%d_*", i)
		if i%2 == 0 {
			server = fmt.Sprintf("server%d", i/2%50)
		}
		c.Rules = append(c.Rules, Rule{Server: &server, Tool: &tool, Level: &level})
	}
	p, err := Compile(c, Servers{})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// manyConditions returns a policy whose rules all match and all deny on a
// condition.
func manyConditions(tb testing.TB, n int, when string) *Policy {
	tb.Helper()
	p, err := Compile(conditions(n, when), Servers{})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func conditions(n int, when string) Config {
	level, deny, every := Execute, Deny, "*"
	c := Config{Default: &level}
	for range n {
		r := Rule{Server: &every, Tool: &every, Level: &deny}
		if when != "" {
			r.When = &when
		}
		c.Rules = append(c.Rules, r)
	}
	return c
}

func TestDecideAllocatesNothing(t *testing.T) {
	p := manyRules(t, 10)
	for _, server := range []string{"server5", "elsewhere", Own} {
		allocs := testing.AllocsPerRun(100, func() {
			p.Decide(Request{Server: server, Kind: Tool, Name: "read_file"})
		})
		if allocs != 0 {
			t.Errorf("%s: got %v allocations, want 0", server, allocs)
		}
	}
}

// TestOtherCallsPayNothing: a condition that a call has nothing to do with costs
// it nothing.
func TestOtherCallsPayNothing(t *testing.T) {
	p, err := Compile(decodeText(t, `{default: execute, rules: [{server: db, tool: query, level: deny, when: 'args.sql == "x"'}, {server: db, tool: "*", ask: true}]}`), Servers{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Request{{Server: "db", Kind: Tool, Name: "ping"}, {Server: "db", Kind: Tool, Name: "query", Listing: true}, {Server: "web", Kind: Tool, Name: "query"}} {
		if allocs := testing.AllocsPerRun(100, func() { p.Decide(r) }); allocs != 0 {
			t.Errorf("%+v: got %v allocations, want 0", r, allocs)
		}
	}
}

// TestDecideAtOnce is for the race detector: a policy is shared by all calls.
func TestDecideAtOnce(t *testing.T) {
	p := manyConditions(t, 3, `args.list.exists(x, x == 3) && args.text.matches("a" + args.tail)`)
	request := Request{Server: "a", Kind: Tool, Name: "t", Arguments: []byte(`{"list":[1,2,3],"text":"xab","tail":"b$"}`)}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if v := p.Decide(request); v.Level != Deny {
					t.Errorf("got %s: %s", v.Level, v.Reason)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestWorkIsBounded: what would take for ever, or all memory, closes.
func TestWorkIsBounded(t *testing.T) {
	list := "[0" + strings.Repeat(",0", 3000) + "]"
	text := `"` + strings.Repeat("a", 1<<20) + `"`
	for _, tt := range []struct{ name, when, arguments, want string }{
		{"nested loops", `args.l.all(a, args.l.all(b, args.l.all(c, a == b && b == c)))`, `{"l":` + list + `}`, "it takes more work than a condition may"},
		{"long texts", `args.l.exists(a, args.t.contains(args.t + "b"))`, `{"l":` + list + `,"t":` + text + `}`, "it takes more work than a condition may"},
		{"texts that grow", `args.t.matches(args.r)`, `{"t":"a","r":"((a{1,100}){1,100}){1,100}"}`, "its evaluation fails"},
		{"large program", `args.t.matches(args.r)`, `{"t":"a","r":"(a{1,500}){1,2}(b|c|d|e){500}"}`, "its evaluation fails"},
	} {
		v := manyConditions(t, 1, tt.when).Decide(Request{Server: "a", Kind: Tool, Name: "t", Arguments: []byte(tt.arguments)})
		want := `rule 1 denies tool "*" of server "*" under its condition, which cannot be evaluated: ` + tt.want
		if v.Level != Deny || v.Reason != want {
			t.Errorf("%s: got %s, %q, want %q", tt.name, v.Level, v.Reason, want)
		}
	}
}
