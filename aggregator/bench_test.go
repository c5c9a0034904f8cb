package aggregator

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/transport"
)

// echoing is a server that costs next to nothing: it answers each call with the
// bytes that stand ready.
type echoing struct {
	list   string
	answer []byte // of a call, from behind the id

	gathers int           // so many calls it answers in one write; 0 = one
	written *atomic.Int64 // counts what weir writes to it; nil for nobody
}

func (e echoing) dial(_ context.Context, _ upstream.Config, recv transport.Receiver) (transport.Conn, error) {
	near, far := transport.Memory()
	go e.serve(far)
	if e.written != nil {
		near = countedStream{near, e.written}
	}
	return transport.NewLines(near, recv, upstream.DefaultMessageLimit), nil
}

func (e echoing) serve(s transport.Stream) {
	defer s.Close()
	lines := bufio.NewScanner(s.Input())
	lines.Buffer(nil, 1<<20)
	var out, held []byte
	waiting := 0
	for lines.Scan() {
		line := lines.Bytes()
		_, id, found := bytes.Cut(line, []byte(`"id":`))
		id, _, _ = bytes.Cut(id, []byte(","))
		out = append(append(out[:0], `{"jsonrpc":"2.0","id":`...), id...)
		switch {
		case !found:
			continue
		case bytes.Contains(line, []byte(`"initialize"`)):
			out = append(out, `,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}`...)
		case bytes.Contains(line, []byte(`"tools/list"`)):
			out = append(append(append(out, `,"result":{"tools":[`...), e.list...), `]}}`...)
		case !bytes.Contains(line, []byte(`"tools/call"`)):
			out = append(out, e.answer...)
		default:
			held = append(append(append(held, out...), e.answer...), '\n')
			if waiting++; waiting < e.gathers {
				continue
			}
			out, held, waiting = append(out[:0], held[:len(held)-1]...), held[:0], 0
		}
		if _, err := s.Output().Write(append(out, '\n')); err != nil {
			return
		}
	}
}

// countedStream counts the writes to a server.
type countedStream struct {
	transport.Stream
	writes *atomic.Int64
}

func (s countedStream) Output() io.Writer { return countedWriter{s.Stream.Output(), s.writes} }

// countedWriter writes on the goroutine that flushes, as pipes do: another one
// would take along what comes meanwhile, and hide who flushes too often.
type countedWriter struct {
	io.Writer
	writes *atomic.Int64
}

func (w countedWriter) Write(p []byte) (int, error) {
	w.writes.Add(1)
	return w.Writer.Write(p)
}

func (w countedWriter) TryWrite(p []byte) (int, error) { return w.Write(p) }

// benchHost is a host on pipes of the system, with a weir behind them.
type benchHost struct {
	in      *os.File
	out     *bufio.Reader
	written *atomic.Int64 // counts what weir writes to it
}

func newBenchHost(b testing.TB, e echoing, change ...func(*Config)) *benchHost {
	b.Helper()
	cfg := config(b, nil, "up")
	cfg.Dialers["memory"] = e.dial
	for _, f := range change {
		f(&cfg)
	}
	a := New(cfg)
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	written := new(atomic.Int64)
	go func() { ended <- a.Serve(context.Background(), inRead, countedWriter{outWrite, written}) }()
	b.Cleanup(func() {
		_ = inWrite.Close()
		if err := <-ended; err != nil {
			b.Errorf("Serve: got %v, want nil", err)
		}
		a.Close()
		for _, f := range []io.Closer{inRead, outRead, outWrite} {
			_ = f.Close()
		}
	})
	h := &benchHost{in: inWrite, out: bufio.NewReaderSize(outRead, 1<<20), written: written}
	h.write(b, []byte(initialize+"\n"+initialized+"\n"))
	h.read(b)
	h.write(b, []byte(legacy.request("0", "tools/list", "", "")+"\n"))
	h.read(b)
	return h
}

func (h *benchHost) write(b testing.TB, p []byte) {
	if _, err := h.in.Write(p); err != nil {
		b.Fatal(err)
	}
}

// read reads one line and returns its length.
func (h *benchHost) read(b testing.TB) int {
	n := 0
	for {
		part, err := h.out.ReadSlice('\n')
		n += len(part)
		if err == nil {
			return n
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			b.Fatal(err)
		}
	}
}

const benchDefinition = `{"name":"echo","description":"says it again","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}`

var benchCall = []byte(legacy.call("17", "up__echo", `{"text":"hello"}`) + "\n")

func benchServer() echoing {
	return echoing{list: benchDefinition, answer: []byte(`,"result":{"content":[{"type":"text","text":"hello"}]}}`)}
}

// BenchmarkCall is one call at a time: host, pipe, weir, server in memory, and
// back.
func BenchmarkCall(b *testing.B) {
	h := newBenchHost(b, benchServer())
	b.ReportAllocs()
	for b.Loop() {
		h.write(b, benchCall)
		h.read(b)
	}
}

// BenchmarkCalls has 256 calls in flight, which come together and are answered
// together: so it does the same each time.
func BenchmarkCalls(b *testing.B) {
	for _, audited := range []bool{false, true} {
		b.Run(fmt.Sprintf("audit=%v", audited), func(b *testing.B) { benchmarkCalls(b, audited) })
	}
}

func benchmarkCalls(b *testing.B, audited bool) {
	const inFlight = 256
	server := benchServer()
	server.gathers = inFlight
	h := newBenchHost(b, server, func(c *Config) {
		if audited {
			benchAudit(b, c)
		}
	})
	burst := benchBurst(inFlight)
	b.ReportAllocs()
	for b.Loop() {
		h.write(b, burst)
		for range inFlight {
			h.read(b)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*inFlight), "ns/call")
}

// benchAudit gives a weir the log that it has by default.
func benchAudit(b testing.TB, c *Config) {
	c.Audit = audit.Open(audit.Config{
		Path: filepath.Join(b.TempDir(), "audit.jsonl"), Report: func(err error) { b.Error(err) },
	})
	b.Cleanup(func() { _ = c.Audit.Close() }) // what is wrong it has reported
}

// benchBurst is so many calls, one a line.
func benchBurst(calls int) []byte {
	var burst bytes.Buffer
	for id := range calls {
		burst.WriteString(legacy.call(fmt.Sprint(id), "up__echo", `{"text":"hello"}`) + "\n")
	}
	return burst.Bytes()
}

// BenchmarkList is tools/list of 1,000 tools.
func BenchmarkList(b *testing.B) {
	definitions := make([]string, 1000)
	for i := range definitions {
		definitions[i] = strings.Replace(benchDefinition, `"echo"`, fmt.Sprintf(`"echo%d"`, i), 1)
	}
	h := newBenchHost(b, echoing{list: strings.Join(definitions, ",")})
	request := []byte(legacy.request("1", "tools/list", "", "") + "\n")
	b.ReportAllocs()
	for b.Loop() {
		h.write(b, request)
		b.SetBytes(int64(h.read(b)))
	}
}

// BenchmarkRequest is what it costs to look a call over, before its tool is
// sought.
func BenchmarkRequest(b *testing.B) {
	a := New(config(b, nil))
	defer a.Close()
	s := newSession(a, io.Discard)
	line := bytes.TrimSpace(benchCall)
	b.ReportAllocs()
	for b.Loop() {
		m := &s.message
		if err := m.Parse(line); err != nil {
			b.Fatal(err)
		}
		s.request = request{id: m.ID, method: m.Method, params: m.Fields}
		if refused := s.parse(&s.request, m); refused != nil {
			b.Fatal(refused.message)
		}
	}
}
