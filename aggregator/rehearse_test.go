package aggregator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/transport"
)

// rehearsable is a configuration of servers with stored lists, none of which may
// be started.
func rehearsable(t *testing.T, names ...string) Config {
	t.Helper()
	store, err := catalog.OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, nil, names...)
	cfg.Store = store
	cfg.Dialers["memory"] = func(_ context.Context, c upstream.Config, _ transport.Receiver) (transport.Conn, error) {
		t.Errorf("server %q was dialled", c.Name)
		return nil, context.Canceled
	}
	return cfg
}

func storeLists(t *testing.T, cfg *Config, name string, lists *catalog.Lists) {
	t.Helper()
	key := catalog.Key{Server: name, Identity: []byte(name)}
	for _, modern := range []bool{false, true} {
		if err := cfg.Store.Save(t.Context(), key, catalog.Variant{Modern: modern, Capabilities: "{}"}, lists, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

// What is rehearsed is what a start answers, to each first question of a host of
// either era, to the byte.
func TestRehearse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := rehearsable(t, "a", "b")
		for _, name := range []string{"a", "b"} {
			lists := storedLists(t)
			lists.Instructions = "Use it with care."
			lists.Tools.Hinted, lists.Tools.TTL = true, time.Hour
			storeLists(t, &cfg, name, lists)
		}
		for _, e := range []era{legacy, modern} {
			lines := slices.Clone(e.open())
			if e == modern {
				lines = append(lines, e.request("0", "server/discover", "", ""))
			}
			for i, method := range listMethods {
				lines = append(lines, e.request(string(rune('5'+i)), method, "", ""))
			}
			a := New(cfg)
			h := hostOf(t, a)
			want := h.send(lines...)
			h.close()
			a.Close()

			var raw [][]byte
			for _, line := range lines {
				raw = append(raw, []byte(line))
			}
			r, err := Rehearse(cfg, raw)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, line := range r.Lines {
				got = append(got, strings.TrimSuffix(string(line), "\n"))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n%.500q, want\n%.500q", got, want)
			}
			if life, known := r.Life("tools/list"); !known || life.Most < time.Hour || time.Until(life.Until) != time.Hour {
				t.Errorf("the list of tools is good for %v, %v at most, want an hour", time.Until(life.Until), life.Most)
			}
			if life, known := r.Life("prompts/list"); !known || !life.Until.IsZero() {
				t.Errorf("the list of prompts is good until %v, want the same whenever it is told", life.Until)
			}
			if _, known := r.Life("tools/call"); known {
				t.Error("an answer to a call has a life")
			}
		}
	})
}

// Where a start would wait for a server, or ask it again behind, a rehearsal does
// neither.
func TestRehearseAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := rehearsable(t, "a", "new")
		storeLists(t, &cfg, "a", storedLists(t))
		lines := [][]byte{}
		for _, line := range append(slices.Clone(legacy.open()), legacy.request("5", "tools/list", "", "")) {
			lines = append(lines, []byte(line))
		}
		if _, err := Rehearse(cfg, lines); !errors.Is(err, ErrNotStored) {
			t.Errorf("with a server that was never listed: got %v, want %v", err, ErrNotStored)
		}
		cfg.Servers = cfg.Servers[:1]
		pass(DefaultMaxAge + time.Hour) // so it is too old
		if _, err := Rehearse(cfg, lines); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

func TestFilesOfAStart(t *testing.T) {
	cfg := rehearsable(t, "a", "b")
	cfg.Pins = pins.NewStore(state.At(t.TempDir()))
	cfg.Servers[1].Pin = pins.Block
	cfg.Servers[0].Pin = pins.Warn
	got, err := cfg.Files()
	want := []string{
		cfg.Store.Path(catalog.Key{Server: "a", Identity: []byte("a")}),
		cfg.Store.Path(catalog.Key{Server: "b", Identity: []byte("b")}), cfg.Pins.Path("b"),
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	cfg.Store, _ = catalog.OpenStore(t.Context(), noStore)
	if _, err := cfg.Files(); !errors.Is(err, ErrNotStored) {
		t.Errorf("without a store: got %v, want %v", err, ErrNotStored)
	}
}
