package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream"
)

func TestColumnsOf(t *testing.T) {
	for text, want := range map[string]int{
		"":                     0,
		"plain":                5,
		"äöü":                  3,
		"a\u0308":              1, // a and its dots
		"漢字かなカナ한글":             16,
		"ｶﾅ":                   2,
		"ＡＢ":                   4,
		"🙂🚀":                   4,
		"✅ ok":                 5,
		"→ …":                  3,
		"e\u200dx\ufe0f":       2,
		"\u2764\ufe0f":         1,
		"\U00020000\U0001f9ff": 4,
	} {
		if got := columnsOf(text); got != want {
			t.Errorf("%q: got %d columns, want %d", text, got, want)
		}
	}
	for _, tt := range []struct {
		text  string
		limit int
		want  string
	}{{"漢字", 4, "漢字"}, {"漢字", 3, "漢…"}, {"漢字", 2, "…"}, {"a漢字", 4, "a漢…"}, {"🙂🙂🙂", 4, "🙂…"}} {
		if got := oneLine(tt.text, tt.limit); got != tt.want || columnsOf(got) > tt.limit {
			t.Errorf("oneLine(%q, %d): got %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
}

// longScreen is servers and tools with all that makes a table wide.
func longScreen() (servers []serverLine, tools []listedTool) {
	servers = []serverLine{
		{Name: "files", State: "ready", Transport: "stdio", Protocol: "2025-11-25", Version: "0.6.2", Tools: 14, Prompts: 2, Resources: 120, ListAge: "just now"},
		{
			Name: "a-server-with-a-very-long-name-1", State: "needs_login", Transport: "websocket", Tools: 1234, Resources: 99999, ListAge: "59 min ago",
			Error: "https://a-very-long-host-name.example/with/a/long/path/and?more=behind&it=all answered 401", Remedy: "weir login a-server-with-a-very-long-name-1",
		},
		{Name: "notes", State: "ready", Transport: "http", Protocol: "2026-07-28", Version: "版本 2.0 🚀 und noch viel mehr", Tools: 3, ListAge: "just now", Cleaned: 2},
		{Name: "off", State: string(upstream.Disabled), Transport: "stdio"},
	}
	tools = []listedTool{
		{Name: "files__read_file", Description: "Reads a file as text.\nUse it for whatever is no picture, of which there are tools of their own, and for all else."},
		{Name: strings.Repeat("long_", 12) + "name", Description: "Its name takes most of the line, and its description what is left of it.", changed: true},
		{Name: "notes__検索", Description: "メモを検索します。見つかったメモのタイトルと本文を返します。タグで絞り込むこともできます。"},
		{Name: "notes__party", Description: "🎉🎉🎉 Congratulates 🎉🎉🎉 everybody who is there, and those who are not as well 🎉🎉🎉"},
	}
	return servers, tools
}

// TestScreens draws what "servers" and "tools" show on two terminals. No line of a
// table is wider than the terminal, and the columns stand below each other.
func TestScreens(t *testing.T) {
	servers, tools := longScreen()
	for _, width := range []int{80, 160} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			var out strings.Builder
			a := &app{Process: Process{Stdout: &out, Environ: []string{fmt.Sprintf("COLUMNS=%d", width)}}}
			if err := a.printServers(servers); err != nil {
				t.Fatal(err)
			}
			rows := strings.SplitAfter(out.String(), "\n")[:len(servers)+1]
			for _, row := range rows {
				if n := columnsOf(strings.TrimRight(row, "\n")); n > width {
					t.Errorf("a row takes %d columns: %s", n, row)
				}
			}
			golden(t, fmt.Sprintf("servers%d.txt", width), out.String())
			out.Reset()
			a.printTools(tools)
			for row := range strings.Lines(out.String()) {
				if n := columnsOf(strings.TrimRight(row, "\n")); n > width {
					t.Errorf("a row takes %d columns: %s", n, row)
				}
			}
			golden(t, fmt.Sprintf("tools%d.txt", width), out.String())
		})
	}
}
