package rig

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Folders are where weirs live: several at once share them, as those of one user
// do.
type Folders struct{ Home, Cache, Config, State string }

// NewFolders makes them below dir.
func NewFolders(dir string) (Folders, error) {
	f := Folders{
		Home: filepath.Join(dir, "home"), Cache: filepath.Join(dir, "cache"),
		Config: filepath.Join(dir, "config"), State: filepath.Join(dir, "state"),
	}
	for _, folder := range []string{f.Home, f.Cache, f.Config, f.State} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return f, err
		}
	}
	return f, nil
}

// A Process is one weir. Its methods may be called from any goroutine, but for
// Send.
type Process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	temp   string // TMPDIR: empty but for what weir leaves there, and the mark of all that it starts
	stderr string // a file
	state  string // the folder of state

	ended chan struct{} // closed when it has ended and all that it has said was taken
	how   error         // guarded by ended
}

// Start starts weir, in the folders and with a temp folder of its own below dir.
// take gets each line of its output, without the line end, from one goroutine;
// the line is take's. The last lines may come while it ends.
func Start(command []string, f Folders, dir string, environ []string, take func(line []byte)) (*Process, error) {
	dir, err := os.MkdirTemp(dir, "weir")
	if err != nil {
		return nil, err
	}
	p := &Process{temp: filepath.Join(dir, "temp"), stderr: filepath.Join(dir, "stderr"), state: f.State, ended: make(chan struct{})}
	if err := os.Mkdir(p.temp, 0o700); err != nil {
		return nil, err
	}
	log, err := os.Create(p.stderr)
	if err != nil {
		return nil, err
	}
	defer log.Close()                                                             // the process has its own
	p.cmd = exec.CommandContext(context.Background(), command[0], command[1:]...) // it ends by its input
	p.cmd.Dir, p.cmd.Stderr = f.Home, log
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + f.Home, "TMPDIR=" + p.temp,
		"XDG_CACHE_HOME=" + f.Cache, "XDG_CONFIG_HOME=" + f.Config, "XDG_STATE_HOME=" + f.State,
		// With the race detector a process would sleep for a second at its end.
		"GORACE=atexit_sleep_ms=0",
	}, environ...)
	if err := p.run(take); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Process) run(take func(line []byte)) error {
	in, toWeir, err := os.Pipe()
	if err != nil {
		return err
	}
	p.stdin, p.cmd.Stdin = toWeir, in
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return errors.Join(err, in.Close(), toWeir.Close())
	}
	err = errors.Join(p.cmd.Start(), in.Close())
	if err != nil {
		return errors.Join(err, toWeir.Close())
	}
	go func() {
		defer close(p.ended)
		takeLines(stdout, take)
		p.how = p.cmd.Wait()
	}()
	return nil
}

func takeLines(stdout io.Reader, take func(line []byte)) {
	r := bufio.NewReaderSize(stdout, 1<<16)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			take(bytes.TrimSuffix(line, []byte{'\n'}))
		}
		if err != nil {
			return
		}
	}
}

// Send writes lines, with their line ends. It waits no longer than limit for weir
// to read.
func (p *Process) Send(lines []byte, limit time.Duration) error {
	if err := p.stdin.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := p.stdin.Write(lines)
	return err
}

// CloseInput is how a host ends weir.
func (p *Process) CloseInput() { p.stdin.Close() }

// Signal sends a signal. The process may have ended.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends the process without grace.
func (p *Process) Kill() { p.Signal(syscall.SIGKILL) }

// Ended is closed when the process has.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Outcome is how it has ended: nil with exit code 0. It waits for that.
func (p *Process) Outcome() error {
	<-p.ended
	p.stdin.Close()
	return p.how
}

// Pid is its number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stderr is what it, and nobody else, has said there so far.
func (p *Process) Stderr() ([]byte, error) { return os.ReadFile(p.stderr) }

// Files counts its open files.
func (p *Process) Files() (int, error) { return count(fmt.Sprintf("/proc/%d/fd", p.Pid())) }

// Threads counts the threads that the system runs it by.
func (p *Process) Threads() (int, error) { return count(fmt.Sprintf("/proc/%d/task", p.Pid())) }

func count(folder string) (int, error) {
	entries, err := os.ReadDir(folder)
	return len(entries), err
}

// Memory is how many bytes of it are in memory.
func (p *Process) Memory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, errors.New("no VmRSS in status")
}

// LeftInTemp lists what is in its temp folder.
func (p *Process) LeftInTemp() ([]string, error) {
	entries, err := os.ReadDir(p.temp)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

// A Running is a process that the system runs.
type Running struct {
	Pid     int
	Command string
}

// Detached reports whether it is what a relay with the manners of a [Parent] has
// started, and which has left that child's group: it may outlive the child, but
// not weir.
func (r Running) Detached() bool { return strings.HasSuffix(r.Command, " "+idle) }

// Signal sends a signal. The process may have ended.
func (r Running) Signal(s os.Signal) {
	if p, err := os.FindProcess(r.Pid); err == nil {
		_ = p.Signal(s)
	}
}

// Freeze stops the process until Thaw, where the system can.
func (r Running) Freeze() { freeze(r.Pid) }

// Thaw lets the process go on.
func (r Running) Thaw() { thaw(r.Pid) }

// Offspring lists the processes that run because of this one, and are not it:
// children, theirs, its guardian, whatever they have become.
func (p *Process) Offspring() []Running {
	mark := []byte("TMPDIR=" + p.temp)
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	var found []Running
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil || pid == p.Pid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil || !hasEntry(environ, mark) {
			continue // it has ended, is another user's, or is a zombie
		}
		command, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err == nil && len(command) > 0 {
			found = append(found, Running{pid, string(bytes.ReplaceAll(bytes.TrimSuffix(command, []byte{0}), []byte{0}, []byte{' '}))})
		}
	}
	return found
}

func hasEntry(environ, entry []byte) bool {
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(variable, entry) {
			return true
		}
	}
	return false
}
