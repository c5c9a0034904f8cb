package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// patience is how long a host waits for something that should be there at
// once. Nothing is measured by it: it only ends a test that hangs.
const patience = 20 * time.Second

// A host runs an MCP server as a host would, over its standard streams, and
// keeps the bytes of all it says. Methods are for one goroutine.
type host struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser

	mu      sync.Mutex
	inbox   [][]byte // messages not taken yet
	ended   bool     // stdout has ended
	stderr  bytes.Buffer
	changed chan struct{} // closed, and replaced, with each change of the above
}

// startHost starts the command. It is the caller's to close.
func startHost(cmd *exec.Cmd) (*host, error) {
	h := &host{cmd: cmd, changed: make(chan struct{})}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.stdin = stdin
	cmd.Stderr = (*stderrOf)(h)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go h.read(stdout)
	return h, nil
}

func (h *host) read(stdout io.Reader) {
	r := bufio.NewReaderSize(stdout, 1<<16)
	for {
		line, err := r.ReadBytes('\n')
		h.change(func() {
			if len(line) > 0 {
				h.inbox = append(h.inbox, bytes.TrimSuffix(line, []byte{'\n'}))
			}
			h.ended = err != nil
		})
		if err != nil {
			return
		}
	}
}

func (h *host) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
}

// stderrOf is the writer for the standard error of a host's child.
type stderrOf host

func (w *stderrOf) Write(p []byte) (int, error) {
	h := (*host)(w)
	h.change(func() { h.stderr.Write(p) })
	return len(p), nil
}

// await waits until done says so, under h.mu. It gives up when the server has
// closed its stdout, or patience ends.
func (h *host) await(what string, done func() bool) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		h.mu.Lock()
		ok, ended, changed := done(), h.ended, h.changed
		h.mu.Unlock()
		switch {
		case ok:
			return nil
		case ended:
			return h.problem("server closed its stdout before " + what)
		}
		select {
		case <-changed:
		case <-timeout.C:
			return h.problem("timeout waiting for " + what)
		}
	}
}

// problem is an error that shows what the server has said besides.
func (h *host) problem(what string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	b.WriteString(what)
	for _, line := range h.inbox {
		fmt.Fprintf(&b, "\n  not expected: %s", shorten(line))
	}
	fmt.Fprintf(&b, "\n  stderr: %s", shorten(h.stderr.Bytes()))
	return errors.New(b.String())
}

func shorten(text []byte) []byte {
	const most = 2000
	if len(text) <= most {
		return text
	}
	return fmt.Appendf(nil, "%s … (%d bytes) … %s", text[:most/2], len(text), text[len(text)-most/2:])
}

// send writes text and a line end.
func (h *host) send(text string) error { return h.write([]byte(text + "\n")) }

func (h *host) write(p []byte) error {
	_, err := h.stdin.Write(p)
	return err
}

// take waits for the first message for which match is true, and removes it. A
// line that is no message is an error: stdout carries nothing else.
func (h *host) take(what string, match func(*jsonrpc.Message) bool) ([]byte, error) {
	var found []byte
	var wrong error
	err := h.await(what, func() bool {
		for i, line := range h.inbox {
			m, err := parse(line)
			if err != nil {
				wrong = fmt.Errorf("stdout has %q: %w", shorten(line), err)
				return true
			}
			if match(m) {
				found = line
				h.inbox = append(h.inbox[:i:i], h.inbox[i+1:]...)
				return true
			}
		}
		return false
	})
	return found, errors.Join(err, wrong)
}

// parse takes an error whose id is null for one without an id.
func parse(line []byte) (*jsonrpc.Message, error) {
	m := &jsonrpc.Message{}
	err := m.Parse(line)
	if err == nil {
		return m, nil
	}
	members, notObject := jsonrpc.ParseObject(nil, line)
	if notObject == nil && string(jsonrpc.Find(members, "id")) == "null" && m.Error != nil {
		return &jsonrpc.Message{Raw: line, Kind: jsonrpc.Failure, Error: m.Error}, nil
	}
	return nil, err
}

// answer waits for the response to the request with this raw id.
func (h *host) answer(id string) ([]byte, error) {
	return h.take("the answer to "+id, func(m *jsonrpc.Message) bool {
		return m.Method == nil && string(m.ID) == id
	})
}

// notification waits for a notification of this method.
func (h *host) notification(method string) ([]byte, error) {
	return h.take(method, func(m *jsonrpc.Message) bool {
		return m.Kind == jsonrpc.Notification && string(m.Method) == method
	})
}

// rest returns the messages that nobody has taken, without waiting.
func (h *host) rest() [][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.inbox
}

// close closes the server's stdin and waits for its end.
func (h *host) close() error {
	if err := h.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return h.wait()
}

// wait waits for the server's end; the error tells of another exit code than 0.
func (h *host) wait() error {
	timeout := time.AfterFunc(patience, func() { _ = h.cmd.Process.Signal(syscall.SIGABRT) })
	defer timeout.Stop()
	// Wait closes stdout: all of it must have been read by then.
	endErr := h.await("its end", func() bool { return h.ended })
	if err := h.cmd.Wait(); err != nil {
		return h.problem(fmt.Sprintf("server ended with %v", err))
	}
	return endErr
}

// kill ends the server without grace, if it is still there.
func (h *host) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.wait()
}
