package upstream

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const wordOfA = `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///a"}}`

// wantMissed wants so many announcements of file:///a, and none of another resource.
func (u fixture) wantMissed(t *testing.T, when string, n int) {
	t.Helper()
	synctest.Wait()
	var want, got []string
	for range n {
		want = append(want, wordOfA)
	}
	for _, line := range u.events.told() {
		if strings.Contains(line, updatedMethod) {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: told of resources (-want +got):\n%s", when, diff)
	}
}

// A resource that is followed is announced as updated, once, when a legacy server
// has been told again to tell of it: in a new connection, or after it was asked in
// vain. Not before, not of what nobody follows any more, and not when it is
// followed for the first time.
func TestMissedLegacy(t *testing.T) {
	const a = "file:///a"
	for _, test := range []struct {
		name  string
		again []rule // the server's answers to further subscriptions
		then  func(*testing.T, fixture)
		want  int
	}{
		{"taken again", nil, nil, 1},
		{"taken at last", []rule{nth(2, subscribeMethod), nth(3, subscribeMethod, step{Error: raw(`{"code":-32603,"message":"later"}`)})}, nil, 1},
		{"refused for good", []rule{nth(2, subscribeMethod, step{Error: raw(`{"code":-32601,"message":"none"}`)})}, nil, 0},
		{"given up meanwhile", []rule{nth(2, subscribeMethod, step{Delay: delay(time.Second)}, step{Reply: raw(`{}`)})}, func(t *testing.T, u fixture) {
			u.subscribes(t, unsubscribeMethod, a)
		}, 0},
		{"followed anew", []rule{nth(2, subscribeMethod, step{Delay: delay(time.Second)}, step{Reply: raw(`{}`)})}, func(t *testing.T, u fixture) {
			u.subscribes(t, unsubscribeMethod, a)
			u.subscribes(t, subscribeMethod, a)
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, _ := openConfig(t, Config{ListTimeout: 2 * time.Second}, script{
					Capabilities: raw(all), Tools: tools("echo", "die"),
					Rules: append(test.again, empty(subscribeMethod), empty(unsubscribeMethod), on("tools/call die", step{Exit: true})),
				}, legacyHost)
				u.subscribes(t, subscribeMethod, a)
				<-time.After(time.Minute)
				u.wantMissed(t, "at first", 0)
				u.call(t, "die", "")
				u.mustCall(t, "echo")
				if test.then != nil {
					test.then(t, u)
				}
				<-time.After(time.Minute)
				u.wantMissed(t, "in the next connection", test.want)
			})
		})
	}
	t.Run("insisted on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{Capabilities: raw(all), Rules: []rule{
				on(subscribeMethod, step{Await: "take"}, step{Reply: raw(`{}`)}),
			}}, legacyHost)
			u.Insist(a)
			u.wantMissed(t, "before the server has taken it", 0)
			server.Release("take")
			u.wantMissed(t, "afterwards", 1)
		})
	})
}

// The same of a modern server, whose stream may end by itself, or be replaced
// without a gap.
func TestMissedModern(t *testing.T) {
	const a, b = "file:///a", "file:///b"
	followed := func(t *testing.T, rules ...rule) (fixture, *upstreamtest.Server) {
		u, server := openSubscribed(t, rules...)
		u.subscribes(t, subscribeMethod, a) // on the second stream
		<-time.After(time.Minute)
		u.wantMissed(t, "at first", 0)
		return u, server
	}
	acked := acks(`{` + lists + `,"resourceSubscriptions":["file:///a"]}`)
	for name, end := range map[string]step{
		"ended by an answer":       {Reply: raw(`{"resultType":"complete"}`)},
		"ended by a notification":  {Send: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"$id"}}`)},
		"ended by a passing error": {Error: raw(`{"code":-32603,"message":"later"}`)},
		"ended by the connection":  {Exit: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, _ := followed(t, nth(2, listenMethod, acked, step{Delay: delay(2 * time.Minute)}, end))
				<-time.After(time.Hour)
				u.wantMissed(t, "in the end", 1)
			})
		})
	}
	t.Run("replaced", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := followed(t)
			u.subscribes(t, subscribeMethod, b)
			<-time.After(time.Minute)
			u.wantMissed(t, "by one that tells more", 0)
			u.subscribes(t, unsubscribeMethod, a)
			u.subscribes(t, subscribeMethod, a)
			<-time.After(time.Minute)
			u.wantMissed(t, "followed anew", 0)
		})
	})
	t.Run("ends before the one tells that replaces it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := followed(t,
				nth(2, listenMethod, acked, step{Await: "end"}, step{Reply: raw(`{"resultType":"complete"}`)}),
				nth(3, listenMethod, step{Await: "acknowledge"}, step{Default: true}))
			s := newSink()
			u.Do(nil, subscribeCall(s, subscribeMethod, b))
			synctest.Wait()
			server.Release("end")
			u.wantMissed(t, "while none tells", 0)
			server.Release("acknowledge")
			s.wait(t)
			u.wantMissed(t, "once the next one tells", 1)
		})
	})
	t.Run("followed anew while one takes its place that tells less", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := followed(t, nth(3, listenMethod, step{Await: "acknowledge"}, step{Default: true}))
			u.subscribes(t, unsubscribeMethod, a)
			synctest.Wait()
			s := newSink()
			u.Do(nil, subscribeCall(s, subscribeMethod, a))
			synctest.Wait()
			if len(s.done) > 0 {
				t.Error("accepted, though what tells of it is about to end")
			}
			server.Release("acknowledge")
			s.wait(t)
			u.wantMissed(t, "from its acceptance on", 0)
		})
	})
	t.Run("not granted any more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := followed(t,
				nth(2, listenMethod, acked, step{Delay: delay(2 * time.Minute)}, step{Reply: raw(`{"resultType":"complete"}`)}),
				nth(3, listenMethod, acks(`{`+lists+`}`), stay))
			<-time.After(time.Hour)
			u.wantMissed(t, "in the end", 0)
		})
	})
	t.Run("insisted on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openSubscribed(t, nth(2, listenMethod, step{Await: "acknowledge"}, step{Default: true}))
			u.Insist(a)
			u.wantMissed(t, "before the server tells", 0)
			server.Release("acknowledge")
			u.wantMissed(t, "afterwards", 1)
		})
	})
	t.Run("insisted on after there was no stream", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{
				Versions: []string{modernVersion}, Capabilities: raw(`{"resources":{"subscribe":true}}`),
			}, modernHost)
			u.subscribes(t, subscribeMethod, a)
			u.subscribes(t, unsubscribeMethod, a)
			synctest.Wait()
			u.Insist(a)
			u.wantMissed(t, "in the end", 1)
			if n := len(server.Received(listenMethod)); n != 2 {
				t.Errorf("got %d streams, want 2", n)
			}
		})
	})
}

// A legacy server whose stream was gone for a while may have told of any of what it
// tells of: of that, and of what is followed, and of nothing else.
func TestMissedOnTheStandaloneStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := openScript(t, script{
			Capabilities: raw(`{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true,"listChanged":true}}`),
			Rules:        []rule{empty(subscribeMethod)},
		}, legacyHost)
		u.subscribes(t, subscribeMethod, "file:///a")
		u.conn.Missed()
		want := []string{
			`{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`,
			wordOfA,
			`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`,
		}
		got := u.events.told()
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}
