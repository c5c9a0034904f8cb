package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// modulePath is weir's own.
const modulePath = "github.com/weir-mcp/weir"

// A product is weir for one platform.
type product struct {
	platform
	path string
	data []byte
	info *buildinfo.BuildInfo
}

// releaseMark is by which words a binary knows its version; internal/cli reads them.
func releaseMark(version string) string { return "release v" + version }

// build builds for all targets, some at once.
func (j *job) build(ctx context.Context, s *source, work string) ([]*product, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	binaries := make([]*product, len(j.targets))
	places := make(chan struct{}, max(j.atOnce, 1))
	var builds sync.WaitGroup
	for i, target := range j.targets {
		builds.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			began := time.Now()
			b, err := buildOne(ctx, s, work, target)
			if err != nil {
				cancel(fmt.Errorf("building for %s: %w", target, err))
				return
			}
			binaries[i] = b
			j.say("built for %s in %s: %.1f MB", target, time.Since(began).Round(time.Second), float64(len(b.data))/1e6)
		})
	}
	builds.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return binaries, nil
}

func buildOne(ctx context.Context, s *source, work string, target platform) (*product, error) {
	b := &product{platform: target, path: filepath.Join(work, target.String(), target.program())}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-pgo=auto",
		"-ldflags=-s -w -X '"+modulePath+"/internal/cli.released="+releaseMark(s.version)+"'", "-o", b.path, ".")
	cmd.Dir = s.root
	cmd.Env = buildEnvironment(target)
	if _, err := output(cmd); err != nil {
		return nil, err
	}
	return b, b.read()
}

// settings are the variables by which builds of one commit would differ, as they are
// for a release.
var settings = []string{"CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly", "GOWORK=off"}

// harmless are the variables of Go that say where things come from and lie. All others
// are taken away.
var harmless = []string{
	"GOBIN", "GOCACHE", "GOCACHEPROG", "GOENV", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE",
	"GOPROXY", "GOROOT", "GOSUMDB", "GOTMPDIR", "GOTOOLCHAIN", "GOVCS",
}

func buildEnvironment(target platform) []string {
	kept := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasPrefix(name, "GO") && !slices.Contains(harmless, name)
	})
	return append(append(kept, settings...), "GOOS="+target.os, "GOARCH="+target.arch)
}

// read reads what was built.
func (b *product) read() (err error) {
	if b.data, err = os.ReadFile(b.path); err != nil {
		return err
	}
	b.info, err = buildinfo.Read(bytes.NewReader(b.data))
	return err
}

// own returns the binary that runs here.
func own(binaries []*product) (*product, error) {
	for _, b := range binaries {
		if b.platform == (platform{runtime.GOOS, runtime.GOARCH}) {
			return b, nil
		}
	}
	return nil, fmt.Errorf("a release is made where one of its binaries runs, and none runs on %s/%s", runtime.GOOS, runtime.GOARCH)
}

func moduleRoot(ctx context.Context) (string, error) {
	file, err := output(exec.CommandContext(ctx, "go", "env", "GOMOD"))
	if err != nil {
		return "", err
	}
	if filepath.Base(file) != "go.mod" {
		return "", fmt.Errorf("this is no folder of weir's source: change into one")
	}
	return filepath.Dir(file), nil
}
