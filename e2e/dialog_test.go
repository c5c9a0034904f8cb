package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// modernMeta is the _meta that each request of the modern era carries.
const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// hostMain is the command "host" of the scripts: it starts a server and leads a
// dialog with it.
//
//	host DIALOG COMMAND ARG...
//
// A dialog has one step in a line; blank lines and those with # are passed over:
//
//	> TEXT          send TEXT and a line end
//	>> "TEXT"       send TEXT, a Go string, and nothing more
//	< TEXT          wait for the answer with the same id, the request with the same
//	                id and method, or the notification of the same method, and
//	                compare: "..." stands for any text
//	initialize V    shake hands for protocol version V
//	stderr TEXT     wait until stderr has TEXT in it
//	file NAME TEXT  wait until the file has TEXT in it
//	allow METHOD    let such notifications come unasked
//	files same      fail if the server has more open files than at its first "files"
//	close           close stdin; the server is to end, with code 0
//	signal TERM     send a signal; the server is to end, with code 0
//	exit N          the server is to end by itself, with code N
//	hangup          send SIGHUP; the server goes on
//	copy FROM TO    write the file FROM over the file TO
//
// In TEXT, $META is the _meta of a modern request, and $fill:N$ are N letters.
// At the end stdin is closed, and a message that nobody waited for is an error.
func hostMain() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: host DIALOG COMMAND [ARG...]")
		os.Exit(2)
	}
	if err := lead(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func lead(file string, command []string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	h, err := startHost(exec.Command(command[0], command[1:]...))
	if err != nil {
		return err
	}
	d := &dialog{host: h, files: -1}
	line := 0
	for step := range strings.Lines(string(text)) {
		line++
		step = strings.TrimSuffix(step, "\n")
		if step == "" || strings.HasPrefix(step, "#") {
			continue
		}
		if err := d.do(step); err != nil {
			h.kill()
			return fmt.Errorf("%s:%d: %w", file, line, err)
		}
	}
	if err := d.finish(); err != nil {
		return fmt.Errorf("%s: at the end: %w", file, err)
	}
	_, err = io.Copy(os.Stderr, &h.stderr)
	return err
}

// A dialog is led from a script.
type dialog struct {
	host    *host
	allowed []string // notifications that may come unasked
	files   int      // open files of the server when first counted, -1 before
	over    bool     // the server has ended
}

func (d *dialog) do(step string) error {
	word, rest, _ := strings.Cut(step, " ")
	rest = expand(rest)
	switch word {
	case ">":
		return d.host.send(rest)
	case ">>":
		text, err := strconv.Unquote(rest)
		if err != nil {
			return err
		}
		return d.host.write([]byte(text))
	case "<":
		return d.expect(rest)
	case "initialize":
		return d.initialize(rest)
	case "stderr":
		return d.host.await(word+" "+rest, func() bool { return strings.Contains(d.host.stderr.String(), rest) })
	case "file":
		name, text, _ := strings.Cut(rest, " ")
		return awaitFile(name, text)
	case "allow":
		d.allowed = append(d.allowed, rest)
		return nil
	case "files":
		return d.countFiles()
	case "close":
		d.over = true
		return d.host.close()
	case "signal":
		return d.signal(rest)
	case "exit":
		return d.exit(rest)
	case "hangup":
		return d.host.cmd.Process.Signal(syscall.SIGHUP)
	case "copy":
		return copyFile(rest)
	}
	return fmt.Errorf("unknown step %q", word)
}

func copyFile(names string) error {
	from, to, _ := strings.Cut(names, " ")
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

func expand(text string) string {
	text = strings.ReplaceAll(text, "$META", modernMeta)
	for {
		before, rest, found := strings.Cut(text, "$fill:")
		if !found {
			return text
		}
		count, after, _ := strings.Cut(rest, "$")
		n, err := strconv.Atoi(count)
		if err != nil {
			return text
		}
		text = before + strings.Repeat("x", n) + after
	}
}

func (d *dialog) expect(want string) error {
	got, err := d.awaitLike(want)
	if err != nil {
		return fmt.Errorf("%w\n  want %s", err, shorten([]byte(want)))
	}
	if !matches(string(got), want) {
		return fmt.Errorf("got  %s\nwant %s", shorten(got), shorten([]byte(want)))
	}
	return nil
}

// A pattern need not be JSON: its first id or, without one, its first method
// is that of the message.
var (
	idOf     = regexp.MustCompile(`"id": ?("[^"]*"|-?[0-9]+)`)
	methodOf = regexp.MustCompile(`"method":"([^"]*)"`)
	askedBy  = regexp.MustCompile(`^\{"jsonrpc":"2.0","id":([^,]*),"method":"([^"]*)"`)
)

// awaitLike waits for the message that is to be compared with the pattern.
func (d *dialog) awaitLike(pattern string) ([]byte, error) {
	if m := askedBy.FindStringSubmatch(pattern); m != nil {
		return d.host.take("the request "+m[1], func(got *jsonrpc.Message) bool {
			return string(got.ID) == m[1] && string(got.Method) == m[2]
		})
	}
	if m := idOf.FindStringSubmatch(pattern); m != nil {
		return d.host.answer(m[1])
	}
	if m := methodOf.FindStringSubmatch(pattern); m != nil {
		return d.host.notification(m[1])
	}
	return d.host.take("an error without id", func(m *jsonrpc.Message) bool {
		return m.Kind == jsonrpc.Failure && m.ID == nil
	})
}

// matches reports whether text is like pattern, where "..." is any text.
func matches(text, pattern string) bool {
	parts := strings.Split(pattern, "...")
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return ok && text == ""
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[last])
}

func (d *dialog) initialize(version string) error {
	if err := d.host.send(`{"jsonrpc":"2.0","id":"initialize","method":"initialize","params":{"protocolVersion":"` + version +
		`","capabilities":{},"clientInfo":{"name":"host","version":"1"}}}`); err != nil {
		return err
	}
	want := `{"jsonrpc":"2.0","id":"initialize","result":{"protocolVersion":"` + version + `",...}}`
	if err := d.expect(want); err != nil {
		return err
	}
	return d.host.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// awaitFile looks again and again: nothing tells a process of a file's change
// that would not be a dependency.
func awaitFile(name, text string) error {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		content, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(content), text) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("timeout waiting for %q in %s (%w); it has %s", text, name, err, shorten(content))
		}
	}
}

func (d *dialog) countFiles() error {
	count, err := openFiles(d.host.cmd.Process.Pid)
	if err != nil {
		return err
	}
	if d.files < 0 {
		d.files = count
	}
	if count > d.files {
		return fmt.Errorf("open files: got %d, want %d", count, d.files)
	}
	return nil
}

// openFiles counts those of a process, but for those that are opened some time after
// its start: by which it is told of changed files, where it says how it is, where it
// writes down what was asked. What belongs to a call of a program is a pipe.
func openFiles(pid int) (count int, err error) {
	folder := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		target, _ := os.Readlink(filepath.Join(folder, entry.Name()))
		if !slices.ContainsFunc([]string{"inotify", "socket:", "audit.jsonl"}, func(late string) bool { return strings.Contains(target, late) }) {
			count++
		}
	}
	return count, err
}

func (d *dialog) signal(name string) error {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT}
	d.over = true
	if err := d.host.cmd.Process.Signal(signals[name]); err != nil {
		return err
	}
	return d.host.wait()
}

func (d *dialog) exit(code string) error {
	d.over = true
	err := d.host.wait()
	if got := strconv.Itoa(d.host.cmd.ProcessState.ExitCode()); got != code {
		return fmt.Errorf("exit code: got %s, want %s: %w", got, code, err)
	}
	return nil
}

// finish ends the server, if it has not ended yet, and looks at what is left.
func (d *dialog) finish() error {
	if !d.over {
		if err := d.host.close(); err != nil {
			return err
		}
	}
	var left []error
	for _, line := range d.host.rest() {
		if m, err := parse(line); err != nil {
			left = append(left, fmt.Errorf("stdout has %q: %w", shorten(line), err))
		} else if m.Kind != jsonrpc.Notification || !slices.Contains(d.allowed, string(m.Method)) {
			left = append(left, fmt.Errorf("not expected: %s", shorten(line)))
		}
	}
	return errors.Join(left...)
}
