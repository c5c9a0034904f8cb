package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A terminal is a pseudo terminal with a command of the user's on it.
type terminal struct {
	near  *os.File
	ended chan error // gets how the command ended

	mu   sync.Mutex
	text strings.Builder
}

// onTerminal starts a command on a terminal. It is ended with the test.
func (u *user) onTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	near, far := openTerminal(t)
	cmd := u.command(args...)
	cmd.Env = append(cmd.Env, "TERM=dumb")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = far.Close()
	term := &terminal{near: near, ended: make(chan error, 1)}
	var running sync.WaitGroup
	running.Go(func() { term.ended <- cmd.Wait() })
	running.Go(term.read)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = near.Close()
		running.Wait()
	})
	return term
}

func openTerminal(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	conn, err := near.SyscallConn() // Fd would make Close wait for Read
	if err != nil {
		t.Fatal(err)
	}
	var number int
	var failed error
	err = conn.Control(func(fd uintptr) {
		number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		failed = errors.Join(failed, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
	})
	if err = errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

func (term *terminal) read() {
	buffer := make([]byte, 4096)
	for {
		n, err := term.near.Read(buffer)
		if err != nil {
			return // the command has ended
		}
		term.mu.Lock()
		term.text.Write(buffer[:n])
		term.mu.Unlock()
	}
}

// seen is all that was on the terminal so far.
func (term *terminal) seen() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.text.String()
}

func (term *terminal) awaits(t *testing.T, words string) {
	t.Helper()
	until(t, fmt.Sprintf("the terminal shows %q", words), func() bool { return strings.Contains(term.seen(), words) })
}

// TestOIDCOverSSH: the browser is on another machine, and what it is sent to in
// the end is pasted into the terminal.
func TestOIDCOverSSH(t *testing.T) {
	t.Parallel()
	o := startOIDC(t, 60)
	u := newUser(t, o.config())
	term := u.withBrowser().onTerminal(t, "login", "notes", "--no-browser")
	term.awaits(t, "paste the address of that page here.")
	address := regexp.MustCompile(`(?m)^http://\S+/auth\?\S+`).FindString(term.seen())
	v, err := browse(t.Context(), address, func(next *url.URL) bool { return next.Path == "/callback" })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(term.near, "http://127.0.0.1/callback?code=x&state=y\n"); err != nil {
		t.Fatal(err)
	}
	term.awaits(t, "That is not it:")
	if _, err := io.WriteString(term.near, v.End+"\n"); err != nil {
		t.Fatal(err)
	}
	term.awaits(t, "Logged in to notes.")
	if err := <-term.ended; err != nil {
		t.Errorf("weir login: %v:\n%s", err, term.seen())
	}
	if visits := u.visits(t); len(visits) != 0 {
		t.Errorf("a browser was opened: %+v", visits)
	}
	u.wants(t, []string{"ada by a registered client"}, "call", "notes__whoami")
}
