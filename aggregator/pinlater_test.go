package aggregator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestPinnedLater: what could not be pinned is, as soon as it can be, without
// another word of the server or the host, and as it was seen first; that it could
// not be is told once.
func TestPinnedLater(t *testing.T) {
	for _, mode := range []pins.Mode{pins.Warn, pins.Block} {
		bubble(t, mode.String(), func(t *testing.T) {
			u := newUser(t, mode)
			obstacle := filepath.Dir(u.state) + "/file"
			u.state = filepath.Join(obstacle, "weir")
			if err := os.WriteFile(obstacle, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			server := upstreamtest.New(withTools("x", "calm"))
			u.life(server, legacy, func(a *Aggregator, h *host) {
				shown := map[pins.Mode]string{pins.Warn: "up__x up__calm", pins.Block: ""}[mode]
				wantEqual(t, "before", h.lists(legacy, "tools/list"), shown)
				server.SetTools(raw(strings.Replace(string(upstreamtest.Tool("x")), "scripted", "poisoned", 1)), upstreamtest.Tool("calm"))
				later(3 * time.Hour)
				h.received()
				if n := strings.Count(u.log.String(), `"level":"warn"`); n != 1 {
					t.Errorf("told %d times, want once: %s", n, u.log.String())
				}
				if err := os.Remove(obstacle); err != nil {
					t.Fatal(err)
				}
				later(lastStoring)
				if mode == pins.Block {
					wantText(t, "the host is told", strings.Join(h.received(), ""), changed)
				}
				wantEqual(t, "changed since it was seen first", a.Status()[0].Changed, 1)
				shown = map[pins.Mode]string{pins.Warn: "up__x up__calm", pins.Block: "up__calm"}[mode]
				wantEqual(t, "afterwards", h.lists(legacy, "tools/list"), shown)
				book, err := u.pins().Load("up")
				if err != nil || book.Since.IsZero() {
					t.Errorf("got %+v, %v, want the pins of what was seen first", book, err)
				}
				wantText(t, "log", u.log.String(), "can be pinned again")
				before := u.log.String()
				later(3 * lastStoring)
				if after := u.log.String(); after != before {
					t.Errorf("it goes on: %s", after[len(before):])
				}
			})
		})
	}
}
