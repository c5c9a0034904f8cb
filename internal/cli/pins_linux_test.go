package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// typed runs a command on a terminal of its own, on which a person types.
func typed(t *testing.T, input string, args ...string) outcome {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer master.Close()
	control, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	_ = control.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	var reader sync.WaitGroup
	reader.Go(func() { _, _ = shown.ReadFrom(master) })
	if _, err := master.WriteString(input); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	code := Main(Process{Args: args, Stdin: terminal, Stdout: terminal, Stderr: &stderr, Environ: append(os.Environ(), "NO_COLOR=1")})
	if err := terminal.Close(); err != nil {
		t.Error(err)
	}
	reader.Wait()
	return outcome{code, strings.ReplaceAll(shown.String(), "\r\n", "\n"), stderr.String()}
}

// newChanging is a server whose definitions were pinned, and changed since.
func newChanging(t *testing.T, mode string) (config string) {
	t.Helper()
	server := upstreamtest.New(upstreamtest.Script{Tools: []json.RawMessage{
		json.RawMessage(`{"name":"a","description":"adds"}`), json.RawMessage(`{"name":"b"}`), json.RawMessage(`{"name":"c"}`),
	}})
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	newHome(t)
	config = writeConfig(t, fmt.Sprintf("servers:\n  srv: {url: %q, pin: %s}\naliases: {other: srv}\n", web.URL, mode))
	weir(t, "tools", "--config", config).wants(t, exitOK, "srv__a", "3 tools")
	server.SetTools(json.RawMessage(`{"name":"a","description":"subtracts"}`), json.RawMessage(`{"name":"b","x":1}`), json.RawMessage(`{"name":"c"}`))
	weir(t, "servers", "--config", config).wants(t, exitOK, "srv")
	return config
}

// states are the states of all items, in their order.
func states(t *testing.T, config string) string {
	t.Helper()
	got := weir(t, "pins", "list", "--json", "--config", config)
	var lines []struct{ State string }
	if err := json.Unmarshal([]byte(got.stdout), &lines); err != nil {
		t.Fatalf("%v in %s%s", err, got.stdout, got.stderr)
	}
	var all []string
	for _, line := range lines {
		all = append(all, line.State)
	}
	return strings.Join(all, ", ")
}

func wantStates(t *testing.T, config, want string) {
	t.Helper()
	if got := states(t, config); got != want {
		t.Errorf("got states %q, want %q", got, want)
	}
}

func TestPinsApprove(t *testing.T) {
	t.Run("one after the other", func(t *testing.T) {
		config := newChanging(t, "block")
		wantStates(t, config, "held back, held back, same, same")
		typed(t, "\n\n", "pins", "approve", "--config", config).wants(t, exitOK, "- adds\n", "+ subtracts\n", "srv tool b", "x (added)")
		typed(t, "y\nYES\n", "pins", "approve", "--config", config).wants(t, exitOK)
		typed(t, "\x04", "pins", "approve", "--config", config).wants(t, exitOK)
		wantStates(t, config, "held back, held back, same, same")
		got := typed(t, "yes\nno\n", "pins", "approve", "other", "--config", config)
		got.wants(t, exitOK, "Accepted.")
		if n := strings.Count(got.stdout, "Accepted."); n != 1 {
			t.Errorf("accepted %d, want 1:\n%s", n, got.stdout)
		}
		wantStates(t, config, "same, held back, same, same")
		weir(t, "tools", "--config", config).wants(t, exitOK, "srv__a", "2 tools")
		typed(t, "yes\n", "pins", "approve", "srv__b", "--config", config).wants(t, exitOK, "Accepted.")
		wantStates(t, config, "same, same, same, same")
		typed(t, "", "pins", "approve", "--config", config).wants(t, exitOK, "Nothing has changed")
		weir(t, "pins", "diff", "--config", config).wants(t, exitOK, "Nothing has changed")
	})
	t.Run("all at once", func(t *testing.T) {
		config := newChanging(t, "warn")
		wantStates(t, config, "changed, changed, same, same")
		typed(t, "\n", "pins", "approve", "--all", "--config", config).wants(t, exitOK, "accept 2 definitions")
		wantStates(t, config, "changed, changed, same, same")
		typed(t, "yes\n", "pins", "approve", "--all", "--config", config).wants(t, exitOK, "+ subtracts\n", "Accepted.")
		wantStates(t, config, "same, same, same, same")
	})
	t.Run("off", func(t *testing.T) {
		config := newChanging(t, "off")
		wantStates(t, config, "")
		weir(t, "pins", "diff", "--config", config).wants(t, exitOK, "Nothing has changed")
	})
	t.Run("damaged", func(t *testing.T) {
		config := newChanging(t, "block")
		file := filepath.Join(os.Getenv("HOME"), ".local", "state", "weir", "pins-srv.json")
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		weir(t, "pins", "--config", config).wants(t, exitFailed, "pins are damaged", "weir pins approve srv")
		typed(t, "\n", "pins", "approve", "--config", config).wants(t, exitOK, "pins are damaged", "not known any more", "+ subtracts")
		if text, err := os.ReadFile(file); string(text) != "{" {
			t.Errorf("file is %q, %v, want it as it was", text, err)
		}
		typed(t, "yes\n", "pins", "approve", "--config", config).wants(t, exitOK, "(4 definitions)", "The file is ", "Accepted.")
		wantStates(t, config, "same, same, same, same")
		if aside, err := filepath.Glob(file + ".damaged-*"); len(aside) != 1 || err != nil {
			t.Errorf("put aside: got %q, %v, want one file", aside, err)
		}
	})
	t.Run("by no person", func(t *testing.T) {
		config := newChanging(t, "block")
		weirWithInput(t, "yes\n", "pins", "approve", "--config", config).wants(t, exitUsage, "in a terminal")
		wantStates(t, config, "held back, held back, same, same")
	})
}
