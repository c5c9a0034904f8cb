package rig

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// RelayCommand is the first argument of a program that is to call [Relay].
const RelayCommand = "rig-relay"

// The manners of a relay, the arguments behind its socket.
const (
	Stubborn = "stubborn" // it does not end by itself, nor by SIGTERM
	Parent   = "parent"   // it starts a stubborn process that has left its group
	idle     = "idle"     // it is that process
)

// oldest is when a relay ends that everybody has forgotten.
const oldest = 10 * time.Minute

// Relay is the main function of a child over stdio: what comes on its standard
// input goes to the socket that args[0] names, and back. It returns the exit code.
func Relay(args []string) int {
	time.AfterFunc(oldest, func() { os.Exit(3) })
	socket, manners := args[0], args[1:]
	if slices.Contains(manners, Stubborn) || slices.Contains(manners, idle) {
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	}
	if slices.Contains(manners, idle) {
		select {}
	}
	if slices.Contains(manners, Parent) {
		if err := haveChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
	}
	messages, err := dialRelay(socket, "messages")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	noise, err := dialRelay(socket, "noise")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	go func() { _, _ = io.Copy(os.Stderr, noise) }()
	go func() {
		_, _ = io.Copy(messages, os.Stdin)
		if slices.Contains(manners, Stubborn) {
			return
		}
		os.Exit(0)
	}()
	_, _ = io.Copy(os.Stdout, messages)
	return 1 // the server is gone, and so is the child
}

func dialRelay(socket, what string) (net.Conn, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(c, "%s %d\n", what, os.Getpid())
	return c, err
}

func haveChild() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, RelayCommand, "", idle)
	leaveGroup(cmd)
	return cmd.Start()
}

// relays are the children of a server over stdio, by their process ids.
type relays struct {
	mu     sync.Mutex
	noise  map[int]*noise
	frozen map[int]bool // whatever has become of their connections
}

// noise is the way to the standard error of a child, which is opened beside that
// of its messages.
type noise struct {
	opened chan struct{}
	conn   net.Conn // once opened
}

func (r *relays) noiseOf(pid int) *noise {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.noise[pid]
	if n == nil {
		n = &noise{opened: make(chan struct{})}
		r.noise[pid] = n
	}
	return n
}

func (r *relays) forget(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.noise, pid)
}

func (r *relays) pids() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []int
	for pid := range r.noise {
		all = append(all, pid)
	}
	slices.Sort(all)
	return all
}

func (r *relays) freeze(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen[pid] = true
	freeze(pid)
}

func (r *relays) thaw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for pid := range r.frozen {
		thaw(pid)
	}
	clear(r.frozen)
}

func (n *noise) Write(p []byte) (int, error) {
	<-n.opened
	return n.conn.Write(p)
}
