package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// peer is a client of a Server on in-memory pipes.
type peer struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *bufio.Scanner
	served chan error
}

func newPeer(t *testing.T) *peer {
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	p := &peer{t: t, in: inWrite, out: bufio.NewScanner(outRead), served: make(chan error, 1)}
	p.out.Buffer(nil, 2<<20)
	go func() {
		p.served <- New("test", "1").Serve(t.Context(), inRead, outWrite)
		_ = outWrite.Close()
	}()
	return p
}

func (p *peer) send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) receive() string {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("stream ended: %v", p.out.Err())
	}
	return p.out.Text()
}

// end closes the client's side and returns what still came.
func (p *peer) end() (rest []string) {
	p.t.Helper()
	_ = p.in.Close()
	return p.rest()
}

// rest returns what still comes from a server whose input has ended.
func (p *peer) rest() (rest []string) {
	p.t.Helper()
	for p.out.Scan() {
		rest = append(rest, p.out.Text())
	}
	if err := <-p.served; err != nil {
		p.t.Errorf("Serve: got %v, want nil", err)
	}
	return rest
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name, send string
		want       string // a part of the answer, in its own words
	}{
		{"initialize echoes the revision", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}`, `"protocolVersion":"2024-11-05"`},
		{"initialize never names the modern one", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2026-07-28"}}`, `"protocolVersion":"2025-11-25"`},
		{"ping", `{"jsonrpc":"2.0","id":"p","method":"ping"}`, `{"jsonrpc":"2.0","id":"p","result":{}}`},
		{"no ping in the modern era", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{` + modernMeta + `}}`, `-32601`},
		{"discover", `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + modernMeta + `}}`, `"supportedVersions":["2026-07-28"`},
		{"discover without a revision", `{"jsonrpc":"2.0","id":1,"method":"server/discover"}`, `-32602`},
		{"unsupported revision", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01"}}}`, `-32022`},
		{"legacy list without hints", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `"name":"delete_everything"`},
		{"modern list", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + modernMeta + `}}`, `"resultType":"complete"`},
		{"echo", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a<b>&c"}}}`, `"type":"text"`},
		{"echo without text", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`, `argument \"text\" must be a string`},
		{"add", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1.5,"b":2}}}`, `"structuredContent":{"sum":3.5}`},
		{"add overflows", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1.7e308,"b":1.7e308}}}`, `"isError":true`},
		{"now in an unknown zone", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"now","arguments":{"zone":"Moon/Sea"}}}`, `unknown time zone`},
		{"fail", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fail","arguments":{"message":"no"}}}`, `"isError":true`},
		{"big", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"big","arguments":{"bytes":4}}}`, `"text":"All "`},
		{"too big", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"big","arguments":{"bytes":1e12}}}`, `"isError":true`},
		{"unknown tool", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nope"}}`, `"code":-32602,"message":"Unknown tool: nope"`},
		{"unknown method", `{"jsonrpc":"2.0","id":1,"method":"a/b"}`, `-32601`},
		{"no JSON", `{"jsonrpc":"2.0","id":7,`, `-32700`},
		{"no message", `{"id":7}`, `"id":7,"error":{"code":-32600`},
		{"batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, `"result":{}`},
		{"empty batch", `[]`, `-32600`},
		{"batch in a batch", `[[]]`, `-32600`},
	}
	p := newPeer(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.send(tt.send)
			got := p.receive()
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s\nwant it to have %s", got, tt.want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("answer is not JSON: %s", got)
			}
		})
	}
	if rest := p.end(); len(rest) > 0 {
		t.Errorf("got more answers %q", rest)
	}
}

func TestQuickAnswersSurviveEOF(t *testing.T) {
	p := newPeer(t)
	go func() {
		p.send(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
		p.send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}`)
		_ = p.in.Close()
	}()
	if rest := p.rest(); len(rest) != 2 {
		t.Errorf("got %d answers, want 2: %q", len(rest), rest)
	}
}

func TestSlowReportsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{"seconds":6,"steps":2},"_meta":{"progressToken":"p<1>"}}}`)
		p.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
		got := []string{p.receive(), p.receive(), p.receive(), p.receive()}
		want := []string{
			`{"jsonrpc":"2.0","id":2,"result":{}}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p<1>","progress":1,"total":2}}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p<1>","progress":2,"total":2}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done after 6 seconds"}]}}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		p.end()
	})
}

func TestCancelledIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{"seconds":60}}}`)
		p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"unknown"}}`)
		p.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
		if got, want := p.receive(), `{"jsonrpc":"2.0","id":2,"result":{}}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if rest := p.end(); len(rest) > 0 {
			t.Errorf("got %q after the cancellation, want nothing", rest)
		}
	})
}

func TestEndOfInputEndsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{"seconds":600}}}`)
		if rest := p.end(); len(rest) > 0 {
			t.Errorf("got %q, want nothing", rest)
		}
	})
}

func TestFailingOutputEndsServe(t *testing.T) {
	inRead, inWrite := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- New("test", "1").Serve(context.Background(), inRead, brokenWriter{})
		_ = inRead.Close() // nobody reads the second message if the first was enough
	}()
	// The first answer breaks the output; the message behind it wakes the reader.
	for range 2 {
		if _, err := io.WriteString(inWrite, `{"jsonrpc":"2.0","id":1,"method":"ping"}`+"\n"); err != nil {
			break
		}
	}
	_ = inWrite.Close()
	if err := <-served; err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func FuzzServe(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}`))
	f.Add([]byte(`[{"jsonrpc":"2.0","id":"x","method":"ping"},{"method":1}]`))
	f.Add([]byte("{}\n\xff\n[[\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		if strings.Contains(string(input), "big") {
			t.Skip("its answers are large by design")
		}
		var out strings.Builder
		if err := New("test", "1").Serve(t.Context(), strings.NewReader(string(input)), &out); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("answer is not JSON: %q", line)
			}
		}
	})
}
