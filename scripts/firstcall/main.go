// Firstcall measures how long it takes from a clone to the first call of a tool: it
// does what somebody does who has Go and Node and nothing else, in folders of its own,
// and prints how long each step took.
//
//	go run ./scripts/firstcall [-cold] [-npx] [-from REPOSITORY]
//
// The steps: clone; build; add a server from npm to a new mcp.yaml; put weir into the
// settings of an assistant; start what stands there, as the assistant does; list; call a
// tool. With -cold Go has nothing of what it keeps from earlier builds, so that all
// modules are fetched and compiled. The server is that of e2e/npm (npm ci --prefix
// e2e/npm), or with -npx one that npx fetches, into an empty cache.
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
	"time"
)

// limit ends a run that hangs.
const limit = 20 * time.Minute

func main() {
	var o options
	flag.BoolVar(&o.cold, "cold", false, "build with empty caches")
	flag.BoolVar(&o.npx, "npx", false, "have npx fetch the server")
	flag.StringVar(&o.from, "from", ".", "the repository to clone")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "firstcall:", err)
		os.Exit(1)
	}
}

type options struct {
	cold, npx bool
	from      string
	weir      string // what is built already; "" to clone and build
}

// A beginner is somebody who begins, with folders of their own.
type beginner struct {
	options
	dir  string
	out  io.Writer
	all  time.Duration
	host *host
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	if o.from, err = filepath.Abs(o.from); err != nil {
		return err
	}
	b := &beginner{options: o, out: out}
	if b.dir, err = os.MkdirTemp("", "firstcall-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cleanUp()) }()
	for _, folder := range []string{"home", "notes", "cache"} {
		if err := os.Mkdir(filepath.Join(b.dir, folder), 0o700); err != nil {
			return err
		}
	}
	steps := []step{
		{"weir add: a server, and its lists", b.add},
		{"weir install: an assistant's settings", b.install},
		{"the assistant starts what stands there", b.start},
		{"tools/list", b.list},
		{"tools/call", b.call},
	}
	if b.weir == "" {
		b.weir = filepath.Join(b.dir, "weir")
		steps = append([]step{{"clone", b.clone}, {"build", b.build}}, steps...)
	}
	for _, s := range steps {
		if err := b.take(ctx, s); err != nil {
			return err
		}
	}
	fmt.Fprintf(b.out, "%-40s %8.2f s\n", "from clone to first call", b.all.Seconds())
	return nil
}

// A step is one thing that somebody does who begins.
type step struct {
	name string
	do   func(context.Context) error
}

// take does a step and says how long it took.
func (b *beginner) take(ctx context.Context, s step) error {
	began := time.Now()
	if err := s.do(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	took := time.Since(began)
	b.all += took
	fmt.Fprintf(b.out, "%-40s %8.2f s\n", s.name, took.Seconds())
	return nil
}

func (b *beginner) clone(ctx context.Context) error {
	return quietly(exec.CommandContext(ctx, "git", "clone", "-q", b.from, filepath.Join(b.dir, "clone")))
}

func (b *beginner) build(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.weir, ".")
	cmd.Dir = filepath.Join(b.dir, "clone")
	if b.cold {
		cmd.Env = append(os.Environ(), "GOCACHE="+filepath.Join(b.dir, "cache", "build"), "GOMODCACHE="+filepath.Join(b.dir, "cache", "modules"), "GOFLAGS=-modcacherw")
	}
	return quietly(cmd)
}

// add adds the server that reads and writes the files of a folder.
func (b *beginner) add(ctx context.Context) error {
	notes := filepath.Join(b.dir, "notes")
	if err := os.WriteFile(filepath.Join(notes, "hello.txt"), []byte(greeting), 0o600); err != nil {
		return err
	}
	args := []string{"add", "files", "--yes"}
	if b.npx {
		args = append(args, "--inherit-env", "npm_config_userconfig,npm_config_cache", "--", "npx", "-y", "@modelcontextprotocol/server-filesystem", notes)
	} else {
		args = append(args, "--", "node", filepath.Join(b.from, "e2e/npm/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"), notes)
	}
	return quietly(b.weirCommand(ctx, args...))
}

// greeting is what the first call reads.
const greeting = "it is here\n"

func (b *beginner) install(ctx context.Context) error {
	return quietly(b.weirCommand(ctx, "install", "cursor", "--yes"))
}

// weirCommand runs weir in a new home.
func (b *beginner) weirCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.weir, args...)
	cmd.Env = b.environment()
	return cmd
}

// environment is that of a person who has just begun. npm finds its registry as it
// does for who runs this.
func (b *beginner) environment() []string {
	home := filepath.Join(b.dir, "home")
	env := []string{"HOME=" + home, "USERPROFILE=" + home, "AppData=" + filepath.Join(home, "AppData"), "npm_config_cache=" + filepath.Join(b.dir, "cache", "npm")}
	if user, err := os.UserHomeDir(); err == nil {
		env = append(env, "npm_config_userconfig="+filepath.Join(user, ".npmrc"))
	}
	for _, name := range []string{"PATH", "TMPDIR", "TEMP", "SystemRoot", "ComSpec", "HTTPS_PROXY", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// quietly runs a command; what it says belongs to the error.
func quietly(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

func (b *beginner) cleanUp() error {
	if b.host != nil {
		b.host.close()
	}
	return os.RemoveAll(b.dir)
}
