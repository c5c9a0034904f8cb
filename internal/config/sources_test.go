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
