package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// onFullDiskMain runs a command in whose eyes the cache and the state folder lie on
// disks of their own, which are full. Nobody else sees them, and they end with it.
func onFullDiskMain() {
	for _, key := range []string{"XDG_CACHE_HOME", "XDG_STATE_HOME"} {
		if err := fullDisk(os.Getenv(key)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(noDisk)
		}
	}
	err := syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// noDisk is the exit code where no disk can be had.
const noDisk = 77

// fullDisk puts one over a folder. A folder of weir's is there, a file is not any
// more.
func fullDisk(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts to oneself: %w", err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=16k"); err != nil {
		return fmt.Errorf("mounting: %w", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "weir"), 0o700); err != nil {
		return err
	}
	err := os.WriteFile(filepath.Join(dir, "rest"), make([]byte, 1<<20), 0o600)
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("filling the disk: %w", errors.Join(err, errors.New("it does not get full")))
	}
	return nil
}

// TestDiskIsFull: weir serves from memory. It says once of lists, of pins and of
// requests that they are not kept, and leaves nothing half written.
func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	var f fleet
	f.ten(t)
	u := newUser(t, f.config())
	cmd := u.command("serve")
	weir := cmd.Path
	inner := u.places.command(t.Context(), "on-full-disk")
	cmd.Path, cmd.Args = inner.Path, append([]string{"on-full-disk", weir}, cmd.Args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	h, err := startHost(cmd)
	if err != nil {
		t.Skipf("no disk of its own can be had here: %v", err)
	}
	s := &session{host: h, version: upstreamtest.Legacy}
	first := s.wholeList(10)
	if strings.Contains(first, "mounting:") || strings.Contains(first, "keeping mounts") {
		h.kill()
		t.Skipf("no disk of its own can be had here: %s", first)
	}
	s.last = 2
	if n := strings.Count(first, `__ok"`); n != 10 {
		t.Errorf("got %d tools, want 10: %.500s", n, first)
	}
	for i, server := range f.servers {
		if got := string(s.call(t, fmt.Sprintf("s%d__ok", i), "{}").Raw); !strings.Contains(got, `"text":"ok"`) {
			t.Errorf("calling: got %s", got)
		}
		server.SetTools(upstreamtest.Tool("ok"), upstreamtest.Tool("more"))
	}
	until(t, "the new tools have come", func() bool { return len(s.tools(t)) == 20 })
	left, err := os.ReadDir(fmt.Sprintf("/proc/%d/root/%s/weir", cmd.Process.Pid, u.cache))
	if err != nil {
		t.Error(err)
	}
	for _, file := range left {
		if strings.HasPrefix(file.Name(), ".") {
			t.Errorf("%s is left", file.Name())
		}
	}
	if err := h.close(); err != nil {
		t.Error(err)
	}
	told := map[string]int{}
	for line := range strings.Lines(h.said()) {
		var entry struct{ Level, Message string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("stderr has %q", line)
		}
		if entry.Level == "warn" || entry.Level == "error" {
			told[entry.Message]++
		}
	}
	want := map[string]int{
		"lists are not kept": 1,
		"definitions cannot be pinned: weir tries again from time to time": 10, // of each server
		"requests are not recorded as they should be":                      2,  // and how many are lost
	}
	if !maps.Equal(told, want) {
		t.Errorf("got %v, want %v:\n%s", told, want, h.said())
	}
}
