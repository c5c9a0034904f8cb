package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/weir-mcp/weir/upstream/pipe"
)

// A Spec is a program to start.
type Spec struct {
	Path string   // of the program, absolute; required (see Finder)
	Args []string // without the program's own name
	Env  []string // all of it (see Environment); the guardian's token is added
	Dir  string   // working folder; "" = weir's own

	// Stderr takes each line that the child writes to its standard error,
	// without the line end, shortened to 4 KiB, and good until it returns. It is
	// called from one goroutine and must not block. Of a flood it gets a part,
	// with a line that tells how many were left out. nil: nobody.
	Stderr func(line []byte)

	// Output is how many bytes of its output a child may be ahead of its reader,
	// where the system can be told (Linux); 0 = the system's own measure.
	Output int
}

// A Child is a running program and all that it starts and that stays in its
// group. Its methods may be called from any goroutine.
type Child struct {
	cmd      *exec.Cmd
	group    group
	guardian *Guardian

	stdin  *pipe.End
	stdout *output
	stderr *stderr

	exited chan struct{} // closed when the leader is reaped
	done   chan struct{}
	hurry  chan struct{} // told when ladder has changed

	mu     sync.Mutex
	ladder ladder // guarded by mu
}

// Start starts a program at the head of a group of its own, under g. The
// caller reads Stdout to its end; what is left is closed when the child ends.
//
// A descriptor that weir was given by whoever started it, beyond the three
// standard ones, is marked so that no child gets it.
func Start(spec Spec, g *Guardian) (*Child, error) {
	closeOnExec()
	pipes, err := openPipes(spec.Output)
	if err != nil {
		return nil, fmt.Errorf("starting %q: %w", spec.Path, err)
	}
	cmd := &exec.Cmd{
		Path:        spec.Path,
		Args:        append([]string{spec.Path}, spec.Args...),
		Env:         replace(spec.Env, tokenVariable, g.Token()),
		Dir:         spec.Dir,
		Stdin:       pipes.childStdin,
		Stdout:      pipes.childStdout,
		Stderr:      pipes.childStderr,
		SysProcAttr: groupAttributes(),
	}
	g.prepare()
	err = cmd.Start()
	pipes.closeChildEnds()
	if err != nil {
		pipes.closeOwnEnds()
		return nil, startError(spec, err)
	}
	c := &Child{
		cmd:      cmd,
		group:    newGroup(cmd.Process),
		guardian: g,
		stdin:    pipes.stdin,
		stdout:   newOutput(pipes.stdout),
		stderr:   newStderr(pipes.stderr, spec.Stderr),
		exited:   make(chan struct{}),
		done:     make(chan struct{}),
		hurry:    make(chan struct{}, 1),
	}
	g.add(cmd.Process.Pid)
	go c.stderr.drain()
	go c.wait()
	go c.live()
	return c, nil
}

// startError names the program once. The system's error would do so again, and
// would name the program too where the working folder is what is missing.
func startError(spec Spec, err error) error {
	if spec.Dir != "" {
		if _, dirErr := os.Stat(spec.Dir); dirErr != nil {
			return fmt.Errorf("starting %q: working folder %q: %w", spec.Path, spec.Dir, withoutPath(dirErr))
		}
	}
	return fmt.Errorf("starting %q: %w", spec.Path, withoutPath(err))
}

func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// Stdin is what the child reads. The Child closes it.
func (c *Child) Stdin() *pipe.End { return c.stdin }

// Stdout is what the child writes, for one reader. It ends with io.EOF, at the
// latest shortly after the group has ended, even if somebody who has left the
// group still holds the other end.
func (c *Child) Stdout() io.Reader { return c.stdout }

// Pid is the process id of the leader, which is the number of the group too.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Stderr returns the last 64 KiB of what the child wrote to its standard error.
func (c *Child) Stderr() []byte { return c.stderr.last() }

// Exited is closed when the leader has ended. State then tells how.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// State tells how the leader ended: "exit status 3", "killed by signal 9". It
// is "" before Exited is closed.
func (c *Child) State() string {
	select {
	case <-c.exited:
	default:
		return ""
	}
	state := c.cmd.ProcessState
	if state == nil {
		return "lost"
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("killed by signal %d", status.Signal())
	}
	return state.String()
}

// Done is closed when nothing is left: the leader is reaped, its group gone,
// every pipe closed. That is within 7 s of the time that Stop gave, and mostly
// at once; a process that not even SIGKILL ends is left to the guardian.
func (c *Child) Done() <-chan struct{} { return c.done }

func (c *Child) wait() {
	defer close(c.exited)
	_ = c.cmd.Wait() // the state says it all
}

// How long what is not up to the child may take.
const (
	unkillable  = 2 * time.Second        // from SIGKILL to giving up
	leftBehind  = time.Second            // from the leader's end to SIGKILL for its group
	groupPoll   = 20 * time.Millisecond  // between looks at a group without a leader
	outputIdle  = 50 * time.Millisecond  // without output of those who have left the group; its own is all there
	lastWords   = 250 * time.Millisecond // for what is there of its stderr
	outputLimit = 5 * time.Second        // for a reader that is slow to take the rest
)

// live is the one goroutine that ends the child.
func (c *Child) live() {
	defer close(c.done)
	exited := c.exited
	for {
		next, over := c.climb()
		if over {
			break
		}
		timer := time.NewTimer(next)
		select {
		case <-exited:
			exited = nil
			c.Stop(Patience{Term: leftBehind})
		case <-c.hurry:
		case <-timer.C:
		}
		timer.Stop()
	}
	c.release()
}

// release gives back what the ended group has left.
func (c *Child) release() {
	if c.isGone() {
		c.guardian.remove(c.Pid())
	}
	c.group.release()
	_ = c.stdin.Close() // an error here leaves nothing to do
	c.stdout.beginEnd()
	c.stderr.end()
	c.stdout.finish()
}

func (c *Child) isGone() bool {
	select {
	case <-c.exited:
		return c.group.empty()
	default:
		return false
	}
}
