package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
)

// This file is what befalls a weir that stands behind another: to that it is a
// server, which fails with all that it has under way.

// chain has the host's weir serve another, that serves the servers.
func (w *world) chain(p *player) error {
	p.file, p.prefix = filepath.Join(w.dir, "behind.yaml"), "weir2__"
	args := append(slices.Clone(w.machine.weir[1:]), "serve", "--config", p.file)
	for i, arg := range args {
		args[i] = fmt.Sprintf("%q", arg)
	}
	return replaceFile(p.config, fmt.Sprintf(
		"policy: {default: execute}\nlimits: {message: %d}\nservers:\n  weir2: {command: %q, args: [%s], env: {GORACE: %q}}\n",
		2*messageLimit, w.machine.weir[0], strings.Join(args, ", "), w.detector()))
}

// inner is the weir that stands behind the host's: none where it does not run.
func (p *player) inner() []rig.Running {
	return slices.DeleteFunc(p.process.Offspring(), func(r rig.Running) bool {
		return !strings.HasSuffix(r.Command, " serve --config "+p.file)
	})
}

// hurtInner kills or freezes the weir that stands behind the host's.
func (p *player) hurtInner() error {
	if p.direct {
		return nil
	}
	if p.random.IntN(2) == 0 {
		return p.freezeInner()
	}
	return p.killInner()
}

// freezeInner stops it for a while. No call comes to harm by that.
func (p *player) freezeInner() error {
	p.w.journal.note(p.name, "freezes the weir behind")
	for _, r := range p.inner() {
		r.Freeze()
		defer r.Thaw()
	}
	if err := p.burst(); err != nil {
		return err
	}
	<-time.After(time.Duration(p.random.IntN(300)) * time.Millisecond)
	return p.cancelSome()
}

// killInner ends it without grace, while it works. All servers are behind it, so
// that calls of any may fail until it is there again; and what was told meanwhile
// was told to nobody.
func (p *player) killInner() error {
	if err := p.saveWhole(); err != nil { // with a broken one it would not start
		return err
	}
	p.shaken(true)
	if err := p.burst(); err != nil {
		return err
	}
	p.w.journal.note(p.name, "kills the weir behind")
	for _, r := range p.inner() {
		r.Signal(syscall.SIGKILL)
	}
	if err := p.burst(); err != nil {
		return err
	}
	if err := p.awaitMark(); err != nil {
		return err
	}
	p.shaken(false)
	return p.settle()
}

// shaken says that calls of servers that are well may fail, or no longer. Those
// under way are among them.
func (h *host) shaken(really bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shaky = really
	for _, r := range h.all {
		r.healthy = r.healthy && (!really || r.answer != nil)
	}
	for _, t := range h.subscriptions[""].topics {
		t.exact = t.exact && !really
	}
}
