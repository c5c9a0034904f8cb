package bridge

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// patience is how long a process may take to end when its stdin has.
const patience = 5 * time.Second

// A process is a stdio server, and what is going on with it.
type process struct {
	cmd     *exec.Cmd
	number  int // among all
	trace   *trace
	stdin   io.WriteCloser
	problem func(error)
	done    chan struct{} // closed when stdout has ended

	sending sync.Mutex // of lines to stdin

	mu      sync.Mutex
	ended   bool
	calls   []*call // in flight, the oldest first
	dropped map[string]bool
	general *queue // legacy: of what belongs to no call. In the modern era, nothing may
}

// A call is a request in flight. Its answer is the last line in its queue.
type call struct {
	id     string // raw
	token  string // the progress token, raw
	logs   bool   // it asked for log messages
	listen bool   // it is a subscription
	lines  *queue
}

// errInFlight says that a request's id is the id of another one.
var errInFlight = errors.New("this id is in flight")

func (p *process) start() error {
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go p.read(stdout)
	return nil
}

// read hands out what the server says until it says no more.
func (p *process) read(stdout io.Reader) {
	defer close(p.done)
	lines := jsonrpc.NewReader(stdout, maxMessage, nil)
	for {
		line, err := lines.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.problem(fmt.Errorf("reading from the server: %w", err))
			}
			break
		}
		line = slices.Clone(line)
		p.trace.line(p.number, "←", line)
		m := &jsonrpc.Message{}
		if err := m.Parse(line); err != nil {
			p.problem(fmt.Errorf("the server said what is no message: %s: %w", line, err))
			continue
		}
		if !p.take(m) {
			p.problem(fmt.Errorf("the server said what belongs to no request: %s", line))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, c := range p.calls {
		c.lines.close()
	}
	if p.general != nil {
		p.general.close()
	}
}

// take gives one message to whom it belongs, if there is anybody.
func (p *process) take(m *jsonrpc.Message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.Kind == jsonrpc.Response || m.Kind == jsonrpc.Failure {
		i := slices.IndexFunc(p.calls, func(c *call) bool { return c.id == string(m.ID) })
		if i < 0 {
			return p.dropped[string(m.ID)]
		}
		p.calls[i].lines.put(m.Raw)
		p.calls[i].lines.close()
		p.calls = slices.Delete(p.calls, i, i+1)
		return true
	}
	to := p.general
	if c := p.owner(m); c != nil {
		to = c.lines
	}
	if to == nil {
		return false
	}
	to.put(m.Raw)
	return true
}

// owner is the call that a request or notification of the server belongs to, as
// far as it can be told, or nil. p.mu is held.
func (p *process) owner(m *jsonrpc.Message) *call {
	if id := meta(m.Fields, keySubscription); id != nil {
		return p.find(func(c *call) bool { return c.id == string(id) })
	}
	switch method := string(m.Method); method {
	case "notifications/progress":
		token := string(jsonrpc.Find(m.Fields, "progressToken"))
		return p.find(func(c *call) bool { return c.token == token })
	case "notifications/tools/list_changed", "notifications/prompts/list_changed",
		"notifications/resources/list_changed", "notifications/resources/updated":
		return nil
	}
	if c := p.find(func(c *call) bool { return c.logs }); c != nil {
		return c
	}
	if len(p.calls) == 1 && !p.calls[0].listen {
		return p.calls[0]
	}
	return nil
}

func (p *process) find(match func(*call) bool) *call {
	i := slices.IndexFunc(p.calls, match)
	if i < 0 {
		return nil
	}
	return p.calls[i]
}

// begin sends a request. Where the id is in flight, it sends nothing and returns
// errInFlight.
func (p *process) begin(m *jsonrpc.Message) (*call, error) {
	c := &call{
		id: string(m.ID), token: string(meta(m.Fields, "progressToken")), logs: meta(m.Fields, keyLogLevel) != nil,
		listen: string(m.Method) == "subscriptions/listen", lines: newQueue(),
	}
	p.mu.Lock()
	if p.find(func(other *call) bool { return other.id == c.id }) != nil {
		p.mu.Unlock()
		return nil, errInFlight
	}
	if p.ended {
		p.mu.Unlock()
		return nil, io.ErrClosedPipe
	}
	p.calls = append(p.calls, c)
	delete(p.dropped, c.id)
	p.mu.Unlock()
	if err := p.send(m.Raw); err != nil {
		p.drop(c)
		return nil, err
	}
	return c, nil
}

// drop forgets a call. It reports whether it was in flight.
func (p *process) drop(c *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.calls, c)
	if i < 0 {
		return false
	}
	p.calls = slices.Delete(p.calls, i, i+1)
	p.dropped[c.id] = true
	return true
}

// send writes one line.
func (p *process) send(line []byte) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.trace.line(p.number, "→", line)
	_, err := p.stdin.Write(append(slices.Clip(line), '\n'))
	return err
}

// end closes stdin and waits for the process to end.
func (p *process) end() {
	p.stdin.Close()
	late := time.AfterFunc(patience, func() {
		p.problem(errors.New("the server did not end with its stdin"))
		_ = p.cmd.Process.Kill()
	})
	<-p.done
	err := p.cmd.Wait()
	if late.Stop() && err != nil {
		p.problem(fmt.Errorf("the server ended with %w", err))
	}
}
