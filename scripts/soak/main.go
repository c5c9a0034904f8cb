// Soak calls tools through one weir for a long time, while its servers are killed
// and their connections broken now and then, and looks at what weir takes of the
// system: that must not grow.
//
//	go run ./scripts/soak [-calls 1000000] [-upstreams 20] [-svg docs/soak.svg]
//
// The servers are of all transports and both eras. Every call is checked: an
// answer that is not its own fails the run, and so does one that is missing. A
// call may fail where its server was broken, and only as one that says so. It
// needs Linux.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/weir-mcp/weir/scripts/rig"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == rig.RelayCommand {
		os.Exit(rig.Relay(os.Args[2:]))
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	calls := flag.Int("calls", 1_000_000, "how many calls")
	upstreams := flag.Int("upstreams", 20, "how many servers")
	svg := flag.String("svg", "", "a file for a plot of what weir took")
	flag.Parse()
	if runtime.GOOS != "linux" {
		return errors.New("needs Linux: it measures in /proc")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	weir := filepath.Join(dir, "weir")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", weir, "github.com/weir-mcp/weir")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building weir: %w", err)
	}
	s := soak{weir: []string{weir}, relay: self, calls: *calls, upstreams: *upstreams, told: os.Stderr}
	samples, err := s.run(dir)
	if *svg != "" && len(samples) > 0 {
		err = errors.Join(err, os.WriteFile(*svg, plot(samples, *upstreams), 0o644))
	}
	return errors.Join(err, flat(samples))
}
