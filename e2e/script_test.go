package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-mcp/weir/internal/cli"
	"github.com/weir-mcp/weir/internal/prelude/first"
	"github.com/weir-mcp/weir/upstream/process"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

func TestMain(m *testing.M) {
	commands := map[string]func(){
		"weir":      weirMain,
		"fake":      func() { os.Exit(upstreamtest.Main(os.Args[1])) },
		"reference": referenceMain,
		"host":      hostMain,
		"browser":   browserMain,
	}
	for _, server := range sdkServers {
		commands[server.command] = server.main
	}
	maps.Copy(commands, platformCommands)
	testscript.Main(m, commands)
}

// weirMain does what main does.
func weirMain() {
	if len(os.Args) == 2 && os.Args[1] == cli.GuardianCommand {
		process.GuardianMain()
		return
	}
	os.Exit(cli.Main(cli.Process{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Prelude: first.Take(),
	}))
}

// TestScripts runs testdata/*.txtar. Beside the commands of testscript there
// are
//
//	weir ARG...         the real main
//	fake SCRIPT         an upstream of package upstreamtest, over stdio
//	host DIALOG CMD...  a host: see hostMain
//	http NAME SCRIPT    such an upstream over HTTP; its URL is in $NAME
//	web NAME            an HTTP server that answers with what it was asked; its URL is in $NAME
//	damage FILE...      overwrite files with what they never hold
//
// $EXAMPLE is mcp.yaml.example. Each script has a home, temp, cache, config and state folder of its own. At
// its end no process that it started is there any more, and no temp file.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			places, err := newPlaces(e.WorkDir)
			if err != nil {
				return err
			}
			for key, value := range places.environment() {
				e.Setenv(key, value)
			}
			example, err := filepath.Abs("../mcp.yaml.example")
			if err != nil {
				return err
			}
			e.Setenv("EXAMPLE", example)
			e.Defer(func() {
				if err := places.nothingLeft(); err != nil {
					e.T().Fatal(err)
				}
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"http":   serveHTTP,
			"web":    serveWeb,
			"damage": damage,
		},
	})
}

func serveHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: http NAME SCRIPT")
	}
	script, err := upstreamtest.Load(ts.MkAbs(args[1]))
	ts.Check(err)
	server := httptest.NewServer(upstreamtest.New(script))
	ts.Defer(func() {
		server.CloseClientConnections()
		server.Close()
	})
	ts.Setenv(args[0], server.URL)
}

func serveWeb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: web NAME")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		if strings.HasSuffix(r.URL.Path, "/missing") {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = fmt.Fprintf(w, "%s %s key=%s %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-Api-Key"), body)
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: damage FOLDER...")
	}
	count := 0
	for _, arg := range args {
		err := filepath.WalkDir(ts.MkAbs(arg), func(path string, entry os.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			count++
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, append(content[:len(content)/2:len(content)/2], "\x00\xffdamaged"...), 0o600)
		})
		ts.Check(err)
	}
	if count == 0 {
		ts.Fatalf("damage: no file in %s", strings.Join(args, " "))
	}
}

func TestMatches(t *testing.T) {
	tests := []struct {
		text, pattern string
		want          bool
	}{
		{"", "", true},
		{"a", "a", true},
		{"a", "b", false},
		{"ab", "a", false},
		{"abc", "a...c", true},
		{"ac", "a...c", true},
		{"abd", "a...c", false},
		{"aXbYa", "a...b...a", true},
		{"ab", "ab...b", false},
	}
	for _, test := range tests {
		if got := matches(test.text, test.pattern); got != test.want {
			t.Errorf("matches(%q, %q): got %v, want %v", test.text, test.pattern, got, test.want)
		}
	}
}

func TestExpand(t *testing.T) {
	got := expand("a$fill:3$b$fill:0$")
	if want := "axxxb"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !bytes.Contains([]byte(expand(`{$META}`)), []byte(fmt.Sprintf("%q", "2026-07-28"))) {
		t.Error("$META names no version")
	}
}
