package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/state"
)

// terminal is a pseudo terminal: far is the end that programs have.
type terminal struct {
	near, far *os.File
	more      chan struct{} // something was seen
	reading   sync.WaitGroup

	mu   sync.Mutex
	seen strings.Builder
}

func newTerminal(t *testing.T) *terminal {
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
	far, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	tty := &terminal{near: near, far: far, more: make(chan struct{}, 1)}
	tty.reading.Go(tty.read)
	t.Cleanup(func() {
		_ = near.Close() // the other end hangs up
		_ = far.Close()
		tty.reading.Wait()
	})
	return tty
}

func (tty *terminal) read() {
	buffer := make([]byte, 4096)
	for {
		n, err := tty.near.Read(buffer)
		if err != nil {
			return
		}
		tty.mu.Lock()
		tty.seen.Write(buffer[:n])
		tty.mu.Unlock()
		select {
		case tty.more <- struct{}{}:
		default:
		}
	}
}

// dialog runs a command on the terminal and types each line after the words that
// stand before it: words, line, words, line. It returns what was seen.
func (tty *terminal) dialog(t *testing.T, args []string, script ...string) (code int, seen string) {
	t.Helper()
	ended := make(chan int, 1)
	go func() {
		ended <- Main(Process{Args: args, Stdin: tty.far, Stdout: tty.far, Stderr: tty.far, Environ: append(os.Environ(), "TERM=dumb")})
	}()
	at := 0
	deadline := time.After(20 * time.Second)
	await := func(words string) {
		for {
			text := tty.text()
			if i := strings.Index(text[at:], words); i >= 0 {
				at += i + len(words)
				return
			}
			select {
			case <-tty.more:
			case <-deadline:
				t.Fatalf("terminal never showed %q:\n%s", words, text)
			}
		}
	}
	for i := 0; i+1 < len(script); i += 2 {
		await(script[i])
		if _, err := io.WriteString(tty.near, script[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if len(script)%2 == 1 {
		await(script[len(script)-1])
	}
	select {
	case code = <-ended:
	case <-deadline:
		t.Fatalf("it does not end:\n%s", tty.text())
	}
	return code, tty.text()
}

func (tty *terminal) text() string {
	tty.mu.Lock()
	defer tty.mu.Unlock()
	return strings.ReplaceAll(tty.seen.String(), "\r\n", "\n")
}

// waitingCall lets a call wait as a weir that serves does, and returns its
// session.
func waitingCall(t *testing.T, subject approval.Subject) (*approval.Store, *approval.Session, *approval.Call) {
	t.Helper()
	folder, err := state.UserFolder(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	store := approval.NewStore(folder)
	session := store.NewSession()
	c, err := approval.NewCall(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Wait(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return store, session, c
}

func removal(arguments string) approval.Subject {
	return approval.Subject{
		Principal: policy.Principal{Key: "laptop"}, Server: "files", Kind: policy.Tool, Name: "remove",
		Arguments: []byte(arguments), Definition: []byte(`{"name":"remove"}`),
		Client: policy.Client{Name: "host\x1b[2J", Version: "1"}, Why: "rule 2 (mcp.yaml:7)",
	}
}

func TestApproveOnTerminal(t *testing.T) {
	const ask, howFar = "leave it waiting: ", "press Enter for 1: "
	tests := []struct {
		name     string
		script   []string
		approved []bool // the call, and the same once more
		waits    bool
	}{
		{"once", []string{ask, "yes\n", howFar, "\n", "Approved: once."}, []bool{true, false}, false},
		{"arguments", []string{ask, "yes\n", howFar, "2\n", "Approved: these arguments always."}, []bool{true, true}, false},
		{"session", []string{ask, "yes\n", howFar, "3\n", "Approved: this tool for this session."}, []bool{true, true}, false},
		{"tool", []string{ask, "yes\n", howFar, "9\n", howFar, "all\n", howFar, "4\n", "Approved: this tool always."}, []bool{true, true}, false},
		{"y is not yes", []string{ask, "y\n", ask, "YES\n", ask, "\n", "It goes on waiting."}, []bool{false}, true},
		{"no", []string{ask, "no\n", "Refused."}, []bool{false}, false},
		{"end of input", []string{ask, "\x04"}, []bool{false}, true},
		{"end of input instead of a scope", []string{ask, "yes\n", howFar, "\x04"}, []bool{false}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			newHome(t)
			store, session, c := waitingCall(t, removal("{\"path\":\"/x\\u001b[2J\u202e\"}"))
			code, seen := newTerminal(t).dialog(t, []string{"approve"}, test.script...)
			if code != exitOK {
				t.Errorf("exit code: got %d", code)
			}
			for _, part := range []string{
				"1 of 1", "files", "remove", `"path": "/x\u001b[2J\u202e"`, "rule 2 (mcp.yaml:7)", `host\u001b[2J 1`, "key laptop", "just now",
			} {
				if !strings.Contains(seen, part) {
					t.Errorf("not seen: %q", part)
				}
			}
			if strings.ContainsAny(seen, "\x1b\u202e") {
				t.Error("a control character was shown")
			}
			for i, want := range test.approved {
				if got, err := session.Approved(t.Context(), c); got != want || err != nil {
					t.Errorf("call %d: got %v, %v, want %v", i+1, got, err, want)
				}
			}
			if waiting, err := store.Waiting(); (len(waiting) == 1) != test.waits || err != nil {
				t.Errorf("got %v, %v", waiting, err)
			}
			if t.Failed() {
				t.Log(seen)
			}
		})
	}
}

// TestApproveLargeArguments: nobody says yes to what was not shown.
func TestApproveLargeArguments(t *testing.T) {
	arguments := `{"text":"` + strings.Repeat("x", maxShown) + `"}`
	newHome(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	_, session, c := waitingCall(t, removal(arguments))
	const first, ask = "read the arguments first", "leave it waiting: "
	_, seen := newTerminal(t).dialog(t, []string{"approve"}, first, "yes\n", first, "file\n", `Type "yes"`, "\n", "It goes on waiting.")
	if strings.Contains(seen, "xxxxx") {
		t.Error("the arguments are shown")
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	if ok, err := session.Approved(t.Context(), c); ok || err != nil {
		t.Errorf("got %v, %v, want no approval", ok, err)
	}
	_, seen = newTerminal(t).dialog(t, []string{"approve"}, first, "show\n", ask, "yes\n", "press Enter for 1: ", "1\n", "Approved")
	if !strings.Contains(seen, strings.Repeat("x", maxShown)) {
		t.Error("the arguments are not shown")
	}
	if ok, err := session.Approved(t.Context(), c); !ok || err != nil {
		t.Errorf("got %v, %v, want the approval", ok, err)
	}
}

// TestApproveWantsTerminal: both ends must be one, whatever the flags.
func TestApproveWantsTerminal(t *testing.T) {
	newHome(t)
	_, session, c := waitingCall(t, removal(`{}`))
	tty := newTerminal(t)
	for name, p := range map[string]Process{
		"none":   {Stdin: strings.NewReader("yes\n1\n"), Stdout: io.Discard},
		"output": {Stdin: strings.NewReader("yes\n1\n"), Stdout: tty.far},
		"input":  {Stdin: tty.far, Stdout: io.Discard},
	} {
		for _, args := range [][]string{{"approve"}, {"approve", "--revoke"}, {"approve", "--yes"}} {
			var stderr strings.Builder
			p.Args, p.Stderr, p.Environ = args, &stderr, os.Environ()
			if _, err := io.WriteString(tty.near, "\x04"); err != nil { // the end of the input, should it be read
				t.Fatal(err)
			}
			if code := Main(p); code != exitUsage || !strings.Contains(stderr.String(), "weir: ") {
				t.Errorf("%s terminal, %q: got %d, %q", name, args, code, stderr.String())
			}
		}
	}
	if ok, err := session.Approved(t.Context(), c); ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestApproveRevoke(t *testing.T) {
	newHome(t)
	store, session, c := waitingCall(t, removal(`{"path":"/x"}`))
	newTerminal(t).dialog(t, []string{"approve"}, "waiting: ", "yes\n", "for 1: ", "4\n", "Approved")
	weir(t, "approve", "--revoke", "--list").wants(t, exitOK, "this tool always, tool remove of files, approved just now")
	weir(t, "approve", "--revoke", "--list", "--json").wants(t, exitOK, `"scope": "this tool always"`)
	newTerminal(t).dialog(t, []string{"approve", "--revoke"}, "to keep it: ", "\n")
	if ok, _ := session.Approved(t.Context(), c); !ok {
		t.Error("it was withdrawn without a yes")
	}
	newTerminal(t).dialog(t, []string{"approve", "--revoke"}, "to keep it: ", "yes\n", "Withdrawn.")
	if ok, err := session.Approved(t.Context(), c); ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
	if code, _ := newTerminal(t).dialog(t, []string{"approve", "--revoke"}, "Nothing is approved."); code != exitOK {
		t.Errorf("exit code: got %d", code)
	}
	if _, err := os.Stat(store.Path()); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}
