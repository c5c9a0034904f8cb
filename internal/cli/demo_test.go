package cli

import (
	"os"
	"testing"
)

func TestDemo(t *testing.T) {
	temp := t.TempDir()
	newHome(t)
	t.Setenv("HOME", "") // it needs no home folder
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp)
	weir(t, "demo").wants(t, exitOK,
		"start, initialize", "protocol 2025-11-25",
		"12 tools", "desk__echo", "web__add", // delete_everything is denied twice
		"hello, weir", "42", "after 5 progress reports",
		"isError this tool always fails",
		"denied Unknown tool: desk__delete_everything",
		"from the stored lists",
		"weir tools")
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("the demo left %s", entry.Name())
	}
}
