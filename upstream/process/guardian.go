package process

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// A Guardian is a small process of weir's own that ends what weir leaves
// behind, however weir ends: the groups of its children with SIGTERM, two
// seconds later with SIGKILL, and on Linux every process whose environment
// carries the Guardian's token. It is started with the first child and again
// if somebody ends it. Where the system does this itself (Windows) there is no
// such process. It is safe for concurrent use.
//
// One Guardian serves all children of a weir. Its owner closes it when they
// have ended.
type Guardian struct {
	command []string
	warn    func(error)
	token   string

	mu     sync.Mutex
	watch  *watch         // guarded by mu; nil before the first child
	groups map[int]string // guarded by mu; number -> start of the leader
	closed bool           // guarded by mu
	reaper *reaper        // guarded by mu; nil before the first child, or for none
	begun  bool           // guarded by mu; the first child
}

// watch is the running process.
type watch struct {
	pipe  *os.File      // tells it what to watch; its end says that weir has ended
	ended chan struct{} // closed when the process has ended
}

// NewGuardian returns a Guardian. command, by an absolute path, runs a program,
// weir itself, whose main function calls [GuardianMain] and nothing else when it is started so.
// warn takes the error when the process cannot be started or told: the children
// then go on without; nil ignores it.
func NewGuardian(command []string, warn func(error)) *Guardian {
	if warn == nil {
		warn = func(error) {}
	}
	token := make([]byte, 16)
	_, _ = rand.Read(token) // never fails
	return &Guardian{
		command: command,
		warn:    warn,
		token:   hex.EncodeToString(token),
		groups:  make(map[int]string),
	}
}

// Token is the value of WEIR_CHILD that every child gets: random, not secret.
func (g *Guardian) Token() string { return g.token }

// Close tells the process that weir has ended: it ends what is left, mostly
// nothing, and then itself. The channel is closed when it has.
func (g *Guardian) Close() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.reaper.end()
	}
	g.closed = true
	if g.watch == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	_ = g.watch.pipe.Close() // the end of the pipe is the message
	return g.watch.ended
}

// prepare sees to it that the process is there before a child is.
func (g *Guardian) prepare() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed && !g.begun {
		g.begun, g.reaper = true, startReaper()
	}
	if g.closed || g.watch != nil || !guarded {
		return
	}
	if err := g.start(); err != nil {
		g.warn(fmt.Errorf("starting the guardian of children: %w", err))
	}
}

// add makes a group known. Its leader is not reaped yet, so the number is its.
func (g *Guardian) add(pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.groups[pid] = startOf(pid)
	g.tell(startedLine(pid, g.groups[pid]))
}

func (g *Guardian) remove(pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.groups, pid)
	g.tell(endedLine(pid))
}

// tell sends a line. A process that does not take it has been ended by
// somebody: a new one takes its place.
func (g *Guardian) tell(line string) {
	if g.closed || g.watch == nil {
		return
	}
	if g.watch.send(line) == nil {
		return
	}
	_ = g.watch.pipe.Close()
	g.watch = nil
	if err := g.start(); err != nil {
		g.warn(fmt.Errorf("starting the guardian of children again: %w", err))
	}
}

// start starts the process and tells it all there is to know.
func (g *Guardian) start() error {
	w, err := startWatch(g.command)
	if err != nil {
		return err
	}
	lines := tokenLine(g.token)
	for _, pid := range slices.Sorted(maps.Keys(g.groups)) {
		lines += startedLine(pid, g.groups[pid])
	}
	if err := w.send(lines); err != nil {
		_ = w.pipe.Close()
		return err
	}
	g.watch = w
	return nil
}

// send does not wait for a process that is stopped: the pipe holds thousands of
// lines.
func (w *watch) send(lines string) error {
	if err := w.pipe.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err := w.pipe.WriteString(lines)
	return err
}

// The lines between weir and its guardian: first the token, then a group that
// has started, with the start of its leader, or one that has ended.
func tokenLine(token string) string              { return fmt.Sprintf("token %s\n", token) }
func startedLine(pid int, started string) string { return fmt.Sprintf("+ %d %s\n", pid, started) }
func endedLine(pid int) string                   { return fmt.Sprintf("- %d\n", pid) }
