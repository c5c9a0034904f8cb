package customtools

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/process"
	"github.com/weir-mcp/weir/upstream/transport"
)

const (
	guardianArgument = "guard-children"
	roleVariable     = "CUSTOMTOOLS_TEST_ROLE"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == guardianArgument {
		process.GuardianMain()
		syscall.Exit(0)
	}
	if role := os.Getenv(roleVariable); role != "" {
		syscall.Exit(play(role, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// play is the test binary as the program of a tool.
func play(role string, args []string) int {
	switch role {
	case "args": // each of them on its line, quoted
		for _, arg := range args {
			fmt.Println(strconv.Quote(arg))
		}
	case "cat":
		_, _ = io.Copy(os.Stdout, os.Stdin)
	case "env":
		fmt.Println(os.Getenv(args[0]))
	case "fail":
		fmt.Print("some output")
		fmt.Fprintln(os.Stderr, "it is broken")
		return 3
	case "flood":
		fmt.Print(strings.Repeat("é", maxOutput)) // which are twice as many bytes
	case "deaf": // says who it is, and ends with SIGKILL only
		signal.Ignore(syscall.SIGTERM)
		fmt.Println(os.Getpid())
		<-time.After(time.Minute)
	case "sleep":
		<-time.After(time.Minute)
	}
	return 0
}

// command is a tool whose program is the test binary.
func command(t testing.TB, role, input string, args ...string) Tool {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &Command{Program: program, Env: map[string]string{roleVariable: role}}
	for _, arg := range args {
		e, err := ParseElement(arg, nil)
		if err != nil {
			t.Fatalf("%q: %v", arg, err)
		}
		c.Args = append(c.Args, e)
	}
	return Tool{Name: "run", Description: "Runs.", Input: inputOf(t, input), Command: c}
}

func inputOf(t testing.TB, text string) *Input {
	t.Helper()
	in, err := NewInput([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return in
}

func templateOf(t testing.TB, text string) *Template {
	t.Helper()
	made, err := ParseTemplate(text, nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return &made
}

// A client talks to a server of tools, without weir between.
type client struct {
	t     testing.TB
	lines *bufio.Scanner
	out   io.Writer
	done  chan struct{}
	near  transport.Stream
	said  chan string // what went to the log
}

func dial(t testing.TB, tools ...Tool) *client {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	guardian := process.NewGuardian([]string{self, guardianArgument}, func(err error) { t.Errorf("guardian: %v", err) })
	near, far := transport.Memory()
	c := &client{t: t, lines: bufio.NewScanner(near.Input()), out: near.Output(), done: make(chan struct{}), near: near, said: make(chan string, 100)}
	c.lines.Buffer(nil, 64<<20)
	s := &server{
		tools: tools, client: newClient(), stream: far, running: map[string]context.CancelCauseFunc{},
		processes: Processes{Guardian: guardian, Finder: process.NewFinder(guardian, os.Environ()), Environ: os.Environ()},
		complain: func(line []byte) {
			select {
			case c.said <- string(line):
			default:
			}
		},
	}
	go func() {
		defer close(c.done)
		s.serve(64 << 20)
	}()
	t.Cleanup(func() {
		near.Close()
		<-c.done
		<-guardian.Close()
	})
	return c
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.out, format+"\n", args...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) receive() string {
	c.t.Helper()
	if !c.lines.Scan() {
		c.t.Fatalf("the stream ended: %v", c.lines.Err())
	}
	if !jsonrpc.Valid(c.lines.Bytes()) {
		c.t.Fatalf("not JSON: %s", c.lines.Bytes())
	}
	return c.lines.Text()
}

// A result is what a call was answered with.
type result struct {
	Content []struct{ Type, Text string }
	IsError bool
	Meta    struct {
		Error struct {
			Kind          string
			MaybeExecuted bool
		} `json:"weir/error"`
	} `json:"_meta"`
}

func (r result) text() string {
	var texts []string
	for _, c := range r.Content {
		texts = append(texts, c.Text)
	}
	return strings.Join(texts, "\n")
}

// call calls the first tool.
func (c *client) call(arguments string) result {
	c.t.Helper()
	c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run","arguments":%s}}`, arguments)
	var m struct{ Result result }
	if err := json.Unmarshal([]byte(c.receive()), &m); err != nil {
		c.t.Fatal(err)
	}
	return m.Result
}
