package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestChain(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "mcp.yaml")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.yaml")
	if err := os.Symlink(config, link); err != nil {
		t.Skip(err)
	}
	once, err := parseChain("").enter(config, "")
	if err != nil || len(once) != 1 {
		t.Fatalf("got %v, %v, want a chain of one", once, err)
	}
	tests := []struct {
		name    string
		above   chain
		config  string
		profile string
		ok      bool
	}{
		{"itself", once, config, "", false},
		{"itself by a link", once, link, "", false},
		{"another profile", once, config, "work", true},
		{"another config", once, filepath.Join(dir, "other.yaml"), "", true},
		{"seven above", levels(7), config, "", true},
		{"eight above", levels(8), config, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseChain(tt.above.String()).enter(tt.config, tt.profile)
			if (err == nil) != tt.ok {
				t.Errorf("got %v, %v, want ok %t", got, err, tt.ok)
			}
			if err == nil && len(got) != len(tt.above)+1 {
				t.Errorf("got a chain of %d, want %d", len(got), len(tt.above)+1)
			}
		})
	}
}

func levels(n int) (c chain) {
	for i := range n {
		c = append(c, fmt.Sprintf("%016x", i))
	}
	return c
}
