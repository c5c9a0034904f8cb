package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

func page(items string, rest ...string) step {
	return step{Reply: raw(`{"tools":[` + items + `]` + strings.Join(rest, "") + `}`)}
}

func TestListTools(t *testing.T) {
	badCursor := step{Error: raw(`{"code":-32602,"message":"Invalid cursor"}`)}
	tests := []struct {
		name  string
		rules []rule
		want  string // items
		kind  Kind   // of the failure
		asked int
	}{
		{"one page", []rule{on("tools/list", page(`{"name":"a","x":1e0}, {"name":"b"}`))}, `{"name":"a","x":1e0} {"name":"b"}`, "", 1},
		{"none", []rule{on("tools/list", page(``))}, ``, "", 1},
		{"null", []rule{on("tools/list", step{Reply: raw(`{"tools":null}`)})}, ``, "", 1},
		{"pages", []rule{
			nth(1, "tools/list", page(`1`, `,"nextCursor":"a"`)), nth(2, "tools/list", page(``, `,"nextCursor":""`)),
			nth(3, "tools/list", page(`2`, `,"nextCursor":null`)),
		}, `1 2`, "", 3},
		{"garbage items pass", []rule{on("tools/list", page(`null,"x",[1],{"name":1}`))}, `null "x" [1] {"name":1}`, "", 1},
		{"cursor of another type", []rule{
			nth(1, "tools/list", page(`1`, `,"nextCursor":{"at":1.0}`)), nth(2, "tools/list", page(`2`)),
		}, `1 2`, "", 2},
		{"circle", []rule{on("tools/list", page(`1`, `,"nextCursor":"a"`))}, ``, KindProtocol, 2},
		{"circle of two", []rule{
			nth(1, "tools/list", page(`1`, `,"nextCursor":"a"`)), nth(2, "tools/list", page(`1`, `,"nextCursor":"b"`)),
			nth(3, "tools/list", page(`1`, `,"nextCursor":"a"`)),
		}, ``, KindProtocol, 3},
		{"no end", []rule{on("tools/list", page(`1`, `,"nextCursor":"$id"`))}, ``, KindProtocol, maxPages},
		{"too many", []rule{on("tools/list", step{Reply: raw(`{"tools":[1` + strings.Repeat(`,[[],"\\\"",{"a":1,"b":2}]`, maxItems) + `]}`)})}, ``, KindProtocol, 1},
		{"not a list", []rule{on("tools/list", step{Reply: raw(`{"tools":{}}`)})}, ``, KindProtocol, 1},
		{"no list", []rule{on("tools/list", step{Reply: raw(`{}`)})}, ``, KindProtocol, 1},
		{"no object", []rule{on("tools/list", step{Reply: raw(`7`)})}, ``, KindProtocol, 1},
		{"cursor expired", []rule{
			nth(1, "tools/list", page(`1`, `,"nextCursor":"a"`)), nth(2, "tools/list", badCursor),
			nth(3, "tools/list", page(`3`, `,"nextCursor":"c"`)), nth(4, "tools/list", page(`4`)),
		}, `3 4`, "", 4},
		{"cursor expires always", []rule{
			nth(1, "tools/list", page(`1`, `,"nextCursor":"a"`)), nth(2, "tools/list", badCursor),
			nth(3, "tools/list", page(`1`, `,"nextCursor":"a"`)), nth(4, "tools/list", badCursor),
		}, ``, "reply", 4},
		{"refused", []rule{on("tools/list", badCursor)}, ``, "reply", 1},
		{"capability absent", []rule{on("initialize", step{Reply: raw(`{"protocolVersion":"2025-11-25","capabilities":{"prompts":{}}}`)})}, ``, "", 0},
		{"capability null", []rule{on("initialize", step{Reply: raw(`{"protocolVersion":"2025-11-25","capabilities":{"tools":null}}`)})}, ``, "", 0},
		{"capabilities absent", []rule{on("initialize", step{Reply: raw(`{"protocolVersion":"2025-11-25"}`)})}, ``, "", 0},
		{"dies", []rule{on("tools/list", step{Exit: true})}, ``, KindConnection, 1},
		{"mute", []rule{on("tools/list")}, ``, KindTimeout, 1},
		{"slow pages", []rule{on("tools/list", step{Delay: delay(8 * time.Second)}, page(`1`, `,"nextCursor":"$id"`))}, ``, KindTimeout, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openScript(t, script{Rules: test.rules}, legacyHost)
				began := time.Now()
				list, err := u.ListTools(t.Context())
				switch refusal, ok := errors.AsType[*ReplyError](err); {
				case test.kind == "reply":
					if !ok || refusal.Code != codeInvalidParams {
						t.Errorf("got error %v, want the server's", err)
					}
				case test.kind == KindConnection:
					fault(t, err, test.kind, true)
				case test.kind != "":
					fault(t, err, test.kind, false)
				case err != nil:
					t.Error(err)
				}
				if test.kind == KindTimeout && time.Since(began) != DefaultListTimeout {
					t.Errorf("got the failure after %v, want %v", time.Since(began), DefaultListTimeout)
				}
				var got []string
				for _, item := range list.Items {
					got = append(got, string(item))
				}
				if got := strings.Join(got, " "); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				synctest.Wait()
				if n := len(server.Received("tools/list")); n != test.asked {
					t.Errorf("the server was asked %d times, want %d", n, test.asked)
				}
			})
		})
	}
}

func TestCursorsAreSentAsTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{Rules: []rule{
			nth(1, "tools/list", page(`1`, `,"nextCursor":""`)), nth(2, "tools/list", page(`2`, `,"nextCursor":"\u0061\/"`)),
		}}, legacyHost)
		if _, err := u.ListTools(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{`"method":"tools/list"}`, `"params":{"cursor":""}}`, `"params":{"cursor":"\u0061\/"}}`} {
			if got := string(server.Received("tools/list")[i].Message); !strings.HasSuffix(got, want) {
				t.Errorf("got %s, want …%s", got, want)
			}
		}
	})
}

func TestListHints(t *testing.T) {
	tests := []struct {
		pages []string // the hints of each
		ttl   time.Duration
		has   bool
		scope string
	}{
		{[]string{``}, 0, false, ""},
		{[]string{`"ttlMs":1500,"cacheScope":"public"`}, 1500 * time.Millisecond, true, "public"},
		{[]string{`"ttlMs":5000,"cacheScope":"public"`, `"ttlMs":2000,"cacheScope":"private"`, `"ttlMs":9000,"cacheScope":"public"`}, 2 * time.Second, true, "private"},
		{[]string{`"ttlMs":5000`, ``}, 5 * time.Second, true, ""},
		{[]string{`"ttlMs":-1,"cacheScope":"shared"`}, 0, true, "private"},
		{[]string{`"ttlMs":-1e999,"cacheScope":1`}, 0, true, "private"},
		{[]string{`"ttlMs":1e999`}, longestTTL, true, ""},
		{[]string{`"ttlMs":99999999999999999999`}, longestTTL, true, ""},
		{[]string{`"ttlMs":1.9e0`}, time.Millisecond, true, ""},
		{[]string{`"ttlMs":"5000"`}, 0, false, ""},
		{[]string{`"ttlMs":null,"cacheScope":null`}, 0, false, "private"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.pages, ";"), func(t *testing.T) {
			var list List
			for _, hints := range test.pages {
				fields, err := jsonrpc.ParseObject(nil, []byte(`{`+strings.Join([]string{hints, `"tools":[1]}`}, map[bool]string{true: "", false: ","}[hints == ""])))
				if err != nil {
					t.Fatal(err)
				}
				if err := list.add(fields, "tools"); err != nil {
					t.Fatal(err)
				}
			}
			if list.TTL != test.ttl || list.HasTTL != test.has || list.Scope != test.scope || len(list.Items) != len(test.pages) {
				t.Errorf("got %v, %v, %q, %d items, want %v, %v, %q", list.TTL, list.HasTTL, list.Scope, len(list.Items), test.ttl, test.has, test.scope)
			}
		})
	}
}

// All pages of a list together may be as long as one message.
func TestListBytes(t *testing.T) {
	tests := []struct {
		name  string
		fill  int
		kind  Kind
		maybe bool
		asked int
	}{
		{"many pages", 60 << 10, KindProtocol, false, 3},
		{"one item", 200 << 10, KindSerialization, true, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openConfig(t, Config{MessageLimit: 128 << 10}, script{Rules: []rule{
					on("tools/list", step{Reply: raw(`{"tools":["$fill"],"nextCursor":"$id"}`), Fill: tt.fill}),
				}}, legacyHost)
				_, err := u.ListTools(t.Context())
				fault(t, err, tt.kind, tt.maybe)
				if n := len(server.Received("tools/list")); n != tt.asked {
					t.Errorf("the server was asked %d times, want %d", n, tt.asked)
				}
				u.mustCall(t, "echo")
			})
		})
	}
}

func TestListGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, server := openScript(t, script{Rules: []rule{on("tools/list", step{Await: "cancel"})}}, legacyHost)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := u.ListTools(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want %v", err, context.Canceled)
		}
		synctest.Wait()
		if n := len(server.Received("notifications/cancelled")); n != 1 {
			t.Errorf("the server was told %d times, want once", n)
		}
	})
}

func FuzzCommas(f *testing.F) {
	f.Add([]byte(`[1,[2,3],{"a":",","b":"\"["},"\\",4]`))
	f.Fuzz(func(t *testing.T, array []byte) {
		elements, err := jsonrpc.ParseArray(nil, array)
		if err != nil {
			return
		}
		if got, want := commas(array), max(len(elements)-1, 0); got != want {
			t.Errorf("commas(%q) = %d, want %d", array, got, want)
		}
	})
}

func TestListen(t *testing.T) {
	const changed = "notifications/tools/list_changed"
	modern := script{Versions: []string{modernVersion}, Tools: tools("echo")}
	t.Run("told", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, modern, modernHost)
			u.mustCall(t, "echo")
			synctest.Wait()
			server.SetTools(upstreamtest.Tool("b"))
			synctest.Wait()
			if n := u.events.count(changed); n != 1 {
				t.Errorf("got %d changes, want 1", n)
			}
		})
	})
	ends := map[string]step{
		"result":    {Reply: raw(`{"resultType":"complete"}`)},
		"cancelled": {Send: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"$id"}}`)},
		"error":     {Error: raw(`{"code":-32603,"message":"later"}`)},
	}
	for name, end := range ends {
		t.Run("reopened after "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := modern
				s.Rules = []rule{
					nth(1, listenMethod, ack, step{Delay: delay(time.Hour)}, end),
					nth(2, listenMethod, end), nth(3, listenMethod, end),
				}
				u, server := openScript(t, s, modernHost)
				u.mustCall(t, "echo")
				<-time.After(time.Hour)
				if n := u.events.count(changed); n != 0 {
					t.Errorf("got %d changes, want none yet", n)
				}
				<-time.After(time.Minute)
				if n := len(server.Received(listenMethod)); n != 4 {
					t.Errorf("got %d subscriptions, want 4", n)
				}
				// What changed in between is asked for when the server listens again.
				if n := u.events.count(changed); n != 1 {
					t.Errorf("got %d changes, want 1", n)
				}
				u.mustCall(t, "echo")
			})
		})
	}
	for _, code := range []int{-32601, -32602} {
		t.Run(fmt.Sprint("declined ", code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := modern
				s.Rules = []rule{on(listenMethod, step{Error: raw(fmt.Sprintf(`{"code":%d,"message":"no"}`, code))})}
				u, server := openScript(t, s, modernHost)
				u.mustCall(t, "echo")
				<-time.After(time.Hour)
				if n := len(server.Received(listenMethod)); n != 1 {
					t.Errorf("got %d subscriptions, want 1", n)
				}
			})
		})
	}
	t.Run("not offered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := modern
			s.Capabilities = raw(`{"tools":{}}`)
			u, server := openScript(t, s, modernHost)
			u.mustCall(t, "echo")
			<-time.After(time.Hour)
			if n := len(server.Received(listenMethod)); n != 0 {
				t.Errorf("got %d subscriptions, want none", n)
			}
		})
	})
	t.Run("only a subscription is ended by the server", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := modern
			s.Rules = []rule{on("tools/call echo",
				step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"$id"}}`)},
				step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}`)}, step{Default: true})}
			u, _ := openScript(t, s, modernHost)
			u.mustCall(t, "echo")
		})
	})
}

var ack = step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",` +
	`"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"$id"},"notifications":{"toolsListChanged":true}}}`)}

// Every kind is listed by its own method, from its own member, if the server
// has the capability; a server may lack templates.
func TestListKinds(t *testing.T) {
	methodNotFound := step{Error: raw(`{"code":-32601,"message":"no"}`)}
	reply := func(member string) []step {
		return []step{{Reply: raw(`{"` + member + `":[{"x":1e0}],"ttlMs":5000}`)}}
	}
	rules := []rule{
		on("prompts/list", reply("prompts")...), on("resources/list", reply("resources")...),
		on("resources/templates/list", reply("resourceTemplates")...),
	}
	const both = `{"prompts":{},"resources":{}}`
	tests := []struct {
		name         string
		list         func(*Upstream, context.Context) (List, error)
		capabilities string
		rules        []rule
		want         int
		fails        bool
		asked        string
	}{
		{"prompts", (*Upstream).ListPrompts, both, rules, 1, false, "prompts/list"},
		{"resources", (*Upstream).ListResources, both, rules, 1, false, "resources/list"},
		{"templates", (*Upstream).ListTemplates, both, rules, 1, false, "resources/templates/list"},
		{"no prompts", (*Upstream).ListPrompts, `{"resources":{}}`, rules, 0, false, ""},
		{"no resources", (*Upstream).ListResources, `{"prompts":{}}`, rules, 0, false, ""},
		{"no resources, no templates", (*Upstream).ListTemplates, `{"prompts":{}}`, rules, 0, false, ""},
		{"templates unknown", (*Upstream).ListTemplates, both, []rule{on("resources/templates/list", methodNotFound)}, 0, false, "resources/templates/list"},
		{"resources unknown", (*Upstream).ListResources, both, []rule{on("resources/list", methodNotFound)}, 0, true, "resources/list"},
		{"templates refused", (*Upstream).ListTemplates, both, []rule{on("resources/templates/list", step{Error: raw(`{"code":-32603,"message":"no"}`)})}, 0, true, "resources/templates/list"},
	}
	for _, version := range []string{upstreamtest.Legacy, upstreamtest.Modern} {
		for _, test := range tests {
			t.Run(version+" "+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					u, server := openScript(t, script{
						Versions: []string{version}, Capabilities: raw(test.capabilities), Rules: test.rules,
					}, Peer{Modern: version == upstreamtest.Modern, Version: version})
					list, err := test.list(u.Upstream, t.Context())
					if (err != nil) != test.fails || len(list.Items) != test.want || list.Facts.Version != version {
						t.Errorf("got %d items of %q, error %v, want %d", len(list.Items), list.Facts.Version, err, test.want)
					}
					if test.want == 1 && (string(list.Items[0]) != `{"x":1e0}` || list.TTL != 5*time.Second) {
						t.Errorf("got %s, %v", list.Items[0], list.TTL)
					}
					if got := methods(server, "tools/list", "prompts/list", "resources/list", "resources/templates/list"); got != test.asked {
						t.Errorf("asked %q, want %q", got, test.asked)
					}
				})
			})
		}
	}
}
