package upstream

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const (
	allModern = `{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"prompts":{"listChanged":true},` +
		`"extensions":{"io.modelcontextprotocol/tasks":{}}}`
	lists = `"promptsListChanged":true,"resourcesListChanged":true,"toolsListChanged":true`
)

func acks(notifications string) step {
	return step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",` +
		`"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"$id"},"notifications":` + notifications + `}}`)}
}

// tellOn is a notification of the subscription at hand.
func tellOn(method, rest string) step {
	return step{Send: raw(`{"jsonrpc":"2.0","method":"` + method + `","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"$id"}` + rest + `}}`)}
}

func updated(uri string) step { return tellOn(updatedMethod, `,"uri":"`+uri+`"`) }

// stay ends a rule for a subscription that stays open.
var stay = step{Await: "the end of the test"}

// openSubscribed is a modern server with everything, connected.
func openSubscribed(t *testing.T, rules ...rule) (fixture, *upstreamtest.Server) {
	t.Helper()
	u, server := openScript(t, script{
		Versions: []string{modernVersion}, Capabilities: raw(allModern), Tools: tools("echo", "die", "tell"),
		Rules: append(rules, on("tools/call die", step{Exit: true})),
	}, modernHost)
	u.mustCall(t, "echo")
	synctest.Wait()
	return u, server
}

// filters are those of the subscriptions so far.
func filters(t *testing.T, s *upstreamtest.Server) []string {
	t.Helper()
	synctest.Wait()
	var out []string
	for _, p := range params(s, listenMethod) {
		members, err := jsonrpc.ParseObject(nil, []byte(p))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(jsonrpc.Find(members, "notifications")))
	}
	return out
}

func wantFilters(t *testing.T, s *upstreamtest.Server, want ...string) {
	t.Helper()
	for i := range want {
		want[i] = "{" + want[i] + "}"
	}
	if diff := cmp.Diff(want, filters(t, s)); diff != "" {
		t.Errorf("filters (-want +got):\n%s", diff)
	}
}

// Subscribing to a resource of a modern server changes its one subscription:
// the new stream takes the place of the old one once it tells.
func TestSubscribeModern(t *testing.T) {
	const a, b = "file:///a", "file:///b"
	resources := func(uris ...string) string {
		return lists + `,"resourceSubscriptions":["` + strings.Join(uris, `","`) + `"]`
	}
	t.Run("follows", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t)
			wantFilters(t, server, lists)
			for range 2 { // the second changes nothing
				if d := u.subscribes(t, subscribeMethod, a); d.raw != `{"jsonrpc":"2.0","id":0,"result":{}}` || !d.modern {
					t.Errorf("got %+v", d)
				}
			}
			u.subscribes(t, subscribeMethod, b)
			wantFilters(t, server, lists, resources(a), resources(a, b))
			if d := u.subscribes(t, unsubscribeMethod, a); d.raw != `{"jsonrpc":"2.0","id":0,"result":{}}` || !d.modern {
				t.Errorf("got %+v", d)
			}
			u.subscribes(t, unsubscribeMethod, "file:///never")
			wantFilters(t, server, lists, resources(a), resources(a, b), resources(b))
			if n := len(server.Received("notifications/cancelled")); n != 3 {
				t.Errorf("%d streams were closed, want 3", n)
			}
			if got := methods(server, subscribeMethod, unsubscribeMethod); got != "" {
				t.Errorf("the server got %s", got)
			}
			if n := len(u.conn.streams); n != 1 {
				t.Errorf("%d streams are open, want one", n)
			}
		})
	})
	t.Run("many at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t)
			var sinks []*sink
			for i := range 20 {
				s := newSink()
				sinks = append(sinks, s)
				u.Do(nil, subscribeCall(s, subscribeMethod, fmt.Sprint(i)))
			}
			for _, s := range sinks {
				if d := s.wait(t); !strings.Contains(d.raw, `"result"`) {
					t.Errorf("got %+v", d)
				}
			}
			if n := len(filters(t, server)); n > 5 {
				t.Errorf("got %d streams for 20 resources", n)
			}
		})
	})
	t.Run("answered when it tells, no gap", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t,
				nth(2, listenMethod, step{Await: "slow"}, step{Default: true}))
			s := newSink()
			u.Do(nil, subscribeCall(s, subscribeMethod, a))
			<-time.After(5 * time.Second)
			s.none(t)
			server.SetTools(upstreamtest.Tool("new")) // the old stream still tells
			synctest.Wait()
			if n := u.events.count(toolList.changed); n != 1 {
				t.Errorf("got %d changes, want 1", n)
			}
			if n := len(server.Received("notifications/cancelled")); n != 0 {
				t.Errorf("%d streams were closed before the new one told", n)
			}
			server.Release("slow")
			s.wait(t)
			synctest.Wait()
			if n := len(server.Received("notifications/cancelled")); n != 1 {
				t.Errorf("%d streams were closed, want 1", n)
			}
			if n := u.events.count(toolList.changed); n != 1 {
				t.Errorf("got %d changes after, want 1", n)
			}
		})
	})
	t.Run("never acknowledged", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t, nth(2, listenMethod, step{Await: "tell"}, updated(a), stay))
			began := time.Now()
			if d := u.subscribes(t, subscribeMethod, a); !strings.Contains(d.raw, `"result"`) {
				t.Errorf("got %+v", d)
			}
			if took := time.Since(began); took != ackTime {
				t.Errorf("got the answer after %v, want %v", took, ackTime)
			}
			server.Release("tell")
			synctest.Wait()
			if n := u.events.count(updatedMethod); n != 1 {
				t.Errorf("got %d updates, want 1", n)
			}
		})
	})
	t.Run("not granted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t, nth(2, listenMethod, acks(`{`+lists+`,"resourceSubscriptions":["`+b+`"]}`), updated(a), stay))
			if d := u.subscribes(t, subscribeMethod, a); !strings.Contains(d.raw, `"code":-32602`) {
				t.Errorf("got %+v", d)
			}
			wantFilters(t, server, lists, resources(a), lists)
			if n := u.events.count(updatedMethod); n != 0 {
				t.Errorf("got %d updates, want none", n)
			}
		})
	})
	t.Run("refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t, nth(2, listenMethod, step{Error: raw(`{"code":-32602,"message":"no such","data":1e0}`)}))
			if d := u.subscribes(t, subscribeMethod, a); !strings.Contains(d.raw, `"error":{"code":-32602,"message":"no such","data":1e0}`) {
				t.Errorf("got %+v", d)
			}
			<-time.After(time.Hour)
			wantFilters(t, server, lists, resources(a))
			if n := len(u.conn.streams); n != 1 {
				t.Errorf("%d streams are open, want the first", n)
			}
			u.subscribes(t, subscribeMethod, b)
			wantFilters(t, server, lists, resources(a), resources(b))
		})
	})
	t.Run("not declared", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{Versions: []string{modernVersion}}, modernHost)
			for _, method := range []string{subscribeMethod, unsubscribeMethod} {
				if d := u.subscribes(t, method, a); !strings.Contains(d.raw, `"code":-32601`) || !d.modern {
					t.Errorf("got %+v", d)
				}
			}
			wantFilters(t, server, `"toolsListChanged":true`)
		})
	})
	t.Run("no uri", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t)
			s := newSink()
			u.Do(nil, &Call{Method: subscribeMethod, Sink: s})
			if d := s.wait(t); !strings.Contains(d.raw, `"code":-32602`) {
				t.Errorf("got %+v", d)
			}
			wantFilters(t, server, lists)
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t, nth(2, listenMethod, step{Await: "slow"}, step{Default: true}))
			s := newSink()
			call := subscribeCall(s, subscribeMethod, a)
			u.Do(nil, call)
			synctest.Wait()
			u.Cancel(call, nil)
			if n := len(server.Received("notifications/cancelled")); n != 0 {
				t.Errorf("the server was told of %d requests it never got", n)
			}
			server.Release("slow")
			wantFilters(t, server, lists, resources(a), lists)
			s.none(t)
		})
	})
	t.Run("given up while it waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t, nth(2, listenMethod, step{Await: "slow"}, step{Default: true}))
			s := newSink()
			u.Do(nil, subscribeCall(s, subscribeMethod, a))
			synctest.Wait()
			u.subscribes(t, unsubscribeMethod, a)
			s.wait(t)
			server.Release("slow")
			wantFilters(t, server, lists, resources(a), lists)
		})
	})
	t.Run("lost while it waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t, nth(2, listenMethod))
			s := newSink()
			u.Do(nil, subscribeCall(s, subscribeMethod, a))
			synctest.Wait()
			u.call(t, "die", "")
			if d := s.wait(t); !strings.Contains(d.raw, `"result"`) {
				t.Errorf("got %+v", d)
			}
			wantFilters(t, server, lists, resources(a), resources(a))
		})
	})
	t.Run("time is up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t, nth(1, listenMethod, step{Default: true}), on(listenMethod, step{Error: raw(`{"code":-32000,"message":"later"}`)}))
			s := newSink()
			call := subscribeCall(s, subscribeMethod, a)
			call.Timeout = time.Minute
			u.Do(nil, call)
			fault(t, s.wait(t).err, KindTimeout, true)
			synctest.Wait()
			if n := len(server.Received("notifications/cancelled")); n != 0 {
				t.Errorf("the server was told of %d requests it never got", n)
			}
			if n := len(u.kept.resources); n != 0 {
				t.Errorf("%d are kept, want none", n)
			}
		})
	})
	t.Run("answers of the server are none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openSubscribed(t, nth(2, listenMethod, step{Await: "slow"}, step{Default: true}),
				on("tools/call tell", step{Send: raw(`{"jsonrpc":"2.0","id":$n,"result":{"forged":1}}`), Repeat: 30}))
			s := newSink()
			u.Do(nil, subscribeCall(s, subscribeMethod, a))
			synctest.Wait()
			u.call(t, "tell", "")
			synctest.Wait()
			s.none(t)
		})
	})
	t.Run("the connection is made again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t)
			u.subscribes(t, subscribeMethod, a)
			<-time.After(time.Minute)
			u.call(t, "die", "")
			wantFilters(t, server, lists, resources(a), resources(a))
		})
	})
	t.Run("closing while it waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openSubscribed(t, nth(2, listenMethod))
			s := newSink()
			u.Do(nil, subscribeCall(s, subscribeMethod, a))
			synctest.Wait()
			u.set.Close()
			fault(t, s.wait(t).err, KindConnection, false)
		})
	})
}

// What a server will not have is left out: the rest is asked for without it.
func TestRefusedParts(t *testing.T) {
	no := step{Error: raw(`{"code":-32021,"message":"no"}`)}
	synctest.Test(t, func(t *testing.T) {
		u, server := openSubscribed(t, nth(1, listenMethod, step{Default: true}), nth(2, listenMethod, step{Default: true}),
			nth(3, listenMethod, no), nth(4, listenMethod, step{Default: true}),
			nth(5, listenMethod, no), nth(6, listenMethod, no), nth(7, listenMethod, no))
		u.subscribes(t, subscribeMethod, "a")
		u.WatchTask("t", true)
		const a = lists + `,"resourceSubscriptions":["a"]`
		wantFilters(t, server, lists, a, a+`,"taskIds":["t"]`) // and the second goes on
		<-time.After(time.Minute)
		u.call(t, "die", "")
		<-time.After(time.Minute) // the fourth grants it all
		u.call(t, "die", "")
		<-time.After(time.Hour) // the others nothing
		wantFilters(t, server, lists, a, a+`,"taskIds":["t"]`, a+`,"taskIds":["t"]`, a+`,"taskIds":["t"]`, a, lists)
		if d := u.subscribes(t, subscribeMethod, "a"); !strings.Contains(d.raw, `"code":-32021`) {
			t.Errorf("got %+v", d)
		}
		u.mustCall(t, "echo")
	})
}

// Nothing that was not asked for, or not granted, or given up, comes through.
func TestUntold(t *testing.T) {
	tests := []struct {
		step step
		want bool
	}{
		{updated("file:///a"), true},
		{updated("file:///a/below"), true},
		{updated("file:///a?x"), true},
		{updated("file:///ab"), false},
		{updated("file:///b"), false},
		{updated("file:///given-up"), false},
		{updated("file:///not-granted"), false},
		{tellOn(updatedMethod, `,"uri":7`), false},
		{tellOn(updatedMethod, ``), false},
		{tellOn(taskMethod, `,"taskId":"t"`), true},
		{tellOn(taskMethod, `,"taskId":"other"`), false},
		{tellOn(toolList.changed, ``), true},
		{tellOn(promptList.changed, ``), false}, // not granted
		{tellOn("notifications/vendor", ``), true},
		{step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)}, true}, // whose, the server does not say
		{step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"other"}}`)}, false},
		{step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":999}}}`)}, false},
		{step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"x"}}}`)}, false},
		{step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}`)}, true},
	}
	for _, test := range tests {
		t.Run(strings.ReplaceAll(string(test.step.Send), "io.modelcontextprotocol/", ""), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const granted = `{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["file:///a","file:///given-up","file:///never"],"taskIds":["t"]}`
				u, server := openSubscribed(t, nth(5, listenMethod, acks(granted), step{Await: "tell"}, test.step, stay),
					nth(6, listenMethod, step{Await: "never"}))
				u.subscribes(t, subscribeMethod, "file:///a")
				u.subscribes(t, subscribeMethod, "file:///given-up")
				u.WatchTask("t", true)
				synctest.Wait()
				u.subscribes(t, subscribeMethod, "file:///not-granted")
				if n := len(filters(t, server)); n != 6 {
					t.Fatalf("got %d streams, want 6", n)
				}
				u.subscribes(t, unsubscribeMethod, "file:///given-up")
				server.Release("tell")
				synctest.Wait()
				if got := len(u.events.told()) == 1; got != test.want {
					t.Errorf("got %s, want it %v", u.events.told(), test.want)
				}
			})
		})
	}
}

// What may have changed while nobody told is said of every list once a stream
// tells again; of a lost connection the handler learns otherwise.
func TestToldAgain(t *testing.T) {
	for name, end := range map[string]step{
		"result":    {Reply: raw(`{"resultType":"complete"}`)},
		"cancelled": {Send: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"$id"}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, _ := openSubscribed(t, nth(1, listenMethod, acks(`{`+lists+`}`), step{Delay: delay(time.Minute)}, end),
					nth(2, listenMethod, acks(`{"toolsListChanged":true,"resourcesListChanged":true}`), stay))
				<-time.After(time.Hour)
				got := u.events.told()
				slices.Sort(got)
				want := []string{
					`{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`,
					`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`,
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWatchTask(t *testing.T) {
	const tasks = lists + `,"taskIds":`
	t.Run("follows", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t)
			u.WatchTask("t1", true)
			synctest.Wait()
			u.WatchTask("t1", true)
			u.WatchTask("t1", false)
			u.WatchTask("t1", false)
			wantFilters(t, server, lists, tasks+`["t1"]`, lists)
			if got := params(server, listenMethod)[1]; !strings.Contains(got, `"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}`) {
				t.Errorf("the extension is not declared: %s", got)
			}
		})
	})
	t.Run("connects, and again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{
				Versions: []string{modernVersion}, Capabilities: raw(allModern), Tools: tools("die"),
				Rules: []rule{on("tools/call die", step{Exit: true})},
			}, modernHost)
			u.WatchTask("t1", true)
			wantFilters(t, server, tasks+`["t1"]`)
			<-time.After(time.Minute)
			u.call(t, "die", "")
			wantFilters(t, server, tasks+`["t1"]`, tasks+`["t1"]`)
		})
	})
	t.Run("when a try may be", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{
				Versions: []string{modernVersion}, Capabilities: raw(allModern),
				Rules: []rule{nth(1, discoverMethod, step{Exit: true}), nth(1, "initialize", step{Exit: true})},
			}, modernHost)
			u.call(t, "echo", "")
			synctest.Wait()
			if st := u.Status(); st.State != Backoff {
				t.Fatalf("got state %q, want backoff", st.State)
			}
			u.WatchTask("t1", true)
			wantFilters(t, server)
			<-time.After(2 * time.Second)
			wantFilters(t, server, tasks+`["t1"]`)
		})
	})
	t.Run("not offered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{Versions: []string{modernVersion}}, modernHost)
			u.mustCall(t, "echo")
			u.WatchTask("t1", true)
			wantFilters(t, server, `"toolsListChanged":true`)
		})
	})
	t.Run("bounded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openSubscribed(t)
			u.WatchTask(strings.Repeat("x", maxTaskID+1), true)
			for i := range maxTasks + 10 {
				u.WatchTask(fmt.Sprint(i), true)
			}
			if n := len(u.kept.tasks); n != maxTasks {
				t.Errorf("%d are watched, want %d", n, maxTasks)
			}
		})
	})
}

// Over HTTP too: streams are closed, not cancelled by a notification.
func TestSubscribeModernHTTP(t *testing.T) {
	server := newServer(script{Versions: []string{modernVersion}, Capabilities: raw(allModern), Tools: tools("echo")})
	u := openHTTP(t, Config{}, server, modernHost)
	for _, uri := range []string{"a", "b", "c"} {
		if d := u.subscribes(t, subscribeMethod, uri); !strings.Contains(d.raw, `"result"`) {
			t.Errorf("got %+v", d)
		}
	}
	u.subscribes(t, unsubscribeMethod, "b")
	if err := server.Await(t.Context(), listenMethod, 4); err != nil {
		t.Fatal(err)
	}
	if got := methods(server, subscribeMethod, unsubscribeMethod, "notifications/cancelled"); got != "" {
		t.Errorf("the server got %s", got)
	}
}

// The header names what a request is about, and stands only where it belongs.
func TestNameHeader(t *testing.T) {
	tests := []struct{ method, params, name, want string }{
		{"tools/call", `{"name":"echo"}`, "echo", "echo"},
		{"prompts/get", `{"name":"p"}`, "", "p"},
		{"resources/read", `{"uri":"file:///ä"}`, "", "=?base64?ZmlsZTovLy/DpA==?="},
		{"tasks/get", `{"taskId":"t"}`, "", "t"},
		{"tasks/update", `{"taskId":"t"}`, "t", "t"},
		{"tasks/cancel", `{"taskId":"t"}`, "", "t"},
		{"tasks/list", `{"taskId":"t"}`, "t", ""},
		{"tools/list", `{"name":"x","uri":"y"}`, "x", ""},
		{"completion/complete", `{"name":"x"}`, "x", ""},
		{"prompts/get", `{}`, "", ""},
	}
	rules := []rule{}
	for _, test := range tests {
		rules = append(rules, on(test.method, step{Reply: raw(`{"resultType":"complete"}`)}))
	}
	seen := make(chan http.Header, 1)
	server := newServer(script{Versions: []string{modernVersion}, Tools: tools("echo"), Capabilities: raw(`{}`), Rules: rules})
	u := openHTTP(t, Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") != discoverMethod {
			seen <- r.Header.Clone()
		}
		server.ServeHTTP(w, r)
	}), modernHost)
	for _, test := range tests {
		t.Run(test.method+test.params, func(t *testing.T) {
			members, err := jsonrpc.ParseObject(nil, []byte(test.params))
			if err != nil {
				t.Fatal(err)
			}
			s := newSink()
			u.Do(nil, &Call{Method: test.method, Name: test.name, Params: members, Sink: s})
			header := <-seen
			s.wait(t)
			if got := header.Values("Mcp-Name"); strings.Join(got, ",") != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
