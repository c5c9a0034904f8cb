package login

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxURL keeps an address within what every system takes as an argument.
const maxURL = 8 << 10

// A Browser opens addresses in the user's own browser: the one that $BROWSER names
// (several, separated like those of $PATH; %s is where the address stands), else
// what the system opens addresses with. It is safe for concurrent use.
type Browser struct {
	getenv func(string) string
	system system
	find   func(name string) (string, error)
	watch  time.Duration // how long a browser has to say that it could not be started
}

// system is how a desktop is told from a bare machine, and what it has.
type system struct {
	// desktop is true where somebody may be looking; the environment says so.
	desktop func(getenv func(string) string) bool
	// openers are the commands that open an address, the best one first.
	openers func(getenv func(string) string) [][]string
}

// NewBrowser returns the Browser of the environment that getenv reads, as
// os.Getenv does. It starts nothing.
func NewBrowser(getenv func(string) string) *Browser {
	return &Browser{getenv: getenv, system: thisSystem, find: exec.LookPath, watch: 5 * time.Second}
}

// Available reports whether there is a desktop to open a browser on, and a program
// that does it. $BROWSER counts as one, unless it is "none".
func (b *Browser) Available() bool {
	if named := b.getenv("BROWSER"); named != "" {
		return named != noBrowser && len(b.installed(b.named(named))) > 0
	}
	return b.system.desktop(b.getenv) && len(b.installed(b.system.openers(b.getenv))) > 0
}

// noBrowser is what people set $BROWSER to who want none opened.
const noBrowser = "none"

// Open opens an address: https, or http on this machine. It waits some seconds for
// an error of what it starts, at most. What it has started is no part of weir: it
// has a session and streams of its own, is not ended with weir, and is waited for
// by nobody but a goroutine that ends with it.
//
// Other users of this machine may see the address while the browser starts. That
// of an [Attempt] holds its state and the digest of its verifier, and neither is
// enough to redeem anything (RFC 8252, section 8.1; RFC 7636, section 1).
func (b *Browser) Open(ctx context.Context, address string) error {
	if err := checkURL(address); err != nil {
		return fmt.Errorf("opening a browser: %w", err)
	}
	commands := b.commands()
	if len(commands) == 0 {
		return errors.New("opening a browser: none was found; $BROWSER can name one")
	}
	var failed []error
	for _, argv := range commands {
		err := b.start(ctx, withAddress(argv, address))
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("opening a browser: %w", context.Cause(ctx))
		}
		failed = append(failed, fmt.Errorf("%q: %w", filepath.Base(argv[0]), err))
	}
	return fmt.Errorf("opening a browser: %w", errors.Join(failed...))
}

// commands are those to try, their programs found.
func (b *Browser) commands() [][]string {
	named := b.getenv("BROWSER")
	if named == noBrowser {
		return nil
	}
	return b.installed(slices.Concat(b.named(named), b.system.openers(b.getenv)))
}

// named reads $BROWSER. What in it cannot be read is left out.
func (b *Browser) named(list string) (commands [][]string) {
	for _, entry := range filepath.SplitList(list) {
		if argv, err := words(entry); err == nil && len(argv) > 0 {
			commands = append(commands, argv)
		}
	}
	return commands
}

func (b *Browser) installed(commands [][]string) (found [][]string) {
	for _, argv := range commands {
		if program, err := b.find(argv[0]); err == nil {
			found = append(found, slices.Concat([]string{program}, argv[1:]))
		}
	}
	return found
}

// withAddress puts the address where the command wants it, or at its end. It is one
// argument, whatever is in it.
func withAddress(argv []string, address string) []string {
	out, put := slices.Clone(argv), false
	for i, word := range out[1:] {
		put = put || strings.Contains(strings.ReplaceAll(word, "%%", ""), "%s")
		out[i+1] = strings.NewReplacer("%%", "%", "%s", address).Replace(word)
	}
	if !put {
		out = append(out, address)
	}
	return out
}

// start starts a program and watches it for as long as one fails at once.
func (b *Browser) start(ctx context.Context, argv []string) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...) // streams: none
	cmd.Env = withoutOwn(os.Environ())
	cmd.SysProcAttr = apart()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	// Some programs are the browser, and go on until the user closes it. The
	// goroutine is there for the system to forget them then; it holds nothing that
	// weir would have to wait for.
	go func() { ended <- cmd.Wait() }()
	patience := time.NewTimer(b.watch)
	defer patience.Stop()
	select {
	case err := <-ended:
		return err
	case <-patience.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// withoutOwn leaves out what configures weir, or marks what ends with it.
func withoutOwn(env []string) []string {
	return slices.DeleteFunc(env, func(variable string) bool {
		return len(variable) >= len(ownPrefix) && strings.EqualFold(variable[:len(ownPrefix)], ownPrefix)
	})
}

const ownPrefix = "WEIR_"

// checkURL holds an address to what may be opened: never a file, a script or a
// program's own scheme (2025-11-25 and 2026-07-28, Security Best Practices). Its
// error does not hold the address.
func checkURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case len(address) > maxURL:
		return fmt.Errorf("the address is longer than %d bytes", maxURL)
	case strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return errors.New("the address has characters that no address has")
	case err != nil:
		return errors.New("the address cannot be read")
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return errors.New("the address names no host")
	case u.User != nil:
		return errors.New("the address holds a user name")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return errors.New("the address is neither https nor on this machine")
	}
	return nil
}
