package customtools

import (
	"context"

	"github.com/weir-mcp/weir/upstream/transport"
)

// Dial connects to a server of its own for these tools. It runs nothing before a
// call comes; resolve reads the references in environments and headers then. What commands write to their error output goes to recv.Stderr, and so does
// why a tool could not be run; from any goroutine. A message may have limit bytes.
func Dial(tools []Tool, p Processes, resolve Resolver, recv transport.Receiver, limit int) transport.Conn {
	near, far := transport.Memory()
	s := &server{
		tools: tools, processes: p, resolve: resolve, client: newClient(), stream: far, complain: recv.Stderr,
		running: make(map[string]context.CancelCauseFunc),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve(limit)
	}()
	return transport.NewLines(&served{near, done}, recv, limit)
}

// served is the stream to a server that is done only when the server is: when it
// has no call, command or connection left.
type served struct {
	transport.Stream

	done chan struct{}
}

func (s *served) Done() <-chan struct{} { return s.done }
