package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestSources: all that a configuration is made of counts, and what is in it, not
// when it was written.
func TestSources(t *testing.T) {
	const text = "env_file: env\nservers: {a: {command: x}}\n"
	tests := []struct {
		name   string
		file   string
		env    string // "" for none
		change func(config, env string) error
		want   bool
	}{
		{"nothing", text, "K=v", func(string, string) error { return nil }, false},
		{"touched", text, "K=v", func(config, env string) error {
			later := time.Now().Add(time.Hour)
			return errors.Join(os.Chtimes(config, later, later), os.Chtimes(env, later, later))
		}, false},
		{"written the same", text, "K=v", func(config, _ string) error { return os.WriteFile(config, []byte(text), 0o600) }, false},
		{"a comment", text, "K=v", func(config, _ string) error { return os.WriteFile(config, []byte("# c\n"+text), 0o600) }, true},
		{"gone", text, "K=v", func(config, _ string) error { return os.Remove(config) }, true},
		{"variables", text, "K=v", func(_, env string) error { return os.WriteFile(env, []byte("K=w"), 0o600) }, true},
		{"variables gone", text, "K=v", func(_, env string) error { return os.Remove(env) }, true},
		{"variables come", text, "", func(_, env string) error { return os.WriteFile(env, []byte("K=w"), 0o600) }, true},
		{"no variables", text, "", func(string, string) error { return nil }, false},
		{"broken", "servers: [", "", func(string, string) error { return nil }, false},
		{"corrected", "servers: [", "", func(config, _ string) error { return os.WriteFile(config, []byte(text), 0o600) }, true},
		{"foreign", `{"mcpServers": {"a": {"command": "x", "envFile": "env"}}}`, "K=v", func(_, env string) error { return os.WriteFile(env, []byte("K=w"), 0o600) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "mcp.yaml", tt.file)
			env := filepath.Join(filepath.Dir(path), "env")
			if tt.env != "" {
				if err := os.WriteFile(env, []byte(tt.env), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			sources := &Sources{}
			_, _ = Load(Options{Path: path, Sources: sources}) // what is wrong has its own tests
			if !slices.Contains(sources.Paths(), path) {
				t.Errorf("got %q", sources.Paths())
			}
			if err := tt.change(path, env); err != nil {
				t.Fatal(err)
			}
			if got := sources.Changed(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("none yet", func(t *testing.T) {
		home := t.TempDir()
		for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
			t.Setenv(name, home)
		}
		t.Setenv("WEIR_CONFIG", "")
		sources := &Sources{}
		if _, err := Load(Options{Sources: sources}); err != nil {
			t.Fatal(err)
		}
		if sources.Changed() || len(sources.Paths()) != 1 {
			t.Fatalf("got %q, changed", sources.Paths())
		}
		path := sources.Paths()[0]
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if !sources.Changed() {
			t.Error("it has come, and nothing has changed")
		}
	})
}

// TestSourcesTellVariables: whatever of the environment could make another
// configuration is known, be it set or not.
func TestSourcesTellVariables(t *testing.T) {
	t.Setenv("SET", "x")
	path := write(t, "mcp.yaml", `
servers:
  a: {command: x, args: ["${SET}", "${UNSET}", "${WITH:-default}", "${env:NAMED}", "$${NOT}", "${file:/x}"], inherit_env: [INHERITED]}
  b: {url: "https://h/${IN_URL}", headers: {X: "${IN_HEADER}"}}
tools:
  t: {description: d, command: [x, "${IN_TOOL}"]}
env_file: ${IN_PATH}
`)
	sources := &Sources{}
	if _, err := Load(Options{Path: path, Sources: sources}); err != nil {
		t.Fatal(err)
	}
	want := []string{"INHERITED", "IN_HEADER", "IN_PATH", "IN_TOOL", "IN_URL", "NAMED", "SET", "UNSET", "WITH"}
	if got := sources.Variables(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Setenv("FOLDER", filepath.Dir(write(t, "env", "A=b")))
	foreign := write(t, "mcp.json", `{"mcpServers": {"a": {"command": "x", "envFile": "${FOLDER}/env", "env": {"K": "${env:FOREIGN}"}}}}`)
	sources = &Sources{}
	if _, err := Load(Options{Path: foreign, Sources: sources}); err != nil {
		t.Fatal(err)
	}
	if got, want := sources.Variables(), []string{"FOLDER", "FOREIGN"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSourcesAgain: what is given is what was loaded, or nothing.
func TestSourcesAgain(t *testing.T) {
	path := write(t, "mcp.yaml", "servers: {a: {command: x}}\nenv_file: env\n")
	sources := &Sources{}
	if _, err := Load(Options{Path: path, Sources: sources}); err != nil {
		t.Fatal(err)
	}
	read := map[string]string{}
	visit := func(path string, limit int64, data []byte, err error) bool {
		read[filepath.Base(path)] = string(data)
		if limit <= 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: limit %d, %v", path, limit, err)
		}
		return true
	}
	if !sources.Again(visit) || len(read) != 2 || read["mcp.yaml"] == "" || read["env"] != "" {
		t.Errorf("read %q", read)
	}
	if sources.Again(func(string, int64, []byte, error) bool { return false }) {
		t.Error("it goes on though nobody wants it")
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "env"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if sources.Again(visit) {
		t.Error("another file is taken for the one that was loaded")
	}
}

// TestFleeting: what stands in env_file is there for every process, what only the
// environment has is not.
func TestFleeting(t *testing.T) {
	path := write(t, "mcp.yaml", "env_file: env\nservers: {a: {command: x, args: ['${KEPT}', '${PASSING}', '${NEVER:-x}'], inherit_env: [HANDED_ON]}}\n")
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "env"), []byte("KEPT=1"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KEPT", "2")
	t.Setenv("PASSING", "3")
	t.Setenv("HANDED_ON", "4")
	sources := &Sources{}
	if _, err := Load(Options{Path: path, Sources: sources}); err != nil {
		t.Fatal(err)
	}
	if got, want := sources.Fleeting(), []string{"HANDED_ON", "PASSING"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
