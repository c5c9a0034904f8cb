package aggregator

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/state"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A user has folders, in which one weir after another, or beside another, keeps
// what must stay.
type user struct {
	t            *testing.T
	cache, state string
	mode         pins.Mode
	log          sharedLog
}

// A sharedLog is written by any goroutine, and read meanwhile.
type sharedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newUser(t *testing.T, mode pins.Mode) *user {
	return &user{t: t, cache: t.TempDir(), state: filepath.Join(t.TempDir(), "weir"), mode: mode}
}

func (u *user) pins() *pins.Store { return pins.NewStore(state.At(u.state)) }

// config is that of one weir of the user, with a server called "up"; nil is one
// that cannot be reached.
func (u *user) config(server *upstreamtest.Server) Config {
	u.t.Helper()
	cfg := config(u.t, map[string]*upstreamtest.Server{"up": server}, "up")
	store, err := catalog.OpenStore(u.t.Context(), u.cache)
	if err != nil {
		u.t.Fatal(err)
	}
	cfg.Store, cfg.Pins, cfg.Log = store, u.pins(), zerolog.New(&u.log)
	cfg.Servers[0].Pin = u.mode
	return cfg
}

// life is one weir from start to end, for a host of an era.
func (u *user) life(server *upstreamtest.Server, e era, use func(a *Aggregator, h *host)) {
	u.t.Helper()
	a := New(u.config(server))
	h := hostOf(u.t, a)
	h.send(e.open()...)
	pass(time.Second)
	h.received()
	use(a, h)
	h.close()
	a.Close()
}

// approve accepts all that has changed, as another process of the user does.
func (u *user) approve(a *Aggregator) {
	u.t.Helper()
	changes, err := a.PinChanges()
	if err != nil || len(changes) == 0 {
		u.t.Fatalf("got changes %v, %v", changes, err)
	}
	var shown []pins.Approval
	for _, c := range changes {
		shown = append(shown, pins.Approval{Item: c.Item, Before: c.Before.Digest})
	}
	if err := u.pins().Approve(u.t.Context(), "up", shown, time.Now()); err != nil {
		u.t.Fatal(err)
	}
}

// defined is a server that defines its tools, its prompt and its instructions so.
func defined(e era, instructions, prompt string, tools ...string) *upstreamtest.Server {
	s := offering(e, offers{promptsMethod: `"prompts":[` + prompt + `]`})
	s.Rules = s.Rules[:0]
	s.Capabilities = raw(`{"tools":{"listChanged":true},"prompts":{}}`)
	s.Rules = append(s.Rules, upstreamtest.Rule{On: promptsMethod, Do: []upstreamtest.Step{{Reply: raw(`{"prompts":[` + prompt + `]}`)}}},
		upstreamtest.Rule{On: "prompts/get", Do: []upstreamtest.Step{{Reply: raw(`{"messages":[]}`)}}})
	s.Instructions = instructions
	s.Tools = raws(tools...)
	return upstreamtest.New(s)
}

const (
	oldTool  = `{"name":"x","description":"adds","inputSchema":{"type":"object"},"y":1}`
	respelt  = `{ "y":1, "inputSchema":{"type":"object"}, "name":"x", "description":"\u0061dds"}`
	newTool  = `{"name":"x","description":"adds","inputSchema":{"type":"object"},"y":2}` // an unknown member counts
	calmTool = `{"name":"calm","inputSchema":{"type":"object"}}`
	laterOne = `{"name":"later","inputSchema":{"type":"object"}}`
)

func namesIn(t *testing.T, lines []string, method string) string {
	t.Helper()
	for _, line := range lines {
		var answer struct {
			Result struct {
				Tools, Prompts []struct{ Name string }
			}
		}
		if strings.Contains(line, `"method"`) {
			continue
		}
		if err := json.Unmarshal([]byte(line), &answer); err != nil {
			t.Fatal(err)
		}
		all := answer.Result.Tools
		if method == promptsMethod {
			all = answer.Result.Prompts
		}
		var found []string
		for _, item := range all {
			found = append(found, item.Name)
		}
		return strings.Join(found, " ")
	}
	t.Fatalf("no answer in %q", lines)
	return ""
}

func (h *host) lists(e era, method string) string {
	h.t.Helper()
	return namesIn(h.t.(*testing.T), h.send(e.request("7", method, "", "")), method)
}

// handshake is what another host is told of weir.
func handshake(t *testing.T, a *Aggregator, e era) string {
	t.Helper()
	h := hostOf(t, a)
	defer h.close()
	return strings.Join(h.send(e.open()...), "\n")
}

func wantText(t *testing.T, what, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%s: got %s, want %q in it", what, got, part)
		}
	}
}

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestChangedBetweenStarts: what a server has changed while nobody looked is held
// back by block, told by warn, and nothing to off.
func TestChangedBetweenStarts(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		begin := func(t *testing.T, mode pins.Mode) (*user, *upstreamtest.Server) {
			u := newUser(t, mode)
			u.life(defined(e, "old words", `{"name":"p"}`, oldTool, calmTool), e, func(_ *Aggregator, h *host) {
				wantEqual(t, "first life", h.lists(e, "tools/list"), "up__x up__calm")
			})
			pass(DefaultMaxAge + time.Hour)
			return u, defined(e, "new words", `{"name":"p","description":"new"}`, newTool, calmTool, laterOne)
		}
		call := func(h *host, name string) string { return strings.Join(h.send(e.call("8", name, "{}")), "\n") }
		get := func(h *host) string {
			return strings.Join(h.send(e.request("9", "prompts/get", `"name":"up__p"`, "")), "\n")
		}
		for _, mode := range []pins.Mode{pins.Warn, pins.Off} {
			bubble(t, e.String()+", "+mode.String(), func(t *testing.T) {
				u, changed := begin(t, mode)
				u.life(changed, e, func(a *Aggregator, h *host) {
					wantEqual(t, "tools", h.lists(e, "tools/list"), "up__x up__calm up__later")
					wantEqual(t, "prompts", h.lists(e, promptsMethod), "up__p")
					wantText(t, "call", call(h, "up__x"), `"content"`)
					wantText(t, "get", get(h), `"messages"`)
					status := a.Status()[0]
					wantEqual(t, "changed", status.Changed, map[pins.Mode]int{pins.Warn: 3}[mode])
					wantEqual(t, "withheld", status.Withheld, false)
					changes, err := a.PinChanges()
					if len(changes) != status.Changed || err != nil {
						t.Errorf("got changes %v, %v, want %d", changes, err, status.Changed)
					}
				})
				told := strings.Count(u.log.String(), "has changed since it was pinned")
				wantEqual(t, "changes in the log", told, map[pins.Mode]int{pins.Warn: 3}[mode])
				wantEqual(t, "new ones in the log", strings.Count(u.log.String(), "new definition since"), map[pins.Mode]int{pins.Warn: 1}[mode])
			})
		}
		bubble(t, e.String()+", block", func(t *testing.T) {
			u, changed := begin(t, pins.Block)
			u.life(changed, e, func(a *Aggregator, h *host) {
				wantEqual(t, "tools", h.lists(e, "tools/list"), "up__calm up__later")
				wantEqual(t, "prompts", h.lists(e, promptsMethod), "")
				for _, name := range []string{"up__x", "x", "mcp_up__x"} {
					wantText(t, "call of "+name, call(h, name), `"isError":true`, "weir pins approve up",
						`"weir/error":{"kind":"tool_changed","server":"up","tool":"x","retryable":false}`)
				}
				wantText(t, "get", get(h), `"code":-32603`, `"data":{"kind":"tool_changed","server":"up","retryable":false}`)
				wantText(t, "completion", strings.Join(h.send(e.request("10", "completion/complete", `"ref":{"type":"ref/prompt","name":"up__p"},"argument":{"name":"a","value":""}`, "")), ""), "tool_changed")
				wantEqual(t, "calls that the server has got", len(changed.Received("tools/call"))+len(changed.Received("prompts/get"))+len(changed.Received("completion/complete")), 0)
				wantText(t, "call of what has not changed", call(h, "up__calm"), `"content"`)
				wantEqual(t, "changed", a.Status()[0].Changed, 3)
				wantEqual(t, "withheld", a.Status()[0].Withheld, true)
				if got := handshake(t, a, e); strings.Contains(got, "words") {
					t.Errorf("instructions that have changed are shown: %s", got)
				}

				u.approve(a)
				wantText(t, "call of what was approved", call(h, "up__x"), `"text":"x"`)
				wantEqual(t, "tools afterwards", h.lists(e, "tools/list"), "up__x up__calm up__later")
				wantEqual(t, "prompts afterwards", h.lists(e, promptsMethod), "up__p")
				wantText(t, "get afterwards", get(h), `"messages"`)
				wantText(t, "handshake afterwards", handshake(t, a, e), "new words")
			})
			u.life(nil, e, func(_ *Aggregator, h *host) {
				wantEqual(t, "next life, from the disk", h.lists(e, "tools/list"), "up__x up__calm up__later")
			})
		})
	}
}

// TestChangedWhileRunning: the list changes at once, and again when the user has
// approved.
func TestChangedWhileRunning(t *testing.T) {
	bubble(t, "block", func(t *testing.T) {
		u := newUser(t, pins.Block)
		server := defined(legacy, "", "", oldTool, calmTool)
		u.life(server, legacy, func(a *Aggregator, h *host) {
			wantEqual(t, "before", h.lists(legacy, "tools/list"), "up__x up__calm")
			server.SetTools(raw(respelt), raw(calmTool))
			pass(time.Second)
			h.received()
			wantEqual(t, "spelled otherwise", h.lists(legacy, "tools/list"), "up__x up__calm")
			server.SetTools(raw(newTool), raw(calmTool))
			pass(time.Second)
			want(t, "pushed", h.received(), changed)
			wantEqual(t, "changed", h.lists(legacy, "tools/list"), "up__calm")
			server.SetTools(raw(calmTool))
			pass(time.Second)
			server.SetTools(raw(newTool), raw(calmTool))
			pass(time.Second)
			wantEqual(t, "gone and back", namesIn(t, h.send(legacy.request("7", "tools/list", "", "")), "tools/list"), "up__calm")
			server.SetTools(raw(oldTool), raw(calmTool))
			pass(time.Second)
			h.received()
			wantEqual(t, "as before", h.lists(legacy, "tools/list"), "up__x up__calm")
			server.SetTools(raw(newTool), raw(calmTool))
			pass(time.Second)
			h.received()
			wantEqual(t, "changed again", h.lists(legacy, "tools/list"), "up__calm")
			u.approve(a)
			pass(2 * time.Second)
			// Any list notices; one of tools might have the new one already.
			noticed := h.send(legacy.request("8", promptsMethod, "", ""))
			pass(time.Second)
			noticed = append(noticed, h.received()...)
			if !slices.Contains(noticed, changed) {
				t.Errorf("got %s after the approval was noticed, want %s", noticed, changed)
			}
			wantEqual(t, "approved", h.lists(legacy, "tools/list"), "up__x up__calm")
		})
		if n := strings.Count(u.log.String(), "held back"); n != 1 {
			t.Errorf("got %d lines of the change, want one:\n%s", n, u.log.String())
		}
	})
}

// TestDeniedComesFirst: what the policy denies stays unknown, changed or not, and
// what may only be seen says that.
func TestDeniedComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUser(t, pins.Block)
		u.life(defined(legacy, "", "", oldTool, calmTool), legacy, func(*Aggregator, *host) {})
		pass(DefaultMaxAge + time.Hour)
		cfg := u.config(defined(legacy, "", "", newTool, strings.Replace(calmTool, "{", `{"title":"new",`, 1)))
		cfg.Policy = ruled(t, policy.Rule{Server: text("*"), Tool: text("x"), Level: level(policy.Deny)},
			policy.Rule{Server: text("*"), Tool: text("calm"), Level: level(policy.Read)})
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		pass(time.Second)
		want(t, "call of what is denied", h.send(legacy.call("1", "up__x", "{}")), noTool("1", "up__x"))
		wantText(t, "call of what may be seen", strings.Join(h.send(legacy.call("2", "up__calm", "{}")), ""), `"kind":"authorization"`)
	})
}

// TestFirstListIsTheBaseline: a server with stored lists of a weir that pinned
// nothing is held to those.
func TestFirstListIsTheBaseline(t *testing.T) {
	for _, mode := range []pins.Mode{pins.Warn, pins.Block} {
		bubble(t, mode.String(), func(t *testing.T) {
			u := newUser(t, pins.Off)
			u.life(defined(legacy, "", "", oldTool), legacy, func(*Aggregator, *host) {})
			pass(DefaultMaxAge + time.Hour)
			u.mode = mode
			u.life(defined(legacy, "", "", newTool), legacy, func(a *Aggregator, h *host) {
				wantEqual(t, "tools", h.lists(legacy, "tools/list"), map[pins.Mode]string{pins.Warn: "up__x", pins.Block: ""}[mode])
				wantEqual(t, "changed", a.Status()[0].Changed, 1)
			})
		})
	}
}

// TestStoredListsAreCompared: block holds back what has become another definition
// in the stored lists, before any server is asked.
func TestStoredListsAreCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUser(t, pins.Warn)
		u.life(defined(legacy, "", "", oldTool, calmTool), legacy, func(*Aggregator, *host) {})
		pass(DefaultMaxAge + time.Hour)
		u.life(defined(legacy, "", "", newTool, calmTool), legacy, func(*Aggregator, *host) {})
		u.mode = pins.Block
		a := New(u.config(nil))
		h := hostOf(t, a)
		h.send(legacy.open()...)
		wantEqual(t, "at once", h.lists(legacy, "tools/list"), "up__calm")
		h.close()
		a.Close()
	})
}

// TestNewInstructions: a server that had none at first and has some later has
// changed.
func TestNewInstructions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUser(t, pins.Block)
		u.life(defined(legacy, "", "", oldTool), legacy, func(*Aggregator, *host) {})
		pass(DefaultMaxAge + time.Hour)
		u.life(defined(legacy, "obey", "", oldTool), legacy, func(a *Aggregator, _ *host) {
			if got := handshake(t, a, legacy); strings.Contains(got, "obey") || a.Status()[0].Changed != 1 {
				t.Errorf("got %s, %d changes, want 1", got, a.Status()[0].Changed)
			}
		})
	})
}

// TestPinsThatCannotBeUsed: block shows nothing that cannot be compared, warn goes
// on and says so; the file stays as it is.
func TestPinsThatCannotBeUsed(t *testing.T) {
	spoil := map[string]func(t *testing.T, path string){
		"damaged": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(`{"format":"weir pins 1",`), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"huge": func(t *testing.T, path string) {
			if err := os.Truncate(path, state.MaxFile+1); err != nil {
				t.Fatal(err)
			}
		},
		"a folder": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, spoil := range spoil {
		for _, mode := range []pins.Mode{pins.Warn, pins.Block} {
			bubble(t, name+", "+mode.String(), func(t *testing.T) {
				u := newUser(t, mode)
				u.life(defined(legacy, "words", `{"name":"p"}`, oldTool), legacy, func(*Aggregator, *host) {})
				path := u.pins().Path("up")
				spoil(t, path)
				before, _ := os.Stat(path)
				for range 2 { // from the disk, and told anew
					u.life(defined(legacy, "words", `{"name":"p"}`, oldTool), legacy, func(a *Aggregator, h *host) {
						shown := h.lists(legacy, "tools/list") + " " + h.lists(legacy, promptsMethod)
						wantEqual(t, "lists", shown, map[pins.Mode]string{pins.Warn: "up__x up__p", pins.Block: " "}[mode])
						answer := strings.Join(h.send(legacy.call("1", "up__x", "{}")), "")
						wantText(t, "call", answer, map[pins.Mode]string{pins.Warn: `"text":"x"`, pins.Block: "cannot read what it remembers"}[mode])
						if strings.Contains(answer, u.state) {
							t.Errorf("host is told a path: %s", answer)
						}
						wantEqual(t, "withheld", a.Status()[0].Withheld, mode == pins.Block)
					})
					pass(DefaultMaxAge + time.Hour)
				}
				if after, err := os.Stat(path); err != nil || after.Size() != before.Size() {
					t.Errorf("file has become %v, %v", after, err)
				}
				wantText(t, "log", u.log.String(), "pins cannot be read")
			})
		}
	}
}

// TestNoPlaceForPins: without a folder nothing can be pinned, and block shows
// nothing.
func TestNoPlaceForPins(t *testing.T) {
	for _, mode := range []pins.Mode{pins.Warn, pins.Block} {
		bubble(t, mode.String(), func(t *testing.T) {
			server := upstreamtest.New(withTools("x"))
			cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
			cfg.Servers[0].Pin = mode
			_, h := start(t, cfg)
			h.send(legacy.open()...)
			wantEqual(t, "tools", h.lists(legacy, "tools/list"), map[pins.Mode]string{pins.Warn: "up__x", pins.Block: ""}[mode])
			wantText(t, "call", strings.Join(h.send(legacy.call("1", "up__x", "{}")), ""),
				map[pins.Mode]string{pins.Warn: `"text":"x"`, pins.Block: "cannot remember its definition"}[mode])
		})
	}
}

// TestTwoWeirs: what one has seen first the other is held to, and what was
// approved in one the other takes.
func TestTwoWeirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUser(t, pins.Block)
		first, second := defined(legacy, "", "", oldTool), defined(legacy, "", "", newTool)
		a := New(u.config(first))
		ha := hostOf(t, a)
		ha.send(legacy.open()...)
		wantEqual(t, "first", ha.lists(legacy, "tools/list"), "up__x")

		cfg := u.config(second)
		cfg.Store, _ = catalog.OpenStore(t.Context(), noStore)
		b := New(cfg)
		hb := hostOf(t, b)
		hb.send(legacy.open()...)
		wantEqual(t, "second", hb.lists(legacy, "tools/list"), "")

		changes, err := b.PinChanges()
		if err != nil || len(changes) != 1 || changes[0].Exposed != "up__x" || !changes[0].Withheld || string(changes[0].Before.Definition) != oldTool {
			t.Fatalf("got changes %+v, %v", changes, err)
		}
		shown := []pins.Approval{{Item: changes[0].Item, Before: changes[0].Before.Digest}}
		if err := b.ApprovePins(t.Context(), "up", shown); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "second, approved", hb.lists(legacy, "tools/list"), "up__x")
		first.SetTools(raw(newTool))
		pass(time.Second)
		ha.received()
		wantEqual(t, "first, changed to what was approved", ha.lists(legacy, "tools/list"), "up__x")
		if err := b.ApprovePins(t.Context(), "up", shown); err == nil {
			t.Error("approving the same once more: got no error")
		}
		if err := b.ApprovePins(t.Context(), "other", shown); err == nil {
			t.Error("approving for another server: got no error")
		}
		for _, h := range []*host{ha, hb} {
			h.close()
		}
		a.Close()
		b.Close()
	})
}

// TestReconfiguredPins: the mode is that of the configuration in force.
func TestReconfiguredPins(t *testing.T) {
	bubble(t, "a server that stays", func(t *testing.T) {
		u := newUser(t, pins.Warn)
		u.life(defined(legacy, "", "", oldTool, calmTool), legacy, func(*Aggregator, *host) {})
		pass(DefaultMaxAge + time.Hour)
		server := defined(legacy, "", "", newTool, calmTool)
		u.life(server, legacy, func(a *Aggregator, h *host) {
			wantEqual(t, "warn", h.lists(legacy, "tools/list"), "up__x up__calm")
			u.mode = pins.Block
			if _, err := a.Reconfigure(u.config(server)); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
			h.received()
			wantEqual(t, "block", h.lists(legacy, "tools/list"), "up__calm")
		})
	})
	bubble(t, "lists that a server leaves to the next", func(t *testing.T) {
		u := newUser(t, pins.Warn)
		u.life(defined(legacy, "", "", oldTool, calmTool), legacy, func(*Aggregator, *host) {})
		server := defined(legacy, "", "", newTool, calmTool)
		cfg := u.config(server)
		cfg.Store, _ = catalog.OpenStore(t.Context(), noStore)
		a, h := start(t, cfg)
		h.send(legacy.open()...)
		wantEqual(t, "warn", h.lists(legacy, "tools/list"), "up__x up__calm")
		u.mode = pins.Block
		if _, err := a.Reconfigure(u.config(nil)); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "block, at once", strings.Join(toolNames(a), " "), "up__calm")
	})
}

func toolNames(a *Aggregator) (all []string) {
	for _, route := range a.view.Load().lists[catalog.Tools].routes {
		all = append(all, route.Exposed)
	}
	return all
}

func BenchmarkComparePins(b *testing.B) {
	lists := &catalog.Lists{}
	lists.Tools.Fetched = time.Now()
	for i := range 1000 {
		item, err := catalog.ParseItem(catalog.Tools, []byte(strings.Replace(string(upstreamtest.Tool("x")), `"x"`, fmt.Sprintf(`"tool%d"`, i), 1)))
		if err != nil {
			b.Fatal(err)
		}
		lists.Tools.Items = append(lists.Tools.Items, item)
	}
	cfg := config(b, nil, "up")
	cfg.Pins, cfg.Servers[0].Pin = pins.NewStore(state.At(b.TempDir())), pins.Block
	a := New(cfg)
	defer a.Close()
	s := a.world.Load().servers[0]
	for b.Loop() {
		if p, _ := s.compare(lists); len(p.items) > 0 {
			b.Fatal("something has changed")
		}
	}
}

// TestFirstCallOfConnection: under block the first call on a connection waits for
// the list of that connection, and goes no further if the tool has changed; one of
// a server that does not tell its list fails.
func TestFirstCallOfConnection(t *testing.T) {
	again := func(t *testing.T, mode pins.Mode, server *upstreamtest.Server, use func(h *host)) {
		u := newUser(t, mode)
		first := defined(legacy, "", `{"name":"p"}`, oldTool, calmTool)
		u.life(first, legacy, func(*Aggregator, *host) {})
		u.life(server, legacy, func(_ *Aggregator, h *host) { // the stored lists are young
			if n := len(server.Received("initialize")); n != 0 {
				t.Fatalf("server was started %d times before it was called", n)
			}
			use(h)
		})
	}
	call := func(h *host, id, name string) string {
		return strings.Join(h.send(legacy.call(id, name, "{}")), "\n")
	}
	bubble(t, "tool that has changed", func(t *testing.T) {
		server := defined(legacy, "", `{"name":"p","x":1}`, newTool, calmTool)
		again(t, pins.Block, server, func(h *host) {
			wantText(t, "call", call(h, "1", "up__x"), "tool_changed")
			wantText(t, "prompt", strings.Join(h.send(legacy.request("2", "prompts/get", `"name":"up__p"`, "")), ""), "tool_changed")
			wantEqual(t, "calls", len(server.Received("tools/call"))+len(server.Received("prompts/get")), 0)
			wantText(t, "another call", call(h, "3", "up__calm"), `"text":"calm"`)
			pass(time.Second)
			wantEqual(t, "times that it was asked to list", len(server.Received("tools/list")), 1)
		})
	})
	bubble(t, "warn does not wait", func(t *testing.T) {
		server := defined(legacy, "", "", newTool)
		again(t, pins.Warn, server, func(h *host) { wantText(t, "call", call(h, "1", "up__x"), `"text":"x"`) })
	})
	bubble(t, "list that does not come", func(t *testing.T) {
		script := withTools("x")
		script.Rules = []upstreamtest.Rule{{On: "tools/list", Do: nil}}
		server := upstreamtest.New(script)
		again(t, pins.Block, server, func(h *host) {
			got := call(h, "1", "up__calm")
			pass(time.Minute)
			got += strings.Join(h.received(), "\n")
			wantText(t, "call", got, `"isError":true`, "does not tell its lists", `"kind":"protocol","server":"up","tool":"calm","retryable":true`)
			wantEqual(t, "calls", len(server.Received("tools/call")), 0)
		})
	})
	bubble(t, "list that fails", func(t *testing.T) {
		script := withTools("x")
		script.Rules = []upstreamtest.Rule{{On: "tools/list", Do: []upstreamtest.Step{{Error: raw(`{"code":-32603,"message":"no"}`)}}}}
		again(t, pins.Block, upstreamtest.New(script), func(h *host) {
			wantText(t, "call", call(h, "1", "up__calm"), `"isError":true`, "does not tell its lists")
		})
	})
	bubble(t, "server that is gone", func(t *testing.T) {
		u := newUser(t, pins.Block)
		u.life(defined(legacy, "", "", calmTool), legacy, func(*Aggregator, *host) {})
		u.life(nil, legacy, func(_ *Aggregator, h *host) {
			wantText(t, "call", call(h, "1", "up__calm"), `"kind":"connection","server":"up","tool":"calm"`)
		})
	})
	bubble(t, "cancelled while it waits", func(t *testing.T) {
		server := upstreamtest.New(gated(withTools("calm")))
		again(t, pins.Block, server, func(h *host) {
			wantEqual(t, "call", call(h, "1", "up__calm"), "")
			h.send(cancelled("1"))
			server.Release("listed")
			pass(time.Second)
			h.received()
			wantEqual(t, "calls", len(server.Received("tools/call")), 0)
		})
	})
	bubble(t, "announced to have changed while it lists", func(t *testing.T) {
		script := withTools("x")
		script.Tools = raws(oldTool)
		script.Rules = []upstreamtest.Rule{
			{On: "tools/list", Nth: 1, Do: []upstreamtest.Step{{Await: "first"}, {Reply: raw(`{"tools":[` + oldTool + `]}`)}}},
			{On: "tools/list", Nth: 1, Do: []upstreamtest.Step{{Await: "second"}, {Default: true}}},
		}
		server := upstreamtest.New(script)
		again(t, pins.Block, server, func(h *host) {
			wantEqual(t, "call", call(h, "1", "up__x"), "")
			server.SetTools(raw(newTool))
			server.Release("first")
			pass(time.Second)
			wantEqual(t, "after the list of before", strings.Join(h.received(), "\n"), "")
			server.Release("second")
			pass(time.Second)
			wantText(t, "after the list of now", strings.Join(h.received(), "\n"), "tool_changed")
			wantEqual(t, "calls", len(server.Received("tools/call")), 0)
		})
	})
	bubble(t, "announced to have changed", func(t *testing.T) {
		script := withTools("x")
		script.Rules = []upstreamtest.Rule{{On: "tools/list", Nth: 2, Do: []upstreamtest.Step{{Await: "listed"}, {Default: true}}}}
		server := upstreamtest.New(script)
		u := newUser(t, pins.Block)
		u.life(server, legacy, func(_ *Aggregator, h *host) {
			wantText(t, "before", call(h, "1", "up__x"), `"text":"x"`)
			server.SetTools(raw(newTool))
			h.received()
			wantEqual(t, "call", call(h, "2", "up__x"), "")
			server.Release("listed")
			pass(time.Second)
			wantText(t, "when it is listed", strings.Join(h.received(), "\n"), "tool_changed")
			wantEqual(t, "calls", len(server.Received("tools/call")), 1)
		})
	})
}
