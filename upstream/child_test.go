package upstream

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// stubbornVariable names a file: the test binary then writes its process id
// there, never answers, and ends with SIGKILL only.
const stubbornVariable = "UPSTREAM_TEST_STUBBORN"

func stubborn() int {
	signal.Ignore(syscall.SIGTERM)
	file := os.Getenv(stubbornVariable)
	if err := os.WriteFile(file+".new", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return 1
	}
	if err := os.Rename(file+".new", file); err != nil {
		return 1
	}
	<-time.After(time.Minute)
	return 0
}

// openChild is open for a scripted server as a child process.
func openChild(t *testing.T, cfg Config, s script) fixture {
	t.Helper()
	noLeak(t)
	if s.Tools == nil {
		s.Tools = tools("echo")
	}
	cfg.Transport = Stdio
	cfg.Command, cfg.Env = upstreamtest.Command(t, s)
	return open(t, cfg, nil, legacyHost)
}

func TestChildDiesMidCall(t *testing.T) {
	u := openChild(t, Config{}, script{Tools: tools("echo", "die"), Rules: []rule{on("tools/call die", step{Exit: true, Code: 3})}})
	u.mustCall(t, "echo")
	f := fault(t, u.call(t, "die", "").err, KindConnection, true)
	if !strings.Contains(f.Text, "exit status 3") || !f.Retryable {
		t.Errorf("got %+v", f)
	}
	u.mustCall(t, "echo")
}

func TestChildNeverAnswers(t *testing.T) {
	u := openChild(t, Config{Timeout: 50 * time.Millisecond}, script{Tools: tools("echo", "mute"), Rules: []rule{on("tools/call mute")}})
	if _, err := u.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	fault(t, u.call(t, "mute", "").err, KindTimeout, true)
}

func TestChildExitsAtOnce(t *testing.T) {
	for _, p := range []Peer{legacyHost, modernHost} {
		t.Run(p.Version, func(t *testing.T) {
			u := openChild(t, Config{}, script{Start: []step{{Stderr: "no token in /home/x"}, {Exit: true, Code: 4}}})
			u.set.Open(p)
			f := fault(t, u.call(t, "echo", "").err, KindConnection, false)
			if !strings.Contains(f.Text, "(exit status ") || strings.Contains(f.Text+f.Hint, "/home") {
				t.Errorf("got %+v", f)
			}
			if st := u.Status(); st.State != Backoff {
				t.Errorf("got state %q, want backoff", st.State)
			}
		})
	}
}

func TestNoSuchCommand(t *testing.T) {
	noLeak(t)
	u := open(t, Config{Transport: Stdio, Command: filepath.Join(t.TempDir(), "secret")}, nil, legacyHost)
	f := fault(t, u.call(t, "echo", "").err, KindConnection, false)
	if strings.Contains(f.Text+f.Hint, "secret") {
		t.Errorf("got %+v", f)
	}
}

// A child that answers nothing and ignores SIGTERM is gone when the Set is
// closed, whenever that is.
func TestStubbornChild(t *testing.T) {
	noLeak(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pid")
	u := open(t, Config{
		Transport: Stdio, Command: program, Env: map[string]string{stubbornVariable: file}, ConnectTimeout: 500 * time.Millisecond,
	}, nil, legacyHost)
	began := time.Now()
	fault(t, u.call(t, "echo", "").err, KindTimeout, false)
	if took := time.Since(began); took > time.Second {
		t.Errorf("got the failure after %v, want 500ms", took)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Skip("the machine is too slow for this test:", err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	u.set.Close()
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("closing took %v", took)
	}
	child, err := os.FindProcess(pid)
	if err == nil && child.Signal(syscall.Signal(0)) == nil {
		t.Error("the child is still there")
	}
}

func TestChildFloodsStderr(t *testing.T) {
	u := openChild(t, Config{}, script{Rules: []rule{on("tools/call echo", step{Stderr: "$fill", Fill: 1000, Repeat: 5000}, step{Default: true})}})
	u.mustCall(t, "echo")
}
