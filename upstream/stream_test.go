package upstream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What a server will not have is left out: the rest is asked for without it.
func TestRefusedParts(t *testing.T) {
	no := step{Error: raw(`{"code":-32021,"message":"no"}`)}
	synctest.Test(t, func(t *testing.T) {
		u, server := openSubscribed(t, nth(1, listenMethod, step{Default: true}), nth(2, listenMethod, step{Default: true}),
			nth(3, listenMethod, no), nth(4, listenMethod, step{Default: true}),
			nth(5, listenMethod, no), nth(6, listenMethod, no), nth(7, listenMethod, no))
		u.subscribes(t, subscribeMethod, "a")
		u.WatchTask("t", func(bool) {})
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
				u.WatchTask("t", func(bool) {})
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
			u.WatchTask("t1", func(bool) {})
			synctest.Wait()
			u.WatchTask("t1", func(bool) {})
			u.UnwatchTask("t1")
			u.UnwatchTask("t1")
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
			u.WatchTask("t1", func(bool) {})
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
			u.WatchTask("t1", func(bool) {})
			wantFilters(t, server)
			<-time.After(2 * time.Second)
			wantFilters(t, server, tasks+`["t1"]`)
		})
	})
	t.Run("not offered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{Versions: []string{modernVersion}}, modernHost)
			u.mustCall(t, "echo")
			u.WatchTask("t1", func(bool) {})
			wantFilters(t, server, `"toolsListChanged":true`)
		})
	})
	t.Run("bounded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openSubscribed(t)
			u.WatchTask(strings.Repeat("x", maxTaskID+1), func(bool) {})
			for i := range maxTasks + 10 {
				u.WatchTask(fmt.Sprint(i), func(bool) {})
			}
			if n := len(u.kept.tasks); n != maxTasks {
				t.Errorf("%d are watched, want %d", n, maxTasks)
			}
		})
	})
}
