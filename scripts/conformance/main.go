// Conformance runs the official conformance suite of MCP on weir, in both its
// roles, and compares.
//
//	go run ./scripts/conformance [-suite VERSION] [-scenario NAME] [-peer NAME] [-keep DIR] [server|client]
//
// As a server: real servers are scored by the suite, directly and through weir,
// over the bridge of e2e/bridge, since the suite speaks HTTP only. The scores
// must be the same, check by check; what a server fails by itself is not weir's.
//
// As a client: weir is started with the suite's server as its one upstream, and
// driven by a small host, whose user opens each link that weir offers and logs in.
// All scenarios must pass. Where one does not, the Go SDK's client is scored as
// well.
//
// It prints a table and fails on each difference that baseline.txt does not
// expect, and on each that it does expect and that is not there. The suite and
// Node are to be installed: npm ci --prefix e2e/npm. With -keep, all results,
// and the messages that passed, are left in that folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == hostCommand {
		hostMain(os.Args[2])
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// A selection is what of all legs is to run.
type selection struct {
	role     string // server or client; "" is both
	suite    string // "" is all
	scenario string
	peer     string
}

func (s selection) wants(l leg) bool {
	return (s.role == "" || s.role == l.role) &&
		(s.suite == "" || s.suite == l.suite.name) &&
		(s.peer == "" || s.peer == l.peer)
}

// run does what main does and writes the table to out.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var s selection
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.StringVar(&s.suite, "suite", "", "the suite's version, 0.1 or 0.2 (both)")
	flags.StringVar(&s.scenario, "scenario", "", "run only this scenario")
	flags.StringVar(&s.peer, "peer", "", "run only with this peer")
	keep := flags.String("keep", "", "the folder to leave the results in")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.role = flags.Arg(0)
	if flags.NArg() > 1 || s.role != "" && s.role != "server" && s.role != "client" {
		return fmt.Errorf("unknown arguments: %s (want server, client or nothing)", strings.Join(flags.Args(), " "))
	}
	expected, err := readBaseline()
	if err != nil {
		return err
	}
	if *keep == "" {
		dir, err := os.MkdirTemp("", "weir-conformance-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		*keep = dir
	}
	w, err := newWorkshop(ctx, *keep, s.scenario)
	if err != nil {
		return err
	}
	var rows []row
	for _, l := range allLegs() {
		if !s.wants(l) {
			continue
		}
		found, err := l.runAndRetry(ctx, w, expected)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name(), err)
		}
		rows = append(rows, found...)
	}
	if len(rows) == 0 {
		return errors.New("no such scenario")
	}
	return report(out, rows, expected)
}

// A workshop has what all legs need.
type workshop struct {
	dir      string // absolute
	npm      string // the folder of the suites
	scenario string // only this one; "" is all
	programs map[string]string
	direct   map[string]scores // by leg
}

// programs are what is built: weir and its peers.
var programs = map[string]string{
	"weir":          "github.com/weir-mcp/weir",
	"go-sdk":        "github.com/modelcontextprotocol/go-sdk/conformance/everything-server",
	"mcp-go":        "github.com/mark3labs/mcp-go/examples/conformance",
	"go-sdk-client": "github.com/modelcontextprotocol/go-sdk/conformance/everything-client",
}

func newWorkshop(ctx context.Context, dir, scenario string) (*workshop, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}"))
	if err != nil {
		return nil, err
	}
	w := &workshop{
		dir: dir, npm: filepath.Join(strings.TrimSpace(root), "e2e", "npm"), scenario: scenario,
		programs: map[string]string{}, direct: map[string]scores{},
	}
	for name, source := range programs {
		w.programs[name] = filepath.Join(dir, "bin", name)
		if _, err := output(exec.CommandContext(ctx, "go", "build", "-o", w.programs[name], source)); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// only is the workshop for one more run of one scenario.
func (w *workshop) only(scenario string, try int) *workshop {
	other := *w
	other.dir = filepath.Join(w.dir, "again", strconv.Itoa(try))
	other.scenario = scenario
	other.direct = map[string]scores{}
	return &other
}

// folder makes an empty folder for results.
func (w *workshop) folder(parts ...string) (string, error) {
	dir := filepath.Join(append([]string{w.dir}, parts...)...)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// output runs a command and returns what it says. The error has what it says on
// stderr.
func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), fmt.Errorf("%s: %w\n%s", cmd, err, failed.Stderr)
	}
	return string(out), err
}
