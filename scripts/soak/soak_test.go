package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/internal/cli"
	"github.com/weir-mcp/weir/scripts/rig"
	"github.com/weir-mcp/weir/upstream/process"
)

// TestMain lets the test binary be weir, its guardian and its children too.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == rig.RelayCommand:
		os.Exit(rig.Relay(os.Args[2:]))
	case len(os.Args) == 2 && os.Args[1] == cli.GuardianCommand:
		process.GuardianMain()
	case filepath.Base(os.Args[0]) == "weir":
		os.Exit(cli.Main(cli.Process{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}))
	default:
		os.Exit(m.Run())
	}
}

// TestSoak: a short one. Whether memory is flat only a long one shows.
func TestSoak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	weir := filepath.Join(dir, "weir")
	if err := os.Symlink(self, weir); err != nil {
		t.Fatal(err)
	}
	socketDir, err := os.MkdirTemp("", "s") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(socketDir)
	calls := 2000
	if testing.Short() {
		calls = 500
	}
	s := soak{weir: []string{weir}, relay: self, calls: calls, upstreams: 8, told: io.Discard}
	samples, err := s.run(socketDir)
	if err != nil {
		t.Fatal(err)
	}
	if s.breaks < 8 || s.failed > calls/10 || len(samples) < calls/samplesWanted {
		t.Errorf("got %d breaks, %d failures, %d samples", s.breaks, s.failed, len(samples))
	}
}

// TestFlat: what grows is seen, what swings is not.
func TestFlat(t *testing.T) {
	grown := func(change func(i int, s *sample)) (samples []sample) {
		for i := range 400 {
			s := sample{calls: i * 100, files: 50, threads: 12, offspring: 6, memory: 40 << 20}
			change(i, &s)
			samples = append(samples, s)
		}
		return samples
	}
	tests := []struct {
		name   string
		change func(i int, s *sample)
		want   string
	}{
		{"flat", func(int, *sample) {}, ""},
		{"swinging", func(i int, s *sample) { s.memory += int64(i%7) << 20 }, ""},
		{"growing at first", func(i int, s *sample) { s.memory = min(int64(i), 40) << 20 }, ""},
		{"growing", func(i int, s *sample) { s.memory += int64(i) << 16 }, "memory has grown"},
		{"files", func(i int, s *sample) { s.files += i / 10 }, "open files has grown"},
		{"threads", func(i int, s *sample) { s.threads += i / 20 }, "threads has grown"},
		{"children", func(i int, s *sample) { s.offspring += i / 50 }, "processes has grown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := flat(grown(test.change))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if drawn := string(plot(grown(test.change), 20)); strings.Count(drawn, "<polyline") != 4 || strings.Contains(drawn, "NaN") {
				t.Errorf("the plot is wrong: %.500s", drawn)
			}
		})
	}
}
