package cli

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// someLog is an audit log of one day. Its second line was cut off.
const someLog = `{"time":"2026-11-22T10:00:00.000Z","principal":"laptop","host":"claude-code 2.1","server":"","kind":"list","method":"tools/list","name":"tools","verdict":"","rule":"","outcome":"ok","count":12,"duration_ms":0.2,"request_bytes":60,"response_bytes":9000}
{"time":"2026-11-22T10:00:01.000Z","principal":"lap
{"time":"2026-11-22T10:00:02.000Z","principal":"laptop","host":"claude-code 2.1","server":"files","kind":"tool","method":"tools/call","name":"read_file","verdict":"execute","rule":"the default is execute","outcome":"ok","duration_ms":12.345,"request_bytes":90,"response_bytes":300,"arguments":{"path":"a"}}
{"time":"2026-11-22T10:00:03.000Z","principal":"laptop","host":"claude-code 2.1","server":"files","kind":"tool","method":"tools/call","name":"delete_file","verdict":"deny","rule":"rule 1 (tool \"delete_*\"), /home/me/mcp.yaml:7","outcome":"denied","duration_ms":0.01,"request_bytes":90,"response_bytes":0}
{"time":"2026-11-22T10:00:04.000Z","principal":"","host":"codex 1","server":"github","kind":"tool","method":"tools/call","name":"search","verdict":"execute","rule":"","outcome":"failed","failure":"timeout","maybe_ran":true,"duration_ms":300000,"request_bytes":90,"response_bytes":0}
{"time":"2026-11-22T10:00:05.000Z","lost":3}
{"time":"2026-11-22T10:00:06.000Z","principal":"","host":"codex 1","server":"github","kind":"sampling","method":"sampling/createMessage","name":"","verdict":"","rule":"","outcome":"refused","duration_ms":0,"request_bytes":90,"response_bytes":0}
{"time":"2026-11-22T10:00:07.000Z","principal":"","host":"codex 1","server":"git\u001b[31mhub","kind":"resource","method":"resources/read","name":"file:///a/very/long/path/that/goes/on/and/on/and/on.txt","verdict":"read","rule":"","outcome":"error","duration_ms":5,"request_bytes":90,"response_bytes":80}
`

// newLog gives the test a home with an audit log, and returns its path.
func newLog(t *testing.T, text string) string {
	t.Helper()
	state := filepath.Join(newHome(t), "state")
	t.Setenv("XDG_STATE_HOME", state)
	path := filepath.Join(state, "weir", auditFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLogs(t *testing.T) {
	newLog(t, someLog)
	want := `TIME                 HOST             SERVER      NAME                                      VERDICT  OUTCOME    TOOK       WHY
2026-11-22 10:00:00  claude-code 2.1              list tools (12)                                    ok         0.2 ms
2026-11-22 10:00:02  claude-code 2.1  files       read_file                                 execute  ok         12.3 ms
2026-11-22 10:00:03  claude-code 2.1  files       delete_file                               deny     denied     0.0 ms     rule 1 (tool "delete_*"), /home/me/mcp.yaml:7
2026-11-22 10:00:04  codex 1          github      search                                    execute  failed     300000 ms  timeout, it may have run
2026-11-22 10:00:05                               3 records lost                                     lost
2026-11-22 10:00:06  codex 1          github      sampling/createMessage                             refused    0.0 ms
2026-11-22 10:00:07  codex 1          git[31mhub  resource file:///a/very/long/path/that/…  read     error      5.0 ms
`
	got := weir(t, "logs")
	if diff := cmp.Diff(want, got.stdout); diff != "" || got.code != exitOK {
		t.Errorf("exit code %d, -want +got\n%s", got.code, diff)
	}
	if got.stderr != "warning: 1 line is not readable\n" {
		t.Errorf("got %q", got.stderr)
	}
}

func TestLogFilters(t *testing.T) {
	newLog(t, someLog)
	for _, tt := range []struct {
		args string
		want string // the seconds of what is shown
	}{
		{"", "0 2 3 4 5 6 7"},
		{"--last 2", "6 7"},
		{"--last 0", "0 2 3 4 5 6 7"},
		{"--since 2026-11-22T10:00:04Z", "4 5 6 7"},
		{"--since 2026-11-22 --last 1", "7"},
		{"--since 1ns", ""},
		{"--server files", "2 3 5"}, // what was lost may have been anything
		{"--server g*", "4 5 6 7"},
		{"--tool *file", "2 3 5"},
		{"--name tools", "0 5"},
		{"--tool tools", "5"},
		{"--denied", "3 5"},
		{"--failed", "4 5 7"},
		{"--denied --failed --principal laptop", "3 5"},
		{"--host codex*", "4 5 6 7"},
	} {
		got := weir(t, append([]string{"logs", "--json"}, strings.Fields(tt.args)...)...)
		var seconds []string
		for line := range strings.Lines(got.stdout) {
			_, rest, _ := strings.Cut(line, "T10:00:0")
			seconds = append(seconds, rest[:1])
		}
		if shown := strings.Join(seconds, " "); shown != tt.want || got.code != exitOK {
			t.Errorf("%s: exit code %d, got %s, want %s", tt.args, got.code, shown, tt.want)
		}
	}
	lines := strings.SplitAfter(someLog, "\n")
	if got := weir(t, "logs", "--json", "--tool", "read_file", "--last", "2"); got.stdout != lines[2]+lines[5] {
		t.Errorf("got %s, want the lines as they stand there", got.stdout)
	}
}

func TestLogsOfNothing(t *testing.T) {
	newHome(t)
	t.Setenv("XDG_STATE_HOME", filepath.Join(t.TempDir(), "none"))
	weir(t, "logs").wants(t, exitOK, "nothing is recorded that fits")
	weir(t, "logs", "--config", writeConfig(t, "audit: {file: off}\n")).wants(t, exitFailed, "turns it off")
	weir(t, "logs", "--since", "yesterday").wants(t, exitUsage, "neither a duration")
	weir(t, "logs", "--server", "[").wants(t, exitUsage, "--server")
	weir(t, "logs", "--last", "-1").wants(t, exitUsage, "--last")
}

// TestLogsElsewhere: the file is where the configuration says, and a
// configuration that is broken hides no log.
func TestLogsElsewhere(t *testing.T) {
	newLog(t, someLog)
	config := writeConfig(t, "audit: {file: here.jsonl}\n")
	line := strings.SplitAfter(someLog, "\n")[3]
	if err := os.WriteFile(filepath.Join(filepath.Dir(config), "here.jsonl"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := weir(t, "logs", "--json", "--config", config); got.stdout != line {
		t.Errorf("got %q", got.stdout)
	}
	got := weir(t, "logs", "--json", "--last", "1", "--config", writeConfig(t, "audit: {fil: x}\n"))
	got.wants(t, exitOK, "T10:00:07", "the configuration cannot be used")
}

// TestLogsFollow shows what comes, across a rotation, until nobody reads any
// more.
func TestLogsFollow(t *testing.T) {
	path := newLog(t, "")
	lines := strings.SplitAfter(someLog, "\n")
	read, written := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Main(Process{
			Args: []string{"logs", "--follow", "--json"}, Stdin: strings.NewReader(""), Stdout: written, Stderr: io.Discard, Environ: os.Environ(),
		})
	}()
	expect := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(read, got); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	add := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	add(lines[0])
	expect(lines[0])
	add(lines[2])
	expect(lines[2])
	if runtime.GOOS != "windows" {
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
	}
	add(lines[3])
	expect(lines[3])
	_ = read.Close()
	add(lines[4])
	if code := <-ended; code != exitOK {
		t.Errorf("exit code: got %d, want %d", code, exitOK)
	}
}

// TestCallIsRecorded: a person's own calls are in the log too.
func TestCallIsRecorded(t *testing.T) {
	newLog(t, "")
	config := writeConfig(t, oneServer+"\naudit: {arguments: true}\n")
	weir(t, "call", "--config", config, "desk__echo", "text=my AKIAIOSFODNN7EXAMPLE").wants(t, exitOK)
	weir(t, "call", "--config", config, "desk__delete_everything").wants(t, exitFailed)
	got := weir(t, "logs", "--config", config, "--json", "--server", "desk")
	got.wants(t, exitOK, `"host":"weir-cli `, `"server":"desk","kind":"tool","method":"tools/call","name":"echo"`,
		`"arguments":{"text":"my [redacted:aws]"}`)
	weir(t, "logs", "--config", config).wants(t, exitOK, "echo", "execute  ok")
}
