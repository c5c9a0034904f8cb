//go:build unix

package process

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadWatched(t *testing.T) {
	tests := []struct {
		name  string
		lines string
		want  watched
	}{
		{"nothing", "", watched{groups: map[int]string{}}},
		{"one runs, one has ended", "token abc\n+ 12 100\n+ 13 200\n- 12\n", watched{"abc", map[int]string{13: "200"}}},
		{"no start known", "+ 12 \n", watched{"", map[int]string{12: ""}}},
		{"a line without its end", "+ 12 100\n+ 134", watched{"", map[int]string{12: "100"}}},
		{"numbers that mean more than one group", "+ 0 1\n+ 1 1\n+ -1 1\n", watched{groups: map[int]string{}}},
		{"no sense", "\n+\nx y z\n- 5\n+ x 1\n", watched{groups: map[int]string{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := readWatched(strings.NewReader(tt.lines), func() {})
			if diff := cmp.Diff(&tt.want, got, cmp.AllowUnexported(watched{})); diff != "" {
				t.Errorf("watched (-want +got)\n%s", diff)
			}
		})
	}
}

// A group whose number was used again is somebody else's.
func TestForeignGroupIsSpared(t *testing.T) {
	if startOf(os.Getpid()) == "" {
		t.Skip("processes have no known start here")
	}
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = groupAttributes()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	spared := &watched{groups: map[int]string{pid: "1"}}
	if left := spared.signalGroups(syscall.SIGKILL, map[int]bool{}); left != 0 {
		t.Errorf("got %d groups left, want none", left)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil || onlyZombies(pid) {
		t.Errorf("got %v, want a process that runs", err)
	}
	ended := &watched{groups: map[int]string{pid: startOf(pid)}}
	if left := ended.signalGroups(syscall.SIGKILL, map[int]bool{}); left != 1 {
		t.Errorf("got %d groups left, want 1", left)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("got %v, want it killed", err)
	}
}
