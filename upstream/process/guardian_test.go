//go:build linux

package process_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/process"
)

// However weir ends, five seconds later nothing that it has started is there.
func TestNothingOutlivesWeir(t *testing.T) {
	tests := []struct {
		name     string
		children []string
		end      func(cmd *exec.Cmd, stdin io.Closer)
	}{
		{"killed", []string{"deaf"}, killOne},
		{"its group killed", []string{"deaf", "stubborn"}, killGroup},
		{"killed, grandchild in the group", []string{"parent,stubborn,here,wait"}, killOne},
		{"killed, grandchild in a session of its own", []string{"parent,stubborn,away,wait"}, killGroup},
		{"killed, grandchild of a launcher that has ended", []string{"forks,stubborn,1"}, killOne},
		{"its group killed, grandchild forked three times over", []string{"forks,stubborn,3"}, killGroup},
		{"over without stopping its children", []string{"deaf"}, func(_ *exec.Cmd, stdin io.Closer) { _ = stdin.Close() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := startWeir(t, tt.children)
			begin := time.Now()
			tt.end(w.cmd, w.stdin)
			_ = w.cmd.Wait()
			for len(running(w.pids)) > 0 || len(carriers(w.token)) > 0 {
				if time.Since(begin) > 5*time.Second {
					t.Fatalf("got processes %v and %v after 5 s, want none", running(w.pids), carriers(w.token))
				}
				<-time.After(10 * time.Millisecond) // strangers to this process: nothing else tells of their end
			}
		})
	}
}

func killOne(cmd *exec.Cmd, _ io.Closer)   { _ = cmd.Process.Kill() }
func killGroup(cmd *exec.Cmd, _ io.Closer) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// A weirProcess is this test binary in the role of weir.
type weirProcess struct {
	cmd   *exec.Cmd
	stdin io.Closer
	pids  []int
	token string
}

func startWeir(t *testing.T, children []string) *weirProcess {
	t.Helper()
	cmd := exec.Command(executable(), children...)
	cmd.Env = append(os.Environ(), roleVariable+"=weir")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &weirProcess{cmd: cmd, stdin: stdin}
	for out := bufio.NewReader(stdout); ; {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if token, ok := strings.CutPrefix(strings.TrimSpace(line), "token "); ok {
			w.token = token
			return w
		}
		w.pids = append(w.pids, readPid(t, bufio.NewReader(strings.NewReader(line)), "child "))
	}
}

func running(pids []int) []int {
	var left []int
	for _, pid := range pids {
		if runs(pid) {
			left = append(left, pid)
		}
	}
	return left
}

// A weir that is the first process of a container leaves no zombies behind.
func TestOrphansAreReaped(t *testing.T) {
	cmd := exec.Command(executable())
	cmd.Env = append(os.Environ(), roleVariable+"=first")
	out, err := cmd.Output()
	if err != nil || string(out) != "zombies 0\n" {
		t.Errorf("got %q, %v, want no zombies", out, err)
	}
}

func TestCloseWithoutChildren(t *testing.T) {
	within(t, "the end of a guardian that never began", newGuardian(nil).Close())
}

func TestCloseTwice(t *testing.T) {
	g := guard(t)
	c, out := start(t, g, program("exit", "0"))
	_, _ = io.Copy(io.Discard, out)
	within(t, "the end", c.Done())
	within(t, "the guardian's end", g.Close())
	within(t, "the guardian's end", g.Close())
}

func TestGuardianMissing(t *testing.T) {
	var warned []error
	g := process.NewGuardian([]string{"/nonexistent/weir"}, func(err error) { warned = append(warned, err) })
	c, out := start(t, g, program("exit", "0"))
	_, _ = io.Copy(io.Discard, out)
	within(t, "the end", c.Done())
	const want = `starting the guardian of children: starting "/nonexistent/weir": `
	if len(warned) != 1 || !strings.HasPrefix(warned[0].Error(), want) {
		t.Errorf("got warnings %v, want one of %q", warned, want)
	}
	within(t, "the guardian's end", g.Close())
}

// A guardian that somebody ends is replaced, and its successor knows all groups.
func TestGuardianReplaced(t *testing.T) {
	g := guard(t)
	first, firstOut := start(t, g, program("parent", "stubborn", "away", "leave"))
	grandchild := readGrandchild(t, firstOut)
	for _, pid := range guardians(t) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for len(guardians(t)) > 0 {
		<-time.After(time.Millisecond) // a stranger to this process: nothing else tells of its end
	}
	second, secondOut := start(t, g, program("cat"))
	second.Stop(process.Patience{EOF: time.Minute})
	first.Stop(process.Patience{})
	_, _ = io.Copy(io.Discard, secondOut)
	_, _ = io.Copy(io.Discard, firstOut)
	within(t, "the first end", first.Done())
	within(t, "the second end", second.Done())
	within(t, "the guardian's end", g.Close())
	if runs(grandchild) {
		t.Error("got a grandchild that outlives the second guardian")
	}
}

// guardians returns the guardians that run from this test binary.
func guardians(t *testing.T) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if pid, convErr := strconv.Atoi(e.Name()); err == nil && convErr == nil && runs(pid) &&
			string(line) == executable()+"\x00"+guardianArgument+"\x00" {
			pids = append(pids, pid)
		}
	}
	return pids
}
