//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// This file is weirs behind weirs, beyond what the table plays with them.

// TestWeirsAreKilled: with the first weir all those behind it end, and all that
// they have started.
func TestWeirsAreKilled(t *testing.T) {
	t.Parallel()
	p := testPlaces(t)
	h := &realHost{environ: all}
	h.configure(t, p)
	p.write(t, "start-deaf", stubborn)
	log := filepath.Join(p.home, "files.log")
	config := fmt.Sprintf("{command: fake, args: [%q]}, deaf: {command: sh, args: [start-deaf], cwd: %q}", filepath.Join(p.home, "files.json"), p.home)
	for _, name := range []string{"files", "v", "u"} {
		config = serveBehind(t, p, name, config)
	}
	cmd := p.command(context.Background(), "weir", "serve", "--config", filepath.Join(p.home, "u.yaml"))
	weir, err := startHost(cmd)
	if err != nil {
		t.Fatal(err)
	}
	weir.say(t, desktopGreeting, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"u__v__deaf__ok"}}`)
	if err := weir.send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"u__v__files__hang"}}`); err != nil {
		t.Fatal(err)
	}
	if err := awaitFile(log, `"name":"hang"`); err != nil {
		t.Error(err)
	}
	var guardians []int
	for _, pid := range append(descendants(cmd.Process.Pid), cmd.Process.Pid) {
		if serves(pid) {
			guardians = append(guardians, guardianOf(t, pid))
		}
	}
	if len(guardians) != 3 {
		t.Errorf("got %d weirs, want 3", len(guardians))
	}
	signalTo(t, cmd.Process.Pid, syscall.SIGKILL)
	endedOrKilled(t, weir)
	for _, guardian := range slices.Backward(guardians) { // each learns of the end when the weir before it ends
		awaitEnd(t, guardian, outlives)
	}
}

func serves(pid int) bool {
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(command), "weir\x00serve\x00")
}

// TestWeirBehindItself: a configuration that leads back to itself ends at its
// second turn.
func TestWeirBehindItself(t *testing.T) {
	t.Parallel()
	p := testPlaces(t)
	file := filepath.Join(p.home, "itself.yaml")
	p.write(t, "itself.yaml", fmt.Sprintf("policy: {default: execute}\nservers: {itself: {command: weir, args: [serve, --config, %q]}}\n", file))
	s := openSession(t, upstreamtest.Legacy, p.command(context.Background(), "weir", "serve", "--config", file))
	for _, tool := range s.tools(t) {
		if name := nameOf(t, tool); strings.Count(name, "itself__") > 1 {
			t.Errorf("it serves itself: %s", name)
		}
	}
	if weirs := withEnvironment("HOME=" + p.home); len(weirs) > 2 {
		t.Errorf("got %q, want two processes", weirs)
	}
}
