package config

import (
	"path/filepath"
	"testing"
)

func TestAudit(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	abs := filepath.Join(home, "abs.jsonl")
	for _, tt := range []struct {
		text string
		want Audit // a relative Path stands for one beside the file
	}{
		{"", Audit{}},
		{"audit: {}", Audit{}},
		{"audit: {file: default, arguments: false}", Audit{}},
		{"audit: {arguments: true}", Audit{Arguments: true}},
		{"audit: {file: off}", Audit{Off: true}},
		{"audit: {file: ~/a.jsonl}", Audit{Path: filepath.Join(home, "a.jsonl")}},
		{"audit: {file: logs/a.jsonl}", Audit{Path: "logs/a.jsonl"}},
		{"audit: {file: " + abs + "}", Audit{Path: abs}},
	} {
		f := load(t, "mcp.yaml", tt.text+"\n")
		if tt.want.Path != "" && !filepath.IsAbs(tt.want.Path) {
			tt.want.Path = filepath.Join(filepath.Dir(f.Path), filepath.FromSlash(tt.want.Path))
		}
		if f.Audit != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.text, f.Audit, tt.want)
		}
	}
}
