//go:build linux

package process_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-mcp/weir/upstream/process"
)

func TestChildEnds(t *testing.T) {
	gentle := process.Patience{EOF: 20 * time.Second, Term: 20 * time.Second}
	term := process.Patience{Term: 20 * time.Second}
	tests := []struct {
		name     string
		role     []string
		ready    string // the line to wait for
		patience *process.Patience
		want     string
		rest     string // what is left on stdout
	}{
		{"by itself", []string{"exit", "0"}, "", nil, "exit status 0", ""},
		{"with a status", []string{"exit", "3"}, "", nil, "exit status 3", ""},
		{"by a signal", []string{"abort"}, "", nil, "killed by signal 9", ""},
		{"at the end of stdin", []string{"cat"}, "", &gentle, "exit status 0", ""},
		{"at SIGTERM", []string{"polite"}, "ready", &term, "exit status 7", "terminated\n"},
		{"at SIGKILL", []string{"stubborn"}, "ready", &process.Patience{Term: 50 * time.Millisecond}, "killed by signal 9", ""},
		{"at once", []string{"stubborn"}, "ready", &process.Patience{}, "killed by signal 9", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, out := start(t, guard(t), program(tt.role...))
			if tt.ready != "" {
				wantLine(t, out, tt.ready)
			}
			if tt.patience != nil {
				c.Stop(*tt.patience)
			}
			rest, err := io.ReadAll(out)
			if err != nil || string(rest) != tt.rest {
				t.Errorf("got rest %q, %v, want %q", rest, err, tt.rest)
			}
			within(t, "the end", c.Done())
			if got := c.State(); got != tt.want {
				t.Errorf("got state %q, want %q", got, tt.want)
			}
		})
	}
}

func TestStopManyTimes(t *testing.T) {
	c, out := start(t, guard(t), program("stubborn"))
	wantLine(t, out, "ready")
	c.Stop(process.Patience{EOF: time.Hour, Term: time.Hour})
	var stops sync.WaitGroup
	for range 10 {
		stops.Go(func() { c.Stop(process.Patience{EOF: time.Millisecond, Term: time.Millisecond}) })
	}
	stops.Wait()
	c.Stop(process.Patience{EOF: time.Hour})
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	within(t, "the end", c.Done())
	c.Stop(process.Patience{})
}

// What a leader leaves behind must not outlive it, nor hold its pipes.
func TestGroupEnds(t *testing.T) {
	leave := func(c *process.Child) { _, _ = c.Stdin().Write([]byte{'\n'}) }
	stop := func(c *process.Child) { c.Stop(process.Patience{Term: 50 * time.Millisecond}) }
	tests := []struct {
		name  string
		role  []string
		end   func(*process.Child)
		stays bool // the grandchild, until the guardian looks for it
	}{
		{"leader gone", []string{"parent", "deaf", "here", "leave"}, leave, false},
		{"leader gone, member ignores SIGTERM", []string{"parent", "stubborn", "here", "leave"}, leave, false},
		{"stopped", []string{"parent", "stubborn", "here", "wait"}, stop, false},
		{"member in a session of its own", []string{"parent", "stubborn", "away", "leave"}, leave, true},
		{"stopped, member in a session of its own", []string{"parent", "deaf", "away", "wait"}, stop, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardian(func(err error) { t.Error(err) })
			c, out := start(t, g, program(tt.role...))
			grandchild := readGrandchild(t, out)
			tt.end(c)
			if _, err := io.Copy(io.Discard, out); err != nil {
				t.Error(err)
			}
			within(t, "the end", c.Done())
			if got := runs(grandchild); got != tt.stays {
				t.Errorf("grandchild runs: got %v, want %v", got, tt.stays)
			}
			within(t, "the guardian's end", g.Close())
			if runs(grandchild) {
				t.Error("grandchild runs after the guardian's end")
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	spec := program("cat")
	spec.Output = 256 << 10
	c, out := start(t, guard(t), spec)
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	go func() {
		_, _ = c.Stdin().Write(sent)
		_ = c.Stdin().Close()
	}()
	got, err := io.ReadAll(out)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, %v, want the %d that were sent", len(got), err, len(sent))
	}
	within(t, "the end", c.Done())
}

func TestStderr(t *testing.T) {
	tests := []struct {
		role      string
		wantLines func(lines []string) bool
		wantTail  string
	}{
		{"flood", func(lines []string) bool {
			return len(lines) >= 200 && len(lines) < 5000 && strings.HasSuffix(lines[len(lines)-1], "lines left out)")
		}, "line 49999\n"},
		{"long", func(lines []string) bool {
			return len(lines) == 2 && len(lines[0]) == 4<<10 && lines[1] == "end"
		}, "x\nend\n"},
	}
	for _, tt := range tests {
		t.Run(tt.role, func(t *testing.T) {
			var lines []string // written by one goroutine that has ended at Done
			spec := program(tt.role)
			spec.Stderr = func(line []byte) { lines = append(lines, string(line)) }
			c, out := start(t, guard(t), spec)
			if _, err := io.Copy(io.Discard, out); err != nil {
				t.Error(err)
			}
			within(t, "the end", c.Done())
			if !tt.wantLines(lines) {
				t.Errorf("got %d lines, the last %.80q", len(lines), lines[len(lines)-1])
			}
			if tail := c.Stderr(); len(tail) != 64<<10 || !strings.HasSuffix(string(tail), tt.wantTail) {
				t.Errorf("got a tail of %d bytes that ends in %q, want 64 KiB to %q", len(tail), tail[len(tail)-20:], tt.wantTail)
			}
		})
	}
}

func TestNoOtherDescriptors(t *testing.T) {
	// A descriptor as careless programs leave them to what they start.
	fd, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c, out := start(t, guard(t), program("fds"))
	got, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	within(t, "the end", c.Done())
	if lines := strings.Count(string(got), "\n"); lines != 3 {
		t.Errorf("got descriptors\n%swant three", got)
	}
}

func TestToken(t *testing.T) {
	g := guard(t)
	spec := program("env")
	spec.Env = append(spec.Env, "WEIR_CHILD=of another weir", "A=b")
	c, out := start(t, g, spec)
	got, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	within(t, "the end", c.Done())
	if !strings.Contains(string(got), "WEIR_CHILD="+g.Token()+"\n") || strings.Count(string(got), "WEIR_") != 1 {
		t.Errorf("got environment\n%swant one WEIR_CHILD, %s", got, g.Token())
	}
}

func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		spec process.Spec
		want string
	}{
		{"no such file", process.Spec{Path: dir + "/none"}, `starting "` + dir + `/none": no such file or directory`},
		{"not executable", process.Spec{Path: plain}, `starting "` + plain + `": permission denied`},
		{"no folder", process.Spec{Path: executable(), Dir: dir + "/none"}, `starting "` + executable() + `": working folder "` + dir + `/none": no such file or directory`},
		{"NUL in the environment", process.Spec{Path: executable(), Env: []string{"A=\x00"}}, `starting "` + executable() + `": exec: environment variable contains NUL`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := process.Start(tt.spec, guard(t))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
		})
	}
}
