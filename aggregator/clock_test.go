package aggregator

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestListsOfAnotherClock: lists that were stored by a clock that was ahead, or a
// long time behind, are served at once and asked for once more, not more often than
// others, and no age of them is told.
func TestListsOfAnotherClock(t *testing.T) {
	for name, off := range map[string]time.Duration{
		"ahead by a day": 24 * time.Hour, "ahead by twenty years": 20 * 365 * 24 * time.Hour, "in 1970": -30 * 365 * 24 * time.Hour,
	} {
		bubble(t, name, func(t *testing.T) {
			d := newDisk(t)
			item, err := catalog.ParseItem(catalog.Tools, []byte(definition("x")))
			if err != nil {
				t.Fatal(err)
			}
			then := time.Now().Add(off)
			stored := &catalog.Lists{Version: "2025-11-25", Tools: catalog.List{Items: []catalog.Item{item}}}
			for k := range catalog.Kind(catalog.Kinds) {
				of := stored.Of(k)
				of.Fetched, of.TTL, of.Hinted = then, time.Hour, true
			}
			key := catalog.Key{Server: "a", Identity: []byte("a")}
			if err := d.open().Save(t.Context(), key, catalog.Variant{Capabilities: "{}"}, stored, then); err != nil {
				t.Fatal(err)
			}
			server := upstreamtest.New(gated(withTools("y")))
			cfg := config(t, map[string]*upstreamtest.Server{"a": server}, "a")
			cfg.Store = d.open()
			weir, h := start(t, cfg)
			h.send(legacy.open()...)
			request := legacy.request("1", "tools/list", "", "")
			for range 5 {
				want(t, "stored list", h.send(request), list("1", "a__x"))
			}
			synctest.Wait()
			if got := weir.describeServers(); !strings.Contains(got, "1 tools") || strings.Contains(got, "ago") {
				t.Errorf("got %q, want no age", got)
			}
			if n := len(server.Received("tools/list")); n != 1 {
				t.Errorf("server was asked %d times, want once", n)
			}
			server.Release("listed")
			pass(time.Second)
			want(t, "pushed", h.received(), changed)
			for range 5 {
				pass(time.Second)
				want(t, "then", h.send(request), list("1", "a__y"))
			}
			if n := len(server.Received("tools/list")); n > 2 {
				t.Errorf("server was asked %d times, want once, and once more at most as hosts asked meanwhile", n)
			}
			if got := weir.describeServers(); !strings.Contains(got, "listed 6s ago") {
				t.Errorf("got %q, want an age", got)
			}
		})
	}
}

// TestHintsOfAnotherClock: a host is told to keep no list that a clock has dated
// that was ahead.
func TestHintsOfAnotherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		stored := &catalog.Lists{Version: "2026-07-28", Modern: true, Capabilities: raw(`{"tools":{}}`), Tools: catalog.List{
			Fetched: time.Now().AddDate(20, 0, 0), TTL: time.Hour, Hinted: true, Scope: catalog.ScopePublic,
		}}
		key := catalog.Key{Server: "a", Identity: []byte("a")}
		if err := d.open().Save(t.Context(), key, catalog.Variant{Modern: true, Capabilities: "{}"}, stored, time.Now()); err != nil {
			t.Fatal(err)
		}
		cfg := config(t, nil, "a")
		cfg.Store = d.open()
		_, h := start(t, cfg)
		h.send(modern.open()...)
		got := strings.Join(h.send(modern.request("1", "tools/list", "", "")), "")
		if !strings.Contains(got, `"ttlMs":0`) {
			t.Errorf("got %s, want a list that is not to be kept", got)
		}
	})
}
