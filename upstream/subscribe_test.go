package upstream

import (
	"fmt"
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

// tellOf has the connection hear of an update on one of its streams.
func (u fixture) tellOf(t *testing.T, stream uint64, uri string) {
	t.Helper()
	var m jsonrpc.Message
	text := fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":{"uri":%q,"_meta":{%q:%d}}}`, updatedMethod, uri, MetaSubscription, stream)
	if err := m.Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	u.conn.Receive(nil, &m, 0)
}

// overlapped waits until no stream is open whose place was taken.
func overlapped() {
	<-time.After(overlapTime)
	synctest.Wait()
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
			overlapped()
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
	t.Run("told late on the stream whose place was taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openSubscribed(t)
			u.subscribes(t, subscribeMethod, a)
			overlapped()
			u.subscribes(t, subscribeMethod, b)
			synctest.Wait()
			if len(u.conn.streams) != 2 {
				t.Fatalf("%d streams are open, want the old one and the new", len(u.conn.streams))
			}
			old, present := u.conn.streams[0].call.id, u.conn.streams[1].call.id
			u.tellOf(t, old, a) // the server knew the old one only when it began
			for range 2 {
				u.tellOf(t, old, a)
				u.tellOf(t, present, a)
			}
			if n := u.events.count(updatedMethod); n != 3 {
				t.Errorf("three updates, one told on the old stream only: got %d", n)
			}
		})
	})
	t.Run("many at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t, nth(2, listenMethod, step{Await: "all"}, step{Default: true}))
			var sinks []*sink
			for i := range 20 {
				s := newSink()
				sinks = append(sinks, s)
				u.Do(nil, subscribeCall(s, subscribeMethod, fmt.Sprint(i)))
			}
			synctest.Wait()
			server.Release("all")
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
			overlapped()
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
