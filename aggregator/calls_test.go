package aggregator

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestCancel cancels a call at each point of its life.
func TestCancel(t *testing.T) {
	t.Run("waiting for the first lists", func(t *testing.T) {
		for _, request := range []string{legacy.call("1", "up__echo", "{}"), legacy.request("1", "tools/list", "", "")} {
			synctest.Test(t, func(t *testing.T) {
				script := echoScript()
				script.Rules = append(script.Rules, upstreamtest.Rule{On: "tools/list", Do: []upstreamtest.Step{{Await: "listed"}, {Default: true}}})
				server, h := one(t, script)
				h.send(legacy.open()...)
				want(t, "before the list", h.send(request))
				want(t, "cancelled", h.send(cancelled("1")))
				server.Release("listed")
				want(t, "after the list", h.received())
				want(t, "same id again", h.send(legacy.call("1", "up__echo", "{}")), done("1"))
				if n := len(server.Received("tools/call")); n != 1 {
					t.Errorf("server got %d calls, want 1", n)
				}
			})
		}
	})
	bubble(t, "waiting for the connection", func(t *testing.T) {
		server := upstreamtest.New(echoScript())
		cfg := config(t, map[string]*upstreamtest.Server{"up": server}, "up")
		dial, gates := cfg.Dialers["memory"], make(chan struct{}, 10)
		var conns []transport.Conn
		cfg.Dialers["memory"] = func(ctx context.Context, c upstream.Config, recv transport.Receiver) (transport.Conn, error) {
			select {
			case <-gates:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			conn, err := dial(ctx, c, recv)
			conns = append(conns, conn)
			return conn, err
		}
		_, h := start(t, cfg)
		gates <- struct{}{}
		h.send(legacy.open()...)
		h.send(legacy.request("0", "tools/list", "", ""))
		conns[0].Close()
		synctest.Wait() // it is noticed
		want(t, "call without a connection", h.send(legacy.call("1", "up__echo", "{}"), legacy.call("2", "up__echo", "{}")))
		want(t, "cancelled", h.send(cancelled("1")))
		gates <- struct{}{}
		want(t, "connected", h.received(), done("2"))
		if n := len(server.Received("tools/call")); n != 1 {
			t.Errorf("server got %d calls, want 1", n)
		}
	})
	bubble(t, "sent, and answered all the same", func(t *testing.T) {
		script := gateScript()
		script.Rules = []upstreamtest.Rule{{On: "tools/call gate", Do: []upstreamtest.Step{
			{Await: "cancel"},
			{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","progress":9}}`)},
			{Reply: raw(`{"content":[]}`)},
		}}}
		server, h := one(t, script)
		h.send(legacy.open()...)
		want(t, "call", h.send(legacy.request("1", "tools/call", `"name":"up__gate"`, `"progressToken":1`)))
		want(t, "cancelled", h.send(cancelled("1")))
		if n := len(server.Received("notifications/cancelled")); n != 1 {
			t.Errorf("server heard of %d cancellations, want 1", n)
		}
		want(t, "cancelled again", h.send(cancelled("1")))
	})
	bubble(t, "by another way to write the id", func(t *testing.T) {
		server, h := one(t, gateScript())
		h.send(legacy.open()...)
		h.send(legacy.call(`"\u0061\/b"`, "up__gate", "{}"), legacy.call("-0", "up__gate", "{}"), legacy.call(`"0"`, "up__gate", "{}"))
		h.send(cancelled(`"a/b"`), cancelled("0"))
		server.Release("open")
		want(t, "the one that is left", h.received(), done(`"0"`))
	})
	bubble(t, "a subscription", func(t *testing.T) {
		server, h := one(t, echoScript())
		h.send(modern.open()...)
		h.send(modern.request("1", "tools/list", "", ""))
		h.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`, ""))
		want(t, "cancelled", h.send(cancelled(`"L"`)))
		server.SetTools(upstreamtest.Tool("other"))
		pass(time.Second)
		want(t, "change afterwards", h.received())
		want(t, "id is free again", h.send(modern.request(`"L"`, "subscriptions/listen", `"notifications":{}`, "")),
			`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"},"notifications":{}}}`)
	})
}

// TestIDInFlight: an id that is in use is refused whatever it is used for.
func TestIDInFlight(t *testing.T) {
	users := map[string]func(h *host){
		"call":         func(h *host) { h.send(modern.call(`"a"`, "up__gate", "{}")) },
		"subscription": func(h *host) { h.send(modern.request(`"a"`, "subscriptions/listen", `"notifications":{}`, "")) },
		"parked": func(h *host) {
			h.send(modern.request(`"a"`, "tools/list", "", ""))
		},
	}
	for name, use := range users {
		bubble(t, name, func(t *testing.T) {
			script := gateScript()
			if name == "parked" {
				script.Rules = []upstreamtest.Rule{{On: "tools/list"}}
			}
			_, h := one(t, script)
			h.send(modern.open()...)
			use(h)
			for _, again := range []string{
				modern.call(`"a"`, "up__echo", "{}"),
				modern.request(`"\u0061"`, "server/discover", "", ""),
				modern.request(`"a"`, "tools/list", "", ""),
				modern.request(`"a"`, "subscriptions/listen", `"notifications":{}`, ""),
			} {
				got := h.send(again)
				if len(got) != 1 || !strings.Contains(got[0], `"code":-32600,"message":"Invalid request: a request with this id is in flight"`) {
					t.Errorf("answer to %s: got %s, want a refusal", again, got)
				}
			}
		})
	}
}

// TestContentIsAdded: both eras require it, some servers leave it out.
func TestContentIsAdded(t *testing.T) {
	const head = `"resultType":"complete",` + serverMeta
	tests := []struct{ reply, legacy, modern string }{
		{`{}`, `{"content":[]}`, `{"content":[],` + head + `}`},
		{`{ }`, `{"content":[] }`, `{"content":[],` + head + ` }`},
		{`{"structuredContent":1}`, `{"content":[],"structuredContent":1}`, `{"content":[],` + head + `,"structuredContent":1}`},
		{
			`{"_meta":{},"x":1}`, `{"content":[],"_meta":{},"x":1}`,
			`{"content":[],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":` + weirInfo + `},"x":1}`,
		},
		{`{"content":[],"_meta":7}`, `{"content":[],"_meta":7}`, `{"resultType":"complete","content":[],"_meta":7}`},
		{`[]`, `[]`, `[]`},
		{`null`, `null`, `null`},
	}
	for _, test := range tests {
		bubble(t, test.reply, func(t *testing.T) {
			script := echoScript()
			script.Rules = []upstreamtest.Rule{{On: "tools/call", Do: []upstreamtest.Step{
				{Send: raw(`{"jsonrpc":"2.0","result":` + test.reply + `,"id":"$id"}`)},
			}}}
			_, h := one(t, script)
			h.send(legacy.open()...)
			answer := func(result string) string { return `{"jsonrpc":"2.0","result":` + result + `,"id":1}` }
			want(t, "legacy", h.send(legacy.call("1", "up__echo", "{}")), answer(test.legacy))
			want(t, "modern", h.send(modern.call("1", "up__echo", "{}")), answer(test.modern))
		})
	}
}

// TestErrorsBetweenEras: codes that the host's era does not have, or that are
// the business of the hop behind weir, become what the host understands.
func TestErrorsBetweenEras(t *testing.T) {
	type outcome string
	const (
		same    outcome = "as it came"
		isError outcome = "a result with isError"
		invalid outcome = "-32602"
		visit   outcome = "a result that sends the user elsewhere"
	)
	tests := []struct {
		code           string
		legacy, modern outcome
	}{
		{"-32601", same, same},
		{"-32602", same, same},
		{"-32603", same, same},
		{"1", same, same},
		{"-32002", same, invalid},
		{"-32042", same, visit},
		{"-32020", isError, isError},
		{"-32021", isError, same},
		{"-32022", isError, isError},
		{"-3.2e4", same, same},
	}
	for _, test := range tests {
		for client, outcome := range map[era]outcome{legacy: test.legacy, modern: test.modern} {
			bubble(t, test.code+" for a "+client.String()+" host", func(t *testing.T) {
				script := echoScript()
				script.Rules = []upstreamtest.Rule{{On: "tools/call", Do: []upstreamtest.Step{
					{Error: raw(`{"code":` + test.code + `,"message":"why\u0021","data":{"n":1,"n":2}}`)},
				}}}
				_, h := one(t, script)
				h.send(client.open()...)
				got := h.send(client.call("1", "up__echo", "{}"))
				extra, demanded := "", ""
				if client == modern {
					extra, demanded = `"resultType":"complete",`, `"io.modelcontextprotocol/serverInfo":`+weirInfo+","
				}
				want(t, "answer", got, map[string]string{
					string(same):    `{"jsonrpc":"2.0","id":1,"error":{"code":` + test.code + `,"message":"why\u0021","data":{"n":1,"n":2}}}`,
					string(invalid): `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"why\u0021","data":{"n":1,"n":2}}}`,
					string(isError): `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Server \"up\": the server refused the call: why!."}],"isError":true,` + extra +
						`"_meta":{` + demanded + `"weir/error":{"kind":"protocol","server":"up","tool":"echo","retryable":false}}}}`,
					string(visit): `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Server \"up\": the user must first agree on a page of the server. ` +
						`This host cannot show it: ask the user to go there another way, then call again."}],"isError":true,` + extra +
						`"_meta":{` + demanded + `"weir/error":{"kind":"authorization","server":"up","tool":"echo","retryable":true}}}}`,
				}[string(outcome)])
			})
		}
	}
}

// TestResourceNotThere: the code for it is that of the host's era, but a legacy
// host gets what a legacy server says as it came.
func TestResourceNotThere(t *testing.T) {
	for server, code := range map[era]string{legacy: "-32602", modern: "-32002"} {
		bubble(t, "a "+server.String()+" server", func(t *testing.T) {
			script := offering(server, offers{resourcesMethod: `"resources":[{"uri":"x:a","name":"a"}]`})
			script.Rules = append(script.Rules, upstreamtest.Rule{
				On: "resources/read", Do: []upstreamtest.Step{{Error: raw(`{"code":-32602,"message":"none","data":{"uri":"x:a"}}`)}},
			})
			_, h := one(t, script)
			h.send(legacy.open()...)
			pass(time.Second)
			want(t, "answer", h.send(legacy.request("1", "resources/read", `"uri":"x:a"`, "")),
				`{"jsonrpc":"2.0","id":1,"error":{"code":`+code+`,"message":"none","data":{"uri":"x:a"}}}`)
		})
	}
}

// TestInputRequired: a modern server's question passes to a modern host, and is
// nothing that a legacy one could be told. What a legacy server calls so is its
// own affair.
func TestInputRequired(t *testing.T) {
	const reply = `{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}},"requestState":"s"}`
	for _, server := range []era{legacy, modern} {
		bubble(t, server.String()+" server", func(t *testing.T) {
			script := echoScript()
			script.Versions = server.versions()
			script.Rules = []upstreamtest.Rule{{On: "tools/call", Do: []upstreamtest.Step{{Reply: raw(reply)}}}}
			_, h := one(t, script)
			h.send(legacy.open()...)
			identified := strings.Replace(reply, `{`, `{`+serverMeta+`,`, 1)
			want(t, "modern host", h.send(modern.call("1", "up__echo", "{}")), `{"jsonrpc":"2.0","id":1,"result":`+identified+`}`)
			got := h.send(legacy.call("2", "up__echo", "{}"))
			if server == legacy {
				want(t, "legacy host", got, `{"jsonrpc":"2.0","id":2,"result":`+reply+`}`)
				return
			}
			want(t, "legacy host", got, `{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"Server \"up\": the server asks for what this host cannot give: the client does not support roots. The call is not finished and will not be."}],"isError":true,`+
				`"_meta":{"weir/error":{"kind":"protocol","server":"up","tool":"echo","retryable":false,"maybeExecuted":true}}}}`)
		})
	}
}

// TestFailures is what a host sees of a server that fails: nothing of what only
// the log may know.
func TestFailures(t *testing.T) {
	fails := func(text, data string) string {
		return `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":` + strconv.Quote(text) + `}],"isError":true,"_meta":{"weir/error":` + data + `}}}`
	}
	const unknown = "The outcome is unknown: the call may have been executed. Check before you repeat it."
	tests := []struct {
		name  string
		steps []upstreamtest.Step
		after time.Duration
		want  string
	}{
		{
			"ends mid-call",
			[]upstreamtest.Step{{Exit: true}},
			0,
			fails(`Server "up": the server ended before it answered. `+unknown, `{"kind":"connection","server":"up","tool":"echo","retryable":true,"maybeExecuted":true}`),
		},
		{
			"never answers", nil, 6 * time.Minute,
			fails(`Server "up": the server did not answer within 5m0s. `+unknown, `{"kind":"timeout","server":"up","tool":"echo","retryable":true,"maybeExecuted":true}`),
		},
		{
			"answers what is no JSON",
			[]upstreamtest.Step{{Text: `{"jsonrpc":"2.0","id":"$id","result":{]}` + "\n"}},
			0,
			fails(`Server "up": the server's answer cannot be used: invalid JSON at byte 34: want a member name. The call was executed, its result is lost.`,
				`{"kind":"serialization","server":"up","tool":"echo","retryable":false,"maybeExecuted":true}`),
		},
	}
	for _, test := range tests {
		bubble(t, test.name, func(t *testing.T) {
			script := echoScript()
			script.Rules = []upstreamtest.Rule{{On: "tools/call", Do: test.steps}}
			_, h := one(t, script)
			h.send(legacy.open()...)
			got := h.send(legacy.call("1", "up__echo", "{}"))
			if test.after > 0 {
				pass(test.after)
				got = append(got, h.received()...)
			}
			want(t, "answer", got, test.want)
		})
	}
	bubble(t, "cannot be reached any more", func(t *testing.T) {
		servers := map[string]*upstreamtest.Server{"up": upstreamtest.New(upstreamtest.Script{
			Tools: raws(string(upstreamtest.Tool("echo"))),
			Rules: []upstreamtest.Rule{{On: "tools/call", Do: []upstreamtest.Step{{Exit: true}}}},
		})}
		_, h := start(t, config(t, servers, "up"))
		h.send(legacy.open()...)
		h.send(legacy.request("0", "tools/list", "", ""))
		servers["up"] = nil
		h.send(legacy.call("0", "up__echo", "{}"))
		got := strings.Join(h.send(legacy.call("1", "up__echo", "{}")), "\n")
		if !strings.Contains(got, `"kind":"connection","server":"up","tool":"echo","retryable":true`) || !strings.Contains(got, `"isError":true`) {
			t.Errorf("got %s, want an isError of kind connection", got)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("got %s, which tells of the command", got)
		}
	})
}

// TestWrongProgress: what has no token of a call in flight goes nowhere.
func TestWrongProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		progress := func(token string) upstreamtest.Step {
			return upstreamtest.Step{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1` + token + `}}`)}
		}
		script := echoScript()
		script.Rules = []upstreamtest.Rule{{On: "tools/call", Do: []upstreamtest.Step{
			progress(`,"progressToken":4711`), progress(`,"progressToken":"$id"`), progress(``), progress(`,"progressToken":"1"`),
			{Reply: raw(`{"content":[{"type":"text","text":"ok"}]}`)},
			progress(`,"progressToken":"$id"`),
			{Reply: raw(`{"content":["again"]}`)},
		}}}
		_, h := one(t, script)
		h.send(legacy.open()...)
		want(t, "answer", h.send(legacy.call("1", "up__echo", "{}")), done("1"))
	})
}

// TestEnds: the session ends with its input, its context, or its output; what is
// in flight is given up, and nothing is left (the bubble would not end).
func TestEnds(t *testing.T) {
	begin := func(t *testing.T, ctx context.Context) (*upstreamtest.Server, *host) {
		server := upstreamtest.New(gateScript())
		a := New(config(t, map[string]*upstreamtest.Server{"up": server}, "up"))
		t.Cleanup(a.Close)
		h := newHost(t, func(in io.Reader, out io.Writer) error { return a.Serve(ctx, in, out) })
		h.send(legacy.open()...)
		h.send(legacy.call("1", "up__gate", "{}"), legacy.call("2", "up__gate", "{}"))
		return server, h
	}
	bubble(t, "end of input", func(t *testing.T) {
		server, h := begin(t, t.Context())
		_ = h.in.Close()
		want(t, "answers", h.received())
		if err := <-h.ended; err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
		if n := len(server.Received("notifications/cancelled")); n != 2 {
			t.Errorf("server heard of %d cancellations, want 2", n)
		}
	})
	bubble(t, "end of the context", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		_, h := begin(t, ctx)
		reason := errors.New("signal")
		cancel(reason)
		if err := <-h.ended; !errors.Is(err, reason) {
			t.Errorf("Serve: got %v, want %v", err, reason)
		}
	})
	bubble(t, "end of output", func(t *testing.T) {
		server, h := begin(t, t.Context())
		_ = h.out.Close()
		server.Release("open") // the host says nothing more
		if err := <-h.ended; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Serve: got %v, want %v", err, io.ErrClosedPipe)
		}
	})
	bubble(t, "while requests wait for the first lists", func(t *testing.T) {
		script := gateScript()
		script.Rules = []upstreamtest.Rule{{On: "tools/list"}}
		_, h := one(t, script)
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""), legacy.call("2", "up__gate", "{}"))
		_ = h.in.Close()
		if err := <-h.ended; err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	bubble(t, "after Close", func(t *testing.T) {
		a := New(config(t, nil))
		a.Close()
		if err := a.Serve(t.Context(), strings.NewReader(""), io.Discard); !errors.Is(err, ErrClosed) {
			t.Errorf("Serve: got %v, want %v", err, ErrClosed)
		}
	})
	bubble(t, "what was answered is written", func(t *testing.T) {
		_, h := one(t, gateScript())
		_, _ = io.WriteString(h.in, `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
		_ = h.in.Close()
		want(t, "answer", h.received(), `{"jsonrpc":"2.0","id":1,"result":{}}`)
	})
}

// TestHostThatDoesNotRead: cancellations still arrive, memory is bounded, and a
// host that goes on asking is let go in the end.
func TestHostThatDoesNotRead(t *testing.T) {
	deaf := func(t *testing.T, cfg Config) (*io.PipeWriter, *sessionEnd) {
		inRead, inWrite := io.Pipe()
		outRead, outWrite := io.Pipe()
		a := New(cfg)
		end := &sessionEnd{out: outRead, done: make(chan error, 1)}
		t.Cleanup(func() {
			_ = outRead.Close()
			_ = inWrite.Close()
			a.Close()
		})
		go func() {
			end.done <- a.Serve(t.Context(), inRead, outWrite)
			_ = inRead.Close()
		}()
		return inWrite, end
	}
	write := func(t *testing.T, in io.Writer, lines ...string) error {
		for _, line := range lines {
			if _, err := io.WriteString(in, line+"\n"); err != nil {
				return err
			}
		}
		synctest.Wait()
		return nil
	}
	bubble(t, "flood of pings", func(t *testing.T) {
		in, end := deaf(t, config(t, nil))
		ping := strings.Repeat(`{"jsonrpc":"2.0","id":"`+strings.Repeat("x", 10_000)+`","method":"ping"}`+"\n", 100)
		sent := 0
		for ; sent < 100; sent++ {
			if _, err := io.WriteString(in, ping); err != nil {
				break
			}
		}
		if sent < 32 || sent > 50 {
			t.Errorf("host was let go after %d MB unread, want between 32 and 50", sent)
		}
		if err := <-end.done; !errors.Is(err, errHostDoesNotRead) {
			t.Errorf("Serve: got %v, want %v", err, errHostDoesNotRead)
		}
	})
	bubble(t, "server that answers much", func(t *testing.T) {
		script := gateScript()
		script.Rules = append([]upstreamtest.Rule{{On: "tools/call echo", Do: []upstreamtest.Step{
			{Send: raw(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"$token","message":"$fill"}}`), Fill: 1 << 20, Repeat: 40},
		}}}, script.Rules...)
		servers := map[string]*upstreamtest.Server{"up": upstreamtest.New(script), "two": upstreamtest.New(gateScript())}
		in, end := deaf(t, config(t, servers, "up", "two"))
		if err := write(t, in, append(legacy.open(), legacy.request("0", "tools/call", `"name":"up__echo"`, `"progressToken":1`),
			legacy.call("1", "two__gate", "{}"))...); err != nil {
			t.Fatal(err)
		}
		// The reader goes on: a cancellation gets through to the other server.
		if err := write(t, in, cancelled("1")); err != nil {
			t.Fatal(err)
		}
		if n := len(servers["two"].Received("notifications/cancelled")); n != 1 {
			t.Errorf("other server heard of %d cancellations, want 1", n)
		}
		// When the host reads again all of it comes.
		read := make(chan int)
		go func() {
			n, _ := io.Copy(io.Discard, io.LimitReader(end.out, 40<<20))
			read <- int(n)
		}()
		if n := <-read; n < 40<<20 {
			t.Errorf("got %d bytes after the host read again, want %d", n, 40<<20)
		}
	})
}

type sessionEnd struct {
	out  *io.PipeReader
	done chan error
}
