package upstream

import (
	"context"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// bell is a Sink that only says that it is done.
type bell chan struct{}

func (bell) Progress(*jsonrpc.Batch, *jsonrpc.Message) {}
func (s bell) Done(*jsonrpc.Batch, Answer)             { s <- struct{}{} }

// echo answers every request, at the pace of the client, over pipes of the
// system.
func echo(b *testing.B) Dialer {
	var servers sync.WaitGroup
	b.Cleanup(servers.Wait)
	return func(_ context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
		fromServer, toClient, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		fromClient, toServer, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		servers.Go(func() {
			defer toClient.Close()
			answer(fromClient, toClient)
		})
		return transport.NewLines(transport.Pipes(fromServer, toServer), recv, cfg.MessageLimit), nil
	}
}

func answer(in io.Reader, out io.Writer) {
	w := jsonrpc.NewWriter(out)
	defer w.Close()
	var batch jsonrpc.Batch
	var m jsonrpc.Message
	head, result, begun := []byte(`{"jsonrpc":"2.0","id":`), []byte(`,"result":{"content":[{"type":"text","text":"ok"}]}}`), []byte(`,"result":`+initResult+`}`)
	lines := jsonrpc.NewReader(in, 1<<20, batch.Flush)
	for {
		line, err := lines.Next()
		if err != nil {
			return
		}
		if m.Parse(line) != nil || m.Kind != jsonrpc.Request {
			continue
		}
		tail := result
		if string(m.Method) == "initialize" {
			tail = begun
		}
		_ = w.Queue(&batch, head, m.ID, tail)
	}
}

// BenchmarkCall is one call after the other.
func BenchmarkCall(b *testing.B) {
	u := open(b, Config{}, echo(b), legacyHost)
	params := toolCall(nil, "echo", `"arguments":{"text":"hello"},"_meta":{"progressToken":1}`)
	done := make(bell, 1)
	b.ReportAllocs()
	for b.Loop() {
		call := &Call{Method: params.Method, Name: params.Name, Params: params.Params, Meta: params.Meta, Progress: true, Sink: done}
		u.Do(nil, call)
		<-done
	}
}

// BenchmarkInFlight is calls of which 256 are in flight all the time.
func BenchmarkInFlight(b *testing.B) {
	u := open(b, Config{}, echo(b), legacyHost)
	params := toolCall(nil, "echo", `"arguments":{"text":"hello"}`)
	done := make(bell, 256)
	for range 256 {
		done <- struct{}{}
	}
	b.ReportAllocs()
	for b.Loop() {
		<-done
		u.Do(nil, &Call{Method: params.Method, Name: params.Name, Params: params.Params, Sink: done})
	}
	for range 256 {
		<-done
	}
}
