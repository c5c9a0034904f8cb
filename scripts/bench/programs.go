package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// subjectWeir is the name of the weir that budgets are for.
const subjectWeir = "weir"

// A program is a weir and what it is called.
type program struct{ name, path string }

// A gateway is a command that serves the tools of one peer, under names that
// begin with prefix.
type gateway struct {
	name    string
	prefix  string
	command []string
	env     []string // nil: that of this process
	modern  bool     // its host is of the modern era
	foreign bool     // neither the floor nor a weir
	slow    bool     // by so much that fewer samples of fewer calls tell it
}

func (b *bench) addGateway(text string) error {
	words := strings.Fields(text)
	if len(words) < 3 {
		return errors.New("want NAME PREFIX COMMAND")
	}
	b.others = append(b.others, gateway{name: words[0], prefix: strings.TrimPrefix(words[1], "-"), command: words[2:], foreign: true})
	return nil
}

// addSplicer adds what any gateway does that knows messages, and no more. It is
// the first of the others, and stands beside weir.
func (b *bench) addSplicer() {
	const prefix = "s0__"
	splicer := gateway{
		name: "splicer", prefix: prefix, command: []string{b.peer, "splice", prefix, b.peer, "tools", "4"}, foreign: true,
	}
	b.others = slices.Insert(b.others, 0, splicer)
}

// addNaive adds what one gets by joining a client and a server of a library.
func (b *bench) addNaive(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	gosdk := filepath.Join(dir, "gosdk")
	if err := build("", gosdk, "github.com/weir-mcp/weir/scripts/bench/gosdk"); err != nil {
		return err
	}
	for _, naive := range []program{{"naive-mcp-go", b.sdk}, {"naive-go-sdk", gosdk}} {
		b.others = append(b.others, gateway{
			name: naive.name, command: []string{naive.path, "gateway", b.peer, "tools", "4"}, foreign: true, slow: true,
		})
	}
	return nil
}

// buildAll builds weir as it is released, what is put around it, and the weir
// that it is compared with, if any.
func (b *bench) buildAll(dir, against string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	weir := program{subjectWeir, filepath.Join(dir, "weir")}
	b.weirs = []program{weir}
	b.peer, b.sdk, b.web = filepath.Join(dir, "peer"), filepath.Join(dir, "sdk"), filepath.Join(dir, "web")
	for path, source := range map[string]string{
		weir.path: "", b.peer: "/scripts/bench/peer", b.sdk: "/scripts/bench/sdk", b.web: "/scripts/bench/web",
	} {
		if err := build("", path, "github.com/weir-mcp/weir"+source); err != nil {
			return err
		}
	}
	if against == "" {
		return nil
	}
	other := program{name: filepath.Base(against), path: against}
	if info, err := os.Stat(against); err != nil || !info.Mode().IsRegular() {
		other = program{name: against, path: filepath.Join(dir, "weir-against")}
		err := b.buildRevision(against, other.path)
		if err != nil {
			return err
		}
	}
	if other.path, err = filepath.Abs(other.path); err != nil {
		return err
	}
	other.name = "weir@" + strings.Join(strings.Fields(other.name), "_")
	b.weirs = append(b.weirs, other)
	return nil
}

// build builds a package as of the module in a folder, or of this one.
func build(module, path, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Dir = module
	cmd.Stderr = os.Stderr
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s: %w", pkg, err)
	}
	return nil
}

// buildRevision builds weir in a work tree of its own, which does not stay.
func (b *bench) buildRevision(revision, path string) (err error) {
	tree := filepath.Join(b.dir, "tree")
	if err := git("worktree", "add", "--detach", "--quiet", tree, revision); err != nil {
		return fmt.Errorf("taking revision %q: %w", revision, err)
	}
	defer func() { err = errors.Join(err, git("worktree", "remove", "--force", tree)) }()
	return build(tree, path, ".")
}

func git(args ...string) error {
	out, err := exec.Command("git", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// floor is the relay in front of a peer.
func (b *bench) floor() gateway {
	return gateway{name: "floor", command: []string{b.peer, "floor", b.peer, "tools", "4"}}
}

// weirOver returns a weir that serves that many servers with that many tools
// each.
func (b *bench) weirOver(w program, servers, tools int) (gateway, error) {
	var config strings.Builder
	for i := range servers {
		fmt.Fprintf(&config, "  s%d: {command: %q, args: [tools, %q]}\n", i, b.peer, fmt.Sprint(tools))
	}
	return b.weirWith(w, fmt.Sprintf("%d-servers-%d-tools", servers, tools), config.String())
}

// weirWith writes a configuration with these servers, lines of YAML, and returns
// a weir that serves it, with folders of its own.
func (b *bench) weirWith(w program, folder, servers string) (gateway, error) {
	home := filepath.Join(b.dir, filepath.Base(w.path), folder)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return gateway{}, err
	}
	file := filepath.Join(home, "mcp.yaml")
	if err := os.WriteFile(file, []byte("policy: {default: execute}\nservers:\n"+servers), 0o600); err != nil {
		return gateway{}, err
	}
	return gateway{
		name: w.name, prefix: "s0__",
		command: []string{w.path, "serve", "--config", file},
		env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home,
			"XDG_CACHE_HOME=" + home, "XDG_STATE_HOME=" + home, "XDG_CONFIG_HOME=" + home,
		},
	}, nil
}
