package aggregator

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// slowHost is a host that reads only when it is let. In a bubble only.
type slowHost struct {
	t   *testing.T
	in  *io.PipeWriter
	out *io.PipeReader
	s   *session
}

func newSlowHost(t *testing.T, cfg Config) *slowHost {
	t.Helper()
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	a := New(cfg)
	h := &slowHost{t: t, in: inWrite, out: outRead}
	t.Cleanup(func() {
		_ = outRead.Close()
		_ = inWrite.Close()
		a.Close()
	})
	go func() {
		_ = a.Serve(t.Context(), inRead, outWrite)
		_ = inRead.Close()
		_ = outWrite.Close()
	}()
	h.write(legacy.open()...)
	h.s = a.sessionList()[0]
	h.write(legacy.request("0", "tools/list", "", ""))
	r := bufio.NewReader(outRead)
	for range 2 {
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	return h
}

// write sends lines and waits until nothing moves.
func (h *slowHost) write(lines ...string) {
	h.t.Helper()
	if _, err := io.WriteString(h.in, strings.Join(lines, "\n")+"\n"); err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
}

// read reads on until nothing comes any more.
func (h *slowHost) read() []string {
	lines := make(chan string, 1<<20)
	go func() {
		r := bufio.NewReaderSize(h.out, 1<<20)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			lines <- line
		}
	}()
	pass(2 * pushDelay)
	synctest.Wait()
	got := make([]string, len(lines))
	for i := range got {
		got[i] = <-lines
	}
	return got
}

// TestNotificationFlood: a server that tells without end keeps no more of a slow
// host than a little, no answer is lost for it, and none of another server waits.
func TestNotificationFlood(t *testing.T) {
	const many = 30_000
	note := func(text string) upstreamtest.Step { return upstreamtest.Step{Send: raw(text), Repeat: many} }
	tests := []struct {
		name  string
		flood upstreamtest.Step
		told  func(n int) bool // how many notifications the host gets in the end
	}{
		{"progress", note(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":$n}}`), func(n int) bool { return n > 0 && n < many/2 }},
		{"large progress", upstreamtest.Step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","message":"$fill"}}`), Fill: 8 << 10, Repeat: 1000}, func(n int) bool { return n == 1000 }},
		{"log", note(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":$n}}`), func(n int) bool { return n == many }},
		{"lists that change", note(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`), func(n int) bool { return n == 0 }},
		{"resources nobody follows", note(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///$n"}}`), func(n int) bool { return n == 0 }},
		{"progress of nothing", note(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":4711,"progress":$n}}`), func(n int) bool { return n == 0 }},
		{"unknown", note(`{"jsonrpc":"2.0","method":"notifications/of/its/own","params":{"n":$n}}`), func(n int) bool { return n == 0 }},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			chatty := gateScript()
			chatty.Tools = append(chatty.Tools, upstreamtest.Tool("chat"))
			chatty.Rules = append(chatty.Rules, upstreamtest.Rule{On: "tools/call chat", Do: []upstreamtest.Step{tt.flood, {Reply: raw(`{"content":[]}`)}}})
			servers := map[string]*upstreamtest.Server{"chatty": upstreamtest.New(chatty), "well": upstreamtest.New(gateScript())}
			h := newSlowHost(t, config(t, servers, "chatty", "well"))
			h.write(legacy.request("1", "tools/call", `"name":"chatty__chat"`, `"progressToken":"p"`))
			const most = maxChatter + 64<<10
			if n := h.s.out.Queued(); n > most {
				t.Errorf("%d bytes wait for the host, want %d at most", n, most)
			}
			for id := range 100 {
				h.write(legacy.call(strconv.Itoa(100+id), "well__echo", "{}"))
			}
			if n := len(servers["well"].Received("tools/call")); n != 100 {
				t.Errorf("the other server got %d calls, want 100", n)
			}
			if n := h.s.out.Queued(); n > most {
				t.Errorf("%d bytes wait for the host, want %d at most", n, most)
			}
			told, answers, before := 0, map[string]int{}, true
			for _, line := range h.read() {
				switch {
				case strings.Contains(line, `"method":`):
					told++
					before = before && answers["1"] == 0
				default:
					answers[strings.Split(strings.TrimPrefix(line, `{"jsonrpc":"2.0","id":`), ",")[0]]++
				}
			}
			if !tt.told(told) {
				t.Errorf("the host got %d notifications", told)
			}
			if !before {
				t.Error("a notification came behind the answer")
			}
			for id, n := range answers {
				if n != 1 {
					t.Errorf("request %s has %d answers", id, n)
				}
			}
			if len(answers) != 101 {
				t.Errorf("got %d answers, want 101", len(answers))
			}
		})
	}
}

// TestLatestProgress: of the progress that a host was too slow for it gets the
// latest of each call when it reads again, though the server says nothing more.
func TestLatestProgress(t *testing.T) {
	bubble(t, "two calls", func(t *testing.T) {
		script := gateScript()
		script.Rules = append([]upstreamtest.Rule{{On: "tools/call gate", Do: []upstreamtest.Step{
			{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":$n}}`), Repeat: 30_000},
			{Await: "open"},
			{Reply: raw(`{"content":[]}`)},
		}}}, script.Rules...)
		servers := map[string]*upstreamtest.Server{"up": upstreamtest.New(script)}
		h := newSlowHost(t, config(t, servers, "up"))
		for _, id := range []string{"1", "2"} {
			h.write(legacy.request(id, "tools/call", `"name":"up__gate"`, `"progressToken":"p`+id+`"`))
		}
		latest := map[string]string{}
		for _, line := range h.read() {
			for _, token := range []string{"p1", "p2"} {
				if strings.Contains(line, `"progressToken":"`+token+`"`) {
					latest[token] = line
				}
			}
		}
		for _, token := range []string{"p1", "p2"} {
			if want := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%q,"progress":30000}}`+"\n", token); latest[token] != want {
				t.Errorf("the latest of %s is %s, want %s", token, latest[token], want)
			}
		}
		h.s.mu.Lock()
		defer h.s.mu.Unlock()
		if h.s.thinning || len(h.s.thinned) > 0 {
			t.Error("somebody waits for the host still")
		}
	})
}

// TestSlowHost: large answers to a host that does not read wait with their server,
// while the small ones of another come through; when it reads all are answered,
// once.
func TestSlowHost(t *testing.T) {
	const large, calls = 1 << 20, 48
	bubble(t, "large answers", func(t *testing.T) {
		script := gateScript()
		script.Rules = append([]upstreamtest.Rule{{On: "tools/call gate", Do: []upstreamtest.Step{
			{Reply: raw(`{"content":[{"type":"text","text":"$fill"}]}`), Fill: large},
		}}}, script.Rules...)
		servers := map[string]*upstreamtest.Server{"big": upstreamtest.New(script), "well": upstreamtest.New(gateScript())}
		h := newSlowHost(t, config(t, servers, "big", "well"))
		want := map[string]int{}
		for id := range calls {
			h.write(legacy.call(strconv.Itoa(1000+id), "big__gate", "{}"))
			want[strconv.Itoa(1000+id)] = 1
		}
		most := maxUnwritten + 2*large
		if n := h.s.out.Queued(); n < maxUnwritten || n > most {
			t.Errorf("%d bytes wait for the host, want %d to %d", n, maxUnwritten, most)
		}
		for id := range calls {
			h.write(legacy.call(strconv.Itoa(2000+id), "well__echo", "{}"))
			want[strconv.Itoa(2000+id)] = 1
		}
		h.s.mu.Lock()
		waiting := 0
		for c := range h.s.calls.all() {
			if c.key.number/1000 == 2 {
				waiting++
			}
		}
		h.s.mu.Unlock()
		if waiting > 0 {
			t.Errorf("%d small answers wait behind the large ones", waiting)
		}
		got := map[string]int{}
		for _, line := range h.read() {
			got[strings.Split(strings.TrimPrefix(line, `{"jsonrpc":"2.0","id":`), ",")[0]]++
		}
		for id := range want {
			if got[id] != 1 {
				t.Errorf("request %s has %d answers", id, got[id])
			}
		}
		if len(got) != len(want) {
			t.Errorf("got answers to %d requests, want %d", len(got), len(want))
		}
	})
}

// TestSlowHostIsToldOfChanges: a host that has left much unread is told that a list
// has changed when it reads on, though nothing changes any more.
func TestSlowHostIsToldOfChanges(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		script := gateScript()
		script.Rules = append([]upstreamtest.Rule{{On: "tools/call gate", Do: []upstreamtest.Step{
			{Reply: raw(`{"content":[{"type":"text","text":"$fill"}]}`), Fill: 1 << 20},
		}}}, script.Rules...)
		big, changing := upstreamtest.New(script), upstreamtest.New(withTools("x"))
		h := newSlowHost(t, config(t, map[string]*upstreamtest.Server{"big": big, "changing": changing}, "big", "changing"))
		for id := range maxUnwritten>>20 + 4 {
			h.write(legacy.call(strconv.Itoa(1000+id), "big__gate", "{}"))
		}
		for _, name := range []string{"y", "z"} {
			changing.SetTools(upstreamtest.Tool(name))
			pass(time.Second)
		}
		n := 0
		for _, line := range h.read() {
			if strings.Contains(line, "notifications/tools/list_changed") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the host was told %d times, want once", n)
		}
	})
}
