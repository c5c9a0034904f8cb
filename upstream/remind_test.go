package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A legacy server that does not answer when it is asked again for what it was to
// tell, though its connection holds, is asked until it does, or nobody wants to
// know any more; after an error, with longer pauses; not for what it does not offer.
func TestRemind(t *testing.T) {
	const a = `{"uri":"file:///a"}`
	restored := func(again ...rule) script {
		return script{Capabilities: raw(all), Tools: tools("echo", "die"), Rules: append(again,
			empty(subscribeMethod), empty(unsubscribeMethod), on("tools/call die", step{Exit: true}))}
	}
	connectedAgain := func(t *testing.T, s script) (fixture, *upstreamtest.Server) {
		u, server := openConfig(t, Config{ListTimeout: 2 * time.Second}, s, legacyHost)
		u.subscribes(t, subscribeMethod, "file:///a")
		<-time.After(time.Minute) // long enough for the connection to count
		u.call(t, "die", "")
		u.mustCall(t, "echo")
		return u, server
	}
	t.Run("answered at last", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, server := connectedAgain(t, restored(nth(2, subscribeMethod), nth(3, subscribeMethod)))
			<-time.After(time.Minute)
			wantParams(t, server, subscribeMethod, a, a, a, a)
			if n := len(server.Received("initialize")); n != 2 {
				t.Errorf("got %d connections, want 2", n)
			}
		})
	})
	t.Run("never answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := restored()
			s.Rules = append([]rule{nth(1, subscribeMethod, step{Reply: raw(`{}`)}), on(subscribeMethod)}, s.Rules...)
			_, server := connectedAgain(t, s)
			<-time.After(10 * time.Minute)
			// 2 s of waiting, and a pause of 12 to 15 s.
			if n := len(server.Received(subscribeMethod)); n < 30 || n > 50 {
				t.Errorf("it was asked %d times in ten minutes", n)
			}
		})
	})
	t.Run("given up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := connectedAgain(t, restored(nth(2, subscribeMethod)))
			u.subscribes(t, unsubscribeMethod, "file:///a")
			<-time.After(time.Minute)
			wantParams(t, server, subscribeMethod, a, a)
		})
	})
	t.Run("not offered any more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, server := connectedAgain(t, restored(nth(2, subscribeMethod, step{Error: raw(`{"code":-32601,"message":"none"}`)})))
			<-time.After(time.Minute)
			wantParams(t, server, subscribeMethod, a, a)
		})
	})
	t.Run("refused for now", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, server := connectedAgain(t, restored(nth(2, subscribeMethod, step{Error: raw(`{"code":-32603,"message":"later"}`)})))
			<-time.After(2 * time.Second)
			wantParams(t, server, subscribeMethod, a, a, a)
		})
	})
	t.Run("refused for good", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := restored()
			s.Rules = append([]rule{
				nth(1, subscribeMethod, step{Reply: raw(`{}`)}),
				on(subscribeMethod, step{Error: raw(`{"code":-32002,"message":"gone"}`)}),
			}, s.Rules...)
			_, server := connectedAgain(t, s)
			<-time.After(time.Hour)
			// Pauses of 1, 2, 4 s and so on up to 5 min fit that often.
			if n := len(server.Received(subscribeMethod)); n < 15 || n > 25 {
				t.Errorf("it was asked %d times in an hour", n)
			}
		})
	})
}

// What is insisted on holds as if it had been accepted, in either era, be the
// server connected or not; until it is given up.
func TestInsist(t *testing.T) {
	const a = "file:///a"
	t.Run("legacy", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, server := openScript(t, script{Capabilities: raw(all), Tools: tools("echo", "die"), Rules: []rule{
				empty(subscribeMethod), empty(unsubscribeMethod), on("tools/call die", step{Exit: true}),
			}}, legacyHost)
			u.Insist(a)
			<-time.After(time.Minute)
			wantParams(t, server, subscribeMethod, `{"uri":"file:///a"}`) // in a connection made for it
			u.Insist("file:///b")
			<-time.After(time.Minute)
			wantParams(t, server, subscribeMethod, `{"uri":"file:///a"}`, `{"uri":"file:///b"}`)
			u.subscribes(t, unsubscribeMethod, a)
			u.call(t, "die", "")
			<-time.After(time.Minute)
			wantParams(t, server, subscribeMethod, `{"uri":"file:///a"}`, `{"uri":"file:///b"}`, `{"uri":"file:///b"}`)
		})
	})
	t.Run("modern", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const withA = `"promptsListChanged":true,"resourcesListChanged":true,"toolsListChanged":true,"resourceSubscriptions":["file:///a"]`
			u, server := openSubscribed(t, on(listenMethod, acks("{"+withA+"}"), stay))
			u.Insist(a)
			wantFilters(t, server, lists, withA)
		})
	})
	t.Run("of a server that leaves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openScript(t, script{Capabilities: raw(all)}, legacyHost)
			u.Leave()
			u.Insist(a)
			if n := len(u.kept.resources); n != 0 {
				t.Errorf("%d are kept, want none", n)
			}
		})
	})
}
