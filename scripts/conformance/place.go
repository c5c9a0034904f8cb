package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
)

// A place is where weir runs: a configuration, and folders of its own.
type place struct {
	program, dir string
	log          *os.File // of weir's stderr
}

// newPlace makes a place below dir. upstream is the one server, in YAML; all is
// allowed, as it comes.
func newPlace(program, dir, upstream string) (*place, error) {
	p := &place{program: program, dir: filepath.Join(dir, "place")}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	config := "policy: {default: execute}\nservers:\n  peer: " + upstream + "\n"
	if err := os.WriteFile(p.config(), []byte(config), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "weir.txt"))
	p.log = log
	return p, err
}

func (p *place) config() string { return filepath.Join(p.dir, "mcp.yaml") }

// weir is a command of weir there. It is alone with its configuration: nothing
// of the user's is read or written.
func (p *place) weir(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "WEIR_CONFIG=" + p.config()}
	for _, variable := range []string{"HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"} {
		cmd.Env = append(cmd.Env, variable+"="+p.dir)
	}
	cmd.Stderr = p.log
	return cmd
}
