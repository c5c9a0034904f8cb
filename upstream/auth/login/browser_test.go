package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The variables that make the test binary a browser: where it writes what it was
// started with, and how it goes on.
const (
	browserVariable = "LOGIN_TEST_BROWSER"
	endVariable     = "LOGIN_TEST_BROWSER_ENDS" // with this status; or "late": with its file
)

// started is what a browser sees of its start.
type started struct {
	Args    []string
	Env     []string
	Streams []string // where 0, 1 and 2 lead
	Leads   bool     // a session of its own
}

func beBrowser(file string) {
	s := started{Args: os.Args[1:], Env: os.Environ(), Leads: leadsSession()}
	for i := range 3 {
		target, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", i))
		s.Streams = append(s.Streams, target)
	}
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(file+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		syscall.Exit(99)
	}
	if os.Getenv(endVariable) == "late" {
		for there := true; there; time.Sleep(5 * time.Millisecond) { //nolint:forbidigo // a child in a test
			_, err := os.Stat(file)
			there = err == nil
		}
	}
	status, _ := strconv.Atoi(os.Getenv(endVariable))
	syscall.Exit(status) // with -race, os.Exit takes a second
}

// testBrowser is a Browser of that environment, on a system whose opener is the
// test binary, which writes to file.
func testBrowser(t *testing.T, env map[string]string) (b *Browser, file string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "started")
	t.Setenv(browserVariable, file)
	b = NewBrowser(func(name string) string { return env[name] })
	b.system = system{
		desktop: func(getenv func(string) string) bool { return getenv("DISPLAY") != "" },
		openers: func(func(string) string) [][]string { return [][]string{{program, "opener"}} },
	}
	return b, file
}

func readStarted(t *testing.T, file string) (s started) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const longAddress = "https://a.example/authorize?a=1&b=%s;$(touch%20x)`'\"|c&state=S"

func TestOpen(t *testing.T) {
	t.Setenv("WEIR_CHILD", "the outer weir's")
	t.Setenv("weir_key", "a key")
	b, file := testBrowser(t, nil)
	if err := b.Open(t.Context(), longAddress); err != nil {
		t.Fatal(err)
	}
	got := readStarted(t, file)
	if want := []string{"opener", longAddress}; !slices.Equal(got.Args, want) {
		t.Errorf("got arguments %q, want %q", got.Args, want)
	}
	for _, variable := range got.Env {
		if strings.HasPrefix(strings.ToUpper(variable), "WEIR_") {
			t.Errorf("the browser inherits %q", variable)
		}
	}
	if !slices.ContainsFunc(got.Env, func(v string) bool { return strings.HasPrefix(v, "PATH=") }) {
		t.Error("the browser has no PATH")
	}
	if runtime.GOOS == "linux" {
		if want := []string{os.DevNull, os.DevNull, os.DevNull}; !slices.Equal(got.Streams, want) {
			t.Errorf("got streams %q, want %q", got.Streams, want)
		}
		if !got.Leads {
			t.Error("the browser shares weir's session")
		}
	}
}

// TestNamedBrowser: those that $BROWSER names come first, in their order; what
// fails at once is passed over.
func TestNamedBrowser(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	list := func(commands ...string) string { return strings.Join(commands, string(os.PathListSeparator)) }
	quoted := `"` + program + `"`
	for name, c := range map[string]struct {
		browser string
		want    []string
	}{
		"plain":          {program, []string{longAddress}},
		"arguments":      {quoted + ` --new-window 'two words'`, []string{"--new-window", "two words", longAddress}},
		"place":          {quoted + ` --url=%s --100%% last`, []string{"--url=" + longAddress, "--100%", "last"}},
		"escaped":        {quoted + ` %%s`, []string{"%s", longAddress}},
		"first missing":  {list("no-such-browser", quoted+" second"), []string{"second", longAddress}},
		"none is there":  {list("no-such-browser", `"not closed`), []string{"opener", longAddress}},
		"first fails":    {list("/bin/false", quoted+" second"), []string{"second", longAddress}},
		"empty elements": {list("", "", quoted+" third"), []string{"third", longAddress}},
	} {
		t.Run(name, func(t *testing.T) {
			b, file := testBrowser(t, map[string]string{"BROWSER": c.browser})
			if err := b.Open(t.Context(), longAddress); err != nil {
				t.Fatal(err)
			}
			if got := readStarted(t, file); !slices.Equal(got.Args, c.want) {
				t.Errorf("got arguments %q, want %q", got.Args, c.want)
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	t.Setenv(endVariable, "3")
	b, _ := testBrowser(t, nil)
	err := b.Open(t.Context(), longAddress)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got error %v, want the exit status", err)
	}
	if err != nil && strings.Contains(err.Error(), "a.example") {
		t.Errorf("the error holds the address: %v", err)
	}

	b, _ = testBrowser(t, nil)
	b.system.openers = func(func(string) string) [][]string { return [][]string{{"no-such-program"}} }
	if err := b.Open(t.Context(), longAddress); err == nil {
		t.Error("opened without a browser")
	}
	unwanted, file := testBrowser(t, map[string]string{"BROWSER": "none"})
	if err := unwanted.Open(t.Context(), longAddress); err == nil {
		t.Error("opened though none is wanted")
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("started one though none is wanted")
	}
}

// TestOpenLeaves: what is itself the browser goes on without weir waiting for it,
// and is no zombie when it ends.
func TestOpenLeaves(t *testing.T) {
	t.Setenv(endVariable, "late")
	b, file := testBrowser(t, nil)
	b.watch = 20 * time.Millisecond
	opened := make(chan error, 1)
	go func() { opened <- b.Open(t.Context(), longAddress) }()
	for { // it may take longer to start than it is watched for
		if _, err := os.Stat(file); err == nil {
			break
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // for a child, which has no channel
	}
	if err := <-opened; err != nil {
		t.Errorf("got error %v", err)
	}
	before := children(t)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for before > 0 && children(t) >= before {
		time.Sleep(time.Millisecond) //nolint:forbidigo // see above
	}
}

func TestOpenContext(t *testing.T) {
	t.Setenv(endVariable, "late")
	b, file := testBrowser(t, nil)
	b.watch = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan error, 1)
	go func() { opened <- b.Open(ctx, longAddress) }()
	for {
		if _, err := os.Stat(file); err == nil {
			break
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // for a child, which has no channel
	}
	cancel()
	if err := <-opened; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

func TestAvailable(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want bool
	}{
		"display":            {map[string]string{"DISPLAY": ":0"}, true},
		"none":               {nil, false},
		"named":              {map[string]string{"BROWSER": "go"}, true},
		"named, not there":   {map[string]string{"BROWSER": "no-such-browser"}, false},
		"none wanted":        {map[string]string{"BROWSER": "none", "DISPLAY": ":0"}, false},
		"named, one is":      {map[string]string{"BROWSER": "no-such" + string(os.PathListSeparator) + "go %s"}, true},
		"named, broken name": {map[string]string{"BROWSER": `"`}, false},
	} {
		b, _ := testBrowser(t, c.env)
		if got := b.Available(); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	b, _ := testBrowser(t, map[string]string{"DISPLAY": ":0"})
	b.find = func(string) (string, error) { return "", exec.ErrNotFound }
	if b.Available() {
		t.Error("available without a program that opens addresses")
	}
}

func TestRemoteShell(t *testing.T) {
	for name, want := range map[string]bool{"SSH_CONNECTION": false, "SSH_TTY": false, "TERM": true} {
		if got := noRemoteShell(func(n string) string { return map[string]string{name: "x"}[n] }); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, address := range []string{
		"https://a.example/authorize?x=1", "https://a.example:8443", "http://127.0.0.1:80/", "http://localhost/x", "http://[::1]/", "HTTPS://A.example/",
	} {
		if err := checkURL(address); err != nil {
			t.Errorf("%q: got error %v", address, err)
		}
	}
	for _, address := range []string{
		"", "a.example", "/etc/passwd", "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "vscode://x/secret", "http://a.example/secret",
		"http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "https:///x", "https:secret", "https://", "https://:443/", "//a.example/",
		"https://user:secret@a.example/", "https://a.example/\nsecret", "https://a.example/ secret", "https://a.example/\x1b[31m", "https://ä.example/",
		"-https://a.example/", "--help", "https://a.example/\u202e", "https://a.example/%zz%\x7f", "https://a.example/?" + strings.Repeat("a", maxURL), "ftp://127.0.0.1/",
	} {
		err := checkURL(address)
		if err == nil {
			t.Errorf("%.100q: may be opened", address)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error holds the address: %v", address, err)
		}
	}
	b, file := testBrowser(t, nil)
	if err := b.Open(t.Context(), "file:///etc/passwd"); err == nil {
		t.Error("opened a file")
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("started a browser for a file")
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                         nil,
		"  \t":                     nil,
		"a":                        {"a"},
		" a  b ":                   {"a", "b"},
		`'a b' "c d"`:              {"a b", "c d"},
		`a'b c'd`:                  {"ab cd"},
		`'' ""`:                    {"", ""},
		`'a"b' "c'd"`:              {`a"b`, "c'd"},
		"$HOME `x` $(y) *;|&":      {"$HOME", "`x`", "$(y)", "*;|&"},
		`C:\Programs\x.exe "C:\a"`: {`C:\Programs\x.exe`, `C:\a`},
	} {
		if got, err := split(text, false); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	if got, err := split(`a\ b 'c\d' "e\"f" g\`, true); err != nil || !slices.Equal(got, []string{"a b", `c\d`, `e"f`, `g\`}) {
		t.Errorf("got %q, %v", got, err)
	}
	for _, text := range []string{`"`, `'a`, `a "b'`} {
		if got, err := split(text, true); err == nil {
			t.Errorf("%q: got %q", text, got)
		}
	}
}
