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
const patience = 60 * time.Second

// A host runs an MCP server as a host would, over its standard streams. Methods
// are for one goroutine.
type host struct {
	cmd *exec.Cmd
	*wire
}

// A wire is the host's end of a stream of lines, which keeps the bytes of all
// that the server says. Methods are for one goroutine.
type wire struct {
	stdin io.WriteCloser

	mu      sync.Mutex
	inbox   [][]byte // messages not taken yet
	ended   bool     // stdout has ended
	stderr  bytes.Buffer
	changed chan struct{} // closed, and replaced, with each change of the above
}

// startHost starts the command. It is the caller's to close.
func startHost(cmd *exec.Cmd) (*host, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h := &host{cmd: cmd, wire: newWire(stdin)}
	cmd.Stderr = (*stderrOf)(h.wire)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go h.read(stdout)
	return h, nil
}

func newWire(stdin io.WriteCloser) *wire { return &wire{stdin: stdin, changed: make(chan struct{})} }

func (w *wire) read(stdout io.Reader) {
	r := bufio.NewReaderSize(stdout, 1<<16)
	for {
		line, err := r.ReadBytes('\n')
		w.change(func() {
			if len(line) > 0 {
				w.inbox = append(w.inbox, bytes.TrimSuffix(line, []byte{'\n'}))
			}
			w.ended = err != nil
		})
		if err != nil {
			return
		}
	}
}

func (w *wire) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// stderrOf is the writer for the standard error of a host's child.
type stderrOf wire

func (w *stderrOf) Write(p []byte) (int, error) {
	h := (*wire)(w)
	h.change(func() { h.stderr.Write(p) })
	return len(p), nil
}

// await waits until done says so, under h.mu. It gives up when the server has
// closed its stdout, or patience ends.
func (w *wire) await(what string, done func() bool) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		w.mu.Lock()
		ok, ended, changed := done(), w.ended, w.changed
		w.mu.Unlock()
		switch {
		case ok:
			return nil
		case ended:
			return w.problem("server closed its stdout before " + what)
		}
		select {
		case <-changed:
		case <-timeout.C:
			return w.problem("timeout waiting for " + what)
		}
	}
}

// problem is an error that shows what the server has said besides.
func (w *wire) problem(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	b.WriteString(what)
	for _, line := range w.inbox {
		fmt.Fprintf(&b, "\n  not expected: %s", shorten(line))
	}
	fmt.Fprintf(&b, "\n  stderr: %s", shorten(w.stderr.Bytes()))
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
func (w *wire) send(text string) error { return w.write([]byte(text + "\n")) }

func (w *wire) write(p []byte) error {
	_, err := w.stdin.Write(p)
	return err
}

// take waits for the first message for which match is true, and removes it. A
// line that is no message is an error: stdout carries nothing else.
func (w *wire) take(what string, match func(*jsonrpc.Message) bool) ([]byte, error) {
	var found []byte
	var wrong error
	err := w.await(what, func() bool {
		for i, line := range w.inbox {
			m, err := parse(line)
			if err != nil {
				wrong = fmt.Errorf("stdout has %q: %w", shorten(line), err)
				return true
			}
			if match(m) {
				found = line
				w.inbox = append(w.inbox[:i:i], w.inbox[i+1:]...)
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
func (w *wire) answer(id string) ([]byte, error) {
	return w.take("the answer to "+id, func(m *jsonrpc.Message) bool {
		return m.Method == nil && string(m.ID) == id
	})
}

// notification waits for a notification of this method.
func (w *wire) notification(method string) ([]byte, error) {
	return w.take(method, func(m *jsonrpc.Message) bool {
		return m.Kind == jsonrpc.Notification && string(m.Method) == method
	})
}

// rest returns the messages that nobody has taken, without waiting.
func (w *wire) rest() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inbox
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
