package aggregator

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/transport"
)

const toolsStored = 20 // of each server

// storedLists are what a server of common size has told.
func storedLists(t *testing.T) *catalog.Lists {
	t.Helper()
	now := time.Now()
	lists := &catalog.Lists{
		Version: "2025-11-25", Capabilities: []byte(`{"tools":{}}`),
		Prompts: catalog.List{Fetched: now}, Resources: catalog.List{Fetched: now}, Templates: catalog.List{Fetched: now},
		Tools: catalog.List{Fetched: now},
	}
	for i := range toolsStored {
		item, err := catalog.ParseItem(catalog.Tools, fmt.Appendf(nil, `{"name":"tool_%d","description":%q,"inputSchema":{"type":"object"}}`,
			i, strings.Repeat("Reads things. ", 25)))
		if err != nil {
			t.Fatal(err)
		}
		lists.Tools.Items = append(lists.Tools.Items, item)
	}
	return lists
}

// A startCost is what a start up to the first list comes to.
type startCost struct {
	allocations, bytes, goroutines int
}

// measureStart stores the lists of that many servers and starts over them.
func measureStart(t *testing.T, servers int) (cost startCost) {
	t.Helper()
	store, err := catalog.OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range servers {
		names = append(names, fmt.Sprintf("s%d", i))
	}
	cfg := config(t, nil, names...)
	cfg.Store = store
	cfg.Dialers["memory"] = func(_ context.Context, c upstream.Config, _ transport.Receiver) (transport.Conn, error) {
		t.Errorf("server %q was dialled, though all that was asked for is stored", c.Name)
		return nil, context.Canceled
	}
	for _, name := range names {
		key := catalog.Key{Server: name, Identity: []byte(name)}
		if err := store.Save(t.Context(), key, catalog.Variant{Capabilities: "{}"}, storedLists(t), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	a := New(cfg)
	h := hostOf(t, a)
	h.send(legacy.open()...)
	answer := strings.Join(h.send(legacy.request("1", "tools/list", "", "")), "")
	synctest.Wait()
	cost.goroutines = runtime.NumGoroutine() - goroutines
	runtime.ReadMemStats(&after)
	cost.allocations, cost.bytes = int(after.Mallocs-before.Mallocs), int(after.TotalAlloc-before.TotalAlloc)
	if got, want := strings.Count(answer, `"name":"s`), servers*toolsStored; got != want {
		t.Errorf("tools listed: got %d, want %d", got, want)
	}
	h.close()
	a.Close()
	return cost
}

// TestStartCost: what a start costs grows with what is stored, evenly and by no
// more than it must; what stays of it does not grow.
func TestStartCost(t *testing.T) {
	// What one more server with its tools may cost: a third more than it does.
	const (
		maxAllocations = 96
		maxBytes       = 70_000 // a third of it the host's own, who reads the list
	)
	synctest.Test(t, func(t *testing.T) {
		measureStart(t, 1) // makes what is made once
		few, more, many := measureStart(t, 10), measureStart(t, 60), measureStart(t, 260)
		perServer := func(from, to startCost, servers int) (allocations, bytes int) {
			return (to.allocations - from.allocations) / servers, (to.bytes - from.bytes) / servers
		}
		allocations, bytes := perServer(few, more, 50)
		if allocations > maxAllocations || bytes > maxBytes {
			t.Errorf("one more server costs %d allocations and %d bytes, want %d and %d at most", allocations, bytes, maxAllocations, maxBytes)
		}
		later, laterBytes := perServer(more, many, 200)
		if later > allocations*6/5 || laterBytes > bytes*6/5 {
			t.Errorf("one more of many costs %d allocations and %d bytes, one more of few %d and %d", later, laterBytes, allocations, bytes)
		}
		if many.goroutines > few.goroutines {
			t.Errorf("goroutines at rest: got %d with 10 servers and %d with 260, want no more", few.goroutines, many.goroutines)
		}
	})
}
