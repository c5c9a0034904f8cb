package cli

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A child is a weir that serves this process, its host.
type child struct {
	cmd    *exec.Cmd
	host   *host
	stderr tail
}

// startChild starts a program as a host does: on pipes.
func startChild(program string, args, env []string) (*child, error) {
	c := &child{cmd: exec.Command(program, args...)} //nolint:noctx // stop bounds its life
	c.cmd.Env = env
	c.cmd.Stderr = &c.stderr
	c.cmd.WaitDelay = time.Second // for grandchildren that hold stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting weir: %w", err)
	}
	c.host = newHost(out, in)
	return c, nil
}

// stop ends the child as a host does: EOF, and a kill for one that stays.
func (c *child) stop() {
	kill := time.AfterFunc(5*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	c.host.close()
	_ = c.cmd.Wait() // how it ended is of no interest any more
}

// explain adds to an error what the child had to say.
func (c *child) explain(err error) error {
	if said := c.stderr.String(); said != "" {
		return fmt.Errorf("%w\nweir said:\n%s", err, said)
	}
	return err
}

// A tail keeps the last few KiB that were written. It is safe for concurrent
// use.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

// tailSize is how much a tail keeps, in bytes.
const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	t.buf.Next(max(0, t.buf.Len()-tailSize))
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(withoutControls(t.buf.String()))
}
