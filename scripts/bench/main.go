// Bench measures what weir costs, as ratios to the least that any gateway can
// cost: a byte relay, a trivial server. Everything that is compared runs in
// turn, again and again, in one run, and the medians are compared.
//
//	go run ./scripts/bench [-short] [-only WORDS] [-gateway 'NAME PREFIX COMMAND ARG...']...
//
// A gateway other than weir must be configured already, with "peer tools 4" as
// its one server; PREFIX is what it puts before the names of tools, or "-".
// -build DIR leaves the programs there, peer among them.
//
// It is no test: it fails only where something does not work.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	b := &bench{effort: thorough}
	short := flag.Bool("short", false, "measure for seconds only: to see that it works")
	only := flag.String("only", "", "measure only figures whose name contains one of these words, divided by commas")
	build := flag.String("build", "", "the folder to build the programs in, and to leave them in")
	flag.Func("gateway", "another gateway, as 'NAME PREFIX COMMAND ARG...'; may be repeated", b.addGateway)
	flag.Parse()
	if *short {
		b.effort = quick
	}
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.dir = dir
	if *build == "" {
		*build = filepath.Join(dir, "bin")
	}
	if err := b.build(*build); err != nil {
		return err
	}
	return b.measure()
}

// An effort is how often things are measured.
type effort struct {
	rounds int // of each figure
	tries  int // to get a run in which the floor agrees with itself
	calls  int // of small calls in one sample
	starts int // processes
	large  int // bytes of large results in one sample
}

var (
	thorough = effort{rounds: 21, tries: 3, calls: 8000, starts: 61, large: 200_000_000}
	quick    = effort{rounds: 2, tries: 1, calls: 200, starts: 3, large: 10_000_000}
)

type bench struct {
	effort
	dir    string
	only   []string
	peer   string // the programs
	weir   string
	others []gateway
}

// A gateway is a command that serves the tools of one peer, under names that
// begin with prefix.
type gateway struct {
	name    string
	prefix  string
	command []string
	env     []string // nil: that of this process
}

func (b *bench) addGateway(text string) error {
	words := strings.Fields(text)
	if len(words) < 3 {
		return fmt.Errorf("want NAME PREFIX COMMAND")
	}
	b.others = append(b.others, gateway{name: words[0], prefix: strings.TrimPrefix(words[1], "-"), command: words[2:]})
	return nil
}

// build builds weir as it is released, and the peer.
func (b *bench) build(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	b.weir, b.peer = filepath.Join(dir, "weir"), filepath.Join(dir, "peer")
	for program, source := range map[string]string{b.weir: "", b.peer: "/scripts/bench/peer"} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "github.com/weir-mcp/weir"+source)
		cmd.Stderr = os.Stderr
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("building %s: %w", source, err)
		}
	}
	return nil
}

func (b *bench) wants(figure string) bool {
	for _, word := range b.only {
		if strings.Contains(figure, word) {
			return true
		}
	}
	return len(b.only) == 0
}

// floor is the relay in front of a peer.
func (b *bench) floor() gateway {
	return gateway{name: "floor", command: []string{b.peer, "floor", b.peer, "tools", "4"}}
}

// weirOver writes a configuration of that many servers with that many tools
// each, and returns a weir that serves it. Each has folders of its own.
func (b *bench) weirOver(servers, tools int) (gateway, error) {
	home := filepath.Join(b.dir, fmt.Sprintf("%d-servers-%d-tools", servers, tools))
	if err := os.MkdirAll(home, 0o700); err != nil {
		return gateway{}, err
	}
	var config strings.Builder
	config.WriteString("policy: {default: execute}\nservers:\n")
	for i := range servers {
		fmt.Fprintf(&config, "  s%d: {command: %q, args: [tools, %q]}\n", i, b.peer, fmt.Sprint(tools))
	}
	file := filepath.Join(home, "mcp.yaml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		return gateway{}, err
	}
	return gateway{
		name: "weir", prefix: "s0__",
		command: []string{b.weir, "serve", "--config", file},
		env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home,
			"XDG_CACHE_HOME=" + home, "XDG_STATE_HOME=" + home, "XDG_CONFIG_HOME=" + home,
		},
	}, nil
}
