//go:build unix

package customtools

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCancelEndsTheProgram: a cancelled call is not answered, and its program is
// gone soon, however deaf it is.
func TestCancelEndsTheProgram(t *testing.T) {
	tool := command(t, "deaf", texts)
	file := t.TempDir() + "/pid"
	tool.Command = &Command{Program: "/bin/sh", Env: tool.Command.Env}
	self, _ := os.Executable()
	for _, arg := range []string{"-c", "exec " + self + " > " + file} {
		tool.Command.Args = append(tool.Command.Args, Element{Template: Template{literalPart(arg)}})
	}
	c := dial(t, tool)
	c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run"}}`)
	pid := waitForPid(t, file)
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	c.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if got := c.receive(); !strings.Contains(got, `"id":2`) {
		t.Errorf("got %s", got)
	}
	c.near.Close()
	<-c.done
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("process %d is still there", pid)
	}
}

func waitForPid(t *testing.T, file string) int {
	t.Helper()
	for range 1000 {
		text, _ := os.ReadFile(file)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && strings.HasSuffix(string(text), "\n") {
			return pid
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal("the program does not start")
	return 0
}
