package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A modern server tells of changes from the acknowledgement of the first stream
// on. A list that was asked for before may have changed until then: it is
// announced, once, and no other.
func TestChangeBeforeTheFirstStreamTells(t *testing.T) {
	told := func(u fixture) [3]int {
		return [3]int{u.events.count(toolList.changed), u.events.count(promptList.changed), u.events.count(resourceList.changed)}
	}
	list := func(t *testing.T, u fixture, ask func(*Upstream) error) {
		t.Helper()
		if err := ask(u.Upstream); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	tools := func(u *Upstream) error { _, err := u.ListTools(u.ctx); return err }
	templates := func(u *Upstream) error { _, err := u.ListTemplates(u.ctx); return err }
	nothing := func(*Upstream) error { return nil }
	acknowledgedLate := []step{{Await: "acknowledge"}, {Default: true}}

	for _, test := range []struct {
		name   string
		before func(*Upstream) error // is listed before the first stream tells
		listen []step
		want   [3]int
	}{
		{"tools", tools, acknowledgedLate, [3]int{1, 0, 0}},
		{"templates are told of with resources", templates, acknowledgedLate, [3]int{0, 0, 1}},
		{"nothing", nothing, acknowledgedLate, [3]int{}},
		{"not granted", tools, []step{{Await: "acknowledge"}, acks(`{"promptsListChanged":true}`), stay}, [3]int{}},
		{"never acknowledged", tools, []step{stay}, [3]int{1, 0, 0}},
		{"refused", tools, []step{{Await: "acknowledge"}, {Error: raw(`{"code":-32601,"message":"Method not found"}`)}}, [3]int{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openSubscribed(t, nth(1, listenMethod, test.listen...))
				list(t, u, test.before)
				server.SetTools(upstreamtest.Tool("changed")) // no stream tells of it
				synctest.Wait()
				if got := told(u); got != [3]int{} {
					t.Fatalf("got %v announcements of tools, prompts and resources before the stream tells", got)
				}
				server.Release("acknowledge")
				<-time.After(ackTime + time.Second)
				synctest.Wait()
				if got := told(u); got != test.want {
					t.Errorf("got %v announcements of tools, prompts and resources, want %v", got, test.want)
				}
				list(t, u, tools) // what is asked for from now on, the stream tells of
				u.subscribes(t, subscribeMethod, "file:///a")
				<-time.After(ackTime + time.Second)
				synctest.Wait()
				if got := told(u); got != test.want {
					t.Errorf("got %v announcements after the next stream, want %v still", got, test.want)
				}
			})
		})
	}
}

// Over HTTP, where each request has a stream of its own, as well.
func TestChangeBeforeTheFirstStreamTellsHTTP(t *testing.T) {
	server := newServer(script{
		Versions: []string{modernVersion}, Capabilities: raw(allModern), Tools: tools("echo"),
		Rules: []rule{nth(1, listenMethod, step{Await: "acknowledge"}, step{Default: true})},
	})
	u := openHTTP(t, Config{}, server, modernHost)
	u.events.heard = make(chan string, 8)
	if list, err := u.ListTools(t.Context()); err != nil || len(list.Items) != 1 {
		t.Fatalf("got %d tools, error %v", len(list.Items), err)
	}
	if err := server.Await(t.Context(), listenMethod, 1); err != nil {
		t.Fatal(err)
	}
	server.SetTools(tools("echo", "changed")...)
	server.Release("acknowledge")
	select {
	case told := <-u.events.heard:
		if told != toolList.changed {
			t.Errorf("got %q, want %q", told, toolList.changed)
		}
	case <-time.After(time.Minute):
		t.Error("got no announcement")
	}
}
