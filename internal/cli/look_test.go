package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/config"
)

// reloading is a weir on a file, and who reloads it.
func reloading(t *testing.T, text string) (r *reloader, path string, log *strings.Builder) {
	t.Helper()
	newHome(t)
	path = writeConfig(t, text)
	log = &strings.Builder{}
	a := &app{Process: Process{Environ: os.Environ(), Stderr: log}, signals: &signals{}, configFlag: path}
	r = a.newReloader()
	cfg := r.firstConfig(t.Context())
	r.weir = aggregator.New(cfg)
	t.Cleanup(func() {
		r.weir.Close()
		closeAudit(r.audit.Load(), r.log)
		cfg.Auth.Close()
	})
	return r, path, log
}

// TestLook: what is found on the disk, and what comes of it: something half done is
// given time, and nothing is told twice.
func TestLook(t *testing.T) {
	const good, other, broken = "servers: {a: {command: x}}", "servers: {a: {command: x}, b: {command: y}}", "servers: {a: {commnd: x}}"
	type step struct {
		text     string // "-" takes the file away
		sure     bool
		halfDone bool
		servers  int
		logged   string // "" = nothing
	}
	const kept = "configuration cannot be used, so the one before goes on"
	tests := []struct {
		name  string
		begin string
		steps []step
	}{
		{"another", good, []step{{other, false, false, 2, "configuration taken anew"}, {other, false, false, 2, ""}}},
		{"touched", good, []step{{good, false, false, 1, ""}}},
		{"half written", good, []step{{broken, false, true, 1, ""}, {other, false, false, 2, "configuration taken anew"}}},
		{"truncated first", good, []step{{"", false, true, 1, ""}, {other, true, false, 2, "configuration taken anew"}}},
		{"broken", good, []step{{broken, false, true, 1, ""}, {broken, true, false, 1, "mcp.yaml:1"}, {broken, false, false, 1, ""}, {good, false, false, 1, "configuration taken anew"}}},
		{"empty", good, []step{{"# nothing", false, true, 1, ""}, {"# nothing", true, false, 1, errEmpty.Error()}}},
		{"gone and back", good, []step{{"-", false, true, 1, ""}, {"-", true, false, 1, kept}, {"-", false, false, 1, ""}, {good, false, false, 1, "configuration taken anew"}}},
		{"broken from the beginning", broken, []step{{broken, false, false, 0, ""}, {good, false, false, 1, "configuration taken anew"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, path, log := reloading(t, tt.begin)
			for i, s := range tt.steps {
				err := os.Remove(path)
				if s.text != "-" {
					err = os.WriteFile(path, []byte(s.text), 0o600)
				}
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				log.Reset()
				if got := r.look(s.sure); got != s.halfDone {
					t.Errorf("step %d: half done: got %v, want %v", i, got, s.halfDone)
				}
				if n := len(r.weir.Status()); n != s.servers {
					t.Errorf("step %d: got %d servers, want %d", i, n, s.servers)
				}
				if got := log.String(); got != "" && s.logged == "" || !strings.Contains(got, s.logged) {
					t.Errorf("step %d: got the log %q, want %q", i, got, s.logged)
				}
			}
		})
	}
}

// TestReloadSettings: the level of the log and the place of the audit log are as
// the file says, and no log stays open.
func TestReloadSettings(t *testing.T) {
	r, path, _ := reloading(t, "audit: {file: one.jsonl}\nservers: {a: {command: x}}\n")
	first := r.audit.Load()
	reload := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	if r.level.Sample(zerolog.DebugLevel) {
		t.Error("debug is logged from the beginning")
	}
	reload("log: {level: debug}\naudit: {file: one.jsonl}\nservers: {a: {command: x}}\n")
	if !r.level.Sample(zerolog.DebugLevel) || r.audit.Load() != first {
		t.Error("another level: want debug to be logged, and the audit log to be the same")
	}
	reload("audit: {file: two.jsonl, arguments: true}\nservers: {a: {command: x}}\n")
	second := r.audit.Load()
	if r.level.Sample(zerolog.DebugLevel) || second == first || !second.TakesArguments() {
		t.Error("without a level, and with another audit log: got the ones before")
	}
	reload("audit: {file: off}\nservers: {a: {command: x}}\n")
	if r.audit.Load() != nil {
		t.Error("audit off: got a log")
	}
	reload("servers: {a: {command: x}}\n")
	if r.audit.Load() == nil {
		t.Error("audit on again: got no log")
	}
}

// TestBrokenBeginning: a weir that was started with a broken file is, once that is
// corrected, as one that was started with the good one.
func TestBrokenBeginning(t *testing.T) {
	r, _, _ := reloading(t, "servers: [")
	closeAudit(r.audit.Load(), r.log) // another one takes its place
	cfg := r.begin(t.Context(), aggregator.Config{}, &config.File{})
	defer cfg.Auth.Close()
	if cfg.Pins == nil || cfg.Approvals == nil {
		t.Error("it pins nothing, or approves nothing")
	}
}

// TestPipedKey: a key that came through a pipe is there at the next reload still.
func TestPipedKey(t *testing.T) {
	newHome(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if _, err := write.WriteString("a-key-of-twenty-characters\n"); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	path := filepath.Join("/dev/fd", fmt.Sprint(read.Fd()))
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	a := &app{}
	a.identity.keyFile = optional{path, true}
	for range 2 {
		key, _, err := a.readKey(nil)
		if err != nil || string(key) != "a-key-of-twenty-characters" {
			t.Errorf("got %q, %v", key, err)
		}
	}
}
