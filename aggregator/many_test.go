package aggregator

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// manyCosts are the bytes that each part of a life over many servers has allocated.
type manyCosts struct{ start, list, call, refresh int }

// lifeOfMany lists that many servers of that many tools and stores what they tell,
// and then measures a second life: its start from what is stored, the first list,
// a call, and a refresh of all lists.
func lifeOfMany(t *testing.T, servers, tools int) (costs manyCosts) {
	t.Helper()
	store, err := catalog.OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	script := echoScript()
	for i := range tools - 1 {
		script.Tools = append(script.Tools, raw(fmt.Sprintf(`{"name":"tool_%d","description":"Reads.","inputSchema":{"type":"object"}}`, i)))
	}
	all := map[string]*upstreamtest.Server{}
	var names []string
	for i := range servers {
		names = append(names, fmt.Sprintf("s%d", i))
		all[names[i]] = upstreamtest.New(script)
	}
	cfg := config(t, all, names...)
	cfg.Store = store
	spent := func(do func()) int {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc - before.TotalAlloc)
	}
	life := func(use func(a *Aggregator, h *host)) {
		a := New(cfg)
		h := hostOf(t, a)
		use(a, h)
		h.close()
		a.Close()
	}
	listed := func(h *host) {
		t.Helper()
		got := strings.Join(h.send(legacy.request("1", "tools/list", "", "")), "")
		if n := strings.Count(got, `"name":"s`); n != servers*tools {
			t.Errorf("got %d tools, want %d", n, servers*tools)
		}
	}
	life(func(_ *Aggregator, h *host) {
		h.send(legacy.open()...)
		pass(DefaultPatience)
		listed(h)
		pass(time.Minute) // all is stored
	})
	life(func(a *Aggregator, h *host) {
		costs.start = spent(func() { h.send(legacy.open()...) })
		costs.list = spent(func() { listed(h) })
		call := func() {
			want(t, "call", answers(h.send(legacy.call("2", fmt.Sprintf("s%d__echo", servers/2), "{}"))), done("2"))
		}
		call() // connects
		pass(time.Second)
		costs.call = spent(call)
		costs.refresh = spent(func() {
			for _, s := range a.world.Load().servers {
				s.refresh(everyKind)
			}
			pass(time.Minute)
			synctest.Wait()
		})
		listed(h)
	})
	return costs
}

// TestManyServersOfManyTools: what each part of weir's life allocates grows evenly
// with the number of servers, and that of a call not at all.
func TestManyServersOfManyTools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lifeOfMany(t, 1, 10) // makes what is made once
		few, many := lifeOfMany(t, 10, manyTools), lifeOfMany(t, manyServers, manyTools)
		t.Logf("%d tools each: 10 servers %+v, %d servers %+v", manyTools, few, manyServers, many)
		for _, part := range []struct {
			name      string
			few, many int
		}{
			{"start", few.start, many.start}, {"first list", few.list, many.list}, {"refresh", few.refresh, many.refresh},
		} {
			if most := part.few * manyServers / 10 * 2; part.many > most {
				t.Errorf("%s: %d bytes with %d servers and %d with 10, want %d at most", part.name, part.many, manyServers, part.few, most)
			}
		}
		if many.call > few.call+16<<10 {
			t.Errorf("call: %d bytes with %d servers and %d with 10, want as many", many.call, manyServers, few.call)
		}
	})
}

// TestOneMergeForAllWhoWait: whoever asks for a merge while one is under way, gets
// one that has begun later, together with all others.
func TestOneMergeForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const waiting = 100
		a, _ := start(t, config(t, nil))
		before, wanted := a.view.Load(), a.merging.wanted.Load()
		a.merging.mu.Lock() // one is under way
		var all sync.WaitGroup
		seen := make(chan *view, waiting)
		for range waiting {
			all.Go(func() {
				a.setSnapshot()
				seen <- a.view.Load()
			})
		}
		for a.merging.wanted.Load() < wanted+waiting {
			runtime.Gosched()
		}
		a.merging.mu.Unlock()
		all.Wait()
		close(seen)
		for v := range seen {
			if v == before || v != a.view.Load() {
				t.Fatal("one saw another view than that of the one merge for all")
			}
		}
	})
}
