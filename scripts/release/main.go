// Release makes all the files of a release of weir, from the commit that is checked
// out, and checks them.
//
//	go run ./scripts/release -version 0.1.0 -out dist
//
// There come out
//
//	weir_0.1.0_linux_amd64.tar.gz   and the same for arm64, macOS and Windows (zip)
//	weir_0.1.0.mcpb                 the bundle for hosts that install by one click
//	weir_0.1.0.cdx.json             what is in the binaries (CycloneDX)
//	server.json                     what registries of MCP servers are told
//	SHA256SUMS                      of all these, for sha256sum -c
//
// The same commit, tags, Go release and version make the same bytes, on any machine:
// all times are the commit's, or $SOURCE_DATE_EPOCH. Nothing is published; see
// docs/releasing.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := start(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// start does what main does, with the module of the working folder.
func start(ctx context.Context, args []string, progress io.Writer) error {
	j := job{targets: allPlatforms, progress: progress}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&j.version, "version", "", "the version, such as 0.1.0")
	flags.StringVar(&j.out, "out", "", "the folder to make, with all files in it")
	flags.IntVar(&j.atOnce, "jobs", 2, "how many platforms are built at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || j.version == "" || j.out == "" {
		return fmt.Errorf("usage: go run ./scripts/release -version 0.1.0 -out dist")
	}
	var err error
	if j.root, err = moduleRoot(ctx); err != nil {
		return err
	}
	return j.do(ctx)
}

// A job is one release to make.
type job struct {
	root     string // of the module
	version  string // without a v
	out      string // a folder that is not there yet
	targets  []platform
	atOnce   int // builds
	progress io.Writer
}

func (j *job) say(format string, args ...any) {
	fmt.Fprintf(j.progress, "release: "+format+"\n", args...)
}

// do leaves the folder whole and checked, or not at all.
func (j *job) do(ctx context.Context) error {
	began := time.Now()
	if err := j.lookAtOut(); err != nil {
		return err
	}
	s, err := lookAtSource(ctx, j.root, j.version)
	if err != nil {
		return err
	}
	if !s.tagged {
		j.say("there is no tag v%s yet: the binaries say the version all the same, but whoever tags and builds again gets other bytes", j.version)
	}
	work, err := os.MkdirTemp("", "weir-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	r := &release{source: s}
	if r.binaries, err = j.build(ctx, s, work); err != nil {
		return err
	}
	if err := r.gather(ctx, work); err != nil {
		return err
	}
	if err := j.finish(ctx, r, work); err != nil {
		return err
	}
	j.say("%s is whole, after %s", j.out, time.Since(began).Round(time.Second))
	return nil
}

// finish writes the files and checks them; if anything is wrong with one, all go.
func (j *job) finish(ctx context.Context, r *release, work string) (err error) {
	if err := os.Mkdir(j.out, 0o755); err != nil {
		return fmt.Errorf("making the folder of -out: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(j.out) // made just now
		}
	}()
	if err := r.write(j.out); err != nil {
		return err
	}
	if err := j.check(ctx, r, work); err != nil {
		return fmt.Errorf("checking what was made: %w", err)
	}
	return nil
}

// lookAtOut finds out before the builds what would fail after them.
func (j *job) lookAtOut() error {
	if _, err := os.Lstat(j.out); err == nil {
		return fmt.Errorf("%s is there already: remove it, or name another folder by -out", j.out)
	}
	parent := filepath.Dir(j.out)
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no folder: make it, or name another one by -out", parent)
	}
	return nil
}
