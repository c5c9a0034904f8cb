package transport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/process"
)

// The test binary is the guardian and the servers too.
const (
	guardianArgument = "__guardian"
	roleVariable     = "TEST_ROLE"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == guardianArgument {
		process.GuardianMain()
		syscall.Exit(0) // os.Exit takes a second under the race detector
	}
	if role := os.Getenv(roleVariable); role != "" {
		syscall.Exit(serve(role))
	}
	os.Exit(m.Run())
}

const pong = `{"jsonrpc":"2.0","id":1,"result":{}}`

// serve is a server that does one thing wrong, or nothing.
func serve(role string) int {
	in := bufio.NewReader(os.Stdin)
	switch role {
	case "echo":
		_, _ = io.Copy(os.Stdout, in)
	case "dies":
		_, _ = in.ReadString('\n')
		fmt.Fprintln(os.Stderr, "first\nlast words")
		return 3
	case "closes":
		_ = os.Stdout.Close()
		<-time.After(time.Minute)
	case "garbage":
		fmt.Printf("banner\n%s\n{\"half", pong)
	case "huge":
		out := bufio.NewWriterSize(os.Stdout, 1<<20)
		_, _ = out.WriteString(`{"jsonrpc":"2.0","result":"`)
		piece := strings.Repeat("x", 1<<20)
		for range 100 {
			_, _ = out.WriteString(piece)
		}
		_, _ = out.WriteString("\",\"id\":9}\n" + pong + "\n")
		_ = out.Flush()
	case "silent":
		_, _ = io.Copy(io.Discard, in)
	case "stuck":
		fmt.Println(pong)
		<-time.After(time.Minute)
	}
	return 0
}

// dial starts a role and checks at the end of the test that nothing is left.
func dial(t *testing.T, role string, recv Receiver, limit int) *Stdio {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	descriptors := openDescriptors(t)
	g := process.NewGuardian([]string{program, guardianArgument}, func(err error) { t.Error(err) })
	c, err := NewStdio(process.Spec{Path: program, Env: []string{roleVariable + "=" + role}}, g, recv, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		wait(t, "the connection's end", c.Done())
		wait(t, "the guardian's end", g.Close())
		if left := openDescriptors(t); left > descriptors {
			t.Errorf("got %d descriptors, want %d", left, descriptors)
		}
	})
	return c
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	count := 0
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		// Go's poller has two descriptors of its own from the first pipe on.
		if err == nil && target != "anon_inode:[eventpoll]" && target != "anon_inode:[eventfd]" {
			count++
		}
	}
	return count
}

func wait(t *testing.T, what string, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		stacks := make([]byte, 1<<20)
		t.Fatalf("waiting for %s takes too long\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}

func TestStdioLost(t *testing.T) {
	tests := []struct {
		role   string
		want   string
		stderr string
		events []string
	}{
		{"dies", "server ended: exit status 3", "last words", nil},
		{"closes", "server closed its output", "", nil},
		{"garbage", "server ended: exit status 0", "", []string{
			"malformed : invalid JSON at byte 0: want a value", "0 " + pong,
			"malformed : invalid JSON at byte 6: string ends early",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.role, func(t *testing.T) {
			var recv recorder
			c := dial(t, tt.role, &recv, linesLimit)
			if err := c.Send(nil, line(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)); err != nil && tt.role == "dies" {
				t.Fatal(err)
			}
			wait(t, "the loss", c.Lost())
			ended, ok := errors.AsType[*EndedError](c.Err())
			if !ok || ended.Error() != tt.want || ended.Stderr != tt.stderr {
				t.Errorf("got %#v, want %q and stderr %q", c.Err(), tt.want, tt.stderr)
			}
			if diff := cmp.Diff(tt.events, recv.got()); diff != "" {
				t.Errorf("received (-want +got)\n%s", diff)
			}
		})
	}
}

func TestStdioEcho(t *testing.T) {
	var recv arrivals
	recv.arrived = make(chan struct{}, 100)
	c := dial(t, "echo", &recv, linesLimit)
	text := `{"jsonrpc":"2.0","id":"a","result":{"big":9007199254740993,"text":"` + strings.Repeat("é<&>", 1<<16) + `"}}`
	for range 8 {
		if err := c.Send(nil, line(text)); err != nil {
			t.Fatal(err)
		}
	}
	for range 8 {
		wait(t, "an echo", recv.arrived)
	}
	for _, got := range recv.got() {
		if got != "0 "+text {
			t.Errorf("got %.80q, want %.80q", got, text)
		}
	}
}

// arrivals is a recorder that tells of each event.
type arrivals struct {
	recorder
	arrived chan struct{}
}

func (a *arrivals) Receive(b *jsonrpc.Batch, m *jsonrpc.Message, origin uint64) {
	a.recorder.Receive(b, m, origin)
	a.arrived <- struct{}{}
}

func (a *arrivals) Malformed(b *jsonrpc.Batch, id []byte, err error) {
	a.recorder.Malformed(b, id, err)
	a.arrived <- struct{}{}
}

// A message over the limit fails, and the next one is read.
func TestStdioHugeLine(t *testing.T) {
	const limit = 64 << 20
	var recv recorder
	c := dial(t, "huge", &recv, limit)
	wait(t, "the loss", c.Lost())
	want := []string{"malformed 9: message is longer than 67108864 bytes", "0 " + pong}
	if diff := cmp.Diff(want, recv.got()); diff != "" {
		t.Errorf("received (-want +got)\n%s", diff)
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	if stats.HeapSys > 4*limit {
		t.Errorf("got a heap of %d MB, want at most four messages", stats.HeapSys>>20)
	}
}

func TestStdioTerminate(t *testing.T) {
	recv := &arrivals{arrived: make(chan struct{}, 1)}
	c := dial(t, "stuck", recv, linesLimit)
	wait(t, "the server", recv.arrived)
	begin := time.Now()
	c.Terminate(time.Minute)
	wait(t, "the end", c.Done())
	if took := time.Since(begin); took > eofPatience {
		t.Errorf("took %v, want SIGTERM at once", took)
	}
	if err := c.Err(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want %v", err, ErrClosed)
	}
	if err := c.Send(nil, line("{}")); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want %v", err, ErrClosed)
	}
}

func TestStdioSilent(t *testing.T) {
	c := dial(t, "silent", &recorder{}, linesLimit)
	if err := c.Send(nil, line(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	wait(t, "the loss", c.Lost())
	wait(t, "the end", c.Done())
}

func TestStdioMissing(t *testing.T) {
	g := process.NewGuardian([]string{"/nonexistent/weir"}, nil)
	_, err := NewStdio(process.Spec{Path: "/nonexistent/server"}, g, &recorder{}, linesLimit)
	if _, ok := errors.AsType[*DialError](err); !ok || !errors.Is(err, os.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v, want a DialError of a file that does not exist", err)
	}
	wait(t, "the guardian's end", g.Close())
}
