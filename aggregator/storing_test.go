package aggregator

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A disk is the folder of a Store, in which nothing can be written while it is
// out of order. A folder in the place of the lock stops every user.
type disk struct {
	t   *testing.T
	dir string
}

func newDisk(t *testing.T) *disk {
	d := &disk{t, filepath.Join(t.TempDir(), "weir")}
	d.open()
	return d
}

func (d *disk) open() *catalog.Store {
	d.t.Helper()
	store, err := catalog.OpenStore(d.t.Context(), d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	return store
}

func (d *disk) breakDown() {
	d.t.Helper()
	if err := os.RemoveAll(d.lock()); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Mkdir(d.lock(), 0o700); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) repair() {
	d.t.Helper()
	if err := os.Remove(d.lock()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) lock() string { return filepath.Join(d.dir, "lock") }

// tools are those stored of a server, the names joined by spaces.
func (d *disk) tools(server string) string {
	d.t.Helper()
	found := d.open().LoadAll([]catalog.Wanted{{
		Key:     catalog.Key{Server: server, Identity: []byte(server)},
		Variant: catalog.Variant{Capabilities: "{}"},
	}}, time.Now())[0]
	if found.Err != nil {
		d.t.Error(found.Err)
	}
	if found.Lists == nil {
		return "none"
	}
	var names []string
	for _, item := range found.Lists.Tools.Items {
		names = append(names, item.Name())
	}
	return strings.Join(names, " ")
}

// TestStoringFails: weir serves from memory and says so once; what could not be
// stored is, as soon as it can be, without another word of the server.
func TestStoringFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		var log journal
		servers := map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x")), "b": upstreamtest.New(withTools("y"))}
		cfg := config(t, servers, "a", "b")
		cfg.Store, cfg.Log = d.open(), zerolog.New(&log).Level(zerolog.InfoLevel)
		var stored atomic.Int32
		cfg.Stored = func() { stored.Add(1) }
		d.breakDown()
		_, h := start(t, cfg)
		request := legacy.request("1", "tools/list", "", "")
		h.send(legacy.open()...)
		want(t, "first list", h.send(request), list("1", "a__x", "b__y"))
		for range 3 {
			servers["a"].SetTools(upstreamtest.Tool("z"), upstreamtest.Tool("x"))
			servers["a"].SetTools(upstreamtest.Tool("z"))
			later(time.Second)
			h.received()
			want(t, "while nothing can be stored", h.send(request), list("1", "a__z", "b__y"))
		}
		later(3 * time.Hour)
		if got := log.take(); len(got) != 1 || !strings.Contains(got[0], "lists are not stored") {
			t.Errorf("got log %q, want one line", got)
		}
		d.repair()
		if got := d.tools("a") + ", " + d.tools("b"); got != "none, none" || stored.Load() != 0 {
			t.Errorf("got %s stored, told %d times, want nothing yet", got, stored.Load())
		}
		later(lastStoring)
		if got := d.tools("a") + ", " + d.tools("b"); got != "z, y" {
			t.Errorf("got %s stored, want what was told last", got)
		}
		if stored.Load() != 2 {
			t.Errorf("told %d times that lists were stored, want twice", stored.Load())
		}
		if got := log.take(); len(got) != 1 || !strings.Contains(got[0], "stored again") {
			t.Errorf("got log %q, want one line", got)
		}
		d.breakDown()
		servers["b"].SetTools(upstreamtest.Tool("w"))
		later(time.Second)
		if got := log.take(); len(got) != 1 || !strings.Contains(got[0], "lists are not stored") {
			t.Errorf("got log %q, want another line", got)
		}
		d.repair()
		later(2 * firstStoring)
		if got := d.tools("b"); got != "w" {
			t.Errorf("got %s stored, want w", got)
		}
	})
}

// later lets time pass, and all that is due by then be done.
func later(d time.Duration) {
	pass(d)
	synctest.Wait()
}

// A journal is a log of which those lines are kept that are about storing.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if bytes.Contains(line, []byte("lists are")) {
		j.lines = append(j.lines, string(line))
	}
	return len(line), nil
}

// take returns the lines since the last time.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

// TestStoringBeginsLate: a folder that could not even be made is used as soon as
// it can be. That it could not was told by who opened it.
func TestStoringBeginsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{t, filepath.Join(t.TempDir(), "file", "weir")}
		if err := os.WriteFile(filepath.Dir(d.dir), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var log journal
		cfg := config(t, map[string]*upstreamtest.Server{"a": upstreamtest.New(withTools("x"))}, "a")
		cfg.Store, _ = catalog.OpenStore(t.Context(), d.dir)
		cfg.Log = zerolog.New(&log).Level(zerolog.WarnLevel)
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		want(t, "list", h.send(legacy.request("1", "tools/list", "", "")), list("1", "a__x"))
		if err := os.Remove(filepath.Dir(d.dir)); err != nil {
			t.Fatal(err)
		}
		later(2 * firstStoring)
		if got, told := d.tools("a"), log.take(); got != "x" || len(told) > 0 {
			t.Errorf("got %s stored, log %q, want x, and no word", got, told)
		}
	})
}

// TestStoringFailures: a failure that could not be stored is, beside the lists of
// before; one that is over is not.
func TestStoringFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		var there atomic.Pointer[upstreamtest.Server] // nil while it cannot be reached
		life := func(use func()) {
			cfg := config(t, nil, "a")
			cfg.Store = d.open()
			cfg.Dialers = map[string]upstream.Dialer{
				"memory": func(ctx context.Context, cfg upstream.Config, recv transport.Receiver) (transport.Conn, error) {
					return memoryDialer(map[string]*upstreamtest.Server{"a": there.Load()})(ctx, cfg, recv)
				},
			}
			a := New(cfg)
			h := hostOf(t, a)
			h.send(legacy.open()...)
			h.send(legacy.request("1", "tools/list", "", ""))
			use()
			h.close()
			a.Close()
		}
		stored := func() *catalog.Lists {
			return d.open().LoadAll([]catalog.Wanted{{
				Key: catalog.Key{Server: "a", Identity: []byte("a")}, Variant: catalog.Variant{Capabilities: "{}"},
			}}, time.Now())[0].Lists
		}
		there.Store(upstreamtest.New(withTools("x")))
		life(func() {})
		later(DefaultMaxAge + time.Hour)
		d.breakDown()
		there.Store(nil)
		life(func() {
			later(time.Second) // it has failed
			there.Store(upstreamtest.New(withTools("y")))
			later(lastRetry)
			d.repair()
			later(lastStoring)
		})
		if l := stored(); l == nil || l.Failure.Failed() || d.tools("a") != "y" {
			t.Errorf("got %+v, want the new lists without the failure", l)
		}
		later(DefaultMaxAge + time.Hour)
		d.breakDown()
		there.Store(nil)
		life(func() {
			later(time.Second)
			d.repair()
			later(2 * firstStoring)
		})
		if l := stored(); l == nil || !l.Failure.Failed() || d.tools("a") != "y" {
			t.Errorf("got %+v, want the lists with the failure", l)
		}
	})
}

// TestListsTooLargeToStore are served, and that they are not stored is told once.
func TestListsTooLargeToStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		var log journal
		large := raw(`{"name":"x","description":"` + strings.Repeat("x", 17<<20) + `","inputSchema":{"type":"object"}}`)
		server := upstreamtest.New(upstreamtest.Script{Tools: []json.RawMessage{large}})
		cfg := config(t, map[string]*upstreamtest.Server{"a": server}, "a")
		cfg.Store, cfg.Log = d.open(), zerolog.New(&log).Level(zerolog.WarnLevel)
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		if got := h.send(legacy.request("1", "tools/list", "", "")); len(got) != 1 || len(got[0]) < 17<<20 {
			t.Errorf("got %d answers", len(got))
		}
		server.SetTools(large, upstreamtest.Tool("y"))
		later(time.Hour)
		if got := log.take(); len(got) != 1 || !strings.Contains(got[0], "larger than") {
			t.Errorf("got log %.300q, want one line", got)
		}
	})
}
